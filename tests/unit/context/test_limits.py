"""Foreign code ends in time, and neither alarms nor interrupts of the user are lost."""

from __future__ import annotations

import contextvars
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from copilot_magic.context.limits import TooSlow, within


def spin() -> None:
    while True:
        pass


def spin_and_swallow() -> None:
    """Hang on, whatever `Exception` comes."""
    while True:
        try:
            spin()
        except Exception:  # noqa: BLE001
            continue


@pytest.fixture(params=["main thread", "other thread"])
def anywhere(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Call a function in the main thread, or in another one."""
    if request.param == "main thread":
        yield lambda call: call()
    else:
        with ThreadPoolExecutor(1) as pool:
            yield lambda call: pool.submit(call).result()


def test_a_quick_call_returns_its_value(anywhere: Callable[..., Any]) -> None:
    assert anywhere(lambda: within(5, lambda: 42)) == 42


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
def test_what_a_call_raises_is_raised(anywhere: Callable[..., Any], error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        anywhere(lambda: within(5, fail))
    assert caught.value is error


@pytest.mark.parametrize("call", [spin, spin_and_swallow, lambda: time.sleep(3)])
def test_a_call_that_hangs_is_ended(anywhere: Callable[..., Any], call: Callable[[], None]) -> None:
    with pytest.raises(TooSlow):
        anywhere(lambda: within(0.05, call))


def test_a_loop_left_behind_in_a_thread_ends() -> None:
    def ask() -> None:
        with pytest.raises(TooSlow):
            within(0.05, spin)

    before = set(threading.enumerate())
    with ThreadPoolExecutor(1) as pool:
        pool.submit(ask).result()
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive()


def test_a_call_that_swallows_its_end_is_too_slow_all_the_same() -> None:
    def swallow() -> str:
        try:
            spin()
        except BaseException:  # noqa: BLE001
            return "done"
        return ""

    with pytest.raises(TooSlow):
        within(0.05, swallow)


def test_limits_can_be_nested() -> None:
    def inner() -> str:
        with pytest.raises(TooSlow):
            within(0.02, spin)
        return "went on"

    assert within(30, inner) == "went on"
    with pytest.raises(TooSlow):
        within(0.05, lambda: within(0.1, lambda: [within(0.02, lambda: None), spin()]))


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no alarms here")
def test_the_users_alarm_is_put_back_with_the_time_that_is_left() -> None:
    def own(number: int, frame: Any) -> None: ...

    before = signal.signal(signal.SIGALRM, own)
    try:
        signal.setitimer(signal.ITIMER_REAL, 500, 7)
        within(5, lambda: None)
        assert signal.getsignal(signal.SIGALRM) is own
        left, interval = signal.getitimer(signal.ITIMER_REAL)
        assert 0 < left <= 500
        assert interval == 7
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no alarms here")
def test_an_alarm_of_the_users_that_was_due_meanwhile_goes_off_after_the_call() -> None:
    rung = threading.Event()
    before = signal.signal(signal.SIGALRM, lambda number, frame: rung.set())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        assert within(30, lambda: (time.sleep(0.1), rung.is_set())[1]) is False
        assert rung.wait(60)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no alarms here")
def test_no_alarm_is_left_when_there_was_none() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(TooSlow):
        within(0.02, spin)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_an_interrupt_of_the_user_passes_through() -> None:
    def interrupted() -> None:
        signal.raise_signal(signal.SIGINT)
        spin()

    with pytest.raises(KeyboardInterrupt):
        within(60, interrupted)


def test_a_call_in_a_thread_sees_the_context_of_the_caller() -> None:
    variable = contextvars.ContextVar("variable", default="none")

    def ask() -> str:
        variable.set("own")
        return within(5, variable.get)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(ask).result() == "own"
