"""Clients that read a stream, each in a process of its own, which may be another environment's.

Only the standard library is imported above: a peer's environment holds nothing of ours.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

__all__ = ["CLIENTS", "LOOP", "OURS", "RAW", "Client"]

Text = Iterator[str]

BODY = {
    "model": "m",
    "provider": "",
    "stream": True,
    "messages": [{"role": "user", "content": "Hello"}],
    "conversation_id": "22222222-2222-4222-8222-222222222222",
}


# The clients: each yields the text of every delta


def copilot_magic(url: str) -> Text:
    from copilot_magic import ChatClient
    from copilot_magic.settings import Settings
    from copilot_magic.wire.chunks import Delta

    for delta in ChatClient(Settings(base_url=url)).stream(BODY):
        if isinstance(delta, Delta) and delta.content:
            yield delta.content


def reference_loop(url: str) -> Text:
    """The example of gpt4free's documentation."""
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


def litellm(url: str) -> Text:
    from litellm import completion

    messages = [{"role": "user", "content": "Hello"}]
    stream = completion(
        model="openai/m", api_base=url, api_key="none", messages=messages, stream=True
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
            if not data:
                return
            rest = data if unzip else tail + data


OURS, LOOP, RAW = "copilot_magic", "reference loop", "raw socket + orjson"
CLIENTS: dict[str, Callable[[str], Text]] = {
    OURS: copilot_magic,
    LOOP: reference_loop,
    "httpx-sse": httpx_sse,
    "OpenAI SDK": openai_sdk,
    "LiteLLM": litellm,
    RAW: raw_socket,
}


# In the process of a client


def cpu_per_event(client: Callable[[str], Text], url: str, count: int) -> float:
    """Return the CPU seconds of this process for each of `count` events."""
    gc.collect()
    begun = time.process_time()
    received = sum(1 for _ in client(url))
    spent = time.process_time() - begun
    assert received == count, (client.__name__, received)
    return spent / count


def delay(client: Callable[[str], Text], url: str, count: int) -> float:
    """Return the median of the seconds from send to delta, without the first events."""
    found = [(time.monotonic_ns() - int(text)) / 1e9 for text in client(url)]
    assert len(found) == count, (client.__name__, len(found))
    return statistics.median(found[count // 10 :])


def read(client: Callable[[str], Text], url: str, count: int) -> str:
    """Return the text; what was wrong with it if the client fails."""
    try:
        return "".join(client(url))
    except Exception as error:  # noqa: BLE001  (peers raise what they like)
        return f"{type(error).__name__}: {error}"


JOBS: dict[str, Callable[[Callable[[str], Text], str, int], Any]] = {
    "cpu": cpu_per_event,
    "delay": delay,
    "read": read,
}


def work(name: str) -> None:
    """Do the jobs that the standard input names, a line each."""
    results, sys.stdout = sys.stdout, sys.stderr  # a client may print
    for line in sys.stdin:
        job, url, count = json.loads(line)
        print(json.dumps(JOBS[job](CLIENTS[name], url, count)), file=results, flush=True)


# In the benchmark's process


class Client:
    """The process of a client, as long as the ``with`` block lasts.

    Args:
        name: Which of the CLIENTS.
        python: The Python of its environment.
        home: Environment variables besides those of this process.
    """

    def __init__(self, name: str, python: Path, home: dict[str, str]) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [str(python), __file__, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **home},
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin and self._process.stdout
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def do(self, job: str, url: str, count: int = 0) -> Any:
        """Return what came of one of the JOBS.

        Raises:
            RuntimeError: The process has ended.
        """
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps([job, url, count]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the client {self.name} failed at {job}")
        return json.loads(line)


if __name__ == "__main__":
    sys.path.pop(0)  # its modules have the names of packages
    work(sys.argv[1])
