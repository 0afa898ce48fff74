"""An answer in one piece: what is posted for it, and what its events add up to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from copilot_magic.chat.completion import Completion
from copilot_magic.errors import CutError
from copilot_magic.wire.chunks import Delta
from copilot_magic.wire.whole import completion_of, in_one_piece


def test_only_the_way_of_delivery_is_asked_for_differently() -> None:
    streamed = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}
    assert in_one_piece(streamed) == {"model": "m", "stream": False}
    assert streamed["stream"] is True, "the caller's own is left alone"


def test_deltas_add_up_to_a_completion() -> None:
    now = [10.0]

    def deltas() -> Iterator[Delta]:
        yield Delta(model="m", provider="p")
        yield Delta(reasoning="h")
        yield Delta("on", reasoning="m")
        now[0] = 12.5
        yield Delta("e", finish_reason="stop", model="other")
        yield Delta(usage={"total_tokens": 3}, notes=("a note",))

    assert completion_of(deltas(), lambda: now[0]) == Completion(
        content="one",
        reasoning="hm",
        finish_reason="stop",
        usage={"total_tokens": 3},
        model="other",
        provider="p",
        elapsed=2.5,
    )


def test_an_answer_that_fails_is_none() -> None:
    def deltas() -> Iterator[Delta]:
        yield Delta("half")
        raise CutError("the rest is missing")

    with pytest.raises(CutError):
        completion_of(deltas())
