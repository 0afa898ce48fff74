"""The connection of one request: made, read from as bytes arrive, and ended from any thread."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..errors import ConnectTimeoutError, CutError
from ..settings import Settings, is_loopback
from ..text import without_credentials
from ..wire.failures import duration
from .address import proxy_for
from .credentials import Credentials
from .unreached import CHECK_NAME, unknown_name, unreached

if TYPE_CHECKING:
    import requests

__all__ = ["STOPPED", "Call"]

STOPPED = "The prompt was stopped"

_READ_BYTES = 64 * 1024


class Call:
    """One request on its way, whose connection another thread can end.

    Args:
        calls: The calls of a client; this one is among them while its ``with`` block lasts.

    Attributes:
        credentials: What the request is sent with.
    """

    def __init__(self, calls: set[Call]) -> None:
        self.credentials = Credentials()
        self._calls = calls
        self._stopped = threading.Event()
        self._socket: socket.socket | None = None

    def __enter__(self) -> Call:
        self._calls.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._calls.discard(self)

    @property
    def stopped(self) -> bool:
        """Say whether `stop` was called."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """End the call: whatever waits for it ends as if the server had closed the connection."""
        self._stopped.set()
        if self._socket is not None:
            # An SSL socket's own method would remove the encryption while another thread reads.
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`.

        Raises:
            CutError: The call was stopped meanwhile.
        """
        if self._stopped.wait(seconds):
            raise CutError(STOPPED)

    def redact(self, text: str) -> str:
        """Return `text` without the secrets that were sent."""
        return self.credentials.redact(text)

    def send(
        self,
        url: str,
        headers: Mapping[str, str],
        body: Mapping[str, Any] | None,
        settings: Settings,
        timeout: float,
    ) -> requests.Response:
        """Send one request and return its response; only its headers have been read.

        Args:
            body: What to post as JSON; None makes it a GET.
            settings: The address as configured, and how long connecting may take.
            timeout: Seconds until the response's headers.

        Raises:
            CopilotError: There was no response.
        """
        import requests
        from urllib3.exceptions import HTTPError

        loopback = is_loopback(url)
        proxy = "" if loopback else proxy_for(url)
        if not loopback and not proxy:
            _look_up(url, settings)
        with requests.Session() as session:
            adapter = _adapter(self._connected, timeout)
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            try:
                return session.request(
                    "GET" if body is None else "POST",
                    url,
                    data=None if body is None else json.dumps(body).encode(),
                    headers={**headers, "Content-Type": "application/json"},
                    # Without this, requests would look for a password in ~/.netrc.
                    auth=lambda request: request,
                    # The hosts for which the environment's proxies are not used.
                    proxies={"no_proxy": urlsplit(url).hostname or ""} if loopback else {},
                    timeout=(settings.connect_timeout, timeout),
                    stream=True,
                    allow_redirects=False,
                )
            except (OSError, HTTPError) as error:
                # "from None", since the error's text may contain the URL's query.
                if self.stopped:
                    raise CutError(STOPPED) from None
                raise unreached(error, url, proxy, settings, timeout) from None

    def pieces(
        self, response: requests.Response, time_left: Callable[[], float]
    ) -> Iterator[bytes]:
        """Yield the body as it arrives.

        Args:
            response: From `send`.
            time_left: Returns the seconds that the next piece may take, more than 0.

        Raises:
            TimeoutError: The next piece took longer.
            ConnectionError: The connection broke; says how if there is more to say.
        """
        from urllib3.exceptions import DecodeError, HTTPError, ReadTimeoutError

        # Only `read1` hands over what has arrived, in whichever way the body is framed.
        read, connection = response.raw.read1, self._socket
        assert connection is not None
        # A body that is not compressed need not pass through the decompressor's buffers.
        compressed = "Content-Encoding" in response.headers
        timeout = 0.0
        while True:
            seconds = time_left()
            # Setting it costs a system call, which is too much for each token.
            if not seconds <= timeout <= 1.01 * seconds:
                timeout = seconds
                connection.settimeout(timeout)
            try:
                data = read(_READ_BYTES, decode_content=compressed)
            except ReadTimeoutError:
                raise TimeoutError from None
            except DecodeError:
                raise ConnectionError("The server compressed its answer wrongly") from None
            except (HTTPError, OSError):
                raise ConnectionError from None
            if not data:
                return
            yield data

    def _connected(self, connection: socket.socket) -> None:
        self._socket = connection
        if self.stopped:
            self.stop()


def _adapter(connected: Callable[[Any], None], send_timeout: float) -> Any:
    """Return a requests adapter that hands over the socket of each connection it makes.

    The socket's timeout has to change while an answer is read, which requests does not offer.
    """
    from requests.adapters import HTTPAdapter

    class Adapter(HTTPAdapter):
        def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
            pool: Any = super().get_connection_with_tls_context(*args, **options)
            base: Any = pool.ConnectionCls

            class Connection(base):  # type: ignore[misc]
                def connect(self) -> None:
                    super().connect()
                    # urllib3 leaves the timeout for connecting in place while it sends the body,
                    # which may contain pictures.
                    self.sock.settimeout(send_timeout)
                    connected(self.sock)

            pool.ConnectionCls = Connection
            return pool

    return Adapter()


def _look_up(url: str, settings: Settings) -> None:
    """Look up the host's name; the lookup that connecting does can be neither timed nor stopped.

    Raises:
        NameResolutionError: There is no such name.
        ConnectTimeoutError: The lookup takes too long.
    """
    host = urlsplit(url).hostname or ""
    found: list[bool] = []
    done = threading.Event()

    def look_up() -> None:
        try:
            socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            found.append(True)
        except (OSError, UnicodeError):
            found.append(False)
        done.set()

    threading.Thread(target=look_up, name="copilot-name-lookup", daemon=True).start()
    if not done.wait(settings.connect_timeout):
        raise ConnectTimeoutError(
            f"Looking up the name {host} took longer than {duration(settings.connect_timeout)}",
            CHECK_NAME,
            base_url=without_credentials(settings.base_url),
        )
    if not found[0]:
        raise unknown_name(host, settings)
