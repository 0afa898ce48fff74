"""The HTML of an answer that arrives: safe, and each settled block sent once."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from ...markdown.render import render
from ...markdown.stream import Stream
from ...views.cell import DEFINITION, RENDERED
from ...views.whole import joined, top_level

__all__ = ["PIECE", "Growing", "Message", "pieces", "rendered_blocks"]

Message = dict[str, Any]
"""What is sent to the front end, or comes from there: JSON."""

PIECE = 60_000
"""Characters of HTML that one message has at most, unless a single block is longer."""


def pieces(blocks: Sequence[str], limit: int = PIECE) -> list[str]:
    """Return the HTML of `blocks` in pieces of at most `limit` characters, blocks being whole."""
    found: list[list[str]] = []
    size = limit
    for block in blocks:
        if size + len(block) > limit:
            found.append([])
            size = 0
        found[-1].append(block)
        size += len(block)
    return ["".join(piece) for piece in found]


def rendered_blocks(text: str, *, remote_images: bool) -> list[str]:
    """Return the blocks of a whole Markdown text as safe HTML."""
    return top_level(joined(render(text[:RENDERED], remote_images=remote_images)))


class Growing:
    """The HTML of a text that arrives: a settled block is sent once, then only the tail changes.

    Args:
        remote_images: Show images from the web; otherwise they are links.
    """

    def __init__(self, *, remote_images: bool) -> None:
        self._remote_images = remote_images
        self._stream = Stream(remote_images=remote_images)
        self._taken = 0  # characters of the text
        self._blocks: list[str] = []  # that are settled
        self._unsent: deque[str] = deque()
        self._tail = ""  # as it was sent
        self._ended = False
        self._cut: int | None = None  # how many of the blocks that were sent stay as they are

    def restart(self) -> None:
        """Send everything again, to a front end that has nothing yet."""
        self._unsent = deque(self._blocks)
        self._tail = ""
        self._cut = None

    @property
    def is_sent(self) -> bool:
        """Say whether the text has ended and all of it was sent."""
        return self._ended and not self._unsent and not self._tail and self._cut is None

    def take(self, text: str) -> None:
        """Take the whole text as far as it has come."""
        new = text[self._taken : RENDERED]
        self._taken += len(new)
        if new and not self._ended:
            self._settle(self._stream.feed(new))

    def finish(self, text: str) -> None:
        """Take the whole text, which has ended.

        What parts of a block look like was decided before its end, and a link before its address
        was known; both are put right now, from the first block on that differs.
        """
        self.take(text)
        self._settle(self._stream.finish())
        self._ended = True
        source = text[:RENDERED]
        if DEFINITION.search(source) or any("copilot-more" in block for block in self._blocks):
            whole = rendered_blocks(source, remote_images=self._remote_images)
            same = 0
            for old, new in zip(self._blocks, whole, strict=False):
                if old != new:
                    break
                same += 1
            sent = len(self._blocks) - len(self._unsent)
            self._cut = same if same < sent else None
            self._blocks, self._unsent = whole, deque(whole[min(same, sent) :])

    def _settle(self, settled: list[str]) -> None:
        blocks = [block for html in settled for block in top_level(html)]
        self._blocks += blocks
        self._unsent += blocks

    def change(self) -> Message:
        """Return what the front end is to change; empty if nothing.

        ``cut``: remove the blocks from this number on. ``html``: add these blocks. ``keep`` and
        ``tail``: the tail is so many of its characters, and then these.
        """
        change: Message = {}
        if self._cut is not None:
            change["cut"], self._cut = self._cut, None
        size = 0
        html: list[str] = []
        while self._unsent and (not html or size + len(self._unsent[0]) <= PIECE):
            html.append(self._unsent.popleft())
            size += len(html[-1])
        if html:
            change["html"] = "".join(html)
        # What follows blocks that are still to be sent cannot be shown yet.
        tail = "" if self._ended or self._unsent else self._stream.tail
        if tail != self._tail:
            same = _common(self._tail, tail)
            change |= {"keep": _units(tail[:same]), "tail": tail[same:]}
            self._tail = tail
        return change


def _common(one: str, other: str) -> int:
    """Return how many characters both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _units(text: str) -> int:
    """Return the length of `text` as JavaScript counts it, in code units of UTF-16."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
