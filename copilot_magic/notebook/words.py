"""The words of a magic's line, as a shell splits them, except that expressions stay whole."""

from __future__ import annotations

import os

from ..errors import UsageError

__all__ = ["split_words"]

_CLOSING = {"(": ")", "[": "]", "{": "}"}


def split_words(line: str) -> list[str]:
    """Return the words of a magic's line without their quotation marks.

    A word may be an expression: inside of its brackets, quotation marks and blanks belong to it,
    as in ``--as Literal['good', 'bad']``.

    Raises:
        UsageError: A quotation mark is not closed.
    """
    try:
        return _split(line, brackets=True)
    except _UnclosedError:
        pass  # in ordinary text, a bracket need not be closed
    try:
        return _split(line, brackets=False)
    except _UnclosedError:
        raise UsageError(
            "A quotation mark is not closed", "Put the whole value in double quotes"
        ) from None


class _UnclosedError(Exception):
    """A quotation mark or a bracket is not closed."""


def _split(line: str, *, brackets: bool) -> list[str]:
    words: list[str] = []
    word: list[str] | None = None
    position = 0
    while position < len(line):
        character = line[position]
        position += 1
        if character.isspace():
            if word is not None:
                words.append("".join(word))
            word = None
            continue
        word = [] if word is None else word
        if character in "'\"":
            end = _end_of_quotation(line, position)
            word.append(_unquoted(line[position : end - 1], character))
            position = end
        elif character in _CLOSING and brackets:
            end = _end_of_brackets(line, position, _CLOSING[character])
            word.append(line[position - 1 : end])
            position = end
        elif character == "\\" and os.name != "nt":  # on Windows it belongs to a path
            word.append(line[position : position + 1])
            position += 1
        else:
            word.append(character)
    return words if word is None else [*words, "".join(word)]


def _end_of_quotation(line: str, start: int) -> int:
    """Return where a quotation ends that begins before `start`, its closing mark included."""
    mark, position = line[start - 1], start
    while position < len(line):
        if line[position] == mark:
            return position + 1
        escapes = mark == '"' and os.name != "nt"
        position += 2 if line[position] == "\\" and escapes else 1
    raise _UnclosedError


def _unquoted(text: str, mark: str) -> str:
    if mark == "'" or "\\" not in text or os.name == "nt":
        return text
    return text.replace("\\\\", "\0").replace('\\"', '"').replace("\0", "\\")


def _end_of_brackets(line: str, start: int, closing: str) -> int:
    """Return where brackets end that open before `start`, the closing one included."""
    open_brackets, position = [closing], start
    while position < len(line):
        character = line[position]
        position += 1
        if character in "'\"":
            position = _end_of_quotation(line, position)
        elif character in _CLOSING:
            open_brackets.append(_CLOSING[character])
        elif character == open_brackets[-1]:
            open_brackets.pop()
            if not open_brackets:
                return position
    raise _UnclosedError
