"""The copy of the last good state of a conversation file, kept beside it.

The copy is made by SQLite, so other processes may write meanwhile, and it is checked before it
takes the place of the one before.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .locks import create_private

if TYPE_CHECKING:
    import sqlite3

__all__ = [
    "COPY_INTERVAL",
    "Copier",
    "back_up",
    "copy_path",
    "forget_in_copy",
    "is_sound",
    "keep_copy",
    "opened",
]

COPY_INTERVAL = 24 * 3600.0
"""Seconds from one copy to the next."""

# Seconds after which a copy in the making is a dead process's, and until a new file is first
# copied if it is not closed before.
_HOUR = 3600.0

# Seconds to wait while others use a file.
_PATIENCE = 5.0


def copy_path(path: str) -> str:
    """Return the path of the copy of the file at `path`."""
    return path + "-copy"


@contextmanager
def opened(path: str) -> Iterator[sqlite3.Connection]:
    """Open an existing file by SQLite, with no regard to what is in it."""
    import sqlite3

    uri = f"{Path(path).absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        yield connection


def back_up(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copy one open file into another; wait a few seconds for others that use them.

    Raises:
        sqlite3.Error: It failed, or others held one of the files for too long.
    """
    import sqlite3

    deadline = time.monotonic() + _PATIENCE

    def look_at_the_clock(status: int, remaining: int, total: int) -> None:
        if remaining and time.monotonic() > deadline:
            raise sqlite3.OperationalError("database is locked")

    source.backup(target, progress=look_at_the_clock)


def is_sound(connection: sqlite3.Connection) -> bool:
    """Say whether SQLite finds no damage in an open file."""
    import sqlite3

    try:
        return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except (sqlite3.Error, UnicodeError):
        return False


def keep_copy(path: str) -> None:
    """Copy the file at `path`, unless nothing is in it, or another process is doing so.

    Raises:
        sqlite3.Error: It cannot be copied, or is damaged; the copy before stays.
        OSError: Likewise.
    """
    import sqlite3

    with opened(path) as connection:
        if not _has_content(connection):
            return
    new = f"{copy_path(path)}-new"
    with suppress(FileNotFoundError):
        if time.time() - Path(new).stat().st_mtime < _HOUR:
            return
        Path(new).unlink()
    if not create_private(new):
        return
    try:
        with opened(path) as source, opened(new) as target:
            back_up(source, target)
            target.execute("PRAGMA journal_mode = DELETE")
            if not is_sound(target):
                raise sqlite3.DatabaseError("database disk image is malformed")
        Path(new).replace(copy_path(path))
    finally:
        Path(new).unlink(missing_ok=True)
    # A conversation may have been forgotten meanwhile.
    with opened(path) as connection, suppress(sqlite3.OperationalError):
        rows = connection.execute("SELECT conversation_id FROM forgotten").fetchall()
        _delete(copy_path(path), [str(conversation_id) for (conversation_id,) in rows])


def _has_content(connection: sqlite3.Connection) -> bool:
    """Say whether there are turns, or answers of batches, which an older file has no table for."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    return any(
        connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None
        for table in {"turn", "journal"} & tables
    )


def forget_in_copy(path: str, conversation_id: str) -> None:
    """Delete a conversation in the copy, too; a copy that cannot be changed is deleted.

    Raises:
        OSError: It cannot be deleted.
    """
    import sqlite3

    if Path(copy_path(path)).exists():
        try:
            _delete(copy_path(path), [conversation_id])
        except sqlite3.Error:
            Path(copy_path(path)).unlink()


def _delete(copy: str, conversation_ids: list[str]) -> None:
    if not conversation_ids:
        return
    with opened(copy) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        for conversation_id in conversation_ids:
            connection.execute(
                "DELETE FROM conversation WHERE conversation_id = ?", (conversation_id,)
            )


class Copier:
    """Has a copy kept once a day, in a thread of its own so that no prompt waits for it.

    Args:
        path: The conversation file.
        interval: Seconds from one copy to the next.
    """

    def __init__(self, path: str, interval: float = COPY_INTERVAL) -> None:
        self._path = path
        self._interval = interval
        self._next_look = time.time() + min(interval, _HOUR)
        self._first_look = True
        self._thread: threading.Thread | None = None

    def start_if_due(self) -> None:
        """Begin to copy the file if the copy is too old; it costs next to nothing if it is not.

        A file without a copy is copied after an hour: right after its first turn there would be
        little in it, and the next copy a day away.
        """
        now = time.time()
        if now < self._next_look and not self._first_look:
            return
        missing_is_due = now >= self._next_look
        self._first_look = False
        self._next_look = now + min(self._interval, _HOUR)
        if self._is_due(missing_is_due):
            self._thread = threading.Thread(target=self._try_to_copy, daemon=True)
            self._thread.start()

    def finish(self) -> None:
        """Wait for a copy in the making, and make one now if it is due."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._is_due(missing_is_due=True):
            self._try_to_copy()

    def _is_due(self, missing_is_due: bool) -> bool:
        try:
            copied = os.stat(copy_path(self._path)).st_mtime  # noqa: PTH116  # the cheaper way
        except OSError:
            return missing_is_due
        # A copy from the future was made before the clock was set back.
        return not 0 <= time.time() - copied < self._interval

    def _try_to_copy(self) -> None:
        """Copy the file; if that fails, the copy before stays."""
        import sqlite3

        with suppress(sqlite3.Error, OSError):
            keep_copy(self._path)
