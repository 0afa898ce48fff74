"""The words in which servers say why a request failed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_magic.wire.reasons import (
    failure_message,
    lacks_schemas,
    names_model,
    needs_model,
    quota_exhausted,
    refuses_fields,
    refuses_pictures,
    refuses_schema,
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


LACKS_SCHEMAS = [
    # OpenAI and Azure
    "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
    "'json_schema' is not one of ['json_object', 'text'] - 'response_format.type'",
    "response_format value as json_schema is enabled only for api versions 2024-08-01-preview",
    "Unrecognized request argument supplied: response_format",
    # DeepSeek
    "This response_format type is unavailable now",
    "Failed to deserialize the JSON body into the target type: response_format: "
    "response_format.type `json_schema` is unavailable now at line 1 column 12440",
    # xAI, Volcengine, Groq, LiteLLM
    "The response_format parameter is unsupported at the moment. Leave it unset.",
    "The parameter `response_format.type` specified in the request are not valid: "
    "invalid value: `json_schema`, supported values are: `json_object` and `text`.",
    "This model does not support response format `json_schema`.",
    "`response_format` does not support streaming",
    "litellm.UnsupportedParamsError: together_ai does not support parameters: "
    "['response_format'], for model=deepseek-ai/DeepSeek-V3",
    # vLLM and llama-cpp-python, by FastAPI; llama.cpp before it had schemas
    "body.response_format.type: Input should be 'text' or 'json_object'",
    "body.response_format: Extra inputs are not permitted",
    'response_format type must be one of "text" or "json_object", but got: json_schema',
    "Structured outputs are not supported by this model",
    "guided decoding is not enabled on this server",
]

REFUSES_THIS_SCHEMA = [
    "Invalid schema for response_format 'Review': In context=(), 'additionalProperties' is "
    "required to be supplied and to be false.",
    "Invalid schema for response_format 'x': In context=('properties', 'a'), 'default' is not "
    "permitted.",
    "Invalid 'response_format.json_schema.name': string does not match pattern.",
    "invalid schema for response format: response_format/json_schema/x: minItems is not supported",
    "The provided JSON schema contains features not supported by xgrammar.",
    'JSON schema conversion failed: Unrecognized schema: {"type":"x"}',
    "Failed to initialize samplers: failed to parse grammar",
    "Provider returned error",
    "No endpoints found that can handle the requested parameters.",
]

NOT_ABOUT_SCHEMAS = [
    "The model does not exist",
    "Unknown parameter: 'temperature'.",
    "Request execution failed",
    "Unrecognized request argument supplied: provider",
    "This model's maximum context length is 8192 tokens",
]


@pytest.mark.parametrize("message", LACKS_SCHEMAS)
def test_a_server_that_takes_no_schemas_is_recognised(message: str) -> None:
    for status in (400, 404, 422, 500, 501):
        assert lacks_schemas(status, message) and refuses_schema(status, message)
    assert not refuses_schema(429, message) and not lacks_schemas(503, message)


@pytest.mark.parametrize("message", REFUSES_THIS_SCHEMA)
def test_a_refused_schema_does_not_mean_that_others_are_refused(message: str) -> None:
    assert refuses_schema(400, message)
    assert not lacks_schemas(400, message)


@pytest.mark.parametrize("message", NOT_ABOUT_SCHEMAS)
def test_other_failures_are_not_blamed_on_a_schema(message: str) -> None:
    assert not refuses_schema(400, message)


def test_a_refusal_may_be_the_models_alone() -> None:
    assert names_model(LACKS_SCHEMAS[0])
    assert not names_model("This response_format type is unavailable now")


@pytest.mark.parametrize(
    "message",
    [
        # llama.cpp, now and before
        "image input is not supported - hint: if this is unexpected, you may need to provide the "
        "mmproj",
        'Failed to parse messages: Unsupported content part type: "image_url"; messages = [',
        "unsupported content[].type",
        # Ollama, OpenAI, OpenRouter, DeepSeek, Groq, Mistral, vLLM
        "this model does not support image input (ref: b8bd630e)",
        "this model is missing data required for image input",
        "Invalid content type. image_url is only supported by certain models.",
        "No endpoints found that support image input",
        "messages[0]: unknown variant `image_url`, expected `text` at line 1 column 180",
        "'messages.0.content' : value must be a string; messages[0].content must be a string",
        "Image input is not enabled for this model",
        "llama-3 is not a multimodal model",
        "At most 0 image(s) may be provided in one prompt.",
        "body.messages.0.content: Input should be a valid string; content must be a valid string",
        "The model does not support vision",
        "multimodal is not supported",
        "This model cannot see: it does not support images",
    ],
)
def test_a_model_that_takes_no_pictures_is_recognised(message: str) -> None:
    assert refuses_pictures(400, message) and refuses_pictures(500, message)
    assert not refuses_pictures(429, message)


@pytest.mark.parametrize(
    "message",
    [
        "Invalid base64 image_url.",
        "The image is too large",
        "illegal base64 data at input byte 5",
        "Request execution failed",
        "'response_format' of type 'json_schema' is not supported with this model",
    ],
)
def test_other_failures_are_not_blamed_on_pictures(message: str) -> None:
    assert not refuses_pictures(400, message)


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
