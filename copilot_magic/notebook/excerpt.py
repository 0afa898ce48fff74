"""Text of any length, of which only the beginning and the end are kept."""

from __future__ import annotations

import re

from ..text import without_controls

__all__ = ["KEPT", "Excerpt"]

KEPT = 10_000
"""Characters that are kept of the beginning, and of the end."""

# Terminal escape sequences (ECMA-48): CSI, OSC and similar strings, and short ones.
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])"
)


class Excerpt:
    """The beginning and the end of a text that is written piece by piece.

    Of a line that was written over, such as a progress bar, the last state counts. The sequences
    that colour text in a terminal are left out, and so are control characters.

    Args:
        kept: Characters that are kept of the beginning, and of the end.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._pieces: list[str] = []
        self._size = 0
        self._head = ""
        self._tail = ""
        self._left_out = 0

    def add(self, text: str) -> None:
        """Write `text`."""
        self._pieces.append(text)
        self._size += len(text)
        # An object for each character takes more than the characters.
        if self._size > 8 * self._kept or len(self._pieces) > self._kept:
            self._fold()

    def add_line(self, text: str) -> None:
        """Write `text`, if any, on lines of its own."""
        if not text:
            return
        before = self._pieces[-1] if self._pieces else self._tail or self._head
        self.add(f"{'' if not before or before.endswith(chr(10)) else chr(10)}{text}\n")

    def finish(self) -> None:
        """Give up what is not needed to show the text."""
        self._fold()

    @property
    def text(self) -> str:
        """Return the text; a line of its own says how much is left out in the middle."""
        self._fold()
        head, tail = _clean(self._head), _clean(self._tail)
        if self._left_out:
            return f"{head}\n… {self._left_out:,} characters left out …\n{tail.rstrip()}"
        return f"{head}{tail}".rstrip()

    def _fold(self) -> None:
        text = _overwritten(self._tail + "".join(self._pieces))
        self._pieces, self._size = [], 0
        if not self._left_out:
            text = self._head + text
            self._head = ""
            if len(text) > 2 * self._kept:
                self._head, text = text[: self._kept], text[self._kept :]
        if len(text) > self._kept and self._head:
            self._left_out += len(text) - self._kept
            text = text[-self._kept :]
        self._tail = text


def _overwritten(text: str) -> str:
    """Return `text` with the last state of each line that was written over."""
    if "\r" not in text:
        return text
    return "\n".join(map(_last_state, text.replace("\r\n", "\n").split("\n")))


def _last_state(line: str) -> str:
    # A line may be written over by what is still to come.
    end = "\r" if line.endswith("\r") else ""
    return line.rstrip("\r").rpartition("\r")[2] + end


def _clean(text: str) -> str:
    return without_controls(_ESCAPES.sub("", text))
