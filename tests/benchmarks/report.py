"""The benchmarks' document: their parts, one after the other, as tables in Markdown."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import import_module

from benchmarks.claims import Bench, Claim, Measurement, Unmeasurable, machine, table

__all__ = ["PARTS", "Report", "measurements"]

PARTS = {
    "stream": "Reading a stream",
    "loading": "Loading, and the first prompt",
    "display": "Showing an answer, in the kernel",
    "server": "Through a Jupyter server",
    "pages": "In the browser",
    "markdown": "Hostile texts",
    "batch": "Batches",
    "rehearsal": "Rehearsal",
    "panel": "The chat panel",
}
"""The modules that measure, in the order of the document, and their titles."""

HEAD = """\
# Benchmarks of copilot_magic{quick}

{date}, {machine}. All figures of a row were measured side by side, in one run.
"""
QUICK = " (a quick run, too short to judge by)"


def measurements(part: str) -> tuple[Measurement, ...]:
    """Return what a part measures."""
    found: tuple[Measurement, ...] = import_module(f"benchmarks.{part}").MEASUREMENTS
    return found


@dataclass
class Report:
    """A run of some parts, written as it goes on.

    Args:
        bench: The run.
        write: Takes the document, piece by piece.

    Attributes:
        missed: The claims that are not what they should be.
        failed: The rows whose measurement ended with an error.
    """

    bench: Bench
    write: Callable[[str], object] = print
    missed: list[Claim] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def run(self, parts: Iterable[str]) -> None:
        """Measure the parts, and write the document."""
        began = time.monotonic()
        date = time.strftime("%Y-%m-%d")
        quick = QUICK if self.bench.quick else ""
        self.write(HEAD.format(quick=quick, date=date, machine=machine()))
        for part in parts:
            self.add(PARTS[part], measurements(part))
        versions = [f"{name} {number}" for name, number in sorted(self.bench.versions.items())]
        self.write(f"## Versions\n\n{', '.join(versions) or 'Nothing was measured.'}\n")
        minutes = (time.monotonic() - began) / 60
        self.write(f"The run took {minutes:.1f} minutes.")

    def add(self, title: str, measured: Iterable[Measurement]) -> None:
        """Measure one part, and write its table and the notes about it."""
        began, notes = time.monotonic(), len(self.bench.notes)
        claims = [claim for measurement in measured for claim in self._claims(measurement)]
        self.missed += [claim for claim in claims if claim.reached is False]
        self.bench.say(f"{title}: {time.monotonic() - began:.0f} s")
        self.write(f"## {title}\n")
        if claims:
            self.write(f"{table(claims)}\n")
        if added := self.bench.notes[notes:]:
            self.write("".join(f"- {note}\n" for note in added))

    def _claims(self, measurement: Measurement) -> list[Claim]:
        rows = "; ".join(measurement.rows)
        try:
            return measurement(self.bench)
        except (Unmeasurable, ModuleNotFoundError) as lack:
            self.bench.note(f"Not measured here ({rows}): {lack}.")
        except Exception as error:  # noqa: BLE001  (the other measurements still have a say)
            self.bench.say(traceback.format_exc())
            last = traceback.format_exception_only(error)[-1].strip().splitlines()[0]
            self.bench.note(f"**Failed** ({rows}): {last}")
            self.failed += measurement.rows
        return []
