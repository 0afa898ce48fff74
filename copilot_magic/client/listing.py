"""The lists that a server offers: of models, and of gpt4free's providers."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

from ..errors import FirstTokenTimeoutError, MalformedAnswerError
from ..settings import Settings
from ..text import one_line
from ..wire.failures import CHECK_BASE_URL, duration
from ..wire.sse import MAX_EVENT_BYTES
from .connection import Call
from .reading import read_body
from .sending import send

__all__ = ["are_providers", "get_list", "names_in"]


def get_list(
    call: Call, settings: Settings, path: str, *, timeout: float, failure_timeout: float
) -> Any:
    """Return the JSON that the server answers to a GET.

    Args:
        call: The connection to use.
        settings: Where to ask, and with which key.
        path: The path below the configured address.
        timeout: Seconds until the response's headers, and again until its end.
        failure_timeout: Seconds to read the message of a failure.

    Raises:
        PromptError: The server was not reached, or answered something else.
        UsageError: The settings do not allow asking.
    """
    try:
        response = send(call, settings, path, timeout=timeout, failure_timeout=failure_timeout)
        with closing(response):
            return json.loads(read_body(call, response, timeout, MAX_EVENT_BYTES))
    except FirstTokenTimeoutError:
        raise FirstTokenTimeoutError(
            f"The server did not answer {path} within {duration(timeout)}",
            CHECK_BASE_URL,
            seconds=timeout,
        ) from None
    except (ValueError, RecursionError):
        raise MalformedAnswerError(
            f"The server answered {path} with something other than JSON", CHECK_BASE_URL
        ) from None


def names_in(listed: Any) -> list[str]:
    """Return the names in a list of models or of providers, in whichever form it is."""
    if isinstance(listed, dict):
        listed = listed.get("data") or listed.get("models")
    names = []
    for item in listed if isinstance(listed, list) else []:
        # gpt4free lists its providers among the models, too.
        if isinstance(item, dict) and item.get("provider") is not True:
            item = item.get("id") or item.get("name")
        if isinstance(item, str) and item:
            names.append(one_line(item))
    return names


def are_providers(listed: Any) -> bool:
    """Say whether this is gpt4free's list of providers; other servers send something else."""
    return isinstance(listed, list) and any(
        isinstance(item, dict) and item.get("object") == "provider" for item in listed
    )
