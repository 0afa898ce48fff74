"""What can still be read of a conversation file that is damaged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..chat.conversation import Conversation
from . import journal_rows
from .copies import opened
from .turn_values import SELECTED, StoredTurn, number_of, stored_turn, text_of

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Salvaged", "salvage", "salvage_journal"]

# The most row numbers that are tried one by one between the first and the last damaged page, and
# how many of them in a row may fail.
_MOST_TRIED = 20_000
_MOST_FAILURES = 500


@dataclass
class Salvaged:
    """A conversation of a damaged file.

    Attributes:
        conversation: The conversation, still without turns.
        turns: Its turns that can be read, superseded ones among them.
        last_used: Seconds since the epoch.
        notebooks: The notebooks it was used in, and when.
    """

    conversation: Conversation
    turns: list[StoredTurn] = field(default_factory=list)
    last_used: float = 0.0
    notebooks: dict[str, float] = field(default_factory=dict)


def salvage(path: str) -> list[Salvaged]:
    """Return the conversations of the file at `path` of which anything can be read.

    Indexes are not used, and a page that is broken costs only what is in it. A file that SQLite
    cannot open holds nothing for it.
    """
    import sqlite3

    try:
        with _opened(path) as connection:
            return _salvage(connection)
    except (sqlite3.Error, UnicodeError, OSError):
        return []


def salvage_journal(path: str) -> Iterator[Sequence[Any]]:
    """Yield the rows of `journal_rows.COLUMNS` that are sound in the file at `path`."""
    import sqlite3

    try:
        with _opened(path) as connection:
            for row in _rows(connection, "journal", (journal_rows.SELECTED,)):
                if journal_rows.is_sound(row):
                    key, used, checksum, details, answer = row
                    texts = (text_of(details), text_of(answer))
                    yield text_of(key), int(number_of(used)), checksum, *texts
    except (sqlite3.Error, UnicodeError, OSError):
        return


@contextmanager
def _opened(path: str) -> Iterator[sqlite3.Connection]:
    with opened(path) as connection:
        # Lets SQLite pass over what is broken in the schema, and read a file cut short.
        connection.execute("PRAGMA writable_schema = ON")
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        yield connection


def _salvage(connection: sqlite3.Connection) -> list[Salvaged]:
    forgotten = {row[0] for row in _rows(connection, "forgotten", ("conversation_id",))}
    found: dict[str, Salvaged] = {}
    columns = ("conversation_id", "name", "system", "last_used")
    for conversation_id, name, system, last_used in _rows(connection, "conversation", columns):
        text = str(conversation_id)
        conversation = Conversation(text_of(name), text, text_of(system))
        found[text] = Salvaged(conversation, last_used=number_of(last_used))
    read: list[tuple[str, float, StoredTurn]] = []
    for conversation_id, position, *row in _rows(
        connection, "turn", ("conversation_id", "position", SELECTED)
    ):
        read.append((text_of(conversation_id), number_of(position), stored_turn(row)))
    for conversation_id, _, stored in sorted(read, key=lambda row: (row[1], row[2].turn.started)):
        # The conversation's own row may be lost.
        lost = Salvaged(Conversation("recovered", conversation_id), last_used=stored.turn.started)
        found.setdefault(conversation_id, lost).turns.append(stored)
    wanted = ("conversation_id", "path", "last_used")
    for conversation_id, path, last_used in _rows(connection, "notebook", wanted):
        if conversation_id in found:
            found[conversation_id].notebooks[text_of(path)] = number_of(last_used)
    return [found[key] for key in found if key not in forgotten and found[key].turns]


def _rows(
    connection: sqlite3.Connection, table: str, columns: Sequence[str]
) -> Iterator[Sequence[Any]]:
    """Yield the rows of a table that can be read: from both ends, then each one in between."""
    import sqlite3

    select = f"SELECT rowid, {', '.join(columns)} FROM {table} NOT INDEXED"
    seen: set[int] = set()
    reached = [0, 0]
    for end, order in enumerate(("ASC", "DESC")):
        try:
            for rowid, *values in connection.execute(f"{select} ORDER BY rowid {order}"):
                reached[end] = rowid
                if rowid not in seen:
                    seen.add(rowid)
                    yield values
            return  # there is no damage
        except (sqlite3.Error, UnicodeError):
            continue
    first = reached[0] + 1
    last = reached[1] or first + _MOST_TRIED
    failures = 0
    for rowid in range(max(first, last - _MOST_TRIED), last):
        try:
            row = connection.execute(f"{select} WHERE rowid = ?", (rowid,)).fetchone()
        except (sqlite3.Error, UnicodeError):
            failures += 1
            if failures > _MOST_FAILURES:
                return
            continue
        failures = 0
        if row is not None:
            yield row[1:]
