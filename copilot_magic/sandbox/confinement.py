"""The confinement of a copy, step by step, before any code runs in it that may be hostile."""

from __future__ import annotations

import ctypes
import gc
import math
import os
import resource
import signal
import struct
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from . import filter, landlock, libc, semaphores
from .descriptors import detach
from .limits import Limits
from .mappings import make_private
from .pools import use_one_thread

__all__ = ["Plan", "detach_from_parent", "give_up_rights"]

# prctl(2).
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
# capabilities(7): the third version of the call; reading what others may not read.
_CAPABILITY_VERSION = 0x20080522
_CAP_DAC_READ_SEARCH = 1 << 2

# Python ignores these two, so that a write fails with an error instead.
_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ) if sys.platform == "linux" else ()

# Keeps objects of the parent's from being finalised in the copy.
_kept_alive: list[object] = []


@dataclass(frozen=True)
class Plan:
    """What a copy needs to know; made by the parent before the fork.

    Attributes:
        limits: What it may use.
        scratch: The directory that it may write to, without symbolic links.
        pipe: The descriptor of its reports.
        parent: The parent's process id.
        landlock: The version of the kernel's Landlock.
        signals: The signals that are to be blocked, as before the fork.
        openmp: What sets the number of threads of each OpenMP library.
    """

    limits: Limits
    scratch: str
    pipe: int
    parent: int
    landlock: int
    signals: frozenset[int]
    openmp: list[Callable[[int], None]]


def detach_from_parent(plan: Plan) -> int:
    """Let go of everything that belongs to the parent; return the highest descriptor.

    Raises:
        OSError: Something could not be done, so nothing must be run.
    """
    gc.freeze()  # no garbage of the parent's is collected here, and no page of its objects copied
    _reset_signals(plan.signals)
    os.setsid()
    with suppress(OSError):  # a process with more rights than its user
        _write("/proc/self/oom_score_adj", "1000")
    # While a file that is mapped can still be opened.
    make_private(plan.limits.memory)
    highest = detach(plan.pipe)
    _replace_streams()
    semaphores.replace()
    use_one_thread(plan.openmp)
    for name in ("TMPDIR", "TMP", "TEMP"):
        os.environ[name] = plan.scratch
    tempfile.tempdir = plan.scratch
    sys.dont_write_bytecode = True
    return highest


def give_up_rights(plan: Plan, highest: int) -> None:
    """Confine this process for good; nothing can be loosened afterwards.

    Raises:
        OSError: Something could not be done, so nothing must be run.
    """
    _set_limits(plan.limits, highest)
    libc.control(_PR_SET_NO_NEW_PRIVS, 1)
    landlock.confine(plan.landlock, plan.scratch)
    _drop_capabilities()
    libc.control(_PR_SET_DUMPABLE, 0)
    libc.control(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != plan.parent:
        raise OSError("the parent has ended")
    # What follows holds for this thread only. Others, which something may have started right after
    # the fork, would be free.
    if len(os.listdir("/proc/self/task")) != 1:
        raise OSError("a package starts threads in every copy of this process")
    truncate = plan.landlock >= landlock.TRUNCATE_SINCE
    filter.install(filter.build(os.getpid(), plan.pipe, truncate))


def _reset_signals(blocked: frozenset[int]) -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        with suppress(OSError, ValueError):  # SIGKILL, and those that the C library uses
            signal.signal(number, signal.SIG_IGN if number in _IGNORED else signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _replace_streams() -> None:
    _kept_alive.extend((sys.stdin, sys.stdout, sys.stderr))
    _kept_alive.extend((sys.__stdin__, sys.__stdout__, sys.__stderr__))
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        stream = os.fdopen(descriptor, "w" if descriptor else "r", encoding="utf-8", closefd=False)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _set_limits(limits: Limits, highest: int) -> None:
    with open("/proc/self/statm", encoding="ascii") as file:
        has = int(file.read().split()[0]) * resource.getpagesize()
    # A second line, should the parent be stopped: all its threads at work for all its time.
    processor = math.ceil(limits.seconds) * (os.cpu_count() or 1) + 1
    for kind, most in (
        (resource.RLIMIT_AS, has + limits.memory),
        (resource.RLIMIT_CPU, processor),
        (resource.RLIMIT_FSIZE, limits.files),
        (resource.RLIMIT_NOFILE, max(1024, highest + 256)),
        (resource.RLIMIT_CORE, 0),
    ):
        soft, hard = resource.getrlimit(kind)
        most = min(value for value in (soft, hard, most) if value != resource.RLIM_INFINITY)
        resource.setrlimit(kind, (most, most))


def _drop_capabilities() -> None:
    """Give up what makes root root, except reading what root can read."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION, 0), 8)
    # Two triples of effective, permitted, inheritable.
    data = ctypes.create_string_buffer(24)
    libc.call("capget", ctypes.addressof(header), ctypes.addressof(data))
    kept = struct.unpack("=6I", data.raw)[1] & _CAP_DAC_READ_SEARCH
    data = ctypes.create_string_buffer(struct.pack("=6I", kept, kept, 0, 0, 0, 0), 24)
    libc.control(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    libc.call("capset", ctypes.addressof(header), ctypes.addressof(data))


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
