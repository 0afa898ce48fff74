"""The body of a response: the events of an answer, or all of a short body."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from ..text import one_line
from ..wire.ending import Ending
from ..wire.failures import not_a_completion
from ..wire.reasons import html_title
from ..wire.sse import MAX_EVENT_BYTES, Decoder, Event
from .connection import STOPPED, Call, time_limit

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

    from ..errors import PromptError

__all__ = ["read_body", "read_events"]

# What the lines of a stream of events begin with.
_FIELDS = (b":", b"data", b"event", b"id", b"retry")


def read_events(call: Call, response: BaseHTTPResponse, ending: Ending) -> Iterator[Event]:
    """Yield the events of an answer as they arrive; a body that is one piece of JSON is one event.

    A body that falls silent or breaks off ends the events; `ending` knows why.

    Raises:
        MalformedAnswerError: The body is neither a stream of events nor JSON.
    """
    if compression := _unknown_compression(response):
        ending.broken = not_a_completion(
            f"a body compressed as {compression}, which was not asked for"
        )
        return
    decoder = Decoder()
    start = b""
    count = 0
    pieces = _pieces(call, response, ending)
    for data in pieces:
        if not start:
            start = data.lstrip()[:200]
            if start[:1] in (b"{", b"[", b"<"):
                yield _single_event(call, data, pieces, ending)
                return
        for event in decoder.feed(data):
            count += 1
            yield event
    for event in decoder.finish():
        count += 1
        yield event
    if not count:
        ending.broken = _without_events(call, response, start, ending) or ending.broken


def _without_events(
    call: Call, response: BaseHTTPResponse, start: bytes, ending: Ending
) -> PromptError | None:
    """Return the error for a body without events that begins with `start`, if it is one."""
    is_stream = response.headers.get("Content-Type", "").startswith("text/event-stream")
    if is_stream and (ending.broken is not None or start.startswith(_FIELDS)):
        return None  # keep-alives, and what an event has besides data
    if start:
        text = call.redact(start.decode("utf-8", "replace"))
        return not_a_completion(f"this text: {one_line(text, 80)}")
    if ending.broken is None:
        status = "" if response.status == 200 else f"{response.status} and "
        return not_a_completion(f"{status}an empty body")
    return None


def _unknown_compression(response: BaseHTTPResponse) -> str:
    """Return the compressions of the body that cannot be undone here, or an empty string."""
    if "Content-Encoding" not in response.headers:
        return ""
    named = response.headers["Content-Encoding"].lower().split(",")
    known = {"", "identity", *response.CONTENT_DECODERS}
    return one_line(", ".join(sorted({name.strip() for name in named} - known)), 40)


def read_body(call: Call, response: BaseHTTPResponse, seconds: float, limit: int) -> bytes:
    """Return as much of the body as arrives within `seconds`, at most `limit` bytes."""
    body = bytearray()
    if _unknown_compression(response):
        return b""
    with suppress(OSError):
        for data in call.pieces(response, time_limit(seconds)):
            body += data
            if len(body) > limit:
                break
    return bytes(body[:limit])


def _pieces(call: Call, response: BaseHTTPResponse, ending: Ending) -> Iterator[bytes]:
    """Yield the body as it arrives, and tell `ending` how it ends."""
    try:
        yield from call.pieces(response, ending.time_left)
    except TimeoutError:
        ending.fell_silent()
    except ConnectionError as error:
        ending.cut(str(error))
    if call.stopped:
        # A body that ends with the connection looks whole then.
        ending.cut(STOPPED)
    ending.body_ended = True


def _single_event(call: Call, start: bytes, rest: Iterator[bytes], ending: Ending) -> Event:
    """Return the one event that a body of JSON is.

    Raises:
        MalformedAnswerError: The body is HTML, or too large.
    """
    ending.in_one_piece = True
    body = bytearray(start)
    for data in rest:
        body += data
        if len(body) > MAX_EVENT_BYTES:
            raise not_a_completion(f"a body of more than {MAX_EVENT_BYTES:,} bytes")
    text = body.decode("utf-8", "replace")
    if text.lstrip()[:1] == "<":
        title = one_line(call.redact(html_title(text)), 80)
        raise not_a_completion(f"an HTML page: {title}")
    return Event(text)
