"""The pipe between a copy and its parent."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_magic.sandbox.channel import MOST_REFUSALS, Incoming, Outgoing


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    os.set_blocking(ends[0], False)
    yield ends
    for end in ends:
        os.close(end)


def frame(document: Any) -> bytes:
    text = json.dumps(document).encode()
    return len(text).to_bytes(4, "big") + text


def drained(reading: int, limit: int = 10_000) -> Incoming:
    incoming = Incoming(limit)
    try:
        while data := os.read(reading, 7):
            incoming.feed(data)
    except BlockingIOError:
        pass
    incoming.finish()
    return incoming


def test_what_is_sent_arrives(pipe: tuple[int, int]) -> None:
    outgoing = Outgoing(pipe[1], 10_000)
    outgoing.report({"a": [1, None, "ü\ud800"]})
    outgoing.refuse("write report.csv")
    outgoing.report({})
    outgoing.end("finished")
    incoming = drained(pipe[0])
    assert incoming.messages == [{"a": [1, None, "ü\ud800"]}, {}]
    assert (incoming.refused, incoming.end) == (["write report.csv"], "finished")
    assert not incoming.cut


def test_what_json_cannot_hold_is_an_error_of_the_sender(pipe: tuple[int, int]) -> None:
    outgoing = Outgoing(pipe[1], 10_000)
    with pytest.raises(TypeError):
        outgoing.report({"a": object()})
    outgoing.report({"b": 1})
    assert drained(pipe[0]).messages == [{"b": 1}]


def test_messages_beyond_the_limit_are_not_sent(pipe: tuple[int, int]) -> None:
    outgoing = Outgoing(pipe[1], 100)
    for _ in range(10):
        outgoing.report({"a": "x" * 30})
    outgoing.end("finished")
    incoming = drained(pipe[0])
    assert len(incoming.messages) == 1
    assert (incoming.cut, incoming.end) == (True, "finished")


def test_threads_do_not_mix_their_messages(pipe: tuple[int, int]) -> None:
    outgoing = Outgoing(pipe[1], 60_000)

    def send(number: int) -> None:
        for _ in range(20):
            outgoing.report({"n": number, "text": "x" * 100})

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drained(pipe[0], 60_000).messages) == 80


def test_a_report_in_the_middle_of_a_report_waits_for_its_end(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a signal handler's may come."""
    outgoing = Outgoing(pipe[1], 10_000)
    write = os.write
    inner = [True]

    def interrupted(descriptor: int, data: memoryview) -> int:
        if inner:
            inner.clear()
            outgoing.report({"inner": 1})
        return write(descriptor, data[:5])

    monkeypatch.setattr(os, "write", interrupted)
    outgoing.report({"outer": 1})
    assert drained(pipe[0]).messages == [{"outer": 1}, {"inner": 1}]


@pytest.mark.parametrize(
    "data",
    [
        b"garbage that is no frame at all",
        b"\xff\xff\xff\xff",
        frame(1),
        frame([]),
        frame(["message"]),
        frame(["message", 1]),
        frame(["message", [1]]),
        frame(["refused", {}]),
        frame(["end", 1]),
        frame(["else", {}]),
        frame({"message": 1, "x": 2}),
        b"\0\0\0\x04nul",
        b"\0\0\0\x02{]",
        b"\0\0\0\x02\xff\xfe",
        len(b"[" * 9000).to_bytes(4, "big") + b"[" * 9000,
        frame(["message", {"a": 1}])[:-1],
        b"\0\0",
    ],
)
def test_what_no_copy_writes_is_noticed_and_the_rest_left(data: bytes) -> None:
    incoming = Incoming(10_000)
    incoming.feed(frame(["message", {"before": 1}]) + data)
    incoming.finish()
    incoming.feed(frame(["message", {"after": 1}]))
    assert incoming.messages == [{"before": 1}]
    assert incoming.is_broken
    assert incoming.cut


def test_a_number_too_long_to_be_read_is_noticed() -> None:
    incoming = Incoming(100_000)
    text = b'["message", {"a": ' + b"9" * 50_000 + b"}]"
    incoming.feed(len(text).to_bytes(4, "big") + text)
    assert incoming.is_broken or incoming.messages


def test_a_flood_is_stopped_and_not_kept() -> None:
    incoming = Incoming(1000)
    for _ in range(300):
        incoming.feed(frame(["refused", "x" * 1000]))
    assert incoming.is_broken
    assert len(incoming._buffer) == 0


def test_refusals_are_few_short_lines_and_each_once() -> None:
    incoming = Incoming(100_000)
    for number in range(50):
        incoming.feed(frame(["refused", f"write \x1b[2J{number} {'x' * 500}\n"]))
        incoming.feed(frame(["refused", "write the same"]))
    assert len(incoming.refused) == len(set(incoming.refused)) == MOST_REFUSALS
    assert all(wish.isprintable() and len(wish) <= 200 for wish in incoming.refused)


def test_the_first_end_counts() -> None:
    incoming = Incoming(1000)
    incoming.feed(frame(["end", "failed: no"]) + frame(["end", "finished"]))
    assert incoming.end == "failed: no"


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_any_bytes_are_taken(pieces: list[bytes]) -> None:
    incoming = Incoming(100)
    for piece in pieces:
        incoming.feed(piece)
    incoming.finish()


@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.integers()), max_size=10), st.integers(1, 9)
)
def test_frames_may_be_split_anywhere(messages: list[dict[str, int]], size: int) -> None:
    data = b"".join(frame(["message", message]) for message in messages)
    incoming = Incoming(100_000)
    for start in range(0, len(data), size):
        incoming.feed(data[start : start + size])
    incoming.finish()
    assert incoming.messages == messages
    assert not incoming.cut
