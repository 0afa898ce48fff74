"""A time limit for other people's code, such as an object's `__repr__`."""

from __future__ import annotations

import contextvars
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Generic, TypeVar

__all__ = ["Expired", "TooSlow", "within"]

T = TypeVar("T")

# Code that swallows the exception that is to end it gets it again and again, this often.
_AGAIN = 0.1
# A waiting thread looks up this often, so that an interrupt reaches it.
_LOOK_UP = 0.05


class TooSlow(Exception):
    """A call took longer than it may."""


class Expired(BaseException):
    """What ends a call from inside: no `except Exception` of the foreign code catches it.

    Code that catches everything between two nested limits must let it pass.
    """


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what `call` returns, or raise what it raises, unless it takes too long.

    In the main thread an alarm ends the call; what was set to go off before goes off later by at
    most the time that the call took. Elsewhere, and on Windows, the call runs in a thread of its
    own, which is left behind if it does not end. Neither can end C code that never returns to the
    interpreter; only the thread does not wait for it.

    Raises:
        TooSlow: The call did not end in time.
        KeyboardInterrupt: At once, if the user interrupts.
    """
    if (
        hasattr(signal, "setitimer")
        and threading.current_thread() is threading.main_thread()
        # None stands for a handler of C code, which could not be put back.
        and signal.getsignal(signal.SIGALRM) is not None
    ):
        return _by_alarm(seconds, call)
    return _Thread(call).result(seconds)


def _by_alarm(seconds: float, call: Callable[[], T]) -> T:
    is_expired = is_over = False

    def run() -> T:  # a frame that tells the call from this function's own code
        return call()

    def expire(number: int, frame: FrameType | None) -> None:
        nonlocal is_expired
        if is_over or frame is None or frame.f_code is _by_alarm.__code__:
            return
        is_expired = True
        raise Expired

    begun = time.monotonic()
    rest, interval = signal.setitimer(signal.ITIMER_REAL, 0)
    previous = signal.getsignal(signal.SIGALRM)
    try:
        signal.signal(signal.SIGALRM, expire)
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6), _AGAIN)
        result = run()
    except KeyboardInterrupt:
        raise
    except BaseException:
        if not is_expired:
            raise
    finally:
        is_over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        if rest:
            rest = max(rest - (time.monotonic() - begun), 1e-6)
            signal.setitimer(signal.ITIMER_REAL, rest, interval)
    if is_expired:
        raise TooSlow
    return result


class _Thread(Generic[T]):
    """A call in a thread of its own."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._context = contextvars.copy_context()
        self._returned: list[T] = []
        self._raised: BaseException | None = None
        self._lock = threading.Lock()
        self._has_ended = threading.Event()
        self._is_left = False
        self._thread = threading.Thread(target=self._run, name="copilot-describe", daemon=True)

    def result(self, seconds: float) -> T:
        """Run the call and return its result; abandon it if it takes too long."""
        deadline = time.monotonic() + seconds
        self._thread.start()
        try:
            while not self._has_ended.wait(_LOOK_UP):
                if time.monotonic() > deadline:
                    raise TooSlow
        finally:
            self._leave()
        if self._raised is not None:
            try:
                raise self._raised
            finally:
                self._raised = None  # it holds this frame, which holds this object
        return self._returned.pop()

    def _run(self) -> None:
        try:
            try:
                self._returned.append(self._context.run(self._call))
            except BaseException as error:  # noqa: BLE001  # it is raised where the call was asked
                self._raised = error
            with self._lock:
                self._has_ended.set()
            if self._is_left:  # what `_leave` has set may still be to come: let it come here
                for _ in range(100):
                    pass
        except Expired:
            pass

    def _leave(self) -> None:
        """Make the thread end at its next step in Python, unless it has ended."""
        with self._lock:
            if self._has_ended.is_set():
                return
            import ctypes  # rarely needed, and it takes its time to load

            self._is_left = True
            thread = ctypes.c_ulong(self._thread.ident or 0)
            raising: Any = ctypes.pythonapi.PyThreadState_SetAsyncExc
            raising(thread, ctypes.py_object(Expired))
