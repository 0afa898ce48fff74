"""Chunks of every known shape are read, hostile ones do no harm, and failures say what to do."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_magic.errors import (
    AuthenticationError,
    BadRequestError,
    ContextLengthError,
    ErrorEventError,
    MalformedAnswerError,
    NotFoundError,
    RateLimitError,
    ServerError,
    StatusError,
)
from copilot_magic.wire.chunks import (
    ChunkReader,
    Delta,
    as_strict,
    failure_message,
    is_spent,
    needs_model,
    refuses_fields,
    reported_error,
    request_body,
    retry_after,
    status_error,
)

# --- Requests -------------------------------------------------------------------------------

ASKED: dict[str, Any] = {
    "model": "",
    "provider": "Copilot",
    "messages": [{"role": "user", "content": "Hello, i am Heiner. How are you?"}],
    "conversation_id": "2222",
}


def test_the_body_is_exactly_what_the_reference_client_posts() -> None:
    assert request_body(**ASKED) == {**ASKED, "stream": True}
    assert list(request_body(**ASKED)) == [
        "model",
        "provider",
        "stream",
        "messages",
        "conversation_id",
    ]


def test_options_are_in_the_body_only_when_given() -> None:
    options = {"temperature": 0.0, "max_tokens": 5, "conversation": {"conversation_id": "t"}}
    assert request_body(**ASKED, **options) == {**ASKED, "stream": True, **options}


def test_the_strict_body_has_only_what_openai_knows() -> None:
    strict = request_body(**ASKED, conversation={"a": 1}, temperature=1.0, strict=True)
    assert strict == {"stream": True, "messages": ASKED["messages"], "temperature": 1.0}
    assert as_strict({**strict, "model": "m"})["model"] == "m"


# --- Chunks ---------------------------------------------------------------------------------


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
            Delta(conversation={"conversation_id": "t"}),
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


def test_an_event_of_type_error_is_an_error_whatever_its_object_is_called() -> None:
    reader = ChunkReader()
    assert reader.read('{"message": "broken"}', "error") == Delta(error="broken")


def test_done_ends_the_answer() -> None:
    reader = ChunkReader()
    assert not reader.done
    assert reader.read(" [DONE] ") is None
    assert reader.done


def test_model_and_provider_are_told_once_and_when_they_change() -> None:
    deltas = read(*(chunk({"content": "a"}, model=m, provider="P") for m in ["m", "m", "n", "n"]))
    assert [d.model for d in deltas] == ["m", None, "n", None]
    assert [d.provider for d in deltas] == ["P", None, None, None]


@pytest.mark.parametrize("data", ["[]", "null", "3", '"a"', "{", "a", "{} {}", "[" * 100_000])
def test_data_that_is_no_json_object_is_an_error_that_shows_it(data: str) -> None:
    with pytest.raises(MalformedAnswerError, match="no chunk") as caught:
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
    """Return objects that have some of the fields `names`."""
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
def test_no_json_breaks_the_reader_and_what_it_returns_is_always_well_typed(
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
            for table in (delta.usage, delta.conversation):
                assert table is None or isinstance(table, dict)
            f"{delta.content}{delta.reasoning}".encode()  # can be stored, and be shown


# --- Characters that JSON escapes in halves -------------------------------------------------


def test_the_halves_of_a_character_are_joined_though_they_come_in_two_chunks() -> None:
    halves = [r'{"choices":[{"delta":{"content":"a\ud83d"}}]}', chunk({"content": ""})]
    halves += [r'{"choices":[{"delta":{"content":"\udc4bb"}}]}']
    assert text(read(*halves)) == ("a👋b", "")


def test_half_a_character_alone_is_replaced() -> None:
    for alone in (r"a\ud83d", r"a\udc4b"):
        data = chunk({"content": "ALONE"}).replace("ALONE", alone)
        assert text(read(data)) == ("a\ufffd", "")
    assert text(
        read(r'{"choices":[{"delta":{"content":"a\ud83d"}}]}', chunk({"content": "b"}))
    ) == (
        "a\ufffdb",
        "",
    )


# --- <think> --------------------------------------------------------------------------------

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
def test_a_block_of_reasoning_at_the_start_is_told_apart_however_it_is_cut(
    answer: tuple[str, str, str], cuts: list[int]
) -> None:
    whole, content, reasoning = answer
    bounds = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(bounds)]
    assert text(read(*(chunk({"content": piece}) for piece in pieces))) == (content, reasoning)


def test_text_held_back_is_told_with_the_reason_of_the_end() -> None:
    reader = ChunkReader()
    assert reader.read(chunk({"content": "<th"})) is None
    ending = '{"choices": [{"delta": {}, "finish_reason": "stop"}]}'
    assert reader.read(ending) == Delta("<th", finish_reason="stop")
    assert reader.finish() is None


# --- Failures -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": {"message": "Provider not found: Nope"}}', "Provider not found: Nope"),
        (b'{"error": {"message": {"message": "deep"}}}', "deep"),
        (b'{"error": "plain"}', "plain"),
        (b'{"message": "plain"}', "plain"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (
            b'{"detail":[{"loc":["body",9],"message":"JSON decode error","type":"json_invalid"}]}',
            "body.9: JSON decode error",
        ),
        (
            b'{"detail":[{"type":"missing","loc":["body","model"],"msg":"Field required"}]}',
            "body.model: Field required",
        ),
        (b'[{"error": {"code": 400, "message": "from Google"}}]', "from Google"),
        (b"  overloaded\n", "overloaded"),
        (b"<html><head><title>502 Bad &amp; Gateway</title></head>", "502 Bad & Gateway"),
        (b"<!DOCTYPE html><h1 class=x>Oops</h1>", "Oops"),
        (b"<html></html>", "an HTML page without a title"),
        (b"", ""),
        (b"\xff", "\ufffd"),
        (b"null", "no reason given"),
        (b"{}", "no reason given"),
        (b'{"code": 5}', '{"code": 5}'),
    ],
)
def test_a_failure_says_its_reason_whichever_way_it_is_written(body: bytes, message: str) -> None:
    assert failure_message(body) == message


@given(st.binary(max_size=50) | anything.map(lambda value: json.dumps(value).encode()))
def test_no_body_breaks_the_reading_of_a_failure(body: bytes) -> None:
    assert isinstance(failure_message(body), str)


V1 = "http://localhost:1337/v1"


@pytest.mark.parametrize(
    ("status", "said", "kind", "hint"),
    [
        (401, "Not authenticated", AuthenticationError, "COPILOT_API_KEY"),
        (403, "", AuthenticationError, "COPILOT_API_KEY"),
        (
            401,
            "MissingAuthError: Authentication required",
            AuthenticationError,
            "Log in to Copilot",
        ),
        (404, "Provider not found: Nope", NotFoundError, "%copilot providers"),
        (404, "ModelNotFoundError: Model not found", NotFoundError, "%copilot models"),
        (404, "Not Found", NotFoundError, "%copilot doctor"),
        (405, "Method Not Allowed", NotFoundError, "%copilot doctor"),
        (408, "", ServerError, "%copilot retry"),
        (413, "Payload Too Large", ContextLengthError, "--new"),
        (400, "This model's maximum context length is 8192 tokens.", ContextLengthError, "--new"),
        (422, "body.9: JSON decode error", BadRequestError, "%copilot status"),
        (400, "temperature must be below 2", BadRequestError, "%copilot status"),
        (429, "slow down", RateLimitError, "%copilot retry"),
        (429, "You exceeded your current quota", RateLimitError, "nothing left to spend"),
        (500, "Request execution failed", ServerError, "its own log"),
        (502, "Bad Gateway", ServerError, "%copilot retry"),
        (418, "teapot", BadRequestError, "%copilot status"),
        (302, "", StatusError, "%copilot doctor"),
        (599, "", ServerError, "%copilot retry"),
    ],
)
def test_each_status_is_a_typed_error_of_one_line_with_the_next_step(
    status: int, said: str, kind: type[StatusError], hint: str
) -> None:
    error = status_error(status, said, base_url=V1, provider="Copilot")
    assert type(error) is kind
    assert error.status == status
    assert said.rstrip(".") in error.message and str(status) in error.message
    assert hint in error.hint
    assert "\n" not in str(error)


def test_an_address_without_v1_is_recognised() -> None:
    error = status_error(404, "Not Found", base_url="http://localhost:1337/")
    assert '"http://localhost:1337/v1"' in error.hint


def test_a_refused_key_and_a_missing_one_are_told_apart() -> None:
    assert "Check the API key" in status_error(401, "", with_key=True).hint
    assert "Put the server's API key" in status_error(401, "").hint


def test_a_rate_limit_says_how_long_to_wait() -> None:
    error = status_error(429, "", wait=90.0)
    assert error.retry_after == 90.0
    assert "Wait 90 seconds" in error.hint


TOO_LONG = [
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000",
    "Error code: context_length_exceeded",
    "the request exceeds the available context size. try increasing the context size",
    "prompt is too long: 210000 tokens > 200000 maximum",
    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    "Please reduce the length of the messages or completion.",
    "This endpoint's maximum context length is 4096 tokens",
    "input length and `max_tokens` exceed context limit: 199999 + 8192 > 200000",
    "Request too large: too many tokens",
    "The prompt is too long for the context window",
]
NOT_TOO_LONG = [
    "Rate limit reached: too many tokens per minute",
    "Request execution failed",
    "The model does not exist",
    "max_tokens is too large: 100000",
    "Too many requests",
]


@pytest.mark.parametrize("message", TOO_LONG)
def test_the_usual_words_for_a_prompt_too_long_are_known(message: str) -> None:
    assert isinstance(status_error(400, message), ContextLengthError)
    assert isinstance(reported_error(message), ContextLengthError)


@pytest.mark.parametrize("message", NOT_TOO_LONG)
def test_other_failures_are_not_taken_for_a_prompt_too_long(message: str) -> None:
    assert not isinstance(status_error(400, message), ContextLengthError)
    assert isinstance(reported_error(message), ErrorEventError)


@pytest.mark.parametrize(
    "message",
    [
        "Unrecognized request argument supplied: provider",
        "Unknown parameter: 'provider'.",
        "body.provider: Extra inputs are not permitted",
        "property 'provider' is unsupported",
        'Invalid JSON payload received. Unknown name "conversation_id": Cannot find field.',
        "Additional properties are not allowed ('provider' was unexpected)",
        "Unrecognized request arguments supplied: conversation_id, provider",
    ],
)
def test_a_server_that_accepts_no_unknown_fields_is_recognised(message: str) -> None:
    assert refuses_fields(400, message)
    assert refuses_fields(422, message)
    assert not refuses_fields(500, message)


@pytest.mark.parametrize(
    "message",
    [
        "Unknown provider: Nope",
        "Provider not found: Nope",
        "The provider is overloaded",
        "Unknown parameter: 'temperature'.",
        "Invalid conversation: no messages",
    ],
)
def test_other_refusals_are_not_taken_for_that(message: str) -> None:
    assert not refuses_fields(400, message)


@pytest.mark.parametrize(
    "message",
    [
        "you must provide a model parameter",
        "model is required",
        "model '' not found",
        'model "" not found, try pulling it first',
        "The model `` does not exist.",
        "body.model: Field required",
        "'model' is a required property",
        "invalid model ID",
    ],
)
def test_a_server_that_must_be_told_a_model_is_recognised(message: str) -> None:
    assert needs_model(404, message)
    assert not needs_model(500, message)


@pytest.mark.parametrize("message", ["Not Found", "The model is overloaded", "no such provider"])
def test_other_failures_are_not_taken_for_a_missing_model(message: str) -> None:
    assert not needs_model(404, message)


def test_a_spent_account_is_told_from_a_rate_limit() -> None:
    assert is_spent("You exceeded your current quota, please check your plan and billing details.")
    assert not is_spent("Rate limit reached for requests")


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("7", "", 7.0),
        ("0", "", 0.0),
        ("1.5", "", 1.5),
        ("Wed, 21 Oct 2015 07:28:30 GMT", "Wed, 21 Oct 2015 07:28:00 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:28:30 GMT", "Wed, 21 Oct 2015 07:30:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:30 GMT", "", 0.0),
        ("soon", "", None),
        ("-5", "", None),
        ("inf", "", None),
        ("", "", None),
        ("Wed, 99 Oct 2015 07:28:30 GMT", "", None),
    ],
)
def test_retry_after_is_read_as_seconds_and_as_a_date(
    value: str, date: str, seconds: float | None
) -> None:
    assert retry_after({"Retry-After": value, "Date": date}) == seconds


@given(st.text(max_size=30))
def test_no_retry_after_breaks_its_reading(value: str) -> None:
    seconds = retry_after({"Retry-After": value})
    assert seconds is None or seconds >= 0


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
def test_llama_cpps_timings_stand_in_for_the_usage_it_does_not_send(
    timings: object, usage: object
) -> None:
    chunk = {"choices": [{"delta": {}, "finish_reason": "stop"}], "timings": timings}
    delta = ChunkReader().read(json.dumps(chunk))
    assert delta is not None
    assert delta.usage == usage


def test_llama_cpps_500_for_a_full_context_is_a_context_too_long() -> None:
    error = status_error(500, "Context size has been exceeded.")
    assert isinstance(error, ContextLengthError)
    assert error.status == 500
