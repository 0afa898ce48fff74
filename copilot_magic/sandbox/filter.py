"""The seccomp filter: which system calls a copy may make, as a program that the kernel runs.

What is not listed is refused with EPERM. A call that the C library does without if it is missing is
refused with ENOSYS. A filter sees the arguments as numbers and cannot look at a path, so which
files may be opened is left to Landlock.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from . import libc
from .calls import ALLOWED, AUDIT_ARCHITECTURES, machine, number

__all__ = ["Instruction", "build", "install"]

# Values of linux/seccomp.h.
ALLOW = 0x7FFF0000
KILL = 0x80000000
_ERROR = 0x00050000
_SET_MODE_FILTER = 1

# Classic BPF: load a word of the call, compare it, mask it, return.
LOAD, EQUAL, AT_LEAST, MASK, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06

# Where the kernel puts the call: its number, its instruction set, its six arguments of 64 bits.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32 = 0x40000000
_FULL = 0xFFFFFFFF

# Calls from this number on are newer than the table of those that we know.
_UNKNOWN = 451

_O_TRUNC = 0o1000
_CLONE_THREAD = 0x00010000
# PTRACE, VFORK, PARENT, PIDFD, UNTRACED, and every new namespace.
_CLONE_MORE = 0x2000 | 0x4000 | 0x8000 | 0x1000 | 0x00800000 | 0x00020000 | 0x7E000000

# Duplicates, flags and locks; none that has a signal sent to someone, and no leases.
_FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032, 1034)
# What a terminal is asked, what is to be read, blocking, closing on exec; a copy-on-write copy
# into a file that is open for writing.
_IOCTL = (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451, 0x40049409)
# Names of threads and of memory, huge pages, vector lengths, and questions.
_PRCTL = (2, 3, 15, 16, 23, 29, 30, 39, 41, 42, 50, 51, 0x53564D41, 0x41555856)
# A lock that others can have, too, and its end, waiting or not.
_FLOCK = (1, 5, 8, 12)

_SOFT_REFUSALS = {
    "clone3": errno.ENOSYS,  # then `clone`, whose flags a filter can see
    "openat2": errno.ENOSYS,
    "close_range": errno.ENOSYS,
    "memfd_create": errno.ENOSYS,  # memory that no limit counts
    "fallocate": errno.EOPNOTSUPP,  # would fill a disk at once
}


class Instruction(NamedTuple):
    """An instruction of classic BPF: what to do, how far to jump, with which constant."""

    code: int
    if_true: int
    if_false: int
    constant: int


@dataclass(frozen=True)
class _Test:
    """One of these values, or none of them if `unlike`, in an argument's masked low half.

    The kernel itself looks at the low half only, unless the argument is an address: then the high
    half has to be zero (`wide`).
    """

    argument: int
    values: Sequence[int]
    mask: int = _FULL
    unlike: bool = False
    wide: bool = False


def build(pid: int, pipe: int, truncate: bool, on: str = "") -> list[Instruction]:
    """Return the filter's program.

    Args:
        pid: The copy's own id, to which it may send signals.
        pipe: The descriptor of its reports, which it cannot close by mistake.
        truncate: Landlock watches over truncating by path, so it need not be refused here.
        on: The instruction set; this process's if empty.
    """
    on = on or machine()
    program = [
        Instruction(LOAD, 0, 0, _ARCHITECTURE),
        Instruction(EQUAL, 1, 0, AUDIT_ARCHITECTURES[on]),
        _return(KILL),
        Instruction(LOAD, 0, 0, _NUMBER),
        # x32 has the numbers of x86_64 and other arguments.
        Instruction(AT_LEAST, 0, 1, _X32),
        _refuse(errno.EPERM),
    ]
    for name in (*ALLOWED, *(("truncate",) if truncate else ())):
        program += _when(name, on, [_return(ALLOW)])
    for name, tests in _rules(pid, pipe).items():
        program += _when(name, on, [i for test in tests for i in _check(test)] + [_return(ALLOW)])
    for name, code in _SOFT_REFUSALS.items():
        program += _when(name, on, [_refuse(code)])
    program += [Instruction(AT_LEAST, 0, 1, _UNKNOWN), _refuse(errno.ENOSYS)]
    return [*program, _refuse(errno.EPERM)]


def _rules(pid: int, pipe: int) -> dict[str, list[_Test]]:
    """Return the calls that are allowed with some arguments; all tests must hold."""
    # Opening for reading truncates as well, which older Landlocks miss.
    flags = (0, 1, 2, 3, _O_TRUNC | 1, _O_TRUNC | 2)
    return {
        "open": [_Test(1, flags, _O_TRUNC | 3)],
        "openat": [_Test(2, flags, _O_TRUNC | 3)],
        "close": [_Test(0, [pipe], unlike=True)],
        "dup2": [_Test(1, [pipe], unlike=True)],
        "dup3": [_Test(1, [pipe], unlike=True)],
        "fcntl": [_Test(1, _FCNTL)],
        "ioctl": [_Test(1, _IOCTL)],
        "flock": [_Test(1, _FLOCK)],
        "clone": [_Test(0, [_CLONE_THREAD], _CLONE_THREAD | _CLONE_MORE)],
        "kill": [_Test(0, [pid])],
        "tgkill": [_Test(0, [pid])],
        "setpriority": [_Test(0, [0]), _Test(1, [0, pid])],
        "sched_setaffinity": [_Test(0, [0, pid])],
        "prctl": [_Test(0, _PRCTL)],
        # Asking for a limit, not setting one.
        "prlimit64": [_Test(2, [0], wide=True)],
        # AF_UNIX, SOCK_STREAM: a datagram socket could be sent from to any address.
        "socketpair": [_Test(0, [1]), _Test(1, [1], 0xF)],
        "sendto": [_Test(4, [0], wide=True)],
    }


def _when(name: str, on: str, body: list[Instruction]) -> list[Instruction]:
    """Return `body`, which ends in a return, for the call with this name."""
    found = number(name, on)
    return [] if found is None else [Instruction(EQUAL, 0, len(body), found), *body]


def _check(test: _Test) -> list[Instruction]:
    """Return instructions that refuse the call unless the test holds."""
    low = _ARGUMENTS + 8 * test.argument
    program: list[Instruction] = []
    if test.wide:
        program += [Instruction(LOAD, 0, 0, low + 4), Instruction(EQUAL, 1, 0, 0)]
        program += [_refuse(errno.EPERM)]
    program += [Instruction(LOAD, 0, 0, low)]
    if test.mask != _FULL:
        program += [Instruction(MASK, 0, 0, test.mask)]
    last = len(test.values) - 1
    for index, value in enumerate(test.values):
        left = last - index
        if test.unlike:
            program += [Instruction(EQUAL, left, 0 if left else 1, value)]
        else:
            program += [Instruction(EQUAL, left + 1, 0, value)]
    return [*program, _refuse(errno.EPERM)]


def _return(value: int) -> Instruction:
    return Instruction(RETURN, 0, 0, value)


def _refuse(code: int) -> Instruction:
    return _return(_ERROR | code)


def install(program: Sequence[Instruction]) -> None:
    """Put this thread, and those that it starts, under the filter for good.

    Raises:
        OSError: The kernel does not take it.
    """
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: the number of instructions, and their address.
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(buffer)))
    libc.call("seccomp", _SET_MODE_FILTER, 0, ctypes.addressof(header))
