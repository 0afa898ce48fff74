"""A chat-completions server for tests: it uses real sockets and does exactly what a script says.

def handler(exchange):
    exchange.start()
    exchange.delta("Hello")
    exchange.finish()
    exchange.done()

with ScriptedServer() as server:
    server.script(handler)
    ...  # post to server.base_url + "/chat/completions"
    assert server.requests[-1].json["messages"]
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ["Exchange", "Request", "ScriptedServer", "answer", "whole"]


@dataclass(frozen=True)
class Request:
    """A request as it was received; header names match in any case."""

    method: str
    path: str
    headers: Message
    body: bytes
    client: Any = None
    """The address that its connection came from."""

    @cached_property
    def json(self) -> Any:
        """Return the body, decoded."""
        return json.loads(self.body)


class Exchange:
    """The response to one request, which a script writes piece by piece.

    When the script returns, the response ends as HTTP requires; `abort` and `cut` break it off.
    """

    def __init__(self, request: Request, connection: socket.socket, stopping: threading.Event):
        self.request = request
        self.started = False
        self.broken = False
        self.close_connection = True
        self._connection = connection
        self._stopping = stopping
        self._chunked = False

    def start(
        self,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        chunked: bool = True,
    ) -> None:
        """Send the status line and the headers.

        Args:
            chunked: Frame the body in chunks. If not, a ``Content-Length`` in `headers` gives its
                length; without one it ends with the connection.
        """
        fields = {"Content-Type": "text/event-stream", **(headers or {})}
        sized = any(name.lower() == "content-length" for name in fields)
        self._chunked = chunked and not sized
        self.close_connection = not (self._chunked or sized)
        if self._chunked:
            fields["Transfer-Encoding"] = "chunked"
        if self.close_connection:
            fields["Connection"] = "close"
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.started = True
        self.send_raw(f"HTTP/1.1 {status} Scripted\r\n{head}\r\n".encode("latin-1"))

    def reply(
        self,
        status: int,
        body: bytes | str | Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send a complete response; a mapping is sent as JSON."""
        if isinstance(body, Mapping):
            kind, content = "application/json", json.dumps(body).encode()
        else:
            kind, content = "text/plain", body.encode() if isinstance(body, str) else body
        fields = {"Content-Type": kind, "Content-Length": str(len(content)), **(headers or {})}
        self.start(status, fields)
        self.send(content)

    def send(self, data: bytes) -> None:
        """Send a piece of the body, in its framing."""
        if self._chunked and data:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self.send_raw(data)

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are, headers and framing included."""
        self._connection.sendall(data)

    def event(self, data: Mapping[str, Any] | str) -> None:
        """Send one event; a mapping is sent as JSON."""
        text = data if isinstance(data, str) else json.dumps(data)
        self.send(f"data: {text}\n\n".encode())

    def delta(self, content: str, **extra: Any) -> None:
        """Send one piece of the answer."""
        self.event({"choices": [{"index": 0, "delta": {"content": content}}], **extra})

    def finish(self, reason: str = "stop", **extra: Any) -> None:
        """Send the chunk that says why the answer ends."""
        self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], **extra})

    def done(self) -> None:
        """Send ``[DONE]``."""
        self.event("[DONE]")

    def abort(self) -> None:
        """Break off the connection with a reset, which is sent when the script returns."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.cut(shutdown=False)

    def cut(self, *, shutdown: bool = True) -> None:
        """Close the connection in the middle of the body."""
        self.broken = True
        if shutdown:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)
        # http.server closes it again later, which does no harm.
        self._connection.close()

    def client_gone(self, timeout: float = 10.0) -> bool:
        """Wait until the client has closed the connection; say whether it has."""
        deadline = time.monotonic() + timeout
        stopping = False
        # It is looked for once more when the test has ended, just before which it may have gone.
        while not stopping and time.monotonic() < deadline:
            stopping = self._stopping.is_set()
            readable, _, _ = select.select([self._connection], [], [], 0.02)
            if readable:
                try:
                    # An SSL socket's own method takes no flags.
                    if not socket.socket.recv(self._connection, 1, socket.MSG_PEEK):
                        return True
                except ConnectionError:
                    return True
                time.sleep(0.02)
        return False

    def wait(self, event: threading.Event, timeout: float = 30.0) -> bool:
        """Wait for `event` at most as long as the server runs; say whether it was set."""
        deadline = time.monotonic() + timeout
        while not self._stopping.is_set() and time.monotonic() < deadline:
            if event.wait(0.02):
                return True
        return event.is_set()

    def end(self) -> None:
        """End the body properly."""
        if self._chunked:
            self.send_raw(b"0\r\n\r\n")


Handler = Callable[[Exchange], None]
Page = tuple[int, Mapping[str, str], bytes]


def answer(exchange: Exchange, text: str, **finish: Any) -> None:
    """Answer with `text` word by word, as gpt4free does."""
    exchange.start()
    for index, word in enumerate(text.split(" ")):
        exchange.delta(word if index == 0 else f" {word}", model="scripted-model")
    exchange.finish(**finish)
    exchange.done()


def whole(exchange: Exchange, text: str = "", **extra: Any) -> None:
    """Answer with `text`, or with what was asked, in one piece."""
    text = text or f"You said: {exchange.request.json['messages'][-1]['content']}"
    choice = {"index": 0, "message": {"role": "assistant", "content": text}}
    choices = [{**choice, "finish_reason": "stop"}]
    exchange.reply(200, {"model": "scripted-model", "choices": choices, **extra})


def echo(exchange: Exchange) -> None:
    """Answer with the last message."""
    last = exchange.request.json["messages"][-1]["content"]
    answer(exchange, f"You said: {last}")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # many threads may connect at once


class ScriptedServer:
    """Serve on a free port of 127.0.0.1 while the ``with`` block lasts.

    Args:
        handler: The script for the POST requests.
        certificate: Serve HTTPS with this certificate and key, in one PEM file.
        port: The port to listen on; 0 is a free one.

    Attributes:
        requests: What was received, oldest first.
        clients: The addresses of the clients, one for each connection, oldest first.
        get: Answers to GET by path: status, headers, body; or a script.
    """

    def __init__(
        self, handler: Handler = echo, certificate: Path | None = None, port: int = 0
    ) -> None:
        self.clients: list[Any] = []
        self.requests: list[Request] = []
        models = json.dumps({"object": "list", "data": [{"id": "scripted-model"}]}).encode()
        self.get: dict[str, Page | Handler] = {
            "/v1/models": (200, {"Content-Type": "application/json"}, models)
        }
        self._handler = handler
        self._failures: list[Exception] = []
        self._stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._server = _Server(("127.0.0.1", port), self._request_handler())
        self._scheme = "http" if certificate is None else "https"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # The thread of each connection does the handshake.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def port(self) -> int:
        """Return the port it listens on."""
        return int(self._server.server_address[1])

    @property
    def base_url(self) -> str:
        """Return the base URL for a client."""
        return f"{self._scheme}://127.0.0.1:{self.port}/v1"

    @property
    def posts(self) -> list[Any]:
        """Return the bodies of the prompts, oldest first."""
        return [request.json for request in self.requests if request.method == "POST"]

    @property
    def open_connections(self) -> int:
        """Return how many connections are open."""
        return len(self._connections)

    def hang_up(self) -> None:
        """Close all connections, as a server does that has waited for long enough."""
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def script(self, handler: Handler) -> None:
        """Answer POST requests with `handler` from now on."""
        self._handler = handler

    def scripts(self, *handlers: Handler) -> None:
        """Answer one POST request with each of `handlers`, and all that follow with the last."""
        left = list(handlers)
        self.script(lambda exchange: (left.pop(0) if len(left) > 1 else left[0])(exchange))

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self.hang_up()
        self._server.server_close()
        if self._failures and error is None:
            raise self._failures[0]

    def _answer(self, request: Request, connection: socket.socket) -> bool:
        """Answer `request`; say whether the connection has to be closed."""
        self.requests.append(request)
        exchange = Exchange(request, connection, self._stopping)
        try:
            if request.method == "POST":
                self._handler(exchange)
            else:
                missing: Page | Handler = (
                    404,
                    {"Content-Type": "application/json"},
                    b'{"detail":"Not Found"}',
                )
                page = self.get.get(request.path, missing)
                if callable(page):
                    page(exchange)
                    return True
                status, headers, body = page
                exchange.reply(status, body, headers)
            if not exchange.broken:
                exchange.end()
        except ConnectionError:
            return True  # the client went away, as clients do
        except Exception as error:  # noqa: BLE001  (raised again at the end of the test)
            self._failures.append(error)
            exchange.cut()
        return exchange.close_connection or exchange.broken

    def _request_handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class RequestHandler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                server.clients.append(self.client_address)
                server._connections.add(self.connection)

            def finish(self) -> None:
                server._connections.discard(self.connection)
                with contextlib.suppress(OSError):
                    super().finish()

            def handle(self) -> None:
                with contextlib.suppress(OSError, ValueError):
                    super().handle()

            def respond(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                request = Request(self.command, self.path, self.headers, body, self.client_address)
                self.close_connection = server._answer(request, self.connection)

            do_GET = do_POST = respond

            def log_message(self, format: str, *args: Any) -> None:
                """Keep the tests' output quiet."""

        return RequestHandler
