"""Text that breaks off, shown as what it will probably become.

Open emphasis, code, links and formulas are closed, so an answer that is being written does not
show their marks first and jump later.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .math import CLOSERS, DOLLAR_FORMULA
from .tags import partial_tag

if TYPE_CHECKING:
    from markdown_it.rules_core import StateCore

__all__ = ["complete", "is_ambiguous", "show_unfinished"]

# The start of a line that may still become one thing or another.
_AMBIGUOUS = re.compile(
    r"[ \t]*(?:>[ \t]?){0,9}(?:(?:[-+*]|\d{1,9}[.)])[ \t]+){0,9}"
    r"(?:[-+*=_#|:~`.$\\!\[ \t]*|\d{1,9}[.)]?[ \t]*|\[[ xX]?\]?[ \t]*|`{3,}[^`]*|~{3,}.*"
    r"|\|[-:| \t]*)"
)
_MAY_CLOSE_CODE = re.compile(r" {0,3}[`~]+[ \t]*")
# A last line with a bar may be the header of a table.
_TABLE_HEADER = re.compile(r"(?:^|\n)[ \t]*\|[^\n]*$")
_MARK = re.compile(r"\\.|`+|\$\$?|\*+|_+|~~|!?\[|\]", re.DOTALL)
_DESTINATION = re.compile(
    r"\((?:[^()\s\\]|\\.|\([^()\s]*\)|[ \t\n]+(?:\"[^\"]*\"|'[^']*'))*(?:\([^()\s]*\Z)?"
)
_LABEL = re.compile(r"!\[|\[(?=[^\W\d]|[*_`!🖼])")  # not [1] or [0, 1]
_FORMULA = re.compile(r"(?=[^$]{1,200}\Z)(?:\\|[^\s\d].*?[\\^_{}=])", re.DOTALL)


def is_ambiguous(line: str, in_code: bool) -> bool:
    """Say whether the start of a line leaves open what the line will be.

    Args:
        line: What has arrived of the line.
        in_code: Whether it is in a fenced code block; then only a closing fence is special.
    """
    return bool((_MAY_CLOSE_CODE if in_code else _AMBIGUOUS).fullmatch(line))


def show_unfinished(state: StateCore) -> None:
    """Complete the text at the very end if ``tail`` is set in the environment (a core rule)."""
    if not state.env.get("tail"):
        return
    for index in range(len(state.tokens) - 1, -1, -1):
        token = state.tokens[index]
        if token.type == "inline":
            content = token.content
            if state.tokens[index - 1].type == "paragraph_open":
                content = _TABLE_HEADER.sub("", content)
            if work := state.env.get("work"):
                work.spend(len(content) / 8)
            token.content = complete(partial_tag(content))
            if not token.content:
                state.tokens[index - 1].hidden = state.tokens[index + 1].hidden = True
        if token.nesting >= 0:
            break


def complete(text: str) -> str:
    """Return the text with open emphasis, code, links and formulas closed."""
    text = text.rstrip()
    emphasis: list[str] = []  # the marks that are open
    brackets: list[int] = []
    position = 0
    while mark := _MARK.search(text, position):
        begin, position, sign = mark.start(), mark.end(), mark.group()
        if sign in CLOSERS or sign == "$" or sign[0] == "`":
            end = _end_of_literal(text, begin, sign)
            if end is None:
                text = text[:begin] + _as_code(text[position:] if sign[0] == "`" else text[begin:])
                break
            position = end
        elif sign[0] in "*_~":
            text = _after_emphasis(text, begin, sign, emphasis)
        elif sign.endswith("["):
            brackets.append(begin)
        elif sign == "]" and brackets:
            opening = brackets.pop()
            destination = _DESTINATION.match(text, position)
            end = destination.end() if destination else position
            if end == len(text) and (destination or _LABEL.match(text, opening)):
                text = _without_bracket(text[:begin], opening)
                break
            if destination and text[end] == ")":
                position = end + 1
    for opening in reversed(brackets):
        if _LABEL.match(text, opening):
            text = _without_bracket(text, opening)
    return text.rstrip() + "".join(reversed(emphasis))


def _after_emphasis(text: str, begin: int, sign: str, emphasis: list[str]) -> str:
    """Take one run of emphasis marks; return the text, without the run if it is a bare end.

    Args:
        text: The text that breaks off.
        begin: Where the run begins.
        sign: The run, such as ``**``.
        emphasis: The runs that are open; changed in place.
    """
    end = begin + len(sign)
    left = text[begin - 1 : begin] or " "
    right = text[end : end + 1] or " "
    if not left.isspace():
        while sign and emphasis and emphasis[-1][0] == sign[0]:
            opener = emphasis.pop()
            if len(opener) > len(sign):
                emphasis.append(opener[len(sign) :])
            sign = sign[len(opener) :]
    if sign and not right.isspace() and not left.isalnum():
        emphasis.append(sign)
    elif sign and end == len(text):
        return text[: len(text) - len(sign)]
    return text


def _without_bracket(text: str, opening: int) -> str:
    """Return the text without the bracket there, which opens the label of a link or an image."""
    if text[opening] == "!":
        return f"{text[:opening]}🖼 {text[opening + 2 :]}"
    return text[:opening] + text[opening + 1 :]


def _end_of_literal(text: str, begin: int, sign: str) -> int | None:
    """Return where the code or formula that begins here ends, None if it is not closed."""
    after = begin + len(sign)
    if sign[0] == "`":
        closer = re.compile(f"(?<!`){sign}(?!`)").search(text, after)
        return closer.end() if closer else None
    if sign != "$":
        end = text.find(CLOSERS[sign], after)
        return end + 2 if end >= 0 else None
    if formula := DOLLAR_FORMULA.match(text, begin):
        return formula.end()
    rest = text[after:]
    is_begun = _FORMULA.match(rest) and not text[begin - 1 : begin].isalnum()
    return None if is_begun else after


def _as_code(text: str) -> str:
    """Return Markdown that shows `text` as code."""
    text = text.rstrip("`")
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence}{text}{fence}" if text.strip() else ""
