"""The progress bar of a batch: how far it is, how fast, what failed, and why nothing moves."""

from __future__ import annotations

import math
import sys
import threading
import time
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TextIO

from ..text import one_line
from .notebook_bar import NotebookBar, Publish

if TYPE_CHECKING:
    from tqdm.std import tqdm

__all__ = ["Progress"]

# Seconds between two paints: where a bar is repainted in its place, and in a log.
_PAINTED = 0.2
_LOGGED = 10.0

_RIGHT = "[{elapsed}<{remaining}, {rate_noinv_fmt}{postfix}]"
_BAR = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} " + _RIGHT
_COUNT = "{n_fmt} prompts [{elapsed}, {rate_noinv_fmt}{postfix}]"


class Progress:
    """A progress bar: a widget in a notebook, text in a terminal, a few lines in a log.

    For one thread. Always close it: it then stays as it is.

    Args:
        total: How many prompts there are; None if that is not known.
        shown: Whether there is anything to see.
        publish: Shows a bundle of MIME types in a notebook; None elsewhere.
        file: Where text goes; standard error by default.
        interval: Seconds between two paints; by default what fits the place.
        clock: Returns seconds that never go back.
    """

    def __init__(
        self,
        total: int | None,
        *,
        shown: bool,
        publish: Publish | None = None,
        file: TextIO | None = None,
        interval: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._known = self._failed = self._tokens = 0
        self._waits_for = ""
        self._painted = -math.inf
        self._clock = clock
        self._interval = 0.0
        self._bar: tqdm[Any] | None = None
        self._shown: NotebookBar | None = None
        if shown:
            self._open(total, publish, sys.stderr if file is None else file, interval)

    def _open(
        self, total: int | None, publish: Publish | None, file: TextIO, interval: float | None
    ) -> None:
        bar_class = _bar_class(publish is not None)
        is_widget = _is_widget(bar_class)
        repaints = is_widget or file.isatty()
        self._interval = interval if interval is not None else _PAINTED if repaints else _LOGGED
        self._bar = bar_class(
            total=total,
            file=file if repaints else _Log(file),
            unit=" prompts",
            bar_format=_BAR if total else _COUNT,
            dynamic_ncols=repaints,
            smoothing=0,  # of all prompts, so that a pause does not make it jump
            **({"display": False} if is_widget else {}),
        )
        if is_widget and publish is not None:
            self._shown = NotebookBar(self._bar, publish)
        self._painted = self._clock()

    def advance(
        self, count: int = 1, *, failed: bool = False, known: bool = False, tokens: int = 0
    ) -> None:
        """Count prompts that are done.

        Args:
            count: How many.
            failed: Whether they have no answer.
            known: Whether their answers were known already. They count for no speed.
            tokens: What they took.
        """
        if self._bar is None:
            return
        self._failed += count if failed else 0
        self._known += count if known else 0
        self._tokens += tokens
        self._waits_for = ""
        self._bar.n += count
        self._bar.initial += count if known else 0
        self._paint()

    def waiting(self, seconds: float, reason: str) -> None:
        """Show that nothing moves, why, and for how long; the next prompt that is done ends it."""
        if self._bar is None:
            return
        begins = not self._waits_for
        self._waits_for = f"{one_line(reason, 60)}, waiting {_duration(seconds)}"
        self._paint(at_once=begins)

    def close(self) -> None:
        """Show the final state, and leave it there."""
        bar, self._bar = self._bar, None
        if bar is not None:
            self._waits_for = ""
            bar.set_postfix_str(self._state(), refresh=False)
            bar.close()
            if self._shown is not None:
                self._shown.settle()

    def _paint(self, *, at_once: bool = False) -> None:
        now = self._clock()
        if self._bar is not None and (at_once or now - self._painted >= self._interval):
            self._painted = now
            self._bar.set_postfix_str(self._state(), refresh=True)

    def _state(self) -> str:
        state = [
            f"{self._known} known" if self._known else "",
            f"{self._failed} failed" if self._failed else "",
            f"{_short(self._tokens)} tokens" if self._tokens else "",
            self._waits_for,
        ]
        return ", ".join(part for part in state if part)


class _Log:
    """A file in which each paint of a bar becomes a line of its own."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        if text.strip():
            self._file.write(text.strip() + "\n")
        return len(text)

    def flush(self) -> None:
        self._file.flush()

    @property
    def encoding(self) -> str:
        return self._file.encoding


@lru_cache(maxsize=2)
def _bar_class(in_notebook: bool) -> type[tqdm[Any]]:
    """Return the class of bars that fits the front end."""
    with warnings.catch_warnings():
        # It warns if ipywidgets is missing, and shows text then.
        warnings.simplefilter("ignore")
        if in_notebook:
            from tqdm.auto import tqdm
        else:
            from tqdm.std import tqdm

    class Bar(tqdm):  # type: ignore[misc]  # tqdm brings no types
        # No thread that repaints bars, and no lock shared with other processes, for which some
        # versions of Python start yet another process.
        monitor_interval = 0

    Bar.set_lock(threading.RLock())
    return Bar


def _is_widget(bar_class: type) -> bool:
    return any(base.__module__ == "tqdm.notebook" for base in bar_class.__mro__)


def _short(number: int) -> str:
    """Return a number of tokens in a few characters: ``950``, ``1.2k``, ``48k``, ``3.1M``."""
    value, unit = float(number), ""
    for larger in ("k", "M", "G"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.1f}{unit}" if unit and value < 9.95 else f"{value:.0f}{unit}"


def _duration(seconds: float) -> str:
    return f"{math.ceil(seconds)} s" if seconds <= 120 else f"{math.ceil(seconds / 60)} min"
