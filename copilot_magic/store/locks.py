"""Locks on bytes of files, which processes are alive, and private files."""

from __future__ import annotations

import os
import sys
import threading
import uuid
from pathlib import Path

__all__ = [
    "LOCK_TIMEOUT",
    "create_private",
    "identity",
    "is_alive",
    "lock_byte",
    "own_number",
    "unlock_byte",
]

# Seconds to go on trying while other processes use a file.
LOCK_TIMEOUT = 30.0

# For each conversation file: process id, descriptor of the file of locks, number of the process.
_presences: dict[str, tuple[int, int, int]] = {}
_presences_lock = threading.Lock()


def own_number(path: str) -> int:
    """Return the number of this process among those that write to the file at `path`.

    While the process lives, it holds a lock on the byte with this number in a file beside `path`.
    The system releases the lock however the process dies.

    Raises:
        OSError: The file of locks cannot be used.
    """
    return _presence(path)[1]


def is_alive(path: str, number: int | None) -> bool:
    """Say whether the process with this number (see `own_number`) still lives."""
    if number is None:
        return False
    try:
        descriptor, own = _presence(path)
        if number == own:
            return True
        if not lock_byte(descriptor, number, shared=True):
            return True
        unlock_byte(descriptor, number)
    except OSError:
        pass
    return False


def _presence(path: str) -> tuple[int, int]:
    """Return a descriptor of the file of locks, and the number of the byte locked in it.

    The descriptor stays open until the process ends: as soon as a process closes any descriptor of
    a file, POSIX drops all its locks on that file.
    """
    with _presences_lock:
        pid, descriptor, number = _presences.get(path, (0, 0, 0))
        if pid != os.getpid():
            create_private(path + "-writers")
            descriptor = os.open(path + "-writers", os.O_RDWR)
            number = _random_number()
            while not lock_byte(descriptor, number):
                number = _random_number()
            _presences[path] = (os.getpid(), descriptor, number)
    return descriptor, number


def _random_number() -> int:
    return uuid.uuid4().int % 2**31


if sys.platform == "win32":
    import msvcrt

    def lock_byte(descriptor: int, number: int, shared: bool = False) -> bool:
        """Lock one byte of an open file; return False if another process has locked it."""
        os.lseek(descriptor, number, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def unlock_byte(descriptor: int, number: int) -> None:
        """Release the lock on one byte of an open file."""
        os.lseek(descriptor, number, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def lock_byte(descriptor: int, number: int, shared: bool = False) -> bool:
        """Lock one byte of an open file; return False if another process has locked it."""
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.lockf(descriptor, kind | fcntl.LOCK_NB, 1, number)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def unlock_byte(descriptor: int, number: int) -> None:
        """Release the lock on one byte of an open file."""
        fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, number)


def create_private(path: str) -> bool:
    """Create the file, readable and writable by its owner only; return False if it exists.

    An existing file is not even opened: closing it would drop the locks of SQLite, which has it
    open elsewhere in this process.
    """
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    except FileExistsError:
        return False
    os.close(descriptor)
    Path(path).chmod(0o600)  # the umask may have taken away the owner's rights, too
    return True


def identity(path: str) -> tuple[int, int] | None:
    """Return the device and inode of the file, or None if it does not exist."""
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
