"""Measure what this package promises, side by side with other packages.

    python tests/benchmarks                   # all of it: some 15 minutes
    python tests/benchmarks stream batch      # two parts
    python tests/benchmarks --quick           # whether all of it works: some 5 minutes

Prints one document in Markdown: a table for each part, notes, and the versions of
all that was measured. Progress goes to the standard error. Run it on a machine that
does nothing else.

The other packages come from PyPI, each into an environment of its own in the user's
cache, where they stay. Whatever cannot be measured, for want of the network, of
Chromium or of a system that confines processes, is said in a note.

The exit status is 1 if a target was missed or a measurement failed, else 0. A quick
run is too short to judge by: a target that it misses does not count.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])  # modules beside this one have the names of packages

from benchmarks.claims import Bench  # noqa: E402  (needs the path above)
from benchmarks.report import PARTS, Report  # noqa: E402


def main() -> int:
    """Run the command; return its exit status."""
    titles = "\n".join(f"  {part:12}{title}" for part, title in PARTS.items())
    parser = argparse.ArgumentParser(
        prog="python tests/benchmarks",
        description=__doc__,
        epilog=f"parts, in the order of the document:\n{titles}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="part", help="one of those below; default: all")
    parser.add_argument("--quick", action="store_true", help="measure less, and less often")
    parser.add_argument(
        "--fresh", action="store_true", help="install the newest versions of the other packages"
    )
    options = parser.parse_args()
    if unknown := [part for part in options.parts if part not in PARTS]:
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")

    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:4.0f} s  {text}", file=sys.stderr, flush=True)

    def write(text: str) -> None:
        print(text, flush=True)

    report = Report(Bench(quick=options.quick, fresh=options.fresh, say=say), write)
    report.run([part for part in PARTS if part in (options.parts or PARTS)])
    missed = report.missed and not options.quick
    return 1 if missed or report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
