"""Compare a batch with a loop and with a thread pool around the OpenAI SDK, side by side.

    python tests/benchmarks/batch.py

Throughput is printed as the ratio to what the endpoint, with 50 ms an answer, can do at most: that
is what a bare socket load on as many connections gets of it in the same round. CPU time is that of
the client's process for each prompt, without its imports. The clients take turns, each time in a
fresh process, and the medians are compared. The SDK goes into a throw-away environment.

Memory is that of a process that reads a generator through `imap_prompts`, here from an endpoint
that answers at once. For a million prompts, which take a while:

    python tests/benchmarks/batch.py --only memory --generated 1000000
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))
from batch_server import BatchServer
from environments import make_environment

WORKERS = (1, 8, 64)
DELAY = 0.05
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
            await event_loop.create_connection(Connection, address.hostname, address.port)
        await done

    asyncio.run(load())
    return [
        json.loads(answer.partition(b"\r\n\r\n")[2])["choices"][0]["message"]["content"]
        for answer in answers
    ]


Client = Callable[[str, list[str], int], list[str]]
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


# The measurements


def child(python: Path, url: str, home: str, *arguments: object) -> subprocess.Popen[str]:
    """Start this program as a client, with nothing of the user's."""
    settings = {
        "COPILOT_BASE_URL": url,
        "COPILOT_PROVIDER": "",
        "COPILOT_MODEL": "m",
        "HOME": home,
        "XDG_DATA_HOME": home,
        "NO_PROXY": "127.0.0.1",
    }
    return subprocess.Popen(
        [str(python), __file__, "--url", url, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **settings},
    )


def run(python: Path, name: str, count: int, workers: int) -> tuple[float, float]:
    """Return how many prompts a second a client asks in a fresh process, and the CPU of each."""
    with tempfile.TemporaryDirectory() as home, BatchServer(delay=DELAY, tries=False) as server:
        arguments = ("--client", name, "--count", count, "--workers", workers)
        process = child(python, server.base_url, home, *arguments)
        printed, complaints = process.communicate()
        assert process.returncode == 0, complaints
        account = server.account()
        assert account.most_at_once <= workers, (name, account.most_at_once)
    rate, cpu = json.loads(printed.splitlines()[-1])
    return rate, cpu


def throughput(python: Path, rounds: int, each: int) -> None:
    """Measure all clients in turns, and print the tables."""
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for _ in range(rounds):
        for workers in WORKERS:
            for name in CLIENTS:
                if name != LOOP or workers == 1:
                    interpreter = python if name == SDK else Path(sys.executable)
                    measured = run(interpreter, name, each * workers, workers)
                    found.setdefault((name, workers), []).append(measured)
    # A loop does not get any faster.
    found.update({(LOOP, workers): found[LOOP, 1] for workers in WORKERS})

    def median(name: str, workers: int, which: int) -> float:
        return statistics.median(measured[which] for measured in found[name, workers])

    print(f"\nPrompts a second, {rounds} rounds of {each} prompts a worker, {DELAY * 1e3:.0f} ms")
    print("an answer: ratio to the endpoint's limit with as many connections (prompts a second):\n")
    heads = [f"{workers} worker{'s' * (workers > 1)}" for workers in WORKERS]
    row("client", heads)
    row("---", ["---:"] * len(heads))
    for name in CLIENTS:
        cells = []
        for workers in WORKERS:
            pairs = zip(found[name, workers], found[LIMIT, workers], strict=True)
            ratio = statistics.median(own[0] / limit[0] for own, limit in pairs)
            cells.append(f"{ratio:.2f} ({median(name, workers, 0):,.0f})")
        row(name, cells)
    print("\nCPU time of the client for each prompt, µs: ratio to the SDK's (µs):\n")
    row("client", heads)
    row("---", ["---:"] * len(heads))
    for name in CLIENTS:
        cells = []
        for workers in WORKERS:
            pairs = zip(found[name, workers], found[SDK, workers], strict=True)
            ratio = statistics.median(own[1] / sdk[1] for own, sdk in pairs)
            cells.append(f"{ratio:.2f} ({median(name, workers, 1) * 1e6:,.0f})")
        row(name, cells)


def memory(count: int, workers: int) -> None:
    """Print how the memory grows while a generator is read."""
    print(f"\nMemory of imap_prompts over a generator of {count:,} prompts, {workers} workers:\n")
    row("prompts", ["seconds", "MB", "most MB"])
    row("---", ["---:"] * 3)
    resident = []
    with tempfile.TemporaryDirectory() as home, BatchServer(delay=0.0, tries=False) as server:
        arguments = ("--measure-memory", "--count", count, "--workers", workers)
        process = child(Path(sys.executable), server.base_url, home, *arguments)
        # A progress bar would fill the pipe, if it were not read.
        with ThreadPoolExecutor(1) as pool:
            assert process.stdout and process.stderr
            complaints = pool.submit(process.stderr.read)
            for line in process.stdout:
                number, seconds, now, peak = json.loads(line)
                resident.append(now)
                row(f"{number:,}", [f"{seconds:.1f}", f"{now:.1f}", f"{peak:.1f}"])
            assert process.wait() == 0, complaints.result()[-3000:]
    early = resident[len(resident) // 4]
    print(f"\nFrom a quarter of them to the end: {resident[-1] - early:+.1f} MB")


def row(name: str, cells: list[str]) -> None:
    print(f"| {name:22} |" + "".join(f" {cell:>14} |" for cell in cells), flush=True)


def main(only: str, rounds: int, each: int, generated: int, sdk: str) -> None:
    if only != "memory":
        with tempfile.TemporaryDirectory() as directory:
            try:
                python = make_environment(Path(directory), sdk)
            except subprocess.CalledProcessError as failed:
                reason = failed.stderr.strip().splitlines()[0]
                sys.exit(f"There is no baseline without the SDK ({sdk}): {reason}")
            throughput(python, rounds, each)
    if only != "throughput":
        memory(generated, WORKERS[-1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", choices=["throughput", "memory"], default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--each", type=int, default=80, help="prompts of each worker")
    parser.add_argument("--generated", type=int, default=100_000, help="prompts of the generator")
    parser.add_argument("--sdk", default="openai", help="what to install as the SDK")
    # Of a client's process, which this program starts.
    for name, kind in (("client", str), ("url", str), ("count", int), ("workers", int)):
        parser.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    parser.add_argument("--measure-memory", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        measure(options.client, options.url, options.count, options.workers)
    elif options.measure_memory:
        measure_memory(options.count, options.workers)
    else:
        main(options.only, options.rounds, options.each, options.generated, options.sdk)
