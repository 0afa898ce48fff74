"""Where a request goes: the URL below the configured address, and the proxy on the way there."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit, urlunsplit

from ..errors import SettingError
from ..settings import DEFAULT_BASE_URL, is_loopback
from ..text import without_credentials

__all__ = ["endpoint", "origin", "proxies_for", "proxy_for"]


@lru_cache(maxsize=16)
def endpoint(base_url: str, path: str) -> str:
    """Return the URL of `path` below `base_url`, without user and password.

    Raises:
        SettingError: `base_url` is not an address.
    """
    base_url = base_url.strip()
    # Programs disagree on whether a host ends at a backslash, and who gets the key depends on it.
    if "\\" in base_url or " " in base_url or not base_url.isprintable():
        raise _not_an_address("base_url has characters that are not allowed in an address")
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname, parts.port
    except ValueError:
        # Python's own words quote what it takes for the port, which may be half a password.
        raise _not_an_address("base_url is not an address: check its host and port") from None
    if parts.scheme not in ("http", "https"):
        # Without a scheme, what precedes the @ would not be found to be a password.
        shown = without_credentials(base_url.rpartition("@")[2])
        raise _not_an_address(f"base_url must begin with http:// or https://: {shown!r}")
    if not host or port == 0:
        raise _not_an_address(f"base_url names no host: {without_credentials(base_url)!r}")
    root = parts.path.rstrip("/").removesuffix("/chat/completions")
    netloc = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, netloc, root + path, parts.query, ""))


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port: equal for two URLs if they are of one server."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def proxies_for(url: str) -> dict[str, str]:
    """Return the environment's proxies for `url` by scheme; there are none to this machine."""
    import requests

    return {} if is_loopback(url) else requests.utils.get_environ_proxies(url)


def proxy_for(url: str) -> str:
    """Return the environment's proxy for `url`, without credentials, or an empty string."""
    import requests

    proxy = requests.utils.select_proxy(url, proxies_for(url))
    return without_credentials(proxy) if proxy else ""


def _not_an_address(message: str) -> SettingError:
    return SettingError(
        message,
        f"Set it to the server's address, such as {DEFAULT_BASE_URL}",
        setting="base_url",
        suggestion=DEFAULT_BASE_URL,
    )
