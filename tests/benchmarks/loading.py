"""Loading the extension next to loading an empty one, and a first prompt next to later ones.

Everything is measured in fresh processes that take turns, and the medians are compared, since
anything else that the machine does slows down all of them. A prompt is timed from the front end's
request to the server's receipt of the prompt.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.cells import CHATLAS, JUPYTER_AI, OURS, SDK, Way, running_kernel
from benchmarks.claims import Bench, Claim, Measurement, clean_home, median

LOADING = """
import sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "storemagic")  # what loading any extension needs
began = time.perf_counter()
shell.run_line_magic("load_ext", sys.argv[1])
print("\\n", time.perf_counter() - began)
"""
EMPTY = "def load_ipython_extension(shell): pass\n"
IMPORTING = "import {}\ndef load_ipython_extension(shell): pass\n"
LATER = 7
PAUSE = 1.0  # seconds from the loading to the first prompt, in which nobody types

# What each loads, and where it is installed. A package without an extension is imported by one.
EXTENSIONS = {
    "jupyter-ai-magics": "jupyter_ai_magics",
    "jupyter-ai-magic-commands": "jupyter_ai_magic_commands",
    "chatlas": "imports_chatlas",
    "OpenAI SDK": "imports_openai",
}


def load_seconds(extension: str, home: dict[str, str], python: Path) -> float:
    """Return how long `%load_ext` takes in a fresh process."""
    path = os.pathsep.join([home["HOME"], os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [str(python), "-c", LOADING, extension],
        capture_output=True,
        text=True,
        env={**os.environ, **home, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    return float(done.stdout.split()[-1])


def loads(bench: Bench, rounds: int, peers: dict[str, Path]) -> dict[str, list[float]]:
    """Return how long each took to load, by round; `empty` is an extension without content."""
    here = Path(sys.executable)
    loaded = {"empty": ("empty_extension", here), OURS.name: ("copilot_magic", here)}
    loaded |= {name: (EXTENSIONS[name], python) for name, python in peers.items()}
    seconds: dict[str, list[float]] = {name: [] for name in loaded}
    with clean_home() as home:
        Path(home["HOME"], "empty_extension.py").write_text(EMPTY)
        for package in ("chatlas", "openai"):
            Path(home["HOME"], f"imports_{package}.py").write_text(IMPORTING.format(package))
        for number in range(-1, rounds):  # the first one compiles what is not compiled
            for name, (extension, python) in loaded.items():
                bench.say(f"%load_ext, round {number + 1} of {rounds}, {name}")
                took = load_seconds(extension, home, python)
                if number >= 0:
                    seconds[name].append(took)
    return seconds


def load(bench: Bench) -> list[Claim]:
    """Measure loading the extension, over loading an empty one."""
    seconds = loads(bench, bench.choose(5, 2), bench.peers(*EXTENSIONS))
    bench.uses("copilot-magic", "ipython")
    over = {
        name: 1000 * median(own - empty for own, empty in zip(took, seconds["empty"], strict=True))
        for name, took in seconds.items()
    }
    best = sorted((name for name in over if name in EXTENSIONS), key=lambda name: over[name])
    bench.note("chatlas and the OpenAI SDK have no extension: the time is that of importing them.")
    return [
        Claim(
            "`%load_ext` over an empty extension, ms",
            "; ".join(f"{name} {over[name]:,.0f}" for name in best),
            f"{over[OURS.name]:.0f}",
            "≤ 30",
            over[OURS.name] <= 30,
        )
    ]


def prompt_seconds(way: Way, python: Path, pause: float) -> tuple[float, float]:
    """Return how long the first prompt of a fresh kernel, and a later one, takes to be sent.

    Args:
        way: How to ask.
        python: Where it is installed.
        pause: Seconds from the end of loading to the first prompt.
    """
    from scripted_server import Exchange, ScriptedServer, answer, whole

    received: list[float] = []

    def script(exchange: Exchange) -> None:
        received.append(time.perf_counter())
        (answer if exchange.request.json.get("stream") else whole)(exchange, "Hello")

    with ScriptedServer(script) as server, running_kernel(python) as kernel:
        loaded = kernel.run(way.first_cell(server.base_url))
        assert loaded.reply["status"] == "ok", loaded.error
        time.sleep(pause)
        took = []
        for number in range(1 + LATER):
            began = time.perf_counter()
            run = kernel.run(way.ask)
            assert run.reply["status"] == "ok", run.error
            assert len(received) == number + 1, f"{way.name} did not ask: {run.text}"
            took.append(received[-1] - began)
    return took[0], statistics.median(took[1:])


def first_prompt(bench: Bench) -> list[Claim]:
    """Measure the first prompt of a kernel over later ones, until it is sent."""
    pythons = {way: way.python(bench) for way in (OURS, SDK, CHATLAS, JUPYTER_AI)}
    rounds = bench.choose(3, 1)
    found: dict[Way, list[float]] = {}
    for number in range(rounds):
        for way, python in pythons.items():
            bench.say(f"first prompt, round {number + 1} of {rounds}, {way.name}")
            if python is not None:
                first, later = prompt_seconds(way, python, PAUSE)
                found.setdefault(way, []).append(1000 * (first - later))
    over = {way: median(values) for way, values in found.items()}
    best = sorted((way for way in over if way is not OURS), key=lambda way: over[way])
    return [
        Claim(
            "first prompt of a kernel over a later one, until it is sent, ms",
            "; ".join(f"{way.peer} {over[way]:,.0f}" for way in best),
            f"{over[OURS]:.0f}",
            "≤ 30",
            over[OURS] <= 30,
        )
    ]


MEASUREMENTS = (
    Measurement(load, ("`%load_ext` over an empty extension",)),
    Measurement(first_prompt, ("first prompt of a kernel over a later one",)),
)
