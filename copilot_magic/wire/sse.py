"""Server-Sent Events as the HTML standard defines them: bytes in, events out.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..errors import MalformedAnswerError
from .failures import CHECK_BASE_URL

__all__ = ["MAX_EVENT_BYTES", "Decoder", "Event"]

# Pictures come as data URLs of a few megabytes; no event of a chat is larger than that.
MAX_EVENT_BYTES = 16 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event.

    Attributes:
        data: The data lines, joined by line feeds.
        event: The type.
        id: The last event id of the stream so far.
        retry: The reconnection time in milliseconds, if this event names one.
    """

    data: str
    event: str = "message"
    id: str = ""
    retry: int | None = None


class Decoder:
    """A decoder for a stream of events that arrives in pieces of any size.

    Args:
        max_event_bytes: The largest event to accept, so that a server that never ends one cannot
            fill the memory.
    """

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._buffer = bytearray()  # everything since the last blank line, with \n as line ends
        self._begun = False
        self._after_cr = False
        self._last_id = ""

    def feed(self, data: bytes) -> Iterable[Event]:
        """Return the events that `data` completes.

        Raises:
            MalformedAnswerError: An event is too large; those before it were yielded.
        """
        # Almost every piece is exactly one event of one line. The general way takes five times
        # as long.
        if (
            data[:6] == b"data: "
            and data[-2:] == b"\n\n"
            and data.find(b"\n") == len(data) - 2
            and data.find(b"\r") < 0
            and not self._buffer
            and self._begun
            and len(data) <= self._max_event_bytes
        ):
            return (Event(data[6:-2].decode("utf-8", "replace"), "message", self._last_id),)
        return self._feed(data)

    def finish(self) -> Iterator[Event]:
        """Yield the event at the end of the stream whose blank line is missing, if there is one.

        The standard drops such an event. Some servers do forget the last line end, though, and
        what precedes it is the end of the answer.
        """
        block = bytes(self._buffer).removesuffix(b"\n")
        self._buffer.clear()
        if len(block) > self._max_event_bytes:
            raise self._too_large()
        if (event := self._interpret(block)) is not None:
            yield event

    def _feed(self, data: bytes) -> Iterator[Event]:
        data = self._with_plain_line_ends(data)
        buffer = self._buffer
        # The blank line may start with the last byte of the previous piece.
        searched = max(0, len(buffer) - 1)
        buffer += data
        if not self._begun and not self._skip_bom():
            return
        if buffer.find(b"\n\n", searched) >= 0:
            *blocks, rest = bytes(buffer).split(b"\n\n")
            self._buffer = bytearray(rest)
            for block in blocks:
                if len(block) > self._max_event_bytes:
                    raise self._too_large()
                if (event := self._interpret(block)) is not None:
                    yield event
        # The last byte may belong to the blank line.
        if len(self._buffer) > self._max_event_bytes + 1:
            raise self._too_large()

    def _with_plain_line_ends(self, data: bytes) -> bytes:
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = False
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data

    def _skip_bom(self) -> bool:
        """Drop a byte order mark at the start; return False while it may still be arriving."""
        if len(self._buffer) < len(_BOM) and _BOM.startswith(self._buffer):
            return False
        if self._buffer.startswith(_BOM):
            del self._buffer[: len(_BOM)]
        self._begun = True
        return True

    def _interpret(self, block: bytes) -> Event | None:
        """Return the event that the lines of `block` form, or None if they hold no data."""
        data: list[str] = []
        kind = "message"
        retry = None
        # Not splitlines(): U+2028, U+0085 and others do not end a line here.
        for line in block.decode("utf-8", "replace").split("\n"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                data.append(value)
            elif name == "event":
                kind = value or "message"
            elif name == "id" and "\0" not in value:
                self._last_id = value
            elif name == "retry" and value.isascii() and value.isdigit() and len(value) < 10:
                retry = int(value)
        return Event("\n".join(data), kind, self._last_id, retry) if data else None

    def _too_large(self) -> MalformedAnswerError:
        return MalformedAnswerError(
            f"The server sent an event of more than {self._max_event_bytes:,} bytes",
            CHECK_BASE_URL,
        )
