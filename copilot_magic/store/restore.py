"""A conversation file brought back: from its copy, and from what can still be read of it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import StoreError
from . import journal_rows, rows, turn_rows
from .copies import back_up, copy_path, is_sound, opened
from .locks import create_private
from .salvage import Salvaged, salvage, salvage_journal
from .schema import migrate

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Restored", "files_kept_aside", "restore"]

# SQLite's own files beside a database.
_COMPANIONS = ("-wal", "-journal", "-shm")
_ASIDE = "-before-restore-"


@dataclass(frozen=True)
class Restored:
    """What was brought back.

    Attributes:
        copied: When the copy was made, in seconds since the epoch; None if there was none.
        conversations: How many conversations the file has now.
        turns: How many turns they have.
        added: How many of them are not from the copy, but were still readable.
        answers: How many answers of batches the file has now.
        kept: The path under which the file as it was is kept; empty if there was none.
    """

    copied: float | None
    conversations: int
    turns: int
    added: int
    answers: int
    kept: str


def restore(path: str) -> Restored:
    """Bring back the file at `path`; no connection of this process may have it open.

    Raises:
        StoreError: There is no copy, and nothing can be read of the file; it is as it was.
        sqlite3.Error: It cannot be brought back; it is as it was.
        OSError: Likewise.
    """
    new = f"{path}-restored"
    Path(new).unlink(missing_ok=True)
    create_private(new)
    try:
        with opened(new) as connection:
            copied = _fill_from_copy(connection, path)
            connection.execute("PRAGMA foreign_keys = ON")
            migrate(connection)
            # The file is newer than its copy.
            sources = [path] if copied is not None else [path, copy_path(path)]
            sources = [source for source in sources if Path(source).exists()]
            connection.execute("BEGIN IMMEDIATE")
            added = _add(connection, [found for source in sources for found in salvage(source)])
            for source in reversed(sources):
                journal_rows.put(connection, salvage_journal(source))
            connection.execute("COMMIT")
            conversations, answers = (
                _count(connection, "conversation"),
                _count(connection, "journal"),
            )
            if not conversations and not answers:
                raise StoreError(
                    f"There is no copy of the conversation file {path} to bring back",
                    "The first one is made when a kernel ends, or after an hour",
                    setting="store",
                )
            kept = _set_aside(path)
            _put_in_place(connection, path, kept)
            turns = _count(connection, "current_turn")
        return Restored(copied, conversations, turns, added, answers, kept)
    finally:
        Path(new).unlink(missing_ok=True)


def files_kept_aside(path: str) -> list[str]:
    """Return the files that `restore` kept when it brought back the file at `path`."""
    found = Path(path).parent.glob(f"{Path(path).name}{_ASIDE}*")
    return sorted(str(file) for file in found if not file.name.endswith(_COMPANIONS))


def _fill_from_copy(connection: sqlite3.Connection, path: str) -> float | None:
    """Fill an empty file from the copy; return when that was made, or None if there is none."""
    import sqlite3

    copy = copy_path(path)
    try:
        with opened(copy) as source:
            if not is_sound(source):
                return None
            back_up(source, connection)
        return Path(copy).stat().st_mtime
    except (sqlite3.Error, UnicodeError):
        return None


def _add(connection: sqlite3.Connection, readable: Iterable[Salvaged]) -> int:
    """Add the turns that the file does not have, or not as they ended; return how many are new."""
    before = {turn_id for (turn_id,) in connection.execute("SELECT id FROM turn")}
    for found in readable:
        conversation_id = found.conversation.conversation_id
        if rows.is_forgotten(connection, conversation_id):
            continue
        if rows.last_used(connection, conversation_id) is None:
            # A conversation whose id is damaged has turns that are in the copy under the right one.
            found.turns = [stored for stored in found.turns if stored.turn.id not in before]
            if not found.turns:
                continue
            rows.put_conversation(connection, found.conversation, "", found.last_used)
        turns = [stored.turn for stored in found.turns]
        turn_rows.put_missing_turns(connection, conversation_id, turns, writer=0)
        for stored in found.turns:
            if stored.superseded_by is not None:
                turn_rows.supersede(
                    connection, conversation_id, stored.turn.id, by=stored.superseded_by
                )
        for notebook, used in found.notebooks.items():
            connection.execute(
                "INSERT OR IGNORE INTO notebook (path, conversation_id, last_used)"
                " VALUES (?, ?, ?)",
                (notebook, conversation_id, used),
            )
    return _count(connection, "turn") - len(before)


def _set_aside(path: str) -> str:
    """Rename the file with all that SQLite keeps beside it; return its new path."""
    if not Path(path).exists():
        return ""
    base = f"{path}{_ASIDE}{time.strftime('%Y%m%d-%H%M%S')}"
    kept, number = base, 2
    while Path(kept).exists():
        kept, number = f"{base}-{number}", number + 1
    _rename(path, kept)
    return kept


def _rename(old: str, new: str) -> None:
    Path(old).rename(new)
    for companion in _COMPANIONS:
        if Path(old + companion).is_file():
            Path(old + companion).rename(new + companion)


def _put_in_place(connection: sqlite3.Connection, path: str, kept: str) -> None:
    """Make the file at `path` the one that is open; if that fails, put the old one back.

    SQLite copies it: another process may just have created a file there, and a file that is
    renamed would meet the log of that one.
    """
    try:
        create_private(path)
        with opened(path) as target:
            back_up(connection, target)
    except BaseException:
        Path(path).unlink(missing_ok=True)
        if kept:
            _rename(kept, path)
        raise


def _count(connection: sqlite3.Connection, table: str) -> int:
    (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(count)
