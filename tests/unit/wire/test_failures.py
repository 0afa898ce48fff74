"""Each failure is a typed error of one line, with the facts and the next step."""

from __future__ import annotations

from typing import Any

import pytest

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
from copilot_magic.wire.failures import (
    duration,
    not_a_completion,
    reported_error,
    retry_hint,
    status_error,
)

V1 = "http://localhost:1337/v1"


@pytest.mark.parametrize(
    ("status", "said", "kind", "hint", "facts"),
    [
        (401, "Not authenticated", AuthenticationError, "COPILOT_API_KEY", {"login": False}),
        (403, "", AuthenticationError, "COPILOT_API_KEY", {"with_key": False}),
        (
            401,
            "MissingAuthError: Authentication required",
            AuthenticationError,
            "Log in to Copilot",
            {"login": True, "provider": "Copilot"},
        ),
        (404, "Provider not found: Nope", NotFoundError, "/providers", {"missing": "provider"}),
        (404, "ModelNotFoundError: Not found", NotFoundError, "/models", {"missing": "model"}),
        (404, "Not Found", NotFoundError, "base_url", {"missing": "path", "suggestion": None}),
        (405, "Method Not Allowed", NotFoundError, "base_url", {"missing": "path"}),
        (408, "", ServerError, "Ask again", {"login": False, "logged": False}),
        (413, "Payload Too Large", ContextLengthError, "new conversation", {}),
        (
            400,
            "This model's maximum context length is 8192",
            ContextLengthError,
            "ask for less",
            {},
        ),
        (422, "body.9: JSON decode error", BadRequestError, "Check the model", {"models": ()}),
        (400, "temperature must be below 2", BadRequestError, "the options", {}),
        (429, "slow down", RateLimitError, "Wait a little", {"quota_exhausted": False}),
        (
            429,
            "You exceeded your current quota",
            RateLimitError,
            "nothing left to spend",
            {"quota_exhausted": True},
        ),
        (500, "Request execution failed", ServerError, "gpt4free's log", {"logged": True}),
        (
            500,
            "MissingAuthError: log in first",
            ServerError,
            "Log in to Copilot",
            {"login": True, "provider": "Copilot", "logged": False},
        ),
        (502, "Bad Gateway", ServerError, "Ask again", {}),
        (418, "teapot", BadRequestError, "Check the model", {}),
        (302, "", StatusError, "base_url", {}),
        (599, "", ServerError, "Ask again", {}),
    ],
)
def test_each_status_is_a_typed_error_of_one_line_with_facts_and_the_next_step(
    status: int, said: str, kind: type[StatusError], hint: str, facts: dict[str, Any]
) -> None:
    error = status_error(status, said, base_url=V1, provider="Copilot")
    assert type(error) is kind
    assert error.status == status
    assert said.rstrip(".") in error.message and str(status) in error.message
    assert hint in error.hint
    assert {name: getattr(error, name) for name in facts} == facts
    assert "\n" not in str(error)


@pytest.mark.parametrize("message", ["", "Not Found", "not found.", "404 Not Found"])
def test_the_name_of_a_status_is_not_said_twice(message: str) -> None:
    error = status_error(404, message, base_url=V1)
    assert error.message == "The server answered 404 (Not Found)"


@pytest.mark.parametrize("base_url", ["http://host:1337/", "http://host:1337/chat/completions"])
def test_an_address_without_v1_comes_with_the_address_to_try(base_url: str) -> None:
    error = status_error(404, "Not Found", base_url=base_url)
    assert isinstance(error, NotFoundError)
    assert (error.missing, error.suggestion) == ("path", "http://host:1337/v1")
    assert "'http://host:1337/v1'" in error.hint


def test_a_refused_key_is_not_a_missing_one() -> None:
    refused, missing = status_error(401, "", with_key=True), status_error(401, "")
    assert isinstance(refused, AuthenticationError) and refused.with_key
    assert "Check the API key" in refused.hint
    assert isinstance(missing, AuthenticationError) and not missing.with_key
    assert "Put the server's API key" in missing.hint


@pytest.mark.parametrize(
    ("wait", "words"),
    [(90.0, "Wait 90 seconds,"), (29.1, "Wait 30 seconds,"), (3600.0, "Wait 1 hour,")],
)
def test_a_rate_limit_says_how_long_to_wait(wait: float, words: str) -> None:
    error = status_error(429, "", wait=wait)
    assert error.retry_after == wait
    assert words in error.hint


def test_a_model_without_eyes_is_recognised_if_pictures_went_along() -> None:
    said = "image input is not supported"
    for status, kind in ((400, BadRequestError), (404, BadRequestError), (500, ServerError)):
        error = status_error(status, said, pictures=True)
        assert type(error) is kind
        assert vars(error)["pictures"]
        assert error.hint == "Ask a model that takes pictures"
    for other in (status_error(400, said), status_error(400, "No such size", pictures=True)):
        assert "pictures" not in vars(other)


def test_a_prompt_that_is_too_long_is_recognised_in_a_status_and_in_an_event() -> None:
    for message in ("context_length_exceeded", "prompt is too long: 210000 tokens > 200000"):
        assert isinstance(status_error(400, message), ContextLengthError)
        assert isinstance(reported_error(message), ContextLengthError)
    for message in ("Too many requests", "Rate limit reached: too many tokens per minute"):
        assert not isinstance(status_error(400, message), ContextLengthError)
        assert isinstance(reported_error(message), ErrorEventError)


def test_llama_cpps_500_for_a_full_context_means_a_prompt_that_is_too_long() -> None:
    error = status_error(500, "Context size has been exceeded.")
    assert isinstance(error, ContextLengthError)
    assert error.status == 500


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize(
    ("said", "hint", "facts"),
    [
        ("oops", None, {"login": False, "logged": False, "provider": "P"}),
        ("Request execution failed", "gpt4free's log", {"login": False, "logged": True}),
        ("NoValidHarFileError", "Log in to P", {"login": True, "logged": False}),
    ],
)
def test_a_reported_failure_carries_its_facts(
    said: str, hint: str | None, facts: dict[str, Any], begun: bool
) -> None:
    error = reported_error(said, provider="P", begun=begun)
    assert isinstance(error, ErrorEventError)
    assert (hint or retry_hint(begun)) in error.hint
    assert {name: getattr(error, name) for name in facts} == facts
    assert error.begun is begun


def test_no_hint_needs_a_notebook() -> None:
    hints = [status_error(status, "", base_url=V1).hint for status in range(300, 600)]
    hints += [retry_hint(True), retry_hint(False), not_a_completion("x").hint]
    assert all(hints)
    assert not [hint for hint in hints if "%" in hint or "`" in hint]


def test_a_success_that_is_not_a_completion_says_what_it_is() -> None:
    error = not_a_completion("an HTML page: Log in")
    assert isinstance(error, MalformedAnswerError)
    assert error.message == "The server answered, but with an HTML page: Log in"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.3, "0.3 seconds"),
        (0, "0 seconds"),
        (1.0, "1 second"),
        (30, "30 seconds"),
        (60, "1 minute"),
        (90.0, "90 seconds"),
        (120.0, "2 minutes"),
        (125, "2 minutes 5 seconds"),
        (300, "5 minutes"),
        (3599.5, "1 hour"),
        (3600, "1 hour"),
        (3725, "1 hour 3 minutes"),
        (7199, "2 hours"),
        (360_000, "100 hours"),
    ],
)
def test_a_duration_is_said_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words
