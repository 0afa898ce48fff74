"""The way to a URL: its proxy, its certificates, and connections for one call at a time.

requests knows what the environment says about proxies and certificates, and urllib3 holds the
connections. Both are prepared once, since that takes longer than a request.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from ..settings import is_loopback
from .address import proxies_for

if TYPE_CHECKING:
    import socket
    from http.client import HTTPResponse

    from requests.adapters import HTTPAdapter
    from urllib3 import BaseHTTPResponse

__all__ = ["Route", "Routes", "User"]

# A server may redirect each request to an address of its own.
_MOST_ROUTES = 32


class User(Protocol):
    """A call, to which a connection belongs while it is used.

    Attributes:
        fresh_only: It may not have a connection that was kept.
        heard: Bytes of a response have arrived.
    """

    fresh_only: bool
    heard: bool

    def connecting(self) -> None:
        """Prepare for a new connection, which is about to be made."""

    def take(self, connection: socket.socket, *, new: bool = False) -> None:
        """Take over a connection: a new one, or one for the next request."""

    def limit_wait(self) -> None:
        """Let the connection wait no longer than there is time."""


class Routes:
    """The ways to the addresses of one server, whose connections stay open between calls.

    Args:
        keep: How many of them stay open.
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._adapter: HTTPAdapter | None = None
        self._routes: dict[str, Route] = {}
        self._lock = threading.Lock()

    def find(self, url: str) -> Route:
        """Return the way to `url`.

        Raises:
            OSError: requests cannot use the URL, its proxy, or the file of certificates.
            HTTPError: urllib3 cannot.
        """
        route = self._routes.get(url)
        if route is not None:
            return route
        with self._lock:
            if self._adapter is None:
                # By the package's name: two threads that import it from two ends get halves of it.
                import requests

                self._adapter = requests.adapters.HTTPAdapter(pool_maxsize=self._keep)
            if len(self._routes) >= _MOST_ROUTES:
                self._routes.clear()
            return self._routes.setdefault(url, Route(url, self._adapter))

    def close(self) -> None:
        """Close the connections that no call is using, and the others when their calls end."""
        with self._lock:
            for route in self._routes.values():
                route.close()
            self._routes.clear()
            self._adapter = None


class Route:
    """The way to `url`.

    Args:
        url: The URL to ask.
        adapter: Holds the connections; those of other URLs of this server, too.

    Attributes:
        direct: It leads to another machine, without a proxy in between.

    Raises:
        OSError: requests cannot use the URL, its proxy, or the file of certificates.
        HTTPError: urllib3 cannot.
    """

    def __init__(self, url: str, adapter: HTTPAdapter) -> None:
        import os

        import requests

        proxies = proxies_for(url)
        self.direct = not is_loopback(url) and not requests.utils.select_proxy(url, proxies)
        # A session would look for a password in ~/.netrc.
        request = requests.Request("POST", url).prepare()
        certificates = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        verify = certificates or True
        pool: Any = adapter.get_connection_with_tls_context(request, verify, proxies=proxies)
        checked: Any = adapter  # it has no types
        checked.cert_verify(pool, request.url, verify, None)
        # The pool's own class may have been replaced by now, for another URL of the server.
        pool.ConnectionCls = _connection_class(type(pool).ConnectionCls)
        self._pool = pool
        self._target = adapter.request_url(request, proxies)
        self._headers = dict(requests.utils.default_headers())

    def send(
        self,
        user: User,
        headers: Mapping[str, str],
        body: bytes | None,
        connect_timeout: float,
        timeout: float,
    ) -> BaseHTTPResponse:
        """Send one request and return its response; only its headers have been read.

        Args:
            user: Whose connection it is until the body has been read or the response is closed.
            headers: Besides those that requests always sends.
            body: What to post; None makes it a GET.
            connect_timeout: Seconds that connecting may take.
            timeout: Seconds that the headers may take, if `user` sets no other limit.

        Raises:
            OSError: There was no response.
            HTTPError: Likewise.
        """
        from urllib3 import Timeout

        _current.user = user
        response: BaseHTTPResponse = self._pool.urlopen(
            "GET" if body is None else "POST",
            self._target,
            body,
            {**self._headers, **headers},
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=Timeout(connect=connect_timeout, read=timeout),
            preload_content=False,
            decode_content=False,
        )
        return response

    def close(self) -> None:
        """Close the connections that no call is using, and the others when their calls end."""
        self._pool.close()


class _Current(threading.local):
    """The call that this thread is sending for; urllib3 passes nothing on to its connections."""

    user: User


_current = _Current()


class _TimedReader(io.RawIOBase):
    """What a connection receives, each wait for which is limited by the call that waits.

    A socket's own timeout starts again with each byte, also with those that http.client reads by
    itself: headers, the interim responses before them, and the sizes of chunks.
    """

    def __init__(self, received: io.RawIOBase, user: User) -> None:
        self._received = received
        self._user = user

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._user.limit_wait()
        count = self._received.readinto(buffer)
        if count:
            self._user.heard = True
        return count

    def close(self) -> None:
        self._received.close()
        super().close()


@cache
def _connection_class(base: Any) -> Any:
    """Return a class of connections like `base`, each of which belongs to the call that uses it."""
    from http.client import HTTPResponse

    class Connection(base):  # type: ignore[misc]
        _held: list[bytes] | None = None

        def connect(self) -> None:
            user = _current.user
            user.connecting()
            super().connect()
            user.take(self.sock, new=True)

        @property
        def is_connected(self) -> bool:
            # Whatever the server sent meanwhile, also to OpenSSL's buffer, is no answer.
            pending = getattr(self.sock, "pending", None)
            if _current.user.fresh_only or (pending and pending()):
                return False
            return bool(super().is_connected)

        def request(self, *args: Any, **options: Any) -> None:
            # Headers and body leave in one piece, which costs both sides less than two.
            self._held = held = list[bytes]()
            try:
                super().request(*args, **options)
            finally:
                self._held = None
            if self.sock is not None:
                _current.user.take(self.sock)
            self.send(b"".join(held))

        def send(self, data: Any) -> None:
            if self._held is None:
                super().send(data)
            else:
                self._held.append(data)

        def response_class(self, connection: socket.socket, **options: Any) -> HTTPResponse:
            response = HTTPResponse(connection, **options)
            # Nothing has been read yet, so that buffer is empty.
            received: Any = response.fp
            response.fp = io.BufferedReader(_TimedReader(received.detach(), _current.user))
            return response

    return Connection
