"""The pipe between a copy and its parent: what is written, and how it is read.

A message is four bytes of length and a JSON document: a list of a kind and a value. Never pickle:
whoever writes may be hostile.
"""

from __future__ import annotations

import json
import os
import select
import threading
from collections.abc import Mapping
from typing import Any

from ..text import one_line

__all__ = ["MOST_REFUSALS", "Incoming", "Outgoing"]

MOST_REFUSALS = 20
"""How many refusals are kept."""

# What the frames and the refusals may have on top of the messages.
_SLACK = 100_000
_REFUSAL_LENGTH = 200


class Outgoing:
    """The copy's end.

    Args:
        descriptor: Where to write.
        limit: Bytes of messages that are sent; of those that do not fit any more, it is only said
            that there were some.
    """

    def __init__(self, descriptor: int, limit: int) -> None:
        self._descriptor = descriptor
        self._left = limit
        self._refused: set[str] = set()
        self._was_cut = False
        self._lock = threading.Lock()
        self._writer = 0
        self._waiting: list[bytes] = []

    def report(self, message: Mapping[str, Any]) -> None:
        """Send a message.

        Raises:
            TypeError, ValueError: JSON cannot hold it.
        """
        frame = _frame("message", dict(message))
        if len(frame) <= self._left:
            self._left -= len(frame)
            self._send(frame)
        elif not self._was_cut:
            self._was_cut = True
            self._send(_frame("cut", None))

    def refuse(self, wish: str) -> None:
        """Say that something was refused; each thing once, and not more than the parent keeps."""
        wish = one_line(wish, _REFUSAL_LENGTH)
        if wish not in self._refused and len(self._refused) < MOST_REFUSALS:
            self._refused.add(wish)
            self._send(_frame("refused", wish))

    def end(self, how: str) -> None:
        """Say how the copy ends; `how` is a text of its own if it could not begin."""
        self._send(_frame("end", how))

    def _send(self, frame: bytes) -> None:
        """Write a frame as a whole, even if threads and signal handlers write at the same time."""
        if self._writer == threading.get_ident():
            self._waiting.append(frame)  # a handler interrupts a write of its own thread
            return
        with self._lock:
            self._writer = threading.get_ident()
            try:
                self._write(frame)
                while self._waiting:
                    self._write(self._waiting.pop(0))
            finally:
                self._writer = 0

    def _write(self, frame: bytes) -> None:
        left = memoryview(frame)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:  # the code in the copy made it so
                select.select([], [self._descriptor], [])


def _frame(kind: str, value: Any) -> bytes:
    document = json.dumps([kind, value]).encode("ascii")
    return len(document).to_bytes(4, "big") + document


class Incoming:
    """The parent's end: it takes any bytes, and a bounded number of them.

    Attributes:
        messages: The messages, in order.
        refused: What was refused, each once.
        end: How the copy said that it ends, or an empty string.
        cut: There was more than is taken.
        is_broken: What came is not what a copy writes, or far too much; nothing more is read.
    """

    def __init__(self, limit: int) -> None:
        self.messages: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self.end = ""
        self.cut = False
        self.is_broken = False
        self._left = limit + _SLACK
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._left -= len(data)
        if self.is_broken or self._left < 0:
            self._break()
            return
        self._buffer += data
        position = 0
        while len(self._buffer) - position >= 4 and not self.is_broken:
            length = int.from_bytes(self._buffer[position : position + 4], "big")
            end = position + 4 + length
            if len(self._buffer) < end:
                if length > self._left + len(self._buffer):
                    self._break()
                break
            self._take(bytes(self._buffer[position + 4 : end]))
            position = end
        del self._buffer[:position]

    def finish(self) -> None:
        """Record that nothing more comes."""
        if self._buffer:
            self._break()

    def refuse(self, wish: str) -> None:
        """Add what the parent itself has refused."""
        wish = one_line(wish, _REFUSAL_LENGTH)
        if wish and wish not in self.refused and len(self.refused) < MOST_REFUSALS:
            self.refused.append(wish)

    def _take(self, document: bytes) -> None:
        try:
            kind, value = json.loads(document)
        except (ValueError, TypeError, RecursionError):
            self._break()
            return
        if kind == "message" and isinstance(value, dict):
            self.messages.append(value)
        elif kind == "refused" and isinstance(value, str):
            self.refuse(value)
        elif kind == "end" and isinstance(value, str):
            self.end = self.end or one_line(value)
        elif kind == "cut":
            self.cut = True
        else:
            self._break()

    def _break(self) -> None:
        self.is_broken = self.cut = True
        self._buffer.clear()
