"""The connection of one request: made, read from as bytes arrive, and ended from any thread."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..errors import ConnectTimeoutError, CutError
from ..settings import Settings
from ..text import without_credentials
from ..wire.failures import duration
from .address import proxy_for
from .credentials import Credentials
from .route import Routes
from .unreached import CHECK_NAME, timed_out, unknown_name, unreached

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

__all__ = ["STOPPED", "Call", "Connections", "TimeLeft", "time_limit"]

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


class Connections:
    """The connections of one client; after a fork, and in another process, there are none yet.

    Args:
        keep: How many of them stay open between calls; with 0, each call has its own.
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._by_process: dict[int, _Open] = {}

    def __reduce__(self) -> tuple[type[Connections], tuple[int]]:
        return Connections, (self._keep,)

    def join(self, call: Call) -> Routes:
        """Return the routes for a call, which is one of those on their way from now on."""
        mine = self._mine()
        mine.calls.add(call)
        return mine.kept if self._keep else Routes(1)

    def leave(self, call: Call, routes: Routes) -> None:
        """Remove a call that has ended, and close its routes if they are its own."""
        self._mine().calls.discard(call)
        if not self._keep:
            routes.close()

    def close(self) -> None:
        """End each call that is on its way, and close the connections that are kept."""
        mine = self._mine()
        # In this order: a call that begins meanwhile is stopped, or it has the new routes.
        kept, mine.kept = mine.kept, Routes(self._keep)
        for call in list(mine.calls):
            call.stop()
        kept.close()

    def _mine(self) -> _Open:
        process = os.getpid()
        # A parent's stay where they are: one of its threads may have held their lock at the fork.
        return self._by_process.get(process) or self._by_process.setdefault(
            process, _Open(Routes(self._keep))
        )


@dataclass(eq=False)
class _Open:
    """What one process has open: the connections that it keeps, and the calls on their way."""

    kept: Routes
    calls: set[Call] = field(default_factory=set)


class Call:
    """One request on its way, whose connection another thread can end.

    Args:
        connections: Those of the client; this call is one of its calls while its ``with`` block
            lasts.

    Attributes:
        credentials: What the request is sent with.
        fresh_only: It may not have a connection that was kept.
        heard: Bytes of a response have arrived.
        stopped: `stop` was called.
    """

    def __init__(self, connections: Connections) -> None:
        self.credentials = Credentials()
        self.fresh_only = self.heard = self.stopped = False
        self._connections = connections
        self._routes: Routes | None = None
        self._look_up: Callable[[], None] | None = None
        self._awake: threading.Event | None = None
        self._socket: socket.socket | None = None
        self._kept = False  # the connection is one that an earlier request left open
        self._time_left: TimeLeft | None = None
        self._timeout = 0.0

    def __enter__(self) -> Call:
        self._routes = self._connections.join(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket = None
        if self._routes is not None:
            self._connections.leave(self, self._routes)

    def stop(self) -> None:
        """End the call: whatever waits for it ends as if the server had closed the connection."""
        self.stopped = True
        if (awake := self._awake) is not None:
            awake.set()
        if (connection := self._socket) is not None:
            # An SSL socket's own method would remove the encryption while another thread reads.
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`.

        Raises:
            CutError: The call was stopped meanwhile.
        """
        self._awake = awake = threading.Event()
        # `stop` sets the one before it looks for the other.
        if self.stopped or awake.wait(seconds):
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
    ) -> BaseHTTPResponse:
        """Send one request and return its response; only its headers have been read.

        A server may close a connection that was kept just when the request is sent. It is sent
        once more then, on a new connection.

        Args:
            body: What to post as JSON; None makes it a GET.
            settings: The address as configured, and how long connecting may take.
            timeout: Seconds that the response's headers may take, for the error.
            time_left: How much of that is left.

        Raises:
            CopilotError: There was no response.
        """
        from urllib3.exceptions import HTTPError

        assert self._routes is not None, "a call sends within its `with` block"
        self._time_left = time_left
        data = None if body is None else json.dumps(body).encode()
        headers = {**headers, "Content-Type": "application/json"}
        self.fresh_only = False
        while True:
            self._socket, self._kept, self.heard = None, False, False
            try:
                route = self._routes.find(url)
                self._look_up = partial(_look_up, url, settings) if route.direct else None
                return route.send(self, headers, data, settings.connect_timeout, timeout)
            except (OSError, HTTPError) as error:
                # "from None", since the error's text may contain the URL's query.
                if self.stopped:
                    raise CutError(STOPPED) from None
                if not self._kept or self.heard or timed_out(error):
                    raise unreached(error, url, proxy_for(url), settings, timeout) from None
            self.fresh_only = True

    def pieces(self, response: BaseHTTPResponse, time_left: TimeLeft) -> Iterator[bytes]:
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
        read = response.read1
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

    def connecting(self) -> None:
        """Look up the name of the host, before urllib3 does so without any limit."""
        if self._look_up is not None:
            self._look_up()

    def take(self, connection: socket.socket, *, new: bool = False) -> None:
        """Take over a connection: a new one, or one for the next request."""
        if connection is not self._socket:
            self._socket, self._kept = connection, not new
        # urllib3 leaves the timeout for connecting in place while it sends the body, which may
        # contain pictures.
        self._timeout = 0.0
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
