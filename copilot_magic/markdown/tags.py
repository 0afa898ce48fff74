"""HTML that models write and that harms nobody, and footnotes.

Only these tags, exactly as they are written here, without attributes, and only if they are
balanced: everything else stays text. A footnote is a number above the line, without a link: links
within the page would need names, and names may clash with those of the page.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

__all__ = ["balance", "details", "footnote", "partial_tag", "tag"]

DETAILS = 4_000
"""Length of the longest ``<details>`` that is folded, in characters: it is settled only when it is
closed."""

NESTED = 20
"""Most tags in each other."""

_NAMES = "sub|sup|kbd|b|i|u|s|mark|small"
_TAG = re.compile(rf"<(?:br ?/?|(/?)({_NAMES}))>")
_PARTIAL = re.compile(r"</?(?:br? ?/?|s(?:u[bp]?|m(?:a(?:ll?)?)?)?|kb?d?|[iu]|m(?:a(?:rk?)?)?)?\Z")
_FOOTNOTE = re.compile(r"\[\^(\d{1,3})\](:[ \t]*)?")
_DETAILS = re.compile(r"<details>[ \t]*(?:<summary>(.*)</summary>[ \t]*)?")
_SUMMARY = re.compile(r"[ \t]*<summary>(.*)</summary>[ \t]*")
_FENCE = re.compile(r"`{3,}|~{3,}")


def tag(state: StateInline, silent: bool) -> bool:
    """Read a tag in running text (a rule of markdown-it); `balance` decides what becomes of it."""
    found = _TAG.match(state.src, state.pos)
    if not found or found.end() > state.posMax:
        return False
    if not silent:
        closes, name = found.groups()
        token = state.push("tag" if name else "hardbreak", name or "br", 0)
        token.content = found.group() if name else ""
        token.markup = closes or ""
    state.pos = found.end()
    return True


def balance(children: list[Token], is_open: bool) -> list[Token]:
    """Return inline tokens in which each tag has its counterpart; the others become text.

    Args:
        children: What the parser made of a block's text.
        is_open: Whether more text may follow; then tags are closed rather than shown as text.
    """
    from markdown_it.token import Token

    balanced: list[Token] = []
    opened: list[Token] = []  # tags and, as borders, what Markdown opened

    def close(last: Token | None) -> None:
        """End the tags that were opened after the last one that may stay open."""
        while opened and opened[-1] is not last and opened[-1].type == "tag":
            token = opened.pop()
            if is_open:
                token.type, token.nesting = "tag_open", 1
                balanced.append(Token("tag_close", token.tag, -1))
            else:
                token.type = "text"

    for child in children:
        if child.type == "tag" and child.markup:
            begin = next((t for t in _since_border(opened) if t.tag == child.tag), None)
            child.type = "text"
            if begin:
                close(begin)
                opened.pop()
                begin.type, begin.nesting, begin.content = "tag_open", 1, ""
                child.type, child.nesting, child.content = "tag_close", -1, ""
        elif child.type == "tag" and len(opened) >= NESTED:
            child.type = "text"
        elif child.type == "tag" or child.nesting == 1:
            opened.append(child)
        elif child.nesting == -1:
            close(None)
            opened.pop()
        balanced.append(child)
    close(None)
    return balanced


def _since_border(opened: list[Token]) -> list[Token]:
    """Return the open tags that no mark of Markdown was opened after, the last one first."""
    tags: list[Token] = []
    for token in reversed(opened):
        if token.type != "tag":
            break
        tags.append(token)
    return tags


def partial_tag(text: str) -> str:
    """Return the text without the start of a tag at its very end."""
    return _PARTIAL.sub("", text)


def footnote(state: StateInline, silent: bool) -> bool:
    """Read ``[^1]``, or ``[^1]:`` at the start of a line (a rule of markdown-it)."""
    found = _FOOTNOTE.match(state.src, state.pos)
    if not found or found.end() > state.posMax:
        return False
    at_line_start = state.src[state.pos - 1 : state.pos] in ("", "\n")
    if not silent:
        previous = state.tokens[-1] if state.tokens and not state.pending else None
        if found.group(2) and previous and previous.type == "softbreak":
            previous.type = "hardbreak"
        state.push("footnote_open", "sup", 1)
        state.push("text", "", 0).content = found.group(1)
        state.push("footnote_close", "sup", -1)
        if at_line_start and found.group(2):
            state.pending += " "
    state.pos = found.end() if at_line_start else found.end(1) + 1
    return True


def details(state: StateBlock, start: int, end_line: int, silent: bool) -> bool:
    """Read ``<details>`` on lines of their own, with a summary or without (a rule).

    If the text ends inside, it is an unclosed block if ``open`` is set in the parser's
    environment, because more text may follow. Otherwise it is text.
    """
    begin = state.bMarks[start] + state.tShift[start]
    if state.is_code_block(start) or not state.src.startswith("<details>", begin):
        return False
    opening = _DETAILS.fullmatch(state.src, begin, state.eMarks[start])
    if not opening:
        return False
    end = _closing_line(state, start, end_line)
    if end is None and not state.env.get("open"):
        return False
    last = end_line if end is None else end
    if state.eMarks[last - 1] - begin > DETAILS:
        return False
    if silent:
        return True
    summary, first = opening.group(1), start + 1
    if summary is None and first < last:
        found = _SUMMARY.fullmatch(state.src, state.bMarks[first], state.eMarks[first])
        summary, first = (found.group(1), first + 1) if found else (None, first)
    token = state.push("details_open", "details", 1)
    token.map = [start, last if end is None else last + 1]
    token.meta = {"closed": end is not None}
    if summary is not None:
        state.push("summary_open", "summary", 1)
        token = state.push("inline", "", 0)
        token.content, token.children, token.map = summary.strip(), [], [start, first]
        state.push("summary_close", "summary", -1)
    parent, line_max = state.parentType, state.lineMax
    state.parentType, state.lineMax = "details", last
    state.md.block.tokenize(state, first, last)
    state.parentType, state.lineMax = parent, line_max
    state.push("details_close", "details", -1)
    state.line = last if end is None else last + 1
    return True


def _closing_line(state: StateBlock, start: int, end_line: int) -> int | None:
    """Return the line that closes the ``<details>`` of the first line, None if there is none."""
    depth, fence = 1, ""
    for line in range(start + 1, end_line):
        if work := state.env.get("work"):
            work.spend(1)
        text = state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].rstrip()
        if state.sCount[line] < state.blkIndent and text:
            return None
        mark = _FENCE.match(text)
        if fence:
            fence = "" if mark and mark.group() == text and text.startswith(fence) else fence
        elif mark:
            fence = mark.group()
        elif text == "</details>":
            depth -= 1
            if not depth:
                return line
        elif _DETAILS.fullmatch(text):
            depth += 1
    return None
