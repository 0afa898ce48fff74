"""Interrupts of the kernel: one ends an answer, and further ones do not disturb its end."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["one_interrupt", "stop_first", "without_traceback"]

PATIENCE = 5.0
"""Seconds for which an interrupted answer may take to end before the next interrupt counts."""


@contextmanager
def one_interrupt(
    is_ending: Callable[[], bool] = lambda: False, patience: float = PATIENCE
) -> Iterator[None]:
    """Let the first interrupt through, and hold off others while it is handled.

    What is done at the end of an answer, such as storing it, would be left half-done by a second
    interrupt. An interrupt during an end that none has caused is raised when the block has ended.

    Args:
        is_ending: Says whether the answer has ended.
        patience: Seconds after which another interrupt counts, so that nothing can hang.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    first = 0.0
    raised = False

    def interrupted(number: int, frame: Any) -> None:
        nonlocal first, raised
        now = time.monotonic()
        first = first or now
        if (raised or is_ending()) and now - first < patience:
            return
        raised = True
        before(number, frame)

    signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if first and not raised:
        raise without_traceback(KeyboardInterrupt())


@contextmanager
def stop_first(
    stop: Callable[[], None], *, message: Callable[[], str] = lambda: ""
) -> Iterator[None]:
    """Let the first interrupt call `stop` and be raised at the end of the block; others pass.

    Args:
        stop: Ends what goes on in the block, soon.
        message: Returns what the interrupt should say, at that end.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    interrupted = False

    def interrupt(number: int, frame: Any) -> None:
        nonlocal interrupted
        if interrupted:
            before(number, frame)
        interrupted = True
        stop()

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupted:
        raise without_traceback(KeyboardInterrupt(), message())


def without_traceback(interrupt: KeyboardInterrupt, more: str = "") -> KeyboardInterrupt:
    """Make IPython show an interrupt in one line, without the frames of our code."""

    def render_traceback() -> list[str]:
        return [f"KeyboardInterrupt{more}"]

    interrupt._render_traceback_ = render_traceback  # type: ignore[attr-defined]
    return interrupt
