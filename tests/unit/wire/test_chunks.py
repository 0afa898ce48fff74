"""Chunks of every known shape are read, and hostile ones do no harm."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_magic.errors import MalformedAnswerError
from copilot_magic.wire.chunks import ChunkReader, Delta


def chunk(delta: Any = None, **extra: Any) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": delta or {}}], **extra})


def read(*events: str) -> list[Delta]:
    reader = ChunkReader()
    deltas = [delta for data in events if (delta := reader.read(data)) is not None]
    rest = reader.finish()
    return deltas if rest is None else [*deltas, rest]


def text(deltas: list[Delta]) -> tuple[str, str]:
    """Return the answer and the reasoning."""
    return "".join(d.content for d in deltas), "".join(d.reasoning for d in deltas)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (chunk({"content": "a"}), Delta("a")),
        (chunk({"content": "a", "reasoning": None, "tool_calls": None}), Delta("a")),
        (chunk({"content": None}), None),
        (chunk({"content": "", "role": "assistant"}), None),
        (chunk(), None),
        ("{}", None),
        ("", None),
        ("  ", None),
        ('  {"choices": [{"delta": {"content": "a"}}]} ', Delta("a")),
        ('{"choices": []}', None),
        ('{"choices": null}', None),
        ('{"choices": [], "usage": {"total_tokens": 3}}', Delta(usage={"total_tokens": 3})),
        (chunk({"reasoning": "hm"}), Delta(reasoning="hm")),
        (chunk({"reasoning_content": "hm"}), Delta(reasoning="hm")),
        (chunk({"reasoning": None, "reasoning_content": "hm"}), Delta(reasoning="hm")),
        (chunk({"content": [{"type": "text", "text": "a"}, "b", 3]}), Delta("ab")),
        (
            chunk({"content": [{"type": "thinking", "thinking": [{"text": "hm"}]}]}),
            Delta(reasoning="hm"),
        ),
        (
            chunk({}, conversation={"conversation_id": "t"}),
            Delta(continuation={"conversation_id": "t"}),
        ),
        (chunk({"content": "a"}, model="m", provider="P"), Delta("a", model="m", provider="P")),
        (chunk({"content": "a"}, model=None, provider=None), Delta("a")),
        ('{"choices": [{"message": {"role": "assistant", "content": "a"}}]}', Delta("a")),
        ('{"choices": [{"text": "a"}]}', Delta("a")),
        (
            '{"choices": [{"delta": {}, "finish_reason": "length"}]}',
            Delta(finish_reason="length"),
        ),
        ('{"error": {"message": "broken"}}', Delta(error="broken")),
        (
            '{"error": {"message": "broken", "code": "too_bad"}}',
            Delta(error="broken (too_bad)"),
        ),
        ('{"error": {"code": 502, "metadata": {}, "message": "broken"}}', Delta(error="broken")),
        ('{"error": "broken"}', Delta(error="broken")),
        ('{"error": {"detail": "broken"}}', Delta(error="broken")),
        ('{"error": ["broken", "twice"]}', Delta(error="broken; twice")),
        ('{"error": {"code": 7}}', Delta(error='{"code": 7}')),
        ('{"error": true}', Delta(error="no reason given")),
        ('{"object": "error", "message": "broken", "code": 400}', Delta(error="broken")),
        ('{"error": null}', None),
        ('{"error": {}}', None),
        ('{"error": ""}', None),
    ],
)
def test_a_chunk_of_each_known_shape_says_what_it_says(data: str, expected: Delta | None) -> None:
    assert ChunkReader().read(data) == expected


def test_an_event_of_type_error_is_an_error_whatever_its_fields_are_called() -> None:
    reader = ChunkReader()
    assert reader.read('{"message": "broken"}', "error") == Delta(error="broken")


def test_done_ends_the_answer() -> None:
    reader = ChunkReader()
    assert not reader.done
    assert reader.read(" [DONE] ") is None
    assert reader.done


def test_model_and_provider_are_reported_once_and_when_they_change() -> None:
    deltas = read(*(chunk({"content": "a"}, model=m, provider="P") for m in ["m", "m", "n", "n"]))
    assert [d.model for d in deltas] == ["m", None, "n", None]
    assert [d.provider for d in deltas] == ["P", None, None, None]


@pytest.mark.parametrize("data", ["[]", "null", "3", '"a"', "{", "a", "{} {}", "[" * 100_000])
def test_data_that_is_not_a_json_object_is_an_error_that_shows_it(data: str) -> None:
    with pytest.raises(MalformedAnswerError, match="not a chunk") as caught:
        ChunkReader().read(data)
    assert data[:20] in caught.value.message


def test_an_integer_longer_than_python_reads_is_a_malformed_answer() -> None:
    with pytest.raises(MalformedAnswerError):
        ChunkReader().read('{"a": %s}' % ("9" * 5000))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


def shaped(*names: str, of: st.SearchStrategy[Any] = anything) -> st.SearchStrategy[Any]:
    """Return objects with some of the fields `names`."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, of))


choices = st.lists(
    anything
    | shaped(
        "delta",
        "message",
        of=anything | shaped("content", "reasoning", "reasoning_content", "thinking"),
    )
    | shaped("finish_reason", "text"),
    max_size=2,
)


chunks = anything | st.fixed_dictionaries(
    {"choices": choices},
    optional=dict.fromkeys(
        ("error", "usage", "conversation", "model", "provider", "object"), anything
    ),
)


@given(st.lists(chunks, max_size=4))
def test_the_reader_survives_any_json_and_always_returns_the_declared_types(
    values: list[Any],
) -> None:
    reader = ChunkReader()
    for value in values:
        try:
            delta = reader.read(json.dumps(value))
        except MalformedAnswerError:
            assert not isinstance(value, dict)
            continue
        if delta is not None:
            assert isinstance(delta.content, str) and isinstance(delta.reasoning, str)
            for word in (delta.finish_reason, delta.model, delta.provider, delta.error):
                assert word is None or (isinstance(word, str) and word)
            for table in (delta.usage, delta.continuation):
                assert table is None or isinstance(table, dict)
            f"{delta.content}{delta.reasoning}".encode()  # it can be stored and shown


def test_two_halves_of_a_character_are_joined_across_chunks() -> None:
    halves = [r'{"choices":[{"delta":{"content":"a\ud83d"}}]}', chunk({"content": ""})]
    halves += [r'{"choices":[{"delta":{"content":"\udc4bb"}}]}']
    assert text(read(*halves)) == ("a👋b", "")


def test_half_a_character_without_the_other_is_replaced() -> None:
    for alone in (r"a\ud83d", r"a\udc4b"):
        data = chunk({"content": "ALONE"}).replace("ALONE", alone)
        assert text(read(data)) == ("a\ufffd", "")
    assert text(
        read(r'{"choices":[{"delta":{"content":"a\ud83d"}}]}', chunk({"content": "b"}))
    ) == (
        "a\ufffdb",
        "",
    )


ANSWERS = [
    ("<think>let me see</think>Answer", "Answer", "let me see"),
    ("\n <think>\nlet me</think>\n\nAnswer", "Answer", "\nlet me"),
    ("<think></think>Answer", "Answer", ""),
    ("<think>a < b </ think> c</think>Answer", "Answer", "a < b </ think> c"),
    ("<think>never closed", "", "never closed"),
    ("<think>never closed</thi", "", "never closed</thi"),
    ("<thin", "<thin", ""),
    ("  ", "  ", ""),
    ("<thinking>is another tag", "<thinking>is another tag", ""),
    ("Use <think>x</think> for that", "Use <think>x</think> for that", ""),
    ("<think>a</think>b <think>c</think>", "b <think>c</think>", "a"),
    ("", "", ""),
]


@given(st.sampled_from(ANSWERS), st.lists(st.integers(0, 60), max_size=8))
def test_reasoning_at_the_start_is_separated_wherever_the_text_is_cut(
    answer: tuple[str, str, str], cuts: list[int]
) -> None:
    whole, content, reasoning = answer
    bounds = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(bounds)]
    assert text(read(*(chunk({"content": piece}) for piece in pieces))) == (content, reasoning)


def test_text_held_back_comes_with_the_finish_reason() -> None:
    reader = ChunkReader()
    assert reader.read(chunk({"content": "<th"})) is None
    ending = '{"choices": [{"delta": {}, "finish_reason": "stop"}]}'
    assert reader.read(ending) == Delta("<th", finish_reason="stop")
    assert reader.finish() is None


@pytest.mark.parametrize(
    ("timings", "usage"),
    [
        (
            {"cache_n": 10, "prompt_n": 31, "predicted_n": 43, "predicted_ms": 430.4},
            {"prompt_tokens": 41, "completion_tokens": 43, "total_tokens": 84},
        ),
        ({"prompt_n": "31", "predicted_n": 43}, None),
        ([1], None),
    ],
)
def test_llama_cpps_timings_replace_the_usage_it_does_not_send(
    timings: object, usage: object
) -> None:
    chunk = {"choices": [{"delta": {}, "finish_reason": "stop"}], "timings": timings}
    delta = ChunkReader().read(json.dumps(chunk))
    assert delta is not None
    assert delta.usage == usage
