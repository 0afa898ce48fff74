"""Interrupts in a row: one counts, and nothing is left half-done."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from copilot_magic.notebook.interrupts import one_interrupt, without_traceback


@pytest.fixture(autouse=True)
def as_in_a_kernel() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_second_interrupt_does_not_disturb_the_handling_of_the_first() -> None:
    handled = []
    with pytest.raises(KeyboardInterrupt), one_interrupt():
        try:
            interrupt()
        finally:
            interrupt()
            handled.append(True)
    assert handled
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_during_the_end_counts_when_that_is_done() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt) as caught, one_interrupt(lambda: True):
        interrupt()
        done.append(True)
    assert done
    assert caught.value._render_traceback_() == ["KeyboardInterrupt"]  # type: ignore[attr-defined]


def test_what_does_not_end_can_be_interrupted_again() -> None:
    with pytest.raises(KeyboardInterrupt), one_interrupt(patience=0.0):
        try:
            interrupt()
        finally:
            with pytest.raises(KeyboardInterrupt):
                interrupt()


def test_other_threads_and_handlers_are_left_alone() -> None:
    def ask() -> None:
        with one_interrupt():
            seen.append(signal.getsignal(signal.SIGINT))

    seen: list[object] = []
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ask()
    assert seen == [signal.default_int_handler, signal.SIG_IGN]


def test_an_interrupt_is_shown_in_one_line() -> None:
    shown = without_traceback(KeyboardInterrupt(), ": more")
    assert shown._render_traceback_() == ["KeyboardInterrupt: more"]  # type: ignore[attr-defined]
