"""Markdown to safe HTML while the text is being written.

Each block is settled as soon as nothing that follows can change it. That is decided line by line,
so it makes no difference how the text was cut into pieces, and `render` is the same code. A block
that grows too long to wait for its end is settled in parts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .blocks import Blocks
from .unfinished import is_ambiguous

__all__ = ["Stream"]

LINE = 1_000
"""Length from which a line is wrapped if there is a space to wrap it at, in characters."""

WORD = 8_000
"""Length from which a line is wrapped in any case, also a line of code, in characters."""

DATA_IMAGE = 2_000_000
"""Length of the longest image that can be in the text itself, in characters of Base64."""

_BREAK = re.compile(r".*(?:\s|[、。！？，；：\u3041-\u30ff\u4e00-\u9fff])", re.DOTALL)
_OPEN_IMAGE = re.compile(r"\(data:image/[a-z]+;base64,[A-Za-z0-9+/=]*$")


class Stream:
    """The HTML of a Markdown text that arrives piece by piece.

    What is settled is final; all of it together equals what `render` returns for the whole text,
    unless `defines_late` is true: a link definition (``[name]: address``) counts only for the text
    after it here, and for the whole text in `render`.

    Args:
        remote_images: Show images from the web; otherwise they are links.
        definitions: Link definitions that are known before the text begins.
    """

    def __init__(
        self, *, remote_images: bool = False, definitions: Mapping[str, Any] | None = None
    ) -> None:
        self._blocks = Blocks(remote_images, definitions)
        self._pieces: list[str] = []  # of the line being written
        self._length = 0  # of the pieces, in characters
        self._limit = LINE  # the length at which to look whether the line must be wrapped
        self._ends_in_return = False  # a line feed that follows is part of the same line end

    def feed(self, text: str) -> list[str]:
        """Take the next piece of the text; return the HTML that it settles."""
        if self._ends_in_return:
            text = f"\r{text}"
        self._ends_in_return = text.endswith("\r")
        if "\r" in text:
            text = text[:-1] if self._ends_in_return else text
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        *ends, rest = text.split("\n")
        settled: list[str] = []
        for end in ends:
            self._pieces.append(end)
            settled += self._take_line(is_whole=True)
        self._pieces.append(rest)
        self._length += len(rest)
        if self._length > self._limit:
            settled += self._take_line(is_whole=False)
        return [html for html in settled if html]

    def finish(self) -> list[str]:
        """End the text; return the HTML of what was not settled."""
        settled: list[str] = []
        if self._length or self._ends_in_return:
            settled += self._take_line(is_whole=True)
        settled.append(self._blocks.settle_all())
        self._ends_in_return = False
        return [html for html in settled if html]

    @property
    def definitions(self) -> Mapping[str, Any]:
        """Return the link definitions in the settled text, as markdown-it keeps them."""
        return self._blocks.references

    @property
    def defines_late(self) -> bool:
        """Say whether the settled text has a link that was defined after it.

        If so, `render` shows more links than were settled.
        """
        return self._blocks.references.defined_late

    @property
    def work(self) -> float:
        """Return the steps that the settled text took so far; one is about a microsecond."""
        return self._blocks.work.spent + self._blocks.effects_work.spent

    @property
    def tail_work(self) -> float:
        """Return the steps that all tails took so far."""
        return self._blocks.tail_work.spent

    @property
    def tail(self) -> str:
        """Return the HTML of what is not settled, shown as what it will probably become."""
        line = "".join(self._pieces)
        if len(line) > WORD:  # an image that is arriving
            line = line[: line.rfind("(data:") + 1]
        if is_ambiguous(line, self._blocks.in_code):
            line = ""
        return self._blocks.tail(line)

    def _take_line(self, is_whole: bool) -> list[str]:
        """Take the line being written, or the part of it that is too long to wait for the rest."""
        line = "".join(self._pieces)
        settled: list[str] = []
        while at := self._wrap_at(line):
            settled += self._blocks.take(f"{line[:at]}\n")
            line = line[at:]
        if is_whole:
            settled += self._blocks.take(f"{line}\n")
            line = ""
        self._pieces, self._length = [line], len(line)
        self._limit = next(limit for limit in (LINE, WORD, DATA_IMAGE) if len(line) <= limit)
        return settled

    def _wrap_at(self, line: str) -> int:
        """Return where to wrap the line; 0 if nowhere, or not yet."""
        if len(line) <= LINE:
            return 0
        if not self._blocks.in_code and (found := _BREAK.match(line, 0, LINE)):
            return found.end()
        is_image = len(line) > WORD and _OPEN_IMAGE.search(line[:WORD])
        limit = DATA_IMAGE if is_image else WORD
        return limit if len(line) > limit else 0
