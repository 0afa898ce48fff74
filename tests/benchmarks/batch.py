"""A batch next to a loop and to a thread pool around the OpenAI SDK.

Throughput is the ratio to what the endpoint, with 50 ms an answer, can do at most: that is what a
bare socket load on as many connections gets of it in the same round. CPU time is that of the
client's process for each prompt, without its imports. The clients take turns, each time in a fresh
process, and the medians are compared.

By hand, the memory of a process that reads a generator of prompts through `imap_prompts`, from an
endpoint that answers at once (a million prompts take a while):

    python tests/benchmarks/batch.py --generated 1000000
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])

from batch_server import BatchServer
from benchmarks import batch_clients
from benchmarks.batch_clients import LIMIT, LOOP, MEMORY, OURS, SDK
from benchmarks.claims import MISSING, Bench, Claim, Measurement, clean_home, median

FEW, MANY = 8, 64  # workers
DELAY = 0.05


def child(
    python: Path, home: dict[str, str], name: str, url: str, count: int, workers: int
) -> subprocess.Popen[str]:
    """Start a client, with nothing of the user's."""
    settings = {"COPILOT_BASE_URL": url, "COPILOT_PROVIDER": "", "COPILOT_MODEL": "m"}
    return subprocess.Popen(
        [str(python), batch_clients.__file__, name, url, str(count), str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **home, **settings},
    )


def run(python: Path, name: str, count: int, workers: int) -> tuple[float, float]:
    """Return how many prompts a second a client asks in a fresh process, and the CPU of each."""
    with clean_home() as home, BatchServer(delay=DELAY, tries=False) as server:
        process = child(python, home, name, server.base_url, count, workers)
        printed, complaints = process.communicate()
        assert process.returncode == 0, complaints[-3_000:]
        account = server.account()
        assert account.most_at_once <= workers, (name, account.most_at_once)
    rate, cpu = json.loads(printed.splitlines()[-1])
    return rate, cpu


def throughput(bench: Bench) -> list[Claim]:
    """Measure how much of an endpoint's limit a batch reaches, and its CPU time for a prompt."""
    rounds, each = bench.choose(3, 1), bench.choose(40, 20)
    here = Path(sys.executable)
    bench.uses("copilot-magic", "requests")
    pythons = {LIMIT: here, OURS: here, LOOP: here, **bench.peers(SDK)}
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for number in range(rounds):
        for workers in (1, FEW, MANY):
            for name, python in pythons.items():
                if name == LIMIT or (name == LOOP) == (workers == 1):  # a loop has one worker
                    bench.say(f"batch, round {number + 1} of {rounds}, {name}, {workers} workers")
                    measured = run(python, name, each * workers, workers)
                    found.setdefault((name, workers), []).append(measured)

    def share(name: str, workers: int) -> str:
        pairs = zip(found[name, workers], found[LIMIT, workers], strict=True)
        return f"{median(own[0] / limit[0] for own, limit in pairs):.2f}"

    def cpu(name: str) -> float:
        return 1e6 * median(spent for _, spent in found[name, MANY])

    def a_second(name: str) -> str:
        return f"{median(rate for rate, _ in found[name, MANY]):,.0f}"

    loop = median(rate for rate, _ in found[LOOP, 1])
    bench.note(
        f"Prompts a second with {MANY} workers: bare sockets {a_second(LIMIT)}, copilot_magic "
        f"{a_second(OURS)}; a loop of single prompts {loop:,.0f}."
    )
    return [
        *(
            Claim(
                f"{workers} workers against an endpoint of 50 ms, share of its limit",
                f"{SDK} in threads {share(SDK, workers)}" if SDK in pythons else MISSING,
                share(OURS, workers),
                target,
                None if target == MISSING else float(share(OURS, workers)) >= 0.9,
            )
            for workers, target in ((FEW, MISSING), (MANY, "≥ 0.9"))
        ),
        Claim(
            f"CPU of the client per prompt with {MANY} workers, µs",
            f"{SDK} in threads {cpu(SDK):,.0f}" if SDK in pythons else MISSING,
            f"{cpu(OURS):,.0f}",
        ),
    ]


MEASUREMENTS = (
    Measurement(
        throughput,
        (
            "8 workers against an endpoint of 50 ms",
            "64 workers against an endpoint of 50 ms",
            "CPU of the client per prompt with 64 workers",
        ),
    ),
)


# By hand


def row(name: str, cells: list[str]) -> None:
    print(f"| {name:22} |" + "".join(f" {cell:>14} |" for cell in cells), flush=True)


def memory(count: int, workers: int) -> None:
    """Print how the memory grows while a generator is read."""
    print(f"\nMemory of imap_prompts over a generator of {count:,} prompts, {workers} workers:\n")
    row("prompts", ["seconds", "MB", "most MB"])
    row("---", ["---:"] * 3)
    resident = []
    with clean_home() as home, BatchServer(delay=0.0, tries=False) as server:
        process = child(Path(sys.executable), home, MEMORY, server.base_url, count, workers)
        # A progress bar would fill the pipe if it were not read.
        with ThreadPoolExecutor(1) as pool:
            assert process.stdout and process.stderr
            complaints = pool.submit(process.stderr.read)
            for line in process.stdout:
                number, seconds, now, peak = json.loads(line)
                resident.append(now)
                row(f"{number:,}", [f"{seconds:.1f}", f"{now:.1f}", f"{peak:.1f}"])
            assert process.wait() == 0, complaints.result()[-3_000:]
    early = resident[len(resident) // 4]
    print(f"\nFrom a quarter of them to the end: {resident[-1] - early:+.1f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--generated", type=int, default=100_000, help="prompts of the generator")
    memory(parser.parse_args().generated, MANY)
