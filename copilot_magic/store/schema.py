"""The tables of the conversation file, and what brings an older file up to date."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import StoreError

if TYPE_CHECKING:
    import sqlite3

__all__ = ["MIGRATIONS", "OTHER_FILE", "Migrations", "check_version", "migrate"]

Migrations = tuple[tuple[str, ...], ...]
"""The statements that lead from each version of the file to the next."""

# SQLite keeps it in the file's header; it tells our files from those of other programs.
APPLICATION_ID = 0x636F7069

OTHER_FILE = "Name another file in the setting `store`, or None to keep no conversations"

# Append only: a released migration is never edited.
MIGRATIONS: Migrations = (
    (
        f"PRAGMA application_id = {APPLICATION_ID}",
        """CREATE TABLE conversation (
            conversation_id TEXT PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            system TEXT NOT NULL,
            started REAL NOT NULL,
            last_used REAL NOT NULL
        )""",
        """CREATE TABLE turn (
            conversation_id TEXT NOT NULL REFERENCES conversation ON DELETE CASCADE,
            id TEXT NOT NULL,
            position INTEGER NOT NULL,
            superseded_by TEXT,
            writer INTEGER,
            request_key TEXT,
            prompt TEXT NOT NULL,
            answer TEXT NOT NULL,
            reasoning TEXT NOT NULL,
            status TEXT NOT NULL,
            stale INTEGER NOT NULL,
            started REAL NOT NULL,
            details TEXT NOT NULL,
            PRIMARY KEY (conversation_id, id)
        )""",
        "CREATE VIEW current_turn AS SELECT * FROM turn WHERE superseded_by IS NULL",
        "CREATE INDEX turn_request ON turn (request_key) WHERE request_key IS NOT NULL",
        """CREATE TABLE notebook (
            path TEXT NOT NULL,
            conversation_id TEXT NOT NULL REFERENCES conversation ON DELETE CASCADE,
            last_used REAL NOT NULL,
            PRIMARY KEY (path, conversation_id)
        )""",
    ),
    (
        # Tells a forgotten conversation from one that a new file does not have yet.
        "CREATE TABLE forgotten (conversation_id TEXT PRIMARY KEY)",
        # Which file was at the path, so that another one there is recognised.
        "ALTER TABLE notebook ADD COLUMN file TEXT NOT NULL DEFAULT ''",
    ),
    (
        # Answers of batches. `used` is the day of the last use, counted from the epoch.
        """CREATE TABLE journal (
            request_key TEXT PRIMARY KEY,
            used INTEGER NOT NULL,
            checksum INTEGER NOT NULL,
            details TEXT NOT NULL,
            answer TEXT NOT NULL
        )""",
        "CREATE INDEX journal_used ON journal (used)",
    ),
)


def check_version(connection: sqlite3.Connection, path: str, newest: int) -> None:
    """Refuse, before anything is written, a file that is not ours or of a later version.

    Raises:
        StoreError: It is such a file.
    """
    connection.execute("BEGIN")  # another process may be creating the tables right now
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    empty = connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None
    connection.execute("COMMIT")
    if application != APPLICATION_ID and not empty:
        message = f"{path} is the database of another program"
        raise StoreError(message, OTHER_FILE, setting="store")
    if version > newest:
        raise StoreError(
            f"The conversation file {path} was written by a newer copilot_magic",
            "Update with `pip install -U copilot-magic`, or name another file in the setting "
            "`store`",
            setting="store",
        )


def migrate(
    connection: sqlite3.Connection,
    migrations: Migrations = MIGRATIONS,
    keep_copy: Callable[[], None] = lambda: None,
) -> None:
    """Bring the file to the newest version, each step in one transaction.

    Args:
        connection: A connection outside of a transaction.
        migrations: What leads there.
        keep_copy: Keeps a copy of the file; called before a file with tables is changed, while
            other processes cannot write.
    """
    (first,) = connection.execute("PRAGMA user_version").fetchone()
    for number, statements in enumerate(migrations, 1):
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version < number:
            if version and version == first:
                keep_copy()
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
