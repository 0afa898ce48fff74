"""The last failure of any cell: what `explain` and `fix` are about."""

from __future__ import annotations

import linecache
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import CopilotError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Failure", "Failures"]

# The user ended the cell, or the process. Leaving a debugger is no failure either.
_ENDS = (KeyboardInterrupt, SystemExit, GeneratorExit)
# By name, because their modules take long to load.
_OTHER_ENDS = {"CancelledError", "BdbQuit"}
# Frames among which the cell is looked for; endless recursion has more, all the same.
_FRAMES = 1_000


@dataclass(frozen=True)
class Failure:
    """A cell that failed.

    Attributes:
        error: The exception that ended it.
        source: The cell as the user wrote it; empty if that is not known.
        number: Its execution count, or None.
    """

    error: BaseException
    source: str
    number: int | None


class Failures:
    """The last failure of any cell of a shell.

    It is settled, so that there is none, as soon as the same cell runs without an error: the same
    by its id where the front end names one, otherwise by its source. An interrupt settles nothing,
    and neither does a prompt that fails: that is no error of the user's code, and the error before
    it can still be explained when the server is back.

    An error that a magic shows without failing the cell, as ``%run`` does, counts as well.

    The exception is kept until then or until the next failure, as ``sys.last_value`` keeps it, so
    the objects of its frames are kept, too; those of one failure at most.

    Args:
        shell: The IPython shell, or None outside of IPython.
    """

    def __init__(self, shell: InteractiveShell | None) -> None:
        self._shell = shell
        self._watching = False
        self._last: Failure | None = None
        self._cell_id: str | None = None
        self._shown_before = 0

    def start(self) -> None:
        """Watch the cells from now on, and remember the last failure before."""
        if self._shell is None or self._watching:
            return
        self._last = self._earlier()
        self._watching = True
        self._shell.events.register("pre_run_cell", self._before_cell)
        self._shell.events.register("post_run_cell", self._after_cell)

    def stop(self) -> None:
        """Watch the cells no longer, and forget the failure."""
        if self._shell is not None and self._watching:
            self._shell.events.unregister("pre_run_cell", self._before_cell)
            self._shell.events.unregister("post_run_cell", self._after_cell)
        self._watching = False
        self._last = self._cell_id = None

    def last(self) -> Failure | None:
        """Return the last failure, None if there is none that is not settled."""
        return self._last if self._watching else self._earlier()

    def _before_cell(self, info: Any = None) -> None:
        # Not the exception itself, which we would keep alive.
        self._shown_before = id(_remembered())

    def _after_cell(self, result: Any = None) -> None:
        info = getattr(result, "info", None)
        if info is None:
            return
        error = result.error_before_exec or result.error_in_exec
        if error is None and self._shown_before not in (0, id(_remembered())):
            error = _remembered()
        self._shown_before = 0
        if error is None:
            self._settle(info)
        elif _counts(error):
            self._remember(result, error)

    def _settle(self, info: Any) -> None:
        if self._last is None:
            return
        cell_id = getattr(info, "cell_id", None)
        if cell_id and self._cell_id:
            is_same = cell_id == self._cell_id
        else:
            source = self._last.source.strip()
            is_same = source != "" and source == (info.raw_cell or "").strip()
        if is_same:
            self._last = self._cell_id = None

    def _remember(self, result: Any, error: BaseException) -> None:
        info = result.info
        number = result.execution_count if info.store_history else None
        self._last = Failure(error, info.raw_cell or "", number)
        self._cell_id = getattr(info, "cell_id", None)

    def _earlier(self) -> Failure | None:
        """Return the failure that Python remembers, and what is known about its cell."""
        result = getattr(self._shell, "last_execution_result", None)
        if result is not None and result.info is not None:
            recent = result.error_before_exec or result.error_in_exec
            if recent is not None and _counts(recent):
                self._remember(result, recent)
                return self._last
        error = _remembered()
        if error is None or not _counts(error):
            return None
        if self._shell is None:
            return Failure(error, "", None)
        history: Any = self._shell.history_manager
        number = _cell_of(error, history.input_hist_parsed)
        source = "" if number is None else history.input_hist_raw[number]
        return Failure(error, source, number)


def _remembered() -> BaseException | None:
    """Return the exception that was shown last, which Python keeps."""
    error = getattr(sys, "last_value", None)
    return error if isinstance(error, BaseException) else None


def _counts(error: BaseException) -> bool:
    """Say whether an exception is one of the user's code."""
    if isinstance(error, CopilotError):
        return bool(getattr(type(error), "of_user", False))
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return not isinstance(error, _ENDS) and kinds.isdisjoint(_OTHER_ENDS)


def _cell_of(error: BaseException, cells: list[str]) -> int | None:
    """Return the number of the cell that failed, None if it is not among `cells`."""
    files: list[str] = []
    traceback = error.__traceback__
    while traceback is not None and len(files) < _FRAMES:
        files.append(traceback.tb_frame.f_code.co_filename)
        traceback = traceback.tb_next
    if isinstance(error, SyntaxError) and error.filename:
        files.append(error.filename)
    by_source = {source.strip(): number for number, source in enumerate(cells) if source.strip()}
    # The frames of IPython come first, then the cell that was run; others it may have called.
    for file in dict.fromkeys(files):
        source = "".join(linecache.getlines(file)).strip()
        if source in by_source:
            return by_source[source]
    if isinstance(error, SyntaxError) and (line := (error.text or "").strip()):
        return next((n for n in range(len(cells) - 1, 0, -1) if line in cells[n]), None)
    return None
