"""One connection to the conversation file: transactions, forks, damage and other errors.

The file is in WAL mode with ``synchronous=NORMAL``. What was committed survives the death of any
process, by SIGKILL too; a loss of power may undo the last commits, but damages nothing.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..errors import StoreError
from ..text import contains
from .copies import keep_copy
from .locks import LOCK_TIMEOUT, create_private, identity
from .schema import MIGRATIONS, OTHER_FILE, Migrations, check_version, migrate

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Database", "default_path", "store_error"]

T = TypeVar("T")

# Seconds SQLite waits by itself; short, because Python sees no interrupt meanwhile.
_BUSY_TIMEOUT = 0.25

# What SQLite and Python say about a file with broken contents; Python 3.10 has no error codes.
_DAMAGE = (
    "not a database",
    "malformed",
    "no such table",
    "no such column",
    "user-defined function",
)

# SQLite forbids a forked child even to close its parent's connections, so they are kept open.
_PARENTS_CONNECTIONS: list[sqlite3.Connection] = []


class Database:
    """The conversation file as one process sees it: one connection, shared by all threads.

    Args:
        path: The file, created if it does not exist. Its directory must exist.
        lock_timeout: Seconds to go on trying while others write.
        migrations: What makes the tables of a new file, and brings an older one up to date.

    Attributes:
        path: The file.
        generation: A number that grows whenever another file is found at the path: the first one,
            or one that took the place of a file that was deleted or replaced.
    """

    def __init__(
        self,
        path: str,
        *,
        lock_timeout: float = LOCK_TIMEOUT,
        migrations: Migrations = MIGRATIONS,
    ) -> None:
        self.path = path
        self.generation = 0
        self._lock_timeout = lock_timeout
        self._waited_in_vain = False
        self._migrations = migrations
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._begin_process()

    def _begin_process(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` reads in one transaction.

        Raises:
            StoreError: The file cannot be used. A later call tries it again.
        """
        return self._transact(work, "BEGIN")

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` in one transaction, and return its result; it is called again after a clash.

        Raises:
            StoreError: The file cannot be used, and is as it was. A later call tries it again.
        """
        return self._transact(work, "BEGIN IMMEDIATE")

    def empty_log(self) -> None:
        """Empty the log that SQLite keeps beside the file.

        If a reader is in the way for longer than a moment, closing the file does it.

        Raises:
            StoreError: The file cannot be used.
        """
        self._transact(_empty_log, "")

    def close(self) -> None:
        """Close the file; the next call of another method opens it again."""
        if self._pid != os.getpid():
            return  # the connection is the parent's
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _transact(self, work: Callable[[sqlite3.Connection], T], begin: str) -> T:
        """Do `work`, between `begin` and a commit if `begin` is a statement."""
        import sqlite3

        self._leave_parent()
        # A program that holds the file for so long would cost each prompt as much again.
        patience = _BUSY_TIMEOUT if self._waited_in_vain else self._lock_timeout
        deadline = time.monotonic() + patience
        while True:
            try:
                with self._lock:
                    result = _attempt(self._connected(), work, begin)
                self._waited_in_vain = False
                return result
            except sqlite3.Error as error:
                if not _is_busy(error):
                    raise store_error(self.path, error) from error
                if time.monotonic() > deadline:
                    self._waited_in_vain = True
                    raise store_error(self.path, error) from error
            except (OSError, UnicodeError) as error:
                raise store_error(self.path, error) from error
            time.sleep(random.uniform(0.001, 0.02))

    def _leave_parent(self) -> None:
        """In a forked child, leave the parent's connection and lock alone."""
        if self._pid == os.getpid():
            return
        if self._connection is not None:
            _PARENTS_CONNECTIONS.append(self._connection)
            self._connection = None
        self._begin_process()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is not None and identity(self.path) != self._identity:
            # The file was deleted or replaced: whatever is written to it now would be lost. A new
            # one may well get the inode of this one.
            self._close()
            self._identity = None
        if self._connection is None:
            create_private(self.path)
            found = identity(self.path)
            self._connection = _connect(self.path, self._migrations)
            if found != self._identity:
                self._identity = found
                self.generation += 1
        return self._connection


def default_path() -> str:
    """Return the path of the conversation file in the user's data directory, which is created.

    Raises:
        StoreError: The directory cannot be created.
    """
    import platformdirs

    directory = Path(platformdirs.user_data_dir("copilot_magic", appauthor=False))
    path = str(directory / "conversations.db")
    try:
        if not directory.is_dir():
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(0o700)
    except OSError as error:
        raise store_error(path, error) from error
    return os.path.realpath(path)


def store_error(path: str, error: Exception) -> StoreError:
    """Return the error that says why the file at `path` cannot be used."""
    reason = getattr(error, "strerror", None) or str(error)
    if isinstance(error, FileNotFoundError):
        reason = f"there is no directory {Path(path).parent}"
    if isinstance(error, UnicodeError) or any(words in reason for words in _DAMAGE):
        return StoreError(
            f"The conversation file {path} is damaged: {reason}",
            "It is left as it is; a copy of its last good state may be beside it, or move it away "
            f"to begin a new one. {OTHER_FILE}",
            setting="store",
            damaged=True,
        )
    hint = f"Make room on its disk. {OTHER_FILE}" if "full" in reason else OTHER_FILE
    return StoreError(
        f"The conversation file {path} cannot be used: {reason}", hint, setting="store"
    )


def _is_busy(error: sqlite3.Error) -> bool:
    """Say whether another process is in the way; Python 3.10 has no error codes."""
    return "lock" in str(error)


def _attempt(
    connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T], begin: str
) -> T:
    try:
        if begin:
            connection.execute(begin)
        result = work(connection)
        if begin:
            connection.execute("COMMIT")
        return result
    finally:
        if connection.in_transaction:
            connection.rollback()


def _empty_log(connection: sqlite3.Connection) -> None:
    for _ in range(20):
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy:
            return
        time.sleep(0.05)


def _lenient(text: bytes) -> str:
    """Return text of the file; damaged bytes in it are no reason to refuse the rest."""
    return text.decode("utf-8", "replace")


def _connect(path: str, migrations: Migrations) -> sqlite3.Connection:
    import sqlite3

    try:
        return _opened(path, "WAL", migrations)
    except sqlite3.OperationalError as error:
        if _is_busy(error):
            raise
        # A file system, often a network one, may lack the memory that processes share for WAL.
        return _opened(path, "DELETE", migrations)


def _opened(path: str, journal: str, migrations: Migrations) -> sqlite3.Connection:
    import sqlite3

    connection = sqlite3.connect(
        path, timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    try:
        if journal != "WAL":
            # Alone with the file, SQLite needs no shared memory to lead it out of WAL mode.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        check_version(connection, path, len(migrations))
        (mode,) = connection.execute(f"PRAGMA journal_mode = {journal}").fetchone()
        connection.execute("PRAGMA locking_mode = NORMAL")
        if mode == "wal":
            connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        connection.create_function("contains", 2, contains, deterministic=True)
        connection.text_factory = _lenient
        migrate(connection, migrations, lambda: keep_copy(path))
    except BaseException:
        connection.close()
        raise
    return connection
