"""Landlock: which files a copy may write, and that it has no network.

See landlock(7). What a kernel can hold depends on the version of its interface: truncating is
watched over from 3 on, TCP from 4 on, devices from 5 on, signals and abstract sockets from 6 on.
"""

from __future__ import annotations

import ctypes
import os
import struct
from contextlib import suppress
from pathlib import Path

from . import libc

__all__ = ["TRUNCATE_SINCE", "confine", "version"]

TRUNCATE_SINCE = 3
"""The version from which on Landlock watches over truncating."""

WRITE_FILE, READ_FILE, READ_DIR = 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG, MAKE_SYM = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 12
REFER, TRUNCATE, IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
_FIRST = (1 << 13) - 1
_SINCE = {2: REFER, TRUNCATE_SINCE: TRUNCATE, 5: IOCTL_DEVICE}
_BIND_AND_CONNECT_TCP = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11

_IN_SCRATCH = (
    WRITE_FILE | READ_FILE | READ_DIR | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SYM
) | (REFER | TRUNCATE)
_OF_FILES = WRITE_FILE | READ_FILE | TRUNCATE

# Reading from some devices changes something: a terminal loses what was typed.
_DEVICES = ("null", "zero", "full", "random", "urandom", "shm")


def version() -> int:
    """Return the version of the kernel's Landlock, or 0 if it has none, or it is off."""
    try:
        return libc.call("landlock_create_ruleset", 0, 0, 1)
    except OSError:
        return 0


def handled(version: int) -> tuple[int, int, int]:
    """Return the rights on files and on the network, and the scopes, that a version knows."""
    files = _FIRST
    for since, right in _SINCE.items():
        files |= right if version >= since else 0
    network = _BIND_AND_CONNECT_TCP if version >= 4 else 0
    return files, network, _ABSTRACT_SOCKETS_AND_SIGNALS if version >= 6 else 0


def confine(version: int, scratch: str) -> None:
    """Allow this thread to write below `scratch` only, and to read all files but devices.

    It must have no new privileges (see prctl(2)).

    Raises:
        OSError: The kernel refuses.
    """
    rights = handled(version)
    # An older kernel takes a longer structure if what it does not know is zero.
    attributes = ctypes.create_string_buffer(struct.pack("=QQQ", *rights), 24)
    ruleset = libc.call("landlock_create_ruleset", ctypes.addressof(attributes), 24, 0)
    try:
        _allow(ruleset, "/", READ_DIR)
        for entry in os.listdir("/"):
            if entry != "dev":
                with suppress(OSError):  # such as a mount that does not answer
                    _allow(ruleset, f"/{entry}", READ_FILE | READ_DIR)
        for device in _DEVICES:
            with suppress(OSError):  # a container may not have it
                _allow(ruleset, f"/dev/{device}", READ_FILE | READ_DIR)
        _allow(ruleset, "/dev/null", WRITE_FILE | TRUNCATE & rights[0])
        _allow(ruleset, scratch, _IN_SCRATCH & rights[0])
        libc.call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    """Grant rights on a file, or on a directory and all below."""
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not Path(f"/proc/self/fd/{descriptor}").is_dir():
            rights &= _OF_FILES
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, descriptor), 12)
        libc.call("landlock_add_rule", ruleset, 1, ctypes.addressof(rule), 0)
    finally:
        os.close(descriptor)
