"""What code did in a copy of this process, and the line that says it."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...text import count_of
from .page import html_page, text_page
from .reading import Output

__all__ = ["Rehearsal", "why_it_ended"]

_NAMED = 5  # names, or wishes, in the line
_SHOWN = 10_000  # characters of an output in a terminal


@dataclass(frozen=True)
class Rehearsal:
    """What code did in a copy of this process; here, nothing has changed.

    It is what the copy said of itself, and code that wants to can make it say anything: a rehearsal
    tells how the code behaves, not that it is harmless.

    Attributes:
        ok: The code ran to its end without an error.
        error: The error in one line, and below it the traceback, cut to the user's frames; None if
            the code ran.
        stopped: The error came of what the copy was refused, and says nothing against the code.
        stdout: What it printed, the middle of much text left out.
        stderr: Likewise what it wrote there, such as warnings.
        result: The value of its last expression as a MIME bundle (``text/plain``, and ``image/png``
            as bytes), or None.
        outputs: All that it displayed as MIME bundles, in order; results and figures included.
        new: The names that it defined, with what they are, such as ``DataFrame, 12 × 3``, or
            ``imported module``.
        changed: The names that it bound anew, and those whose objects it changed in place, as far
            as that can be seen: what they were, and what they are.
        removed: The names that it deleted.
        kept: Names of data that it mentions and that are as they were, as far as can be seen.
        refused: What it wanted to do and was not allowed to, such as ``write report.csv``.
        seconds: How long it took.
        how: How the copy ended: ``finished``, ``exited``, ``timed out``, ``killed`` or
            ``out of memory``.
        cut: It put out more than was taken.
        where: What it was a copy of, such as ``this kernel``.
    """

    ok: bool
    error: str | None = None
    stopped: bool = False
    stdout: str = ""
    stderr: str = ""
    result: Output | None = None
    outputs: tuple[Output, ...] = ()
    new: Mapping[str, str] = field(default_factory=dict)
    changed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    seconds: float = 0.0
    how: str = "finished"
    cut: bool = False
    where: str = "this kernel"

    @property
    def summary(self) -> str:
        """Return in one line what the code did; names are in backticks."""
        took = f"{self.seconds:.1f} s" if self.seconds >= 0.05 else "less than 0.1 s"
        if self.ok:
            done = ", ".join(self._done())
            line = f"ran in a copy of {self.where} in {took}"
            line += f": {done}" if done else ""
            return line + (f"; {self._wishes()}" if self.refused else "")
        verb = "stopped" if self.stopped else "failed"
        line = f"{verb} in a copy of {self.where} after {took}: "
        if self.stopped and self.refused:
            return line + self._wishes()
        reason = (self.error or "").partition("\n")[0]
        return line + reason + (f"; {self._wishes()}" if self.refused else "")

    def __str__(self) -> str:
        return self.summary

    def __repr__(self) -> str:
        return f"<Rehearsal: {self.summary}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(text_page(self.summary, *self._below(), _cut(self.outputs)))

    def _repr_html_(self) -> str:
        return html_page(self.summary, *self._below(), self.outputs)

    def _below(self) -> tuple[str, Sequence[str]]:
        """Return the error, and the printed text, cut to what a reader wants to see."""
        return self.error or "", [_short(self.stdout), _short(self.stderr)]

    def _done(self) -> list[str]:
        """Return what the code did, each in a few words."""
        done = []
        made = [item for item in self.new.items() if not item[1].startswith("imported ")]
        if made:
            done.append(f"defines {_listed(_with(*item) for item in made)}")
        elif self.new:
            done.append(f"imports {_listed(map(_name, self.new))}")
        if self.changed:
            changed = (_with(n, _arrow(*pair)) for n, pair in self.changed.items())
            done.append(f"changes {_listed(changed)}")
        if self.removed:
            done.append(f"removes {_listed(map(_name, self.removed))}")
        if self.kept:
            as_it_is = "as it is" if len(self.kept) == 1 else "as they are"
            done.append(f"leaves {_listed(map(_name, self.kept))} {as_it_is}")
        if pictures := sum("image/png" in output for output in self.outputs):
            done.append(f"shows {count_of(pictures, 'picture')}")
        return done

    def _wishes(self) -> str:
        return f"wants to {_listed(self.refused)}: not tried"


def why_it_ended(how: str, code: int, seconds: float, memory: int) -> str:
    """Return the error of code that did not run to its end, in one line.

    Args:
        how: How the copy ended.
        code: Its exit code, or the number of the signal that ended it.
        seconds: How long it was allowed to run.
        memory: Bytes that it was allowed to take.
    """
    if how == "timed out":
        return f"it did not end within {seconds:g} s"
    if how == "out of memory":
        return f"it took more than {memory / 1024**3:.3g} GB of memory"
    if how == "killed":
        try:
            return f"the copy was killed ({signal.Signals(code).name})"
        except ValueError:
            return "the copy was killed"
    if how == "exited":
        return f"it ended the process (exit code {code})"
    return "it left the copy unable to say how it went"


def _with(name: str, what: str) -> str:
    return f"{_name(name)} ({what})" if what else _name(name)


def _name(name: str) -> str:
    return f"`{name}`"


def _arrow(before: str, after: str) -> str:
    """Return a change in words, with a common beginning only once."""
    if after == before:
        return after
    return after if before and after.startswith(f"{before}, ") else f"{before} → {after}"


def _listed(items: Iterable[str]) -> str:
    names = list(items)
    if len(names) > _NAMED:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED:,} more"
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _short(text: str) -> str:
    """Return the beginning of a text."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}\n… {len(text) - _SHOWN:,} more …"


def _cut(outputs: Iterable[Output]) -> list[Output]:
    return [
        {mime: _short(data) if isinstance(data, str) else data for mime, data in output.items()}
        for output in outputs
    ]
