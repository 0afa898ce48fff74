"""The C library: calls for which Python has no function."""

from __future__ import annotations

import ctypes
import functools
import os
from typing import Any

from .calls import number

__all__ = ["call", "control", "load", "map_memory", "move_memory", "protect_memory", "read_memory"]

_MREMAP_MAYMOVE_FIXED = 1 | 2


@functools.cache
def load() -> Any:
    """Return the C library; to be called before the fork, as the copy should load nothing."""
    libc = ctypes.CDLL(None, use_errno=True)
    address, size, number, offset = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_long
    libc.syscall.restype = ctypes.c_long
    libc.mmap.argtypes = [address, size, number, number, number, offset]
    libc.mmap.restype = address
    libc.mremap.argtypes = [address, size, size, number, address]
    libc.mremap.restype = address
    libc.mprotect.argtypes = [address, size, number]
    libc.pread.argtypes = [number, address, size, offset]
    libc.pread.restype = ctypes.c_ssize_t
    return libc


def call(name: str, *arguments: int) -> int:
    """Make a system call and return its result.

    Raises:
        OSError: It failed.
    """
    words = [number(name) or 0, *arguments]
    return _checked(load().syscall(*map(ctypes.c_long, words)))


def control(option: int, *arguments: int) -> int:
    """Change an attribute of this process; see prctl(2).

    Raises:
        OSError: It failed.
    """
    return call("prctl", option, *arguments, *[0] * (4 - len(arguments)))


def map_memory(
    address: int, length: int, protection: int, flags: int, descriptor: int = -1, offset: int = 0
) -> int:
    """Map memory and return its address; see mmap(2).

    Raises:
        OSError: It failed.
    """
    mapped = load().mmap(address, length, protection, flags, descriptor, offset)
    return _checked(-1 if mapped == ctypes.c_void_p(-1).value else mapped or 0)


def move_memory(old: int, length: int, new: int) -> None:
    """Move a mapping to an address, in place of what is there; see mremap(2).

    Raises:
        OSError: It failed.
    """
    moved = load().mremap(old, length, length, _MREMAP_MAYMOVE_FIXED, new)
    _checked(0 if moved == new else -1)


def protect_memory(address: int, length: int, protection: int) -> None:
    """Set what may be done with memory; see mprotect(2).

    Raises:
        OSError: It failed.
    """
    _checked(load().mprotect(address, length, protection))


def read_memory(descriptor: int, address: int, length: int, offset: int) -> int:
    """Read from a file straight into memory, and return how many bytes there were.

    Raises:
        OSError: It failed.
    """
    return _checked(load().pread(descriptor, address, length, offset))


def _checked(result: int) -> int:
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
