"""The words in which servers say why a request failed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_magic.wire.reasons import (
    failure_message,
    needs_model,
    quota_exhausted,
    refuses_fields,
    retry_after,
    too_long,
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


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
def test_a_failures_message_is_found_in_every_form(body: bytes, message: str) -> None:
    assert failure_message(body) == message


@given(st.binary(max_size=50) | values.map(lambda value: json.dumps(value).encode()))
def test_every_body_has_a_message(body: bytes) -> None:
    assert isinstance(failure_message(body), str)


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
def test_the_usual_words_for_a_prompt_that_is_too_long_are_known(message: str) -> None:
    assert too_long(message)


@pytest.mark.parametrize("message", NOT_TOO_LONG)
def test_other_failures_do_not_mean_that_the_prompt_is_too_long(message: str) -> None:
    assert not too_long(message)


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
def test_a_server_that_refuses_unknown_fields_is_recognised(message: str) -> None:
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
def test_other_refusals_do_not_mean_unknown_fields(message: str) -> None:
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
def test_a_server_that_needs_a_model_is_recognised(message: str) -> None:
    assert needs_model(404, message)
    assert not needs_model(500, message)


@pytest.mark.parametrize("message", ["Not Found", "The model is overloaded", "no such provider"])
def test_other_failures_do_not_mean_a_missing_model(message: str) -> None:
    assert not needs_model(404, message)


def test_an_exhausted_quota_is_not_a_mere_rate_limit() -> None:
    assert quota_exhausted(
        "You exceeded your current quota, please check your plan and billing details."
    )
    assert not quota_exhausted("Rate limit reached for requests")


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
def test_retry_after_is_a_number_of_seconds_or_a_date(
    value: str, date: str, seconds: float | None
) -> None:
    assert retry_after({"Retry-After": value, "Date": date}) == seconds


@given(st.text(max_size=30))
def test_any_retry_after_is_read_or_ignored(value: str) -> None:
    seconds = retry_after({"Retry-After": value})
    assert seconds is None or seconds >= 0
