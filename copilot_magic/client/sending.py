"""One request: sent with its key, followed through redirects, and a typed error if refused."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from ..errors import AuthenticationError, PromptError, ProxyError, StatusError
from ..settings import LOCAL_MARK, Settings
from ..text import without_credentials
from ..wire.failures import status_error
from ..wire.reasons import failure_message, retry_after
from ..wire.request import has_pictures
from .address import endpoint, origin
from .connection import Call, TimeLeft, time_limit
from .credentials import credentials_for
from .reading import read_body

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

__all__ = ["send"]

_REDIRECTS = 3
_MAX_FAILURE_BYTES = 64 * 1024


def send(
    call: Call,
    settings: Settings,
    path: str,
    body: Mapping[str, Any] | None = None,
    *,
    timeout: float,
    time_left: TimeLeft | None = None,
    failure_timeout: float,
) -> BaseHTTPResponse:
    """Send a request and return the successful response, with its body still to be read.

    Args:
        call: The connection to use.
        settings: Where to send it, and with which key.
        path: The path below the configured address.
        body: What to post as JSON; None makes it a GET.
        timeout: Seconds until the response's headers.
        time_left: How much of that is left; by default it begins when the key is there.
        failure_timeout: Seconds to read the message of a failure.

    Raises:
        PromptError: There was no response, or its status is not a success.
        UsageError: The settings do not allow sending it.
    """
    url = endpoint(settings.base_url, path)
    call.credentials = credentials_for(url, settings)
    headers = {
        "Accept": "text/event-stream, application/json",
        # Compressing a body delays its tokens.
        "Accept-Encoding": "identity",
    }
    if call.credentials.header:
        headers["Authorization"] = call.credentials.header
    time_left = time_left or time_limit(timeout)
    for _ in range(_REDIRECTS + 1):
        response = call.send(url, headers, body, settings, timeout, time_left)
        target = urljoin(url, response.headers.get("Location", ""))
        # Other redirects turn a POST into a GET, or hand the key and the prompt to a stranger.
        if response.status not in (307, 308) or origin(target) != origin(url):
            break
        with closing(response):
            if response.length_remaining is not None:
                # A connection can be used again if nothing is left on it.
                read_body(call, response, failure_timeout, _MAX_FAILURE_BYTES)
        url = target
    if 200 <= response.status < 300:
        return response
    with closing(response):
        raise _failure(call, settings, response, target, body or {}, failure_timeout)


def _failure(
    call: Call,
    settings: Settings,
    response: BaseHTTPResponse,
    target: str,
    body: Mapping[str, Any],
    seconds: float,
) -> PromptError:
    """Return the typed error for a response whose status is not a success."""
    status = response.status
    base_url = without_credentials(settings.base_url)
    if 300 <= status < 400 and "Location" in response.headers:
        elsewhere = call.redact(without_credentials(target))
        return StatusError(
            f"The server answered {status}: it redirects to {elsewhere}",
            "If that is the right server, set base_url to its address",
            status=status,
        )
    name, mark = LOCAL_MARK
    if status == 401 and response.headers.get(name) == mark:
        return AuthenticationError(
            f"{base_url} is another notebook's local model",
            "Start one of your own, or set base_url to another server",
            status=status,
            with_key=bool(call.credentials.header),
            local_model=True,
        )
    error = status_error(
        status,
        call.redact(failure_message(read_body(call, response, seconds, _MAX_FAILURE_BYTES))),
        base_url=base_url,
        provider=body.get("provider") or "",
        with_key=bool(call.credentials.header),
        pictures=has_pictures(body),
        wait=retry_after(response.headers),
    )
    if status == 407:
        hint = "Put the proxy's user and password into its URL"
        return ProxyError(error.message, hint, base_url=base_url)
    return error
