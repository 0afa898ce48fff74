"""Locks of multiprocessing that are those of threads."""

from __future__ import annotations

import threading
import time

import pytest

from copilot_magic.sandbox.semaphores import _Semaphore

RECURSIVE, COUNTING = 0, 1


def test_a_lock_is_held_once() -> None:
    lock = _Semaphore(COUNTING, 1, 1)
    with lock:
        assert not lock.acquire(False)
        assert not lock.acquire(True, 0.01)
        assert lock._is_zero()
    assert lock.acquire()
    lock.release()
    with pytest.raises(ValueError, match="too many times"):
        lock.release()


def test_a_recursive_lock_is_held_again_by_its_thread_only() -> None:
    lock = _Semaphore(RECURSIVE, 1, 1)
    found: list[bool] = []
    assert lock.acquire() and lock.acquire()
    thread = threading.Thread(target=lambda: found.append(lock.acquire(False)))
    thread.start()
    thread.join()
    assert (found, lock._count(), lock._is_mine()) == ([False], 2, True)
    lock.release()
    assert lock._is_zero()
    lock.release()
    assert lock._get_value() == 1
    with pytest.raises(AssertionError):
        lock.release()


def test_a_waiting_thread_goes_on_after_a_release() -> None:
    lock = _Semaphore(COUNTING, 0, 5)
    thread = threading.Thread(target=lock.acquire)
    thread.start()
    time.sleep(0.01)
    lock.release()
    thread.join(30)
    assert not thread.is_alive()
