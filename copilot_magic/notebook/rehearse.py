"""Code tried in a copy of this kernel before the user runs it: ``rehearse("…")``."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..context.describe.failure import user_traceback
from ..errors import RehearsalError, UsageError
from ..text import count_of
from .hints import with_hints
from .history import error_line
from .rehearsing.capture import Capture
from .rehearsing.difference import Before
from .rehearsing.figures import Figures
from .rehearsing.forks import threaded_library
from .rehearsing.plain import run_code
from .rehearsing.reading import read
from .rehearsing.rehearsal import Rehearsal, why_it_ended
from .rehearsing.telling import Telling
from .shell import current_shell

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..sandbox.limits import Ended, Report

__all__ = ["Rehearsal", "rehearse", "rehearse_cell"]

_OUTPUT = 12_000_000  # bytes that a copy may report; `Telling` stays far below it
# The share of its time that a copy computes; one that waits in vain for a thread does not.
_BUSY = 0.1


def rehearse(code: str, *, seconds: float = 30.0) -> Rehearsal:
    """Run `code` in a copy of this kernel, as the next cell would run, and say what it did.

    Here nothing changes: the copy shares the memory, but not what it writes there, and it may
    neither write files nor reach the network, other processes or the front end. What it wanted to
    do of that is in ``.refused``.

    In IPython the code may hold magics and ``await``. In plain Python it runs with the names of the
    code that calls this. Which objects it changed in place is seen by samples of those that it
    mentions: a change of single values in a large table can be missed, and so are changes of what
    is no variable, such as the working directory, an environment variable or an option of a
    library. Tasks and threads that would go on after the cell end with it.

    Args:
        code: What a cell would hold.
        seconds: The longest time that it may take.

    Raises:
        RehearsalError: It cannot be tried here, or what came of it would say nothing; the message
            says why.
        KeyboardInterrupt: The user interrupted; the copy has been killed.
    """
    if not isinstance(code, str):
        raise UsageError("The code must be text", "Give it as a string")
    if not seconds > 0:
        raise UsageError("seconds must be more than 0", "30 is usual")
    shell = current_shell()
    if shell is not None:
        with with_hints():
            return rehearse_cell(shell, code, seconds)
    caller = sys._getframe(1)
    if caller.f_locals is caller.f_globals:
        namespace = caller.f_globals
    else:
        namespace = {**caller.f_globals, **caller.f_locals}
    return _rehearse(code, seconds, namespace, "this process", lambda t: _act(t, code, namespace))


def rehearse_cell(shell: InteractiveShell, code: str, seconds: float = 30.0) -> Rehearsal:
    """Run `code` in a copy of the shell's process, as `rehearse` does.

    Raises:
        RehearsalError: As for `rehearse`.
    """
    from .rehearsing import stage  # noqa: F401  (the copy should load nothing)

    where = "this kernel" if hasattr(shell, "kernel") else "this session"
    return _rehearse(
        code, seconds, shell.user_ns, where, lambda t: _act_in_shell(t, code, shell, where)
    )


def _rehearse(
    code: str,
    seconds: float,
    namespace: dict[str, Any],
    where: str,
    act: Callable[[Telling], None],
) -> Rehearsal:
    """Have a copy `act`, and return the result."""
    from ..sandbox.copy import run_in_copy
    from ..sandbox.limits import Limits

    limits = Limits(seconds=seconds, output=_OUTPUT)
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with suppress(Exception):  # what is buffered in them would be written by the copy, too
            stream.flush()  # type: ignore[union-attr]

    def work(report: Report) -> None:
        act(Telling(report))

    used = _processor_time()
    ended = run_in_copy(work, limits)
    told = read(ended.messages)
    if not told.has_begun:
        raise RehearsalError(
            f"Code cannot be tried in a copy of {where}: the copy {ended.how} before it began",
            "Run the code itself",
        )
    if not told.has_run and ended.how in ("timed out", "killed"):
        is_busy = _processor_time() - used > _BUSY * ended.seconds
        library = threaded_library(code, namespace)
        if library and not (ended.how == "timed out" and is_busy):
            raise _unfit(library, ended)
    error = told.error or None
    traceback = told.traceback
    if not told.has_run:
        error = why_it_ended(ended.how, ended.code, seconds, limits.memory)
    refused = tuple(dict.fromkeys([*told.refused, *ended.refused]))
    return Rehearsal(
        ok=error is None,
        error=f"{error}\n\n{traceback}".rstrip() if error else None,
        stopped=bool(error and refused and told.denied),
        stdout=told.stdout,
        stderr=told.stderr,
        result=told.result,
        outputs=tuple(told.outputs),
        new=told.new,
        changed=told.changed,
        removed=tuple(told.removed),
        kept=tuple(told.kept),
        refused=refused,
        seconds=ended.seconds,
        how=ended.how,
        cut=ended.cut or told.cut,
        where=where,
    )


def _unfit(library: str, ended: Ended) -> RehearsalError:
    what = f"did not end within {count_of(round(ended.seconds), 'second')}"
    if ended.how == "killed":
        what = "was killed"
    return RehearsalError(
        f"This code cannot be tried in a copy: it {what}, and threads of {library}, which it uses, "
        "do not survive the copying",
        "Run the code itself",
    )


def _processor_time() -> float:
    """Return the seconds of processor time of the copies that have ended."""
    try:
        import resource
    except ImportError:  # on Windows, where there are no copies
        return 0.0
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


# What follows runs in the copy.


def _act(telling: Telling, code: str, namespace: dict[str, Any]) -> None:
    """Run code of plain Python, and tell all about it."""
    capture = Capture(telling, has_buffer=True, where="this process")
    figures = Figures(telling, in_kernel=False)
    before = Before(namespace, code)
    telling.ready()
    error = run_code(code, namespace, telling)
    _tell(telling, error, before, namespace, capture, figures)


def _act_in_shell(telling: Telling, code: str, shell: InteractiveShell, where: str) -> None:
    """Run code of IPython, and tell all about it."""
    from .rehearsing.stage import detach, run_cell

    in_kernel = hasattr(shell, "kernel")
    capture = Capture(telling, has_buffer=not in_kernel, where=where)
    detach(shell, telling)
    figures = Figures(telling, in_kernel=in_kernel)
    before = Before(shell.user_ns, code, set(shell.user_ns_hidden))
    telling.ready()
    try:
        error = run_cell(shell, code)
    except BaseException as raised:  # noqa: BLE001  # the code has broken IPython
        error = raised
    _tell(telling, error, before, shell.user_ns, capture, figures)


def _tell(
    telling: Telling,
    error: BaseException | None,
    before: Before,
    namespace: dict[str, Any],
    capture: Capture,
    figures: Figures,
) -> None:
    """Tell how the code ended and what it did.

    What it did is told last: objects may be slow to say what they are.
    """
    replaced = before.restore_builtins()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    if error is None:
        with suppress(Exception):  # a figure that cannot be drawn
            figures.finish()
    capture.finish()
    if error is None:
        telling.outcome()
    else:
        telling.outcome(error_line(error), user_traceback(error), denied=_is_denied(error))
    before.tell(namespace, replaced, telling.names)


def _is_denied(error: BaseException) -> bool:
    """Say whether an error may be due to something that the copy is not allowed to do."""
    return any(_is_refusal(each) for each in _chain(error))


def _is_refusal(error: BaseException) -> bool:
    if isinstance(error, OSError):
        # Libraries make errors of their own of those of the network, which have no number.
        return isinstance(error, PermissionError) or not isinstance(error.errno, int)
    return isinstance(error, EOFError) or type(error).__name__ in ("BdbQuit", "OperationalError")


def _chain(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    for _ in range(20):
        if current is None:
            return
        yield current
        current = current.__cause__ or current.__context__
