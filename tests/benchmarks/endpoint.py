"""The server that the benchmarks read from: a process of its own, whose work is not counted.

The path of a request says what it answers:

    /stamps/FRAMING/EVENTS/PAUSE/v1   the times of sending, that many milliseconds apart
    /text/CHARACTERS/RATE/v1          `sample` in tokens, that many a second; 0 is full speed
    /case/NUMBER/v1                   one of the CASES of `framings`
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.framings import CASES
from benchmarks.texts import TOKEN, sample

__all__ = ["FRAMINGS", "Endpoint"]

FRAMINGS = ["chunked", "close", "length", "gzip"]
LAST = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


class Endpoint:
    """The server, as long as the ``with`` block lasts."""

    def __enter__(self) -> Endpoint:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin and self._process.stdout
        self._url = f"http://127.0.0.1:{self._process.stdout.readline().strip()}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def stamps(self, framing: str, count: int, pause: int) -> str:
        """Return the base URL for the times at which `count` events are sent."""
        return f"{self._url}/stamps/{framing}/{count}/{pause}/v1"

    def text(self, characters: int, rate: float) -> str:
        """Return the base URL for an answer."""
        return f"{self._url}/text/{characters}/{rate:g}/v1"

    def case(self, number: int) -> str:
        """Return the base URL for a framing case."""
        return f"{self._url}/case/{number}/v1"


def event(text: str) -> bytes:
    """Return one event as gpt4free 8 sends it."""
    delta = {"role": "assistant", "content": text, "reasoning": None, "tool_calls": None}
    chunk = {
        "id": "chatcmpl-5tMq5Ko5v8tnynDoV0dN1c3nyJsP",
        "object": "chat.completion.chunk",
        "created": 1795392361,
        "model": "gpt-4o-mini",
        "provider": "Copilot",
        "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
    }
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


def stamp() -> bytes:
    """Return an event that says what time it is."""
    return event(f"{time.monotonic_ns():020d}")


class Response:
    """A response in one of the framings."""

    def __init__(self, connection: socket.socket, framing: str, length: int = 0) -> None:
        self._connection, self._framing = connection, framing
        self._compressor = zlib.compressobj(wbits=31)
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
        if framing == "chunked":
            head += "Transfer-Encoding: chunked\r\n"
        elif framing == "length":
            head += f"Content-Length: {length}\r\n"
        else:
            head += "Connection: close\r\n"
        if framing == "gzip":
            head += "Content-Encoding: gzip\r\n"
        connection.sendall(f"{head}\r\n".encode())

    def send(self, data: bytes) -> None:
        """Send a piece of the body."""
        if self._framing == "gzip":
            data = self._compressor.compress(data) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        if self._framing == "chunked":
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self._connection.sendall(data)

    def end(self) -> None:
        """End the body."""
        if self._framing == "gzip":
            self._connection.sendall(self._compressor.flush())
        if self._framing == "chunked":
            self._connection.sendall(b"0\r\n\r\n")


def send_stamps(connection: socket.socket, framing: str, count: str, pause: str) -> None:
    """Send times."""
    response = Response(connection, framing, len(stamp()) * int(count) + len(LAST))
    for _ in range(int(count)):
        if int(pause):
            time.sleep(int(pause) / 1000)
        response.send(stamp())
    response.send(LAST)
    response.end()


def send_text(connection: socket.socket, characters: str, rate: str) -> None:
    """Send an answer."""
    response = Response(connection, "chunked")
    text, began = sample(int(characters)), time.monotonic()
    for number, start in enumerate(range(0, len(text), TOKEN)):
        if float(rate):
            time.sleep(max(0.0, began + number / float(rate) - time.monotonic()))
        response.send(event(text[start : start + TOKEN]))
    response.send(LAST)
    response.end()


def send_case(connection: socket.socket, number: str) -> None:
    """Send a framing case, its pieces in packets of their own."""
    response = Response(connection, "chunked")
    for piece in CASES[int(number)].pieces:
        response.send(piece)
        time.sleep(0.001)
    response.end()


ANSWERS: dict[str, Callable[..., None]] = {
    "stamps": send_stamps,
    "text": send_text,
    "case": send_case,
}


def respond(connection: socket.socket) -> None:
    """Answer one request."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A client that has read [DONE] may go.
    with connection, connection.makefile("rb") as stream, contextlib.suppress(ConnectionError):
        line = stream.readline()
        if not line:
            return
        length = 0
        while (header := stream.readline().strip()) != b"":
            if header.lower().startswith(b"content-length:"):
                length = int(header.split(b":")[1])
        stream.read(length)
        method, path, _ = line.decode().split()
        if method != "POST":
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        kind, *arguments = path.strip("/").partition("/v1/")[0].split("/")
        ANSWERS[kind](connection, *arguments)


def serve() -> None:
    """Serve until the standard input ends."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=respond, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    serve()
