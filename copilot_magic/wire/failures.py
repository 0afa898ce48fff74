"""The typed errors for what a server reports: a status that is no success, or an error event."""

from __future__ import annotations

import math
import re
from typing import Any

from ..errors import (
    AuthenticationError,
    BadRequestError,
    ContextLengthError,
    ErrorEventError,
    MalformedAnswerError,
    NotFoundError,
    PromptError,
    RateLimitError,
    ServerError,
    StatusError,
)
from ..text import count_of, one_line
from .reasons import quota_exhausted, refuses_pictures, too_long

__all__ = [
    "CHECK_BASE_URL",
    "duration",
    "not_a_completion",
    "reported_error",
    "retry_hint",
    "status_error",
]

CHECK_BASE_URL = "Check that base_url names a chat-completions server"
_ASK_LESS = "Start a new conversation, or ask for less at once"

_Explanation = tuple[type[StatusError], str, dict[str, Any]]
"""The type of an error, its hint, and its facts."""


def status_error(
    status: int,
    message: str,
    *,
    base_url: str = "",
    provider: str = "",
    with_key: bool = False,
    wait: float | None = None,
    pictures: bool = False,
) -> StatusError:
    """Return the typed error for a failed request.

    Args:
        status: The HTTP status.
        message: What the server said, as returned by `failure_message`.
        base_url: The configured address, without credentials.
        provider: The provider that was asked for.
        with_key: An API key was sent.
        wait: The seconds that the server asked to wait.
        pictures: Pictures went with the prompt.
    """
    from http import HTTPStatus

    said = one_line(message).rstrip(".")
    try:
        phrase = HTTPStatus(status).phrase
        name = f"{status} ({phrase})"
        if said.casefold() in (phrase.casefold(), f"{status} {phrase}".casefold()):
            said = ""
    except ValueError:
        name = str(status)
    said = f"The server answered {name}: {said}".removesuffix(": ")
    if pictures and refuses_pictures(status, message):
        kind, hint, facts = _no_pictures(status)
    else:
        kind, hint, facts = _explain(status, message, base_url, provider, with_key, wait)
    return kind(said.rstrip("."), hint, status=status, retry_after=wait, **facts)


def reported_error(message: str, *, provider: str = "", begun: bool = False) -> PromptError:
    """Return the typed error for a failure that the server reported inside the stream.

    Args:
        message: What it said.
        provider: The provider that was asked for.
        begun: Part of the answer had arrived.
    """
    said = f"The server reported: {one_line(message)}".rstrip(".")
    if too_long(message):
        return ContextLengthError(said, _ASK_LESS, begun=begun)
    hint, facts = _gpt4free_hint(message, provider)
    return ErrorEventError(said, hint or retry_hint(begun), begun=begun, **facts)


def not_a_completion(what: str) -> MalformedAnswerError:
    """Return the error for a success that holds `what` instead of a chat completion."""
    return MalformedAnswerError(f"The server answered, but with {what}", CHECK_BASE_URL)


def retry_hint(begun: bool) -> str:
    """Return the next step after an answer that broke off, or never began."""
    return "What arrived is kept; ask for the rest" if begun else "Ask again"


def duration(seconds: float) -> str:
    """Return `seconds` in words: ``0.3 seconds``, ``90 seconds``, ``5 minutes``, ``1 hour``.

    From two minutes on, fractions of a second are rounded up; beyond an hour, seconds are.
    """
    if seconds == 1:
        return "1 second"
    if seconds < 120 and seconds != 60:
        return f"{seconds:g} seconds"
    seconds = math.ceil(seconds)
    if seconds < 3600:
        parts = zip(divmod(seconds, 60), ("minute", "second"), strict=True)
    else:
        parts = zip(divmod(math.ceil(seconds / 60), 60), ("hour", "minute"), strict=True)
    return " ".join(count_of(count, unit) for count, unit in parts if count)


def _explain(
    status: int, message: str, base_url: str, provider: str, with_key: bool, wait: float | None
) -> _Explanation:
    if status == 413 or (status <= 500 and status != 429 and too_long(message)):
        return ContextLengthError, _ASK_LESS, {}
    if status in (401, 403):
        return _unauthorized(message, provider, with_key)
    if status in (404, 405):
        return _not_found(message, base_url)
    if status == 429:
        return _too_many(message, wait)
    if status == 408 or status >= 500:
        hint, facts = _gpt4free_hint(message, provider)
        return ServerError, hint or "Ask again, or look into the server's log", facts
    if 300 <= status < 400:
        return StatusError, "Check the address in base_url", {}
    return BadRequestError, "Check the model and the options", {}


def _no_pictures(status: int) -> _Explanation:
    kind = ServerError if status >= 500 else BadRequestError
    return kind, "Ask a model that takes pictures", {"pictures": True}


def _unauthorized(message: str, provider: str, with_key: bool) -> _Explanation:
    hint, facts = _gpt4free_hint(message, provider)
    if not hint and with_key:
        hint = "Check the API key in the environment variable COPILOT_API_KEY"
    elif not hint:
        hint = "Put the server's API key into the environment variable COPILOT_API_KEY"
    facts = {"login": facts["login"], "provider": provider, "with_key": with_key}
    return AuthenticationError, hint, facts


def _not_found(message: str, base_url: str) -> _Explanation:
    for missing in ("provider", "model"):
        if missing in message.lower():
            hint = f"Choose another {missing}; the server lists what it has under /{missing}s"
            return NotFoundError, hint, {"missing": missing}
    if re.search(r"/v\d", base_url):
        return NotFoundError, "Check the path in base_url", {"missing": "path"}
    suggestion = base_url.rstrip("/").removesuffix("/chat/completions") + "/v1"
    hint = f"The address lacks the usual /v1: try base_url = {suggestion!r}"
    return NotFoundError, hint, {"missing": "path", "suggestion": suggestion}


def _too_many(message: str, wait: float | None) -> _Explanation:
    if quota_exhausted(message):
        hint = "Add credit to the account behind the API key, which has nothing left to spend"
        return RateLimitError, hint, {"quota_exhausted": True}
    pause = duration(math.ceil(wait)) if wait and wait >= 1 else "a little"
    return RateLimitError, f"Wait {pause}, then ask again", {}


def _gpt4free_hint(message: str, provider: str) -> tuple[str, dict[str, Any]]:
    """Return the hint for one of gpt4free's own messages, if it is one, and the facts in it."""
    lower = message.lower()
    logged = "request execution failed" in lower
    login = not logged and ("missingauth" in lower or "novalidhar" in lower)
    hint = ""
    if logged:
        hint = (
            "Look for the reason in gpt4free's log, in the terminal where it runs, "
            "or choose another provider"
        )
    elif login:
        who = provider or "the provider"
        hint = f"Log in to {who} in the browser that the server uses, or choose another provider"
    return hint, {"logged": logged, "login": login, "provider": provider}
