"""What an event costs and how soon it arrives, next to other clients.

Each ratio is the median over rounds in which the clients take turns, since anything else that the
machine does slows down all of them. Each client is a process of its own.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.claims import Bench, Claim, Measurement, clean_home, median
from benchmarks.clients import CLIENTS, LOOP, OURS, RAW, Client
from benchmarks.endpoint import FRAMINGS, Endpoint
from benchmarks.framings import CASES

PEERS = ("OpenAI SDK", "LiteLLM", "httpx-sse")
SLOW = {"LiteLLM": 10, "OpenAI SDK": 4}
"""How many times fewer events are enough for a client that needs long for each."""


@contextlib.contextmanager
def running_clients(bench: Bench) -> Iterator[tuple[Endpoint, dict[str, Client]]]:
    """Yield a server and the clients, which have all imported what they need."""
    pythons = {OURS: Path(sys.executable), LOOP: Path(sys.executable), RAW: Path(sys.executable)}
    bench.uses("copilot-magic", "requests", "orjson")
    pythons |= bench.peers(*PEERS)
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(clean_home())
        endpoint = stack.enter_context(Endpoint())
        clients = {
            name: stack.enter_context(Client(name, pythons[name], home))
            for name in CLIENTS
            if name in pythons
        }
        for name, client in clients.items():
            bench.say(f"starting {name}")
            client.do("cpu", endpoint.stamps("chunked", 10, 0), 10)
        yield endpoint, clients


def cpu_ratios(
    bench: Bench, rounds: int, events: int
) -> tuple[dict[str, tuple[float, float]], dict[str, list[str]]]:
    """Return the CPU seconds of an event and their ratio to the loop's, and the cases failed."""
    with running_clients(bench) as (endpoint, clients):
        spent: dict[str, list[float]] = {name: [] for name in clients}
        for number in range(rounds):
            bench.say(f"CPU of an event, round {number + 1} of {rounds}")
            for name, client in clients.items():
                count = events // SLOW.get(name, 1)
                spent[name].append(client.do("cpu", endpoint.stamps("chunked", count, 0), count))
        failed: dict[str, list[str]] = {}
        for name, client in clients.items():
            if name == RAW:  # it knows only what this server usually does
                continue
            bench.say(f"framing cases, {name}")
            failed[name] = [
                case.name
                for number, case in enumerate(CASES)
                if client.do("read", endpoint.case(number)) != case.text
            ]
    ratios = {
        name: median(own / loop for own, loop in zip(seconds, spent[LOOP], strict=True))
        for name, seconds in spent.items()
    }
    return {name: (median(spent[name]), ratios[name]) for name in spent}, failed


def cpu(bench: Bench) -> list[Claim]:
    """Measure the CPU time of an event, and count the framing cases that are read correctly."""
    found, failed = cpu_ratios(bench, bench.choose(9, 3), bench.choose(20_000, 4_000))

    def cell(name: str) -> str:
        ratio, right = found[name][1], len(CASES) - len(failed[name])
        return f"{ratio:.1f}, {right}/{len(CASES)}"

    others = [f"{name} {cell(name)}" for name in PEERS if name in found]
    for name, cases in failed.items():
        if cases:
            bench.note(f"{name} misreads: {', '.join(cases)}.")
    return [
        Claim(
            "CPU per event over the reference loop's; framing cases read correctly",
            "; ".join([f"{LOOP} {cell(LOOP)}", *others]),
            f"{cell(OURS)} ({found[OURS][0] * 1e6:.1f} µs)",
            f"≤ 1.5, {len(CASES)}/{len(CASES)}",
            found[OURS][1] <= 1.5 and not failed[OURS],
        )
    ]


def delays(bench: Bench, rounds: int, events: int) -> dict[tuple[str, str], tuple[float, float]]:
    """Return the delay by client and framing, and its ratio to the raw socket's."""
    late: dict[tuple[str, str], list[float]] = {}
    with running_clients(bench) as (endpoint, clients):
        for framing in FRAMINGS:
            for number in range(rounds):
                bench.say(f"send to delta, {framing}, round {number + 1} of {rounds}")
                for name, client in clients.items():
                    found = client.do("delay", endpoint.stamps(framing, events, 5), events)
                    late.setdefault((name, framing), []).append(found)
    return {
        (name, framing): (
            median(seconds),
            median(own / raw for own, raw in zip(seconds, late[RAW, framing], strict=True)),
        )
        for (name, framing), seconds in late.items()
    }


def delay(bench: Bench) -> list[Claim]:
    """Measure the time from the server's send to the delta, in each framing."""
    found = delays(bench, bench.choose(5, 2), bench.choose(60, 30))
    worst = {
        name: max((found[name, framing][1], framing) for framing in FRAMINGS)
        for name, _ in found
        if name != RAW
    }

    def cell(name: str) -> str:
        ratio, framing = worst[name]
        return f"{ratio:.1f} ({framing})" if ratio < 10 else f"{ratio:,.0f} ({framing})"

    best = sorted((name for name in worst if name != OURS), key=lambda name: worst[name])
    each = [f"{framing} {found[OURS, framing][1]:.2f}" for framing in FRAMINGS]
    raw = 1000 * median(found[RAW, framing][0] for framing in FRAMINGS)
    bench.note(
        f"Send to delta of copilot_magic by framing: {', '.join(each)}; of 1 = {raw:.2f} ms."
    )
    return [
        Claim(
            f"send to delta over a raw socket, p50, worst framing of {', '.join(FRAMINGS)}",
            "; ".join(f"{name} {cell(name)}" for name in best),
            cell(OURS),
            "≤ 1.5",
            worst[OURS][0] <= 1.5,
        )
    ]


MEASUREMENTS = (
    Measurement(cpu, ("CPU per event over the reference loop's",)),
    Measurement(delay, ("send to delta over a raw socket",)),
)
