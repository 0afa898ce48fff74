"""Clients that ask many prompts, each in a process of its own, which may be another environment's.

Only the standard library is imported above: a peer's environment holds nothing of ours.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

__all__ = ["CLIENTS", "LIMIT", "LOOP", "MEMORY", "OURS", "SDK"]

WORDS = "Say whether the customer of this review is satisfied. Answer with one word."
SAMPLES = 20


def prompt(item: str) -> str:
    """Return the prompt of one row for a client that has no templates."""
    return f"{WORDS}\n\n{item}"


def rows(count: int) -> Iterator[str]:
    """Yield rows, all of them different."""
    return (f"row {number}" for number in range(count))


# The clients: each asks about all items, and returns the answers in their order


def map_prompts(url: str, items: list[str], workers: int) -> list[str]:
    """A batch as users write it, with the journal and the progress bar."""
    from copilot_magic import map_prompts

    return list(map_prompts(WORDS, items, max_workers=workers))


def loop(url: str, items: list[str], workers: int) -> list[str]:
    """A loop over single prompts with this package's client."""
    from copilot_magic import ChatClient
    from copilot_magic.wire.chunks import Delta

    answers = []
    with ChatClient() as client:
        for item in items:
            body = {"stream": True, "messages": [{"role": "user", "content": prompt(item)}]}
            deltas = client.stream(body)
            answers.append("".join(each.content for each in deltas if isinstance(each, Delta)))
    return answers


def openai_sdk(url: str, items: list[str], workers: int) -> list[str]:
    """What everybody writes: the SDK in a pool of threads."""
    from openai import OpenAI

    with OpenAI(base_url=url, api_key="none") as client, ThreadPoolExecutor(workers) as pool:

        def ask(item: str) -> str:
            completion = client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": prompt(item)}]
            )
            return completion.choices[0].message.content or ""

        return list(pool.map(ask, items))


def bare_sockets(url: str, items: list[str], workers: int) -> list[str]:
    """The endpoint's own limit: ready-made bytes on connections that stay open."""
    address = urlsplit(url)
    host, port = address.hostname or "", address.port or 0
    answers = [b""] * len(items)
    numbers = iter(range(len(items)))

    async def load() -> None:
        event_loop = asyncio.get_running_loop()
        left, done = len(items), event_loop.create_future()

        class Connection(asyncio.Protocol):
            def connection_made(self, transport: Any) -> None:
                self.transport = transport
                self.ask()

            def ask(self) -> None:
                self.number = next(numbers, -1)
                if self.number < 0:
                    self.transport.close()
                    return
                message = {"role": "user", "content": prompt(items[self.number])}
                body = json.dumps({"model": "m", "messages": [message]}).encode()
                self.transport.write(
                    b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b"
                    % (len(body), body)
                )

            def data_received(self, data: bytes) -> None:
                nonlocal left
                answers[self.number] = data  # the endpoint writes an answer at once
                left -= 1
                if not left:
                    done.set_result(None)
                self.ask()

        for _ in range(workers):
            await event_loop.create_connection(Connection, host, port)
        await done

    asyncio.run(load())
    return [
        json.loads(answer.partition(b"\r\n\r\n")[2])["choices"][0]["message"]["content"]
        for answer in answers
    ]


Client = Callable[[str, list[str], int], list[str]]
MEMORY = "memory"
LIMIT, OURS, LOOP, SDK = "bare sockets", "map_prompts", "loop of single prompts", "OpenAI SDK"
CLIENTS: dict[str, Client] = {
    LIMIT: bare_sockets,
    OURS: map_prompts,
    LOOP: loop,
    SDK: openai_sdk,
}


# In a client's process


def measure(name: str, url: str, count: int, workers: int) -> None:
    """Print how many prompts a second a client asks, and the CPU seconds of each."""
    client, items = CLIENTS[name], list(rows(count))
    client(url, ["warm up"], 1)  # imports what it needs
    cpu, begun = time.process_time(), time.perf_counter()
    answers = client(url, items, workers)
    took, spent = time.perf_counter() - begun, time.process_time() - cpu
    assert answers == items, "these are not the answers"
    print(json.dumps([count / took, spent / count]))


def measure_memory(count: int, workers: int) -> None:
    """Print the resident memory in megabytes as prompts from a generator are answered."""
    from copilot_magic import imap_prompts

    every = max(1, count // SAMPLES)
    begun = time.perf_counter()
    answered = imap_prompts(WORDS, rows(count), max_workers=workers)
    for number, (row, item) in enumerate(zip(answered, rows(count), strict=True), 1):
        assert (row.item, row.answer, row.error) == (item, item, None), row
        if number % every == 0:
            status = Path("/proc/self/status").read_text()
            kilobytes = dict(re.findall(r"(VmRSS|VmHWM):\s*(\d+) kB", status))
            now, peak = (int(kilobytes[name]) / 1024 for name in ("VmRSS", "VmHWM"))
            print(json.dumps([number, time.perf_counter() - begun, now, peak]), flush=True)


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", choices=[*CLIENTS, MEMORY])
    parser.add_argument("url")
    parser.add_argument("count", type=int)
    parser.add_argument("workers", type=int)
    options = parser.parse_args()
    if options.client == MEMORY:
        measure_memory(options.count, options.workers)
    else:
        measure(options.client, options.url, options.count, options.workers)


if __name__ == "__main__":
    sys.path.pop(0)  # its modules have the names of packages
    main()
