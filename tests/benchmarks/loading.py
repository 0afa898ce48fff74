"""Compare loading the extension with loading an empty one, and a first prompt with later ones.

    python tests/benchmarks/loading.py

Everything is measured in fresh processes that take turns, and the medians are compared, since
anything else that the machine does slows down all of them. A prompt is timed from the front end's
request to the server's receipt of the prompt.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOADING = """
import sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "storemagic")  # what loading any extension needs
began = time.perf_counter()
shell.run_line_magic("load_ext", sys.argv[1])
print(time.perf_counter() - began)
"""
EMPTY = "def load_ipython_extension(shell): pass\n"
WITHOUT = "import copilot_magic.notebook.preloading as preloading; preloading.MODULES = ()"
LATER = 7


def load_seconds(extension: str, home: str) -> float:
    """Return how long `%load_ext` takes in a fresh process."""
    path = os.pathsep.join([home, os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", LOADING, extension],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path, "HOME": home, "IPYTHONDIR": home},
    )
    return float(done.stdout)


def prompt_seconds(preload: bool, pause: float) -> tuple[float, float]:
    """Return how long the first prompt of a fresh kernel, and a later one, takes to be sent.

    Args:
        preload: Leave the preloading as it is; if not, the first prompt imports everything.
        pause: Seconds from the end of `%load_ext` to the first prompt.
    """
    from live_kernel import LiveKernel
    from scripted_server import Exchange, ScriptedServer, answer

    received: list[float] = []

    def script(exchange: Exchange) -> None:
        received.append(time.perf_counter())
        answer(exchange, "Hello")

    with tempfile.TemporaryDirectory() as home, ScriptedServer() as server:
        server.script(script)
        kernel = LiveKernel(
            COPILOT_BASE_URL=server.base_url, HOME=home, XDG_DATA_HOME=home, IPYTHONDIR=home
        )
        try:
            if not preload:
                kernel.run(WITHOUT)
            kernel.run("%load_ext copilot_magic")
            time.sleep(pause)
            took = []
            for _ in range(1 + LATER):
                began = time.perf_counter()
                run = kernel.copilot("Hi")
                assert run.reply["status"] == "ok", run.error
                took.append(received[-1] - began)
        finally:
            kernel.close()
    return took[0], statistics.median(took[1:])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--pause", type=float, default=1.0)
    parser.add_argument("--json", action="store_true", help="print all figures, in seconds")
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[1]))

    loads: dict[str, list[float]] = {"copilot_magic": [], "empty_extension": []}
    with tempfile.TemporaryDirectory() as home:
        Path(home, "empty_extension.py").write_text(EMPTY)
        for extension in loads:  # compiles the modules
            load_seconds(extension, home)
        for _ in range(options.rounds):
            for extension, seconds in loads.items():
                seconds.append(load_seconds(extension, home))
    prompts: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for _ in range(options.rounds):
        for preload, pairs in prompts.items():
            pairs.append(prompt_seconds(preload, options.pause))
    if options.json:
        print(json.dumps({"loads": loads, "prompts": [*prompts.items()]}))

    ours, empty = (1000 * statistics.median(seconds) for seconds in loads.values())
    print(f"{'%load_ext, ms':<44}{'ours':>10}{'empty':>10}{'difference':>12}")
    print(f"{'in a fresh IPython':<44}{ours:>10.1f}{empty:>10.1f}{ours - empty:>12.1f}")
    print(f"\n{'until the prompt is sent, ms':<44}{'first':>10}{'later':>10}{'difference':>12}")
    for preload, label in ((True, "preloading, as it is"), (False, "without preloading")):
        first, later = (
            1000 * statistics.median(column) for column in zip(*prompts[preload], strict=True)
        )
        difference = 1000 * statistics.median(a - b for a, b in prompts[preload])
        print(f"{label:<44}{first:>10.1f}{later:>10.1f}{difference:>12.1f}")


if __name__ == "__main__":
    main()
