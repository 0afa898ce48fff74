"""What all benchmarks share: the claims that they measure, and the run that they are part of.

A part is a module of this folder that has `MEASUREMENTS`.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    *("MISSING", "Bench", "Claim", "Measurement", "Unmeasurable"),
    *("clean_home", "machine", "median", "table"),
]

MISSING = "–"
"""Stands for what was not measured."""


@dataclass(frozen=True)
class Claim:
    """A row of the table.

    Attributes:
        what: What is measured, with its unit.
        peer: What the others reach, the best one first; empty if there is none.
        ours: What this package reaches.
        target: What it should reach.
        reached: Whether it does; None if there is no target, or nothing was measured.
    """

    what: str
    peer: str
    ours: str
    target: str = MISSING
    reached: bool | None = None

    @property
    def cells(self) -> list[str]:
        """Return the cells of the row."""
        reached = MISSING if self.reached is None else "yes" if self.reached else "**no**"
        return [self.what, self.peer or MISSING, self.ours, self.target, reached]


class Unmeasurable(Exception):
    """Something that a measurement needs and that this machine lacks; the message names it."""


class Bench:
    """A run of the benchmarks.

    Args:
        quick: Measure less, and less often.
        fresh: Install the peers anew.
        say: Called with what is being done now.

    Attributes:
        notes: What a reader of the table should know, in order.
        versions: The versions of what was measured, by name.
    """

    def __init__(
        self, *, quick: bool = False, fresh: bool = False, say: Callable[[str], None] = print
    ) -> None:
        self.quick = quick
        self.say = say
        self.notes: list[str] = []
        self.versions: dict[str, str] = {}
        self._fresh = fresh
        self._pythons: dict[str, Path | None] = {}

    def choose(self, full: int, quick: int) -> int:
        """Return how much to measure, or how often."""
        return quick if self.quick else full

    def note(self, text: str) -> None:
        """Add a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def peer(self, name: str) -> Path | None:
        """Return the Python of a peer's environment; None, with a note, if it has none."""
        from benchmarks.peers import PEERS, environment, version

        if name not in self._pythons:
            self.say(f"preparing the environment of {name}")
            try:
                python = environment(PEERS[name], fresh=self._fresh)
            except subprocess.CalledProcessError as failed:
                reason = " ".join((failed.stderr or str(failed)).split())
                self.note(f"{name} could not be installed: {reason[:300]}")
                self._pythons[name] = None
            else:
                self._pythons[name] = python
                self.versions[name] = version(PEERS[name], python)
        return self._pythons[name]

    def peers(self, *names: str) -> dict[str, Path]:
        """Return the Pythons of those peers that could be installed."""
        found = {name: self.peer(name) for name in names}
        return {name: python for name, python in found.items() if python is not None}

    def uses(self, *packages: str) -> None:
        """Record the versions of packages in this environment.

        Raises:
            Unmeasurable: One of them is not installed.
        """
        for package in packages:
            try:
                self.versions[package] = importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                raise Unmeasurable(f"{package} is not installed") from None


@dataclass(frozen=True)
class Measurement:
    """A function that measures, and the rows of the table that it fills.

    Attributes:
        measure: Measures, and returns the claims.
        rows: How the claims' `what` begins, in their order. What follows there may depend on the
            run, such as the length of a text.
    """

    measure: Callable[[Bench], list[Claim]]
    rows: tuple[str, ...]

    def __call__(self, bench: Bench) -> list[Claim]:
        """Measure, and return the claims.

        Raises:
            Unmeasurable: It cannot be measured here.
        """
        claims = self.measure(bench)
        for row, claim in zip(self.rows, claims, strict=True):
            assert claim.what.startswith(row), (row, claim.what)
        return claims


@contextlib.contextmanager
def clean_home() -> Iterator[dict[str, str]]:
    """Yield environment variables that keep programs away from the user's own files."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        yield {
            "HOME": home,
            "IPYTHONDIR": str(Path(home, "ipython")),
            "XDG_DATA_HOME": home,
            "XDG_CONFIG_HOME": home,
            "NO_PROXY": "127.0.0.1",
            "OPENAI_API_KEY": "none",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it would be fetched from the internet
            "PYTHONWARNINGS": "ignore",
            "PYTHONDONTWRITEBYTECODE": "",  # nobody times the compiling of modules
        }


def median(values: Iterable[float]) -> float:
    """Return the median."""
    return statistics.median(list(values))


def table(claims: Iterable[Claim]) -> str:
    """Return the claims as a table in Markdown."""
    head = ["what", "best peer", "copilot_magic", "target", "reached"]
    rows = [head, ["---"] * len(head), *(claim.cells for claim in claims)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def machine() -> str:
    """Return what the measurements ran on."""
    return (
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores"
    )
