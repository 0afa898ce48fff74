"""Locks of `multiprocessing` in a copy, which can have no processes to share them with.

A named semaphore is a file in ``/dev/shm``, which a copy must not write to. Pools of threads need
one nevertheless: `multiprocessing.pool.ThreadPool`, and with it joblib.
"""

from __future__ import annotations

import importlib
import threading
from contextlib import suppress
from typing import Any

__all__ = ["replace"]


_multiprocessing: Any = None
with suppress(ImportError):  # a system without semaphores
    _multiprocessing = importlib.import_module("_multiprocessing")


class _Semaphore:
    """A stand-in for `_multiprocessing.SemLock` that works for threads."""

    SEM_VALUE_MAX = 2**31 - 1
    handle = 0
    name = None

    def __init__(self, kind: int, value: int, maxvalue: int, *_: Any) -> None:
        self.kind = kind
        self.maxvalue = maxvalue
        self._value = value
        self._owner = 0
        self._depth = 0
        self._changed = threading.Condition()

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        with self._changed:
            if self.kind == 0 and self._is_mine():  # recursive
                self._depth += 1
                return True
            wait = timeout if block else 0
            if not self._changed.wait_for(lambda: self._value > 0, wait):
                return False
            self._value -= 1
            self._owner, self._depth = threading.get_ident(), self._depth + 1
            return True

    def release(self) -> None:
        with self._changed:
            if self.kind == 0 and not self._is_mine():
                raise AssertionError("attempt to release recursive lock not owned by thread")
            if self.kind == 1 and self._value >= self.maxvalue:
                raise ValueError("semaphore or lock released too many times")
            self._depth -= 1
            if self.kind == 0 and self._depth:
                return
            self._value += 1
            self._changed.notify()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _count(self) -> int:
        return self._depth

    def _is_mine(self) -> bool:
        return self._depth > 0 and self._owner == threading.get_ident()

    def _get_value(self) -> int:
        return self._value

    def _is_zero(self) -> bool:
        return self._value == 0

    def _after_fork(self) -> None:
        self._depth = 0


def replace() -> None:
    """Make new locks work for threads only; to be called in a copy."""
    if _multiprocessing is not None:
        _multiprocessing.SemLock = _Semaphore
