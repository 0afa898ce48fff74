"""The scratch directory of a copy: made before it, watched while it runs, removed after it.

What is in it was written by code that nobody has checked: names, depths and modes of any kind.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path

__all__ = ["free_space", "make", "remove", "too_large"]

MOST_ENTRIES = 10_000
"""How many files and folders a copy may have."""


def make() -> str:
    """Return the path of a new empty directory, without symbolic links in it."""
    return os.path.realpath(tempfile.mkdtemp(prefix="copilot-copy-"))


def free_space(path: str) -> int:
    """Return how many bytes are free where `path` is."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def too_large(path: str, limit: int, free_before: int, entries: int = MOST_ENTRIES) -> bool:
    """Say whether there is more below `path` than `limit` bytes, or than `entries` files.

    A copy can fill the disk with files that it has deleted and not closed, which are not seen here.
    So half of the space that was free before is the most it may have in all.
    """
    used = count = 0
    pending = [path]
    try:
        if free_space(path) < free_before // 2:
            return True
        while pending:
            with os.scandir(pending.pop()) as found:
                for entry in found:
                    count += 1
                    with suppress(FileNotFoundError):  # deleted meanwhile
                        used += entry.stat(follow_symlinks=False).st_blocks * 512
                    if used > limit or count > entries:
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # it cannot be measured: too deep, or not listable
    return False


def remove(path: str) -> None:
    """Delete the directory with all that is in it, as far as it can be deleted.

    Folders are moved up to the top before they are emptied, so no depth is too deep.
    """
    with suppress(OSError):
        top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchmod(top, 0o700)
            while names := os.listdir(top):
                if not sum([_remove_entry(top, name) for name in names]):
                    return
        finally:
            os.close(top)
        Path(path).rmdir()


def _remove_entry(top: int, name: str) -> bool:
    """Delete an entry, after moving the folders in it to the top; say whether it is gone."""
    try:
        if not _is_unlinked(name, top):
            folder = _opened(name, top)
            try:
                for inner in os.listdir(folder):
                    if not _is_unlinked(inner, folder):
                        # Moving a folder needs the right to write to it.
                        os.close(_opened(inner, folder))
                        os.rename(inner, uuid.uuid4().hex, src_dir_fd=folder, dst_dir_fd=top)
            finally:
                os.close(folder)
            os.rmdir(name, dir_fd=top)
    except OSError:
        return False
    return True


def _is_unlinked(name: str, folder: int) -> bool:
    """Delete a file; return False if it is a folder."""
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError:
        return False
    return True


def _opened(name: str, folder: int) -> int:
    """Open a folder, with the rights that are needed to empty it."""
    os.chmod(name, 0o700, dir_fd=folder)
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
