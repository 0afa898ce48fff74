"""The parent's side: fork, listen, watch, end, clean up."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..errors import RehearsalError
from . import landlock, libc, scratch
from .channel import Incoming
from .confinement import Plan
from .descriptors import raised
from .inside import FAILED, FINISHED, OUT_OF_MEMORY, live
from .limits import Ended, Limits, Report
from .pools import openmp_limits

__all__ = ["run"]

MOST_THREADS = 1000
"""How many threads a copy may have."""

# Seconds between two looks at what the copy uses, and for interrupts.
_TICK = 0.05
# Seconds that a copy has from its last word to its end.
_GRACE = 1.0
_CHUNK = 65_536


def run(work: Callable[[Report], None], limits: Limits) -> Ended:
    """Run `work` in a copy without asking whether that is possible; see `copy.run_in_copy`.

    Raises:
        RehearsalError: The copy could not be made or confined; nothing has run.
        KeyboardInterrupt: This process was interrupted; the copy has been killed.
    """
    # All that the copy needs is loaded before the fork: another thread might hold a lock on it.
    libc.load()
    with Interrupts() as interrupts:
        directory = ""
        try:
            directory = scratch.make()
            ended = _run(work, limits, directory, interrupts)
        except OSError as error:
            raise RehearsalError(
                f"A copy of this process could not be made: {error}", "Run the code itself"
            ) from None
        finally:
            if directory:
                scratch.remove(directory)
    return ended


def _run(
    work: Callable[[Report], None], limits: Limits, directory: str, interrupts: Interrupts
) -> Ended:
    copy = _Copy(limits, directory)
    reading, writing = os.pipe()
    try:
        with _replaced(writing) as pipe:
            copy.start(work, pipe)
        copy.watch(reading, interrupts)
    finally:
        copy.end(reading)
        os.close(reading)
    if copy.incoming.end.startswith(FAILED):
        reason = copy.incoming.end.removeprefix(FAILED)
        raise RehearsalError(
            f"A copy of this process could not be confined: {reason}", "Run the code itself"
        )
    return copy.result()


@contextmanager
def _replaced(descriptor: int) -> Iterator[int]:
    """Yield a high duplicate of `descriptor`, and close both at the end."""
    try:
        high = raised(descriptor)
    finally:
        os.close(descriptor)
    try:
        yield high
    finally:
        os.close(high)


class Interrupts:
    """Keeps an interrupt back while a copy is on its way, and hands it on afterwards.

    Attributes:
        arrived: There was one.
    """

    def __init__(self) -> None:
        self.arrived = False
        self._before: Any = None

    def __enter__(self) -> Interrupts:
        before = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is threading.main_thread() and callable(before):
            self._before = before
            signal.signal(signal.SIGINT, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            if self.arrived:
                self._before(signal.SIGINT, None)

    def _take(self, *_: Any) -> None:
        self.arrived = True


class _Copy:
    """A copy that runs, as its parent sees it."""

    def __init__(self, limits: Limits, directory: str) -> None:
        self.incoming = Incoming(limits.output)
        self._limits = limits
        self._directory = directory
        self._ooms = _oom_kills()
        self._free = scratch.free_space(directory)
        self._pid = 0
        self._began = self._deadline = self._next_look = 0.0
        self._how = ""
        self._status: int | None = None
        self._seconds = 0.0

    def start(self, work: Callable[[Report], None], pipe: int) -> None:
        """Fork; the copy itself does not return from here."""
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        plan = Plan(
            limits=self._limits,
            scratch=self._directory,
            pipe=pipe,
            parent=os.getpid(),
            landlock=landlock.version(),
            signals=frozenset(mask),
            openmp=openmp_limits(),
        )
        self._began = time.monotonic()
        self._deadline = self._began + self._limits.seconds
        # The copy must not run the parent's handlers, nor this process one before it has the id.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            with warnings.catch_warnings():
                # Python warns of locks that other threads hold: the time limit is for that.
                warnings.simplefilter("ignore", DeprecationWarning)
                self._pid = os.fork()
            if self._pid == 0:
                live(plan, work)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def watch(self, reading: int, interrupts: Interrupts) -> None:
        """Listen until the copy has ended, or must be killed."""
        os.set_blocking(reading, False)
        process = self._open_process()
        poll = select.poll()
        poll.register(reading, select.POLLIN)
        if process is not None:
            poll.register(process, select.POLLIN)
        is_open = True
        try:
            while not self._has_ended():
                left = self._deadline - time.monotonic()
                if left <= 0:
                    self._how = "" if self.incoming.end else "timed out"
                    return
                if interrupts.arrived or self._takes_too_much():
                    self._how = "killed"
                    return
                poll.poll(1000 * min(left, _TICK))
                if is_open and not self._listen(reading):
                    poll.unregister(reading)
                    is_open = False
        finally:
            if process is not None:
                os.close(process)

    def end(self, reading: int) -> None:
        """Kill the copy, if it still runs, and wait until it is gone."""
        while self._pid and self._status is None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self._reap(0)
        self._seconds = time.monotonic() - self._began
        while self._pid and self._listen(reading):
            pass
        self.incoming.finish()

    def result(self) -> Ended:
        """Return how it ended."""
        incoming, status = self.incoming, self._status or 0
        code = os.waitstatus_to_exitcode(status) if status >= 0 else 0
        how = self._how or incoming.end
        if how not in ("timed out", "killed", OUT_OF_MEMORY, FINISHED):
            how = ""
        if not how:
            how = "killed" if code < 0 else "exited"
        if code == -signal.SIGXCPU:
            how = "timed out"
        elif code == -signal.SIGKILL and not self._how and not incoming.end:
            how = OUT_OF_MEMORY if _oom_kills() != self._ooms else "killed"
        return Ended(
            incoming.messages, incoming.refused, self._seconds, how, abs(code), incoming.cut
        )

    def _open_process(self) -> int | None:
        """Return a descriptor that becomes readable at the copy's end, or None without one."""
        try:
            return libc.call("pidfd_open", self._pid, 0)
        except OSError:
            return None

    def _has_ended(self) -> bool:
        self._reap(os.WNOHANG)
        return self._status is not None

    def _reap(self, options: int) -> None:
        try:
            pid, status = os.waitpid(self._pid, options)
        except ChildProcessError:
            # Something else in this process waits for all children, and has got its status.
            self._status = -1
            return
        if pid:
            self._status = status

    def _listen(self, reading: int) -> bool:
        """Read what there is; return False if nothing more can come."""
        try:
            data = os.read(reading, _CHUNK)
        except BlockingIOError:
            return self._status is None
        if not data:
            return False
        self.incoming.feed(data)
        if self.incoming.end:
            self._deadline = min(self._deadline, time.monotonic() + _GRACE)
        return not (self._status is not None and self.incoming.is_broken)

    def _takes_too_much(self) -> bool:
        if self.incoming.is_broken:
            return True
        if time.monotonic() < self._next_look:
            return False
        self._next_look = time.monotonic() + _TICK
        if _count_threads(self._pid) > MOST_THREADS:
            self.incoming.refuse(f"start more than {MOST_THREADS:,} threads")
            return True
        if scratch.too_large(self._directory, self._limits.files, self._free):
            self.incoming.refuse("fill the temporary directory")
            return True
        return False


def _count_threads(pid: int) -> int:
    """Return how many threads a process has, or 0 if that is unknown."""
    try:
        return os.stat(f"/proc/{pid}/task").st_nlink - 2
    except OSError:
        return 0


def _oom_kills() -> str:
    """Return the kernel's count of processes killed because memory ran out, as a line."""
    with suppress(OSError), open("/proc/vmstat", encoding="ascii") as file:
        for line in file:
            if line.startswith("oom_kill "):
                return line
    return ""
