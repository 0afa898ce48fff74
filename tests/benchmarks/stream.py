"""Compare what an event costs and how soon it is there with other clients, side by side.

    python tests/benchmarks/stream.py

Prints ratios: CPU time per event against the reference client's loop, and the time from the
server's send to the client's delta against a raw socket. Each is the median over rounds in which
the clients take turns, since anything else that the machine does slows down all of them. Clients
that are not installed are left out; the two baselines have to be.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from urllib.parse import urlsplit

Text = Iterator[str]

FRAMINGS = ["chunked", "close", "length", "gzip"]
BODY = {
    "model": "m",
    "provider": "",
    "stream": True,
    "messages": [{"role": "user", "content": "Hello"}],
    "conversation_id": "22222222-2222-4222-8222-222222222222",
}


# The server: a separate process, so that its work is not counted


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


LAST = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def respond(connection: socket.socket) -> None:
    """Answer one request; its path is ``/FRAMING/EVENTS/PAUSE/…``, the pause in milliseconds."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = connection.makefile("rb")
    line = stream.readline()
    if not line:
        return
    framing, count, pause = line.split()[1].decode().strip("/").split("/")[:3]
    length = 0
    while (header := stream.readline().strip()) != b"":
        if header.lower().startswith(b"content-length:"):
            length = int(header.split(b":")[1])
    stream.read(length)
    example = event(f"{time.monotonic_ns():020d}")
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    if framing == "chunked":
        head += "Transfer-Encoding: chunked\r\n"
    elif framing == "length":
        head += f"Content-Length: {len(example) * int(count) + len(LAST)}\r\n"
    else:
        head += "Connection: close\r\n"
    if framing == "gzip":
        head += "Content-Encoding: gzip\r\n"
    connection.sendall(f"{head}\r\n".encode())
    compressor = zlib.compressobj(wbits=31)

    def send(data: bytes) -> None:
        if framing == "gzip":
            data = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
        if framing == "chunked":
            data = b"%x\r\n%b\r\n" % (len(data), data)
        connection.sendall(data)

    for _ in range(int(count)):
        if int(pause):
            time.sleep(int(pause) / 1000)
        send(event(f"{time.monotonic_ns():020d}"))
    send(LAST)
    if framing == "gzip":
        connection.sendall(compressor.flush())
    if framing == "chunked":
        connection.sendall(b"0\r\n\r\n")
    connection.close()
    stream.close()


def serve() -> None:
    """Serve until the standard input ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=respond, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


# The clients: each yields the text of every delta


def copilot_magic(url: str) -> Text:
    from copilot_magic import ChatClient
    from copilot_magic.settings import Settings
    from copilot_magic.wire.chunks import Delta

    for delta in ChatClient(Settings(base_url=url)).stream(BODY):
        if isinstance(delta, Delta) and delta.content:
            yield delta.content


def reference_loop(url: str) -> Text:
    import requests

    response = requests.post(f"{url}/chat/completions", json=BODY, stream=True)
    for line in response.iter_lines():
        if line.startswith(b"data: "):
            data = line[6:]
            if data == b"[DONE]":
                break
            chunk = json.loads(data)
            if chunk.get("error"):
                break
            content = chunk.get("choices", [{"delta": {}}])[0]["delta"].get("content")
            if content:
                yield content


def httpx_sse(url: str) -> Text:
    import httpx
    from httpx_sse import connect_sse

    with (
        httpx.Client(trust_env=False, timeout=60) as client,
        connect_sse(client, "POST", f"{url}/chat/completions", json=BODY) as source,
    ):
        for found in source.iter_sse():
            if found.data == "[DONE]":
                break
            content = json.loads(found.data)["choices"][0]["delta"].get("content")
            if content:
                yield content


def openai_sdk(url: str) -> Text:
    from openai import OpenAI

    with OpenAI(base_url=url, api_key="none") as client:
        stream = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "Hello"}], stream=True
        )
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content


def raw_socket(url: str) -> Text:
    """Read the socket, and handle nothing but what this server does."""
    import orjson

    parts = urlsplit(url)
    body = json.dumps(BODY).encode()
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(
            b"POST %b/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b"
            % (parts.path.encode(), len(body), body)
        )
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(65536)
        head, _, rest = received.partition(b"\r\n\r\n")
        unzip = zlib.decompressobj(wbits=31) if b"gzip" in head else None
        while True:
            if unzip and received:
                rest = unzip.decompress(rest)
            *lines, tail = rest.split(b"\n")
            for line in lines:
                if line.startswith(b"data: {"):
                    content = orjson.loads(line[6:])["choices"][0]["delta"].get("content")
                    if content:
                        yield content
                elif line.startswith(b"data: [DONE]"):
                    return
            data = connection.recv(65536)
            rest = data if unzip else tail + data


CLIENTS: dict[str, Callable[[str], Text]] = {
    "copilot_magic": copilot_magic,
    "reference loop": reference_loop,
    "httpx-sse": httpx_sse,
    "OpenAI SDK": openai_sdk,
    "raw socket + orjson": raw_socket,
}


# The measurements


def cpu_per_event(client: Callable[[str], Text], base: str, count: int) -> float:
    """Return the CPU seconds of this process for each of `count` events."""
    gc.collect()
    begun = time.process_time()
    received = sum(1 for _ in client(f"{base}/chunked/{count}/0/v1"))
    spent = time.process_time() - begun
    assert received == count, (client.__name__, received)
    return spent / count


def delays(client: Callable[[str], Text], base: str, framing: str, count: int) -> list[float]:
    """Return the seconds from send to delta of `count` events, 5 ms apart."""
    found = [
        (time.monotonic_ns() - int(text)) / 1e9 for text in client(f"{base}/{framing}/{count}/5/v1")
    ]
    return found[count // 10 :]


def require_baselines() -> None:
    """Exit with one line if a client that the ratios refer to cannot run."""
    for name in ("requests", "orjson"):
        try:
            import_module(name)
        except ImportError:
            sys.exit(f"There is no baseline without {name}: pip install {name}")


def row(name: str, cells: list[str]) -> None:
    print(f"| {name:22} |" + "".join(f" {cell:>12} |" for cell in cells))


def main(rounds: int, events: int, paced: int) -> None:
    require_baselines()
    os.environ["NO_PROXY"] = "127.0.0.1"
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin and server.stdout
    base = f"http://127.0.0.1:{server.stdout.readline().strip()}"
    clients = {}
    for name, client in CLIENTS.items():
        try:
            list(client(f"{base}/chunked/10/0/v1"))  # imports what it needs
            clients[name] = client
        except ImportError as missing:
            print(f"left out: {name} ({missing})")
    try:
        cost: dict[str, list[float]] = {name: [] for name in clients}
        for _ in range(rounds):
            for name, client in clients.items():
                cost[name].append(cpu_per_event(client, base, events))
        print(f"\nCPU per event, {events} events in chunks, {rounds} rounds:\n")
        row("client", ["µs", "ratio"])
        row("---", ["---:", "---:"])
        for name, spent in cost.items():
            ratios = [own / loop for own, loop in zip(spent, cost["reference loop"], strict=True)]
            row(
                name,
                [f"{statistics.median(spent) * 1e6:.1f}", f"{statistics.median(ratios):.2f}"],
            )

        late: dict[tuple[str, str], float] = {}
        for framing in FRAMINGS:
            found: dict[str, list[float]] = {name: [] for name in clients}
            for _ in range(rounds):
                for name, client in clients.items():
                    found[name] += delays(client, base, framing, paced)
            for name, seconds in found.items():
                late[name, framing] = statistics.median(seconds)
        print("\nSend to delta, median, as ratio to the raw socket (ms):\n")
        row("client", FRAMINGS)
        row("---", ["---:"] * len(FRAMINGS))
        for name in clients:
            row(
                name,
                [
                    f"{late[name, f] / late['raw socket + orjson', f]:.1f}"
                    f" ({late[name, f] * 1e3:.2f})"
                    for f in FRAMINGS
                ],
            )
    finally:
        server.stdin.close()
        server.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--serve", action="store_true", help="run the server")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--paced", type=int, default=100, help="events per measurement of delays")
    options = parser.parse_args()
    if options.serve:
        serve()
    else:
        main(options.rounds, options.events, options.paced)
