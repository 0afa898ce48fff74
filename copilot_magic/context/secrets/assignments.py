"""Secrets that are recognised by the name beside them: ``password = "…"``, ``"api_key": "…"``.

It reads the source of cells, ``.env`` files, JSON, YAML, command lines, tracebacks and reprs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .names import Kind, is_random, is_secret, kind_of
from .spans import Span

__all__ = ["assignments_in"]

# A name, and what stands between it and its value. What repeats is short and limited.
_NAMED = re.compile(
    r"(?<![A-Za-z0-9_])(?P<name>[A-Za-z_][A-Za-z0-9_-]{1,60})"
    r"(?P<quoted>\\{0,3}[\"'])?\]?[ \t]{0,8}"
    r"(?P<sign>:[ \t]?[\w.]{1,40}(?:\[[\w., |]{1,40}\])?(?:[ \t]\|[ \t]None)?[ \t]?=(?!=)"
    r"|:=|=>|==|!=|=|:(?!:)|,(?=[ \t]{0,8}\\{0,3}[\"']))[ \t]{0,8}"
)
_OPTION = re.compile(r"(?<![A-Za-z0-9_-])--?(?P<name>[A-Za-z][A-Za-z0-9-]{1,40})[ \t]{1,4}(?![-=])")
_OPENING = re.compile(
    r"(?:(?:SecretStr|SecretBytes|str)\()?[rRbBuUfF]{0,2}(\\{0,3})(\"\"\"|'''|\"|')"
)
_BARE = re.compile(r"[^\s\"'`<>\\]{6,500}")
_LONGEST = 5_000
_LINE = 300

# `tokenizer(text)`, `config.password`, `df[`: source, not a value.
_SOURCE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*){1,8}|[*&|].*|\$[A-Z{(].*|.*[()\[\]{}].*")
_END = re.compile("[,;]")
_END_IN_ADDRESS = re.compile("[,;&#)\\]]")
_NO_WORD = re.compile(r"[^A-Za-z_./-]")
_QUOTE = {
    '"': re.compile('"'),
    "'": re.compile("(?<![A-Za-z])'|'(?![A-Za-z])"),  # not an apostrophe
}
_ENV_LINE = re.compile(r"(?:^|\n)[ \t]{0,8}(?:(?:export|set|ENV|ARG|%env)[ \t]{1,4})?$")


def assignments_in(text: str) -> Iterator[Span]:
    """Find the values of names that look like those of secrets."""
    for head in _NAMED.finditer(text):
        kind = kind_of(head["name"])
        if kind is None:
            continue
        if head["sign"] == ",":
            # Names in a list, such as columns, have other names beside them.
            kind = kind._replace(strong=False) if head["quoted"] else None
        if kind is not None:
            yield from _value(text, head, kind)
    for head in _OPTION.finditer(text):
        kind = kind_of(head["name"])
        if kind is not None:
            yield from _value(text, head, kind)


def _value(text: str, head: re.Match[str], kind: Kind) -> Iterator[Span]:
    start = head.end()
    opening = _OPENING.match(text, start)
    if opening is None:
        yield from _bare(text, head, kind)
        return
    if not head.groupdict().get("quoted") and _closes(text, head.start(), opening):
        return
    end = _closing(text, opening)
    value = text[opening.end() : end]
    names_another = value.count("_") >= 2 and _is_reference(value)
    if is_secret(value, kind) and not names_another and not _is_prose(value):
        yield Span(opening.end(), end, kind.label)


def _closing(text: str, opening: re.Match[str]) -> int:
    """Return where a quoted value ends; an unclosed one ends with its line."""
    start, mark = opening.end(), opening[1] + opening[2]
    limit = min(len(text), start + _LONGEST)
    line_end = text.find("\n", start, limit)
    if len(opening[2]) == 3 or line_end < 0:
        line_end = limit
    end = text.find(mark, start, line_end)
    # A mark with more backslashes before it belongs to the value.
    while end > start and text[end - 1] == "\\":
        end = text.find(mark, end + len(mark), line_end)
    return line_end if end < 0 else end


def _closes(text: str, name_start: int, opening: re.Match[str]) -> bool:
    """Say whether a quotation mark ends a string: ``input("Password: ")``."""
    if len(opening[2]) == 3:
        return False
    line_start = text.rfind("\n", max(0, name_start - _LINE), name_start) + 1
    if line_start == 0 and name_start > _LINE:
        return False  # a long line, such as JSON
    before = _QUOTE[opening[2]].findall(text, line_start, opening.start())
    return len(before) % 2 == 1


def _is_prose(value: str) -> bool:
    """Say whether a text only mentions a secret, as ``Please enter your password`` does."""
    if value != value.strip() and not is_random(value):
        return True  # to be joined to more
    words = value.split(" ")
    return len(words) > 1 and any(kind_of(word.strip(".:!?,()")) for word in words)


def _bare(text: str, head: re.Match[str], kind: Kind) -> Iterator[Span]:
    """Find a value without quotation marks; in source that would be an expression."""
    found = _BARE.match(text, head.end())
    if found is None or not found.group().isascii():  # Chinese has no spaces between its words
        return
    start, value = found.start(), found.group()
    in_env_file = _is_in_env_file(text, head, found.end())
    if not in_env_file:
        in_address = text[head.start() - 1 : head.start()] in ("?", "&")
        value = (_END_IN_ADDRESS if in_address else _END).split(value, maxsplit=1)[0]
        value = value.rstrip(":.!?")
        if "://" in value or _SOURCE.fullmatch(value) or not _NO_WORD.search(value):
            return
    if not is_secret(value, kind) or _is_reference(value):
        return
    yield Span(start, start + len(value), kind.label)


def _is_reference(value: str) -> bool:
    """Say whether a value looks like a variable's name: ``db_password``, ``s3_connection``."""
    if not value.isidentifier():
        return False
    return kind_of(value) is not None or ("_" in value and not is_random(value))


def _is_in_env_file(text: str, head: re.Match[str], end: int) -> bool:
    """Say whether the line is like ``DB_PASSWORD=secretword``, where the rest is the value."""
    if not (head["name"].isupper() and head.group().endswith("=")):
        return False
    starts = head.start() == 0 or _ENV_LINE.search(text, max(0, head.start() - 20), head.start())
    return bool(starts) and text[end : end + 1] in ("", "\n", "\r")
