"""The connection of one request: made, read from as bytes arrive, and ended from any thread."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
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

__all__ = ["STOPPED", "Call", "TimeLeft", "time_limit"]

STOPPED = "The prompt was stopped"

_READ_BYTES = 64 * 1024

TimeLeft = Callable[[], float]
"""Returns the seconds that the next bytes may take, more than 0; raises TimeoutError if none."""


def time_limit(seconds: float) -> TimeLeft:
    """Return the time left until `seconds` from now."""
    deadline = time.monotonic() + seconds

    def time_left() -> float:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    return time_left


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
        self._time_left: TimeLeft | None = None
        self._timeout = 0.0

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
        time_left: TimeLeft,
    ) -> requests.Response:
        """Send one request and return its response; only its headers have been read.

        Args:
            body: What to post as JSON; None makes it a GET.
            settings: The address as configured, and how long connecting may take.
            timeout: Seconds that the response's headers may take, for the error.
            time_left: How much of that is left.

        Raises:
            CopilotError: There was no response.
        """
        import requests
        from urllib3.exceptions import HTTPError

        loopback = is_loopback(url)
        proxy = "" if loopback else proxy_for(url)
        if not loopback and not proxy:
            _look_up(url, settings)
        self._time_left = time_left
        with requests.Session() as session:
            adapter = _adapter(self)
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

    def pieces(self, response: requests.Response, time_left: TimeLeft) -> Iterator[bytes]:
        """Yield the body as it arrives.

        Args:
            response: From `send`.
            time_left: How long the next piece may take.

        Raises:
            TimeoutError: The next piece took longer.
            ConnectionError: The connection broke; says how if there is more to say.
        """
        from urllib3.exceptions import DecodeError, HTTPError, ReadTimeoutError

        # Only `read1` hands over what has arrived, in whichever way the body is framed.
        read = response.raw.read1
        self._time_left = time_left
        # A body that is not compressed need not pass through the decompressor's buffers.
        compressed = "Content-Encoding" in response.headers
        while True:
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

    def connected(self, connection: socket.socket) -> None:
        """Take over the connection, once it is made."""
        self._socket, self._timeout = connection, 0.0
        # urllib3 leaves the timeout for connecting in place while it sends the body, which may
        # contain pictures.
        self.limit_wait()
        if self.stopped:
            self.stop()

    def limit_wait(self) -> None:
        """Let the connection wait no longer than there is time; while connecting, leave it.

        Raises:
            TimeoutError: There is no time left.
        """
        if self._socket is None or self._time_left is None:
            return
        seconds = self._time_left()
        # Setting it costs a system call, which is too much for each token.
        if not seconds <= self._timeout <= 1.01 * seconds:
            self._timeout = seconds
            self._socket.settimeout(seconds)


class _TimedReader(io.RawIOBase):
    """What a connection receives, with the time that is left limiting each wait for bytes.

    A socket's own timeout starts again with each byte, also with those that http.client reads by
    itself: headers, the interim responses before them, and the sizes of chunks.
    """

    def __init__(self, received: io.RawIOBase, call: Call) -> None:
        self._received = received
        self._call = call

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._call.limit_wait()
        return self._received.readinto(buffer)

    def close(self) -> None:
        self._received.close()
        super().close()


def _adapter(call: Call) -> Any:
    """Return a requests adapter whose connections belong to `call`.

    The socket's timeout has to change while an answer is read, which requests does not offer.
    """
    from http.client import HTTPResponse

    from requests.adapters import HTTPAdapter

    class Response(HTTPResponse):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            # The buffer is empty: nothing has been read yet.
            self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), call))

    class Adapter(HTTPAdapter):
        def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
            pool: Any = super().get_connection_with_tls_context(*args, **options)
            base: Any = pool.ConnectionCls

            class Connection(base):  # type: ignore[misc]
                response_class = Response

                def connect(self) -> None:
                    super().connect()
                    call.connected(self.sock)

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
