"""The decoder does what the HTML standard says, wherever the bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from copilot_magic.errors import MalformedAnswerError
from copilot_magic.wire.sse import Decoder, Event


def decode(*pieces: bytes, max_event_bytes: int = 1000) -> list[Event]:
    decoder = Decoder(max_event_bytes)
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + list(decoder.finish())


CASES = {
    "one event": (b"data: a\n\n", [Event("a")]),
    "several events in one read": (b"data: a\n\ndata: b\n\n", [Event("a"), Event("b")]),
    "line ends of CR and LF": (b"data: a\r\n\r\ndata: b\r\n\r\n", [Event("a"), Event("b")]),
    "line ends of a bare CR": (b"data: a\r\rdata: b\r\r", [Event("a"), Event("b")]),
    "mixed line ends": (b"data: a\n\r\ndata: b\r\n\rdata: c\r\n\n", [*map(Event, "abc")]),
    "no space after the colon": (b"data:a\n\n", [Event("a")]),
    "only the first space is dropped": (b"data:  a \n\n", [Event(" a ")]),
    "several data lines are joined by a line feed": (b"data: a\ndata: b\n\n", [Event("a\nb")]),
    "an empty data line counts": (b"data: a\ndata\ndata:\n\n", [Event("a\n\n")]),
    "data that is empty": (b"data:\n\n", [Event("")]),
    "a byte order mark at the start is dropped": (b"\xef\xbb\xbfdata: a\n\n", [Event("a")]),
    "a later byte order mark is not": (b"data: \xef\xbb\xbfa\n\n", [Event("\ufeffa")]),
    "a later byte order mark changes the name of a field": (
        b"data: a\n\n\xef\xbb\xbfdata: b\n\n",
        [Event("a")],
    ),
    "comments are dropped": (b": ping\n\n:\ndata: a\n: b\n\n", [Event("a")]),
    "the type": (b"event: error\ndata: a\n\ndata: b\n\n", [Event("a", "error"), Event("b")]),
    "an id stays for what follows": (
        b"id: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
        [Event("a", id="7"), Event("b", id="7"), Event("c")],
    ),
    "an id alone is not an event, but stays": (b"id: 7\n\ndata: a\n\n", [Event("a", id="7")]),
    "an id with a NUL is ignored": (b"id: 7\x00\ndata: a\n\n", [Event("a")]),
    "a retry in digits": (b"retry: 50\ndata: a\n\n", [Event("a", retry=50)]),
    "a retry that is not a number is ignored": (b"retry: 5s\ndata: a\n\n", [Event("a")]),
    "a retry in other than ASCII digits is ignored": (
        "retry: ٥\ndata: a\n\n".encode(),
        [Event("a")],
    ),
    "unknown fields and lines are ignored": (b"x: 1\nhello\n data: no\ndata: a\n\n", [Event("a")]),
    "an event without data does not count": (b"event: ping\n\ndata: a\n\n", [Event("a")]),
    "many blank lines": (b"\n\n\ndata: a\n\n\n\n\n\ndata: b\n\n", [Event("a"), Event("b")]),
    "a last event without its blank line": (b"data: a\n\ndata: b\n", [Event("a"), Event("b")]),
    "a last event without its line end": (
        b"data: a\n\ndata: [DONE]",
        [*map(Event, ["a", "[DONE]"])],
    ),
    "line separators of Unicode end no line here": (
        "data: a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\n\n".encode(),
        [Event("a\u2028b\u2029c\x85d\x0be\x0cf\x1cg")],
    ),
    "characters of several bytes": ("data: Grüße 👋\n\n".encode(), [Event("Grüße 👋")]),
    "bytes that are not UTF-8": (b"data: a\xff\xe2\x82\n\n", [Event("a\ufffd\ufffd")]),
    "colons in the data": (b'data: {"a": "b: c"}\n\n', [Event('{"a": "b: c"}')]),
}


@pytest.mark.parametrize(("stream", "events"), CASES.values(), ids=CASES.keys())
def test_each_framing_is_decoded_at_once_and_byte_by_byte(
    stream: bytes, events: list[Event]
) -> None:
    assert decode(stream) == events
    assert decode(*(stream[i : i + 1] for i in range(len(stream)))) == events


@pytest.mark.parametrize("stream", [stream for stream, _ in CASES.values()], ids=CASES.keys())
def test_every_pair_of_cuts_gives_the_same_events(stream: bytes) -> None:
    expected = decode(stream)
    for first in range(len(stream) + 1):
        for second in range(first, len(stream) + 1):
            assert decode(stream[:first], stream[first:second], stream[second:]) == expected


# Streams made of what matters to the decoder find more than random bytes.
ALPHABET = [b"data", b"event", b"id", b"retry", b":", b" ", b"\r", b"\n", b"\r\n", b"7", b"x"]
ALPHABET += [b"data: x\n\n", b"\xef\xbb\xbf", "👋\u2028".encode(), b"\0", b"\xff"]
streams = st.lists(st.sampled_from(ALPHABET), max_size=40).map(b"".join)


@st.composite
def cut_streams(draw: st.DrawFn) -> list[bytes]:
    stream = draw(streams)
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


def outcome(*pieces: bytes, limit: int) -> tuple[list[Event], bool]:
    """Return the events, and whether one was too large."""
    decoder = Decoder(limit)
    events: list[Event] = []
    try:
        for piece in pieces:
            for event in decoder.feed(piece):
                events.append(event)
        events.extend(decoder.finish())
    except MalformedAnswerError:
        return events, True
    return events, False


@given(cut_streams(), st.integers(1, 30))
@example([b"data: x\n\n", b"data: yy\n\n"], 7)
@example([b"data: x\n", b"\n", b"data: yy", b"\n\n"], 7)
@example([b"data: yy\r", b"\n\r\n"], 8)
def test_cutting_anywhere_changes_nothing_whatever_the_size_allowed(
    pieces: list[bytes], limit: int
) -> None:
    assert outcome(*pieces, limit=limit) == outcome(b"".join(pieces), limit=limit)


def reference(stream: bytes) -> list[Event]:
    """Interpret a whole stream line by line as the standard words it, without regard to speed."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    events: list[Event] = []
    data, kind, last_id, retry = "", "", "", None
    for line in [*text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), ""]:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                events.append(Event(data.removesuffix("\n"), kind or "message", last_id, retry))
            data, kind, retry = "", "", None
        elif name == "data":
            data += value + "\n"
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            last_id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            retry = int(value)
    return events


@given(streams)
def test_every_stream_is_decoded_as_the_standard_says(stream: bytes) -> None:
    assert decode(stream, max_event_bytes=10_000) == reference(stream)


@given(st.lists(st.binary(max_size=20), max_size=10))
def test_the_decoder_survives_any_bytes(pieces: list[bytes]) -> None:
    assert decode(*pieces) == decode(b"".join(pieces))


def test_an_event_that_never_ends_is_an_error_after_the_events_before_it() -> None:
    decoder = Decoder(max_event_bytes=100)
    events: list[Event] = []
    with pytest.raises(MalformedAnswerError, match="more than 100 bytes"):
        for _ in range(1000):
            for event in decoder.feed(b"data: a\n\ndata: " if not events else b"x"):
                events.append(event)
    assert events == [Event("a")]


def test_an_event_that_is_too_large_is_an_error_even_if_it_arrives_whole() -> None:
    decoder = Decoder(max_event_bytes=10)
    events: list[Event] = []
    with pytest.raises(MalformedAnswerError):
        for event in decoder.feed(b"data: a\n\ndata: bbbbbbbbbbbbb\n\n"):
            events.append(event)
    assert events == [Event("a")]
