"""The typed error for a request that brought no response."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ..errors import (
    ConnectError,
    ConnectTimeoutError,
    CopilotError,
    CutError,
    NameResolutionError,
    ProxyError,
    RefusedError,
    SettingError,
    TLSError,
)
from ..settings import Settings, is_loopback
from ..text import one_line, without_credentials
from ..wire.ending import no_first_token
from ..wire.failures import CHECK_BASE_URL, duration, not_a_completion, retry_hint

__all__ = ["CHECK_NAME", "timed_out", "unknown_name", "unreached"]

CHECK_NAME = "Check the network, and the name in base_url"


def unreached(
    error: Exception, url: str, proxy: str, settings: Settings, timeout: float
) -> CopilotError:
    """Return the typed error for a request that brought no response.

    Args:
        error: What requests or urllib3 raised.
        url: The URL that was asked.
        proxy: The proxy on the way there, without credentials, or an empty string.
        settings: The address as configured, and how long connecting may take.
        timeout: Seconds that the response's headers were waited for.
    """
    import http.client

    from requests import exceptions as failed
    from urllib3 import exceptions as urllib3

    causes = list(_causes(error))

    def caused_by(*kinds: type[Exception]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    base_url = without_credentials(settings.base_url)
    why = one_line(_reason(causes), 120)
    unusable = (failed.InvalidURL, failed.InvalidSchema, urllib3.LocationValueError)
    if isinstance(error, urllib3.ProxyError) or (proxy and isinstance(error, unusable)):
        hint = "Check HTTPS_PROXY and HTTP_PROXY; NO_PROXY names hosts that need none"
        return ProxyError(f"The proxy {proxy} failed: {why}", hint, base_url=base_url)
    if isinstance(error, unusable):
        message = f"base_url cannot be used: {base_url}"
        return SettingError(message, CHECK_BASE_URL, setting="base_url")
    # A plain OSError is how requests says that the file of certificates does not exist.
    if isinstance(error, urllib3.SSLError) or type(error) is OSError:
        return _not_encrypted(why, base_url)
    if caused_by(urllib3.NameResolutionError):
        return unknown_name(urlsplit(url).hostname or "", settings)
    # Other failures to connect are, for historical reasons, of this type, too.
    late = isinstance(error, urllib3.ConnectTimeoutError)
    if late and not isinstance(error, urllib3.NewConnectionError):
        message = f"No connection to {base_url} within {duration(settings.connect_timeout)}"
        hint = "Check the address, the network and the firewall"
        return ConnectTimeoutError(message, hint, base_url=base_url)
    if timed_out(error):
        return no_first_token(timeout)
    if caused_by(ConnectionRefusedError):
        return _refused(base_url)
    if caused_by(http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
        return CutError("The server closed the connection without an answer", retry_hint(False))
    if caused_by(http.client.HTTPException):
        return not_a_completion("something that is not HTTP")
    return ConnectError(f"No connection to {base_url}: {why}", CHECK_BASE_URL, base_url=base_url)


def timed_out(error: Exception) -> bool:
    """Say whether urllib3 raised `error` because the server took too long."""
    from urllib3.exceptions import ReadTimeoutError

    return any(isinstance(cause, TimeoutError | ReadTimeoutError) for cause in _causes(error))


def unknown_name(host: str, settings: Settings) -> NameResolutionError:
    """Return the error for a host name that does not exist."""
    return NameResolutionError(
        f"There is no host named {host}",
        CHECK_NAME,
        base_url=without_credentials(settings.base_url),
    )


def _refused(base_url: str) -> RefusedError:
    hint = "Start that server, or set base_url to one that runs"
    if is_loopback(base_url) and urlsplit(base_url).port == 1337:
        hint = (
            'Start a server, for example gpt4free: pip install "g4f[api]", then '
            "g4f api --no-gui --port 1337; or set base_url to one that runs"
        )
    return RefusedError(f"No server is listening at {base_url}", hint, base_url=base_url)


def _not_encrypted(why: str, base_url: str) -> TLSError:
    hint = "For a certificate of your own, set REQUESTS_CA_BUNDLE=/path/to/certificates.pem"
    if "WRONG_VERSION_NUMBER" in why or "RECORD_LAYER" in why:
        hint = "The server seems not to encrypt: use http:// in base_url"
    return TLSError(f"No encrypted connection to {base_url}: {why}", hint, base_url=base_url)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and the errors that libraries wrapped in it, the innermost last."""
    seen: list[BaseException] = []
    left: list[object] = [error]
    while left:
        found = left.pop(0)
        if isinstance(found, BaseException) and found not in seen:
            seen.append(found)
            yield found
            left += [*found.args, getattr(found, "reason", None), found.__cause__]


def _reason(causes: list[BaseException]) -> str:
    """Return the operating system's, or OpenSSL's, own words for a failure."""
    for cause in reversed(causes):
        words = getattr(cause, "verify_message", "") or getattr(cause, "strerror", "")
        if words:
            return str(words)
    return str(causes[-1])
