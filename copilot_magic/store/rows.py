"""The rows of conversations, and their summaries.

Each function that takes a connection is one part of a transaction, which its caller begins.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..chat.conversation import Conversation
from ..text import free_name, well_formed
from .notebook_file import file_number, is_another_file
from .turn_rows import read_turns
from .turn_values import StoredTurn, number_of, text_of

if TYPE_CHECKING:
    import sqlite3

__all__ = [
    "Before",
    "Summary",
    "delete_conversation",
    "find",
    "find_latest",
    "is_forgotten",
    "last_used",
    "put_conversation",
    "read_conversation",
    "rename",
    "summaries",
    "take_back",
    "use",
]


class Before(NamedTuple):
    """What the file had of a conversation before it was written.

    Attributes:
        name: Its name, which stays.
        last_used: When it was last used; None if the file did not have it.
    """

    name: str
    last_used: float | None


@dataclass(frozen=True)
class Summary:
    """What a list of conversations shows of one; times are seconds since the epoch."""

    name: str
    conversation_id: str
    turns: int
    started: float
    last_used: float
    first_prompt: str = ""
    notebook: str = ""

    @classmethod
    def of(cls, conversation: Conversation) -> Summary:
        """Return the summary of a conversation in memory."""
        turns = list(conversation.turns)
        times = [turn.started for turn in turns] or [time.time()]
        first_prompt = turns[0].prompt if turns else ""
        return cls(
            conversation.name,
            conversation.conversation_id,
            len(turns),
            min(times),
            max(times),
            first_prompt,
        )


def find(connection: sqlite3.Connection, name_or_id: str) -> str | None:
    """Return the id of the conversation with this name, or else this id, or None."""
    row = connection.execute(
        "SELECT conversation_id FROM conversation WHERE ? IN (name, conversation_id)"
        " ORDER BY name = ? DESC",
        (well_formed(name_or_id), well_formed(name_or_id)),
    ).fetchone()
    return None if row is None else str(row[0])


def find_latest(connection: sqlite3.Connection, notebook: str) -> str | None:
    """Return the id of the conversation that was last used in this notebook, or None.

    If another file has taken the notebook's place since, nothing was used in it.
    """
    row = connection.execute(
        "SELECT conversation_id, last_used, file FROM notebook WHERE path = ?"
        " ORDER BY last_used DESC",
        (well_formed(notebook),),
    ).fetchone()
    if row is None:
        return None
    conversation_id, used, file = text_of(row[0]), number_of(row[1]), text_of(row[2])

    def cell_ids() -> set[str]:
        return {
            found.turn.cell_id
            for found in read_turns(connection, conversation_id)
            if found.turn.cell_id
        }

    return None if is_another_file(notebook, used, file, cell_ids) else conversation_id


def put_conversation(
    connection: sqlite3.Connection, conversation: Conversation, notebook: str, now: float
) -> Before | None:
    """Create or update the row of `conversation`, as used `now`; return what was there before.

    A conversation that was forgotten is not written again, and the result is None.
    """
    conversation_id = conversation.conversation_id
    row = connection.execute(
        "SELECT name, last_used FROM conversation WHERE conversation_id = ?", (conversation_id,)
    ).fetchone()
    if row is None:
        if is_forgotten(connection, conversation_id):
            return None
        name = free_name(well_formed(conversation.name), lambda name: _is_taken(connection, name))
        started = min((turn.started for turn in list(conversation.turns)), default=now)
        connection.execute(
            "INSERT INTO conversation VALUES (?, ?, ?, ?, ?)",
            (conversation_id, name, well_formed(conversation.system), started, now),
        )
    else:
        # Another kernel may have renamed it: the file's name is the one that counts.
        name = str(row[0])
        connection.execute(
            "UPDATE conversation SET system = ?, last_used = ? WHERE conversation_id = ?",
            (well_formed(conversation.system), now, conversation_id),
        )
    if notebook:
        connection.execute(
            "INSERT OR REPLACE INTO notebook (path, conversation_id, last_used, file)"
            " VALUES (?, ?, ?, ?)",
            (well_formed(notebook), conversation_id, now, file_number(notebook)),
        )
    return Before(name, None if row is None else number_of(row[1]))


def last_used(connection: sqlite3.Connection, conversation_id: str) -> float | None:
    """Return when the conversation was last used, or None if the file does not have it."""
    row = connection.execute(
        "SELECT last_used FROM conversation WHERE conversation_id = ?", (conversation_id,)
    ).fetchone()
    return None if row is None else number_of(row[0])


def use(connection: sqlite3.Connection, conversation_id: str, now: float) -> None:
    """Record that the conversation is used `now`."""
    connection.execute(
        "UPDATE conversation SET last_used = ? WHERE conversation_id = ?", (now, conversation_id)
    )


def is_forgotten(connection: sqlite3.Connection, conversation_id: str) -> bool:
    """Say whether the conversation was deleted for good, by whichever process."""
    row = connection.execute(
        "SELECT 1 FROM forgotten WHERE conversation_id = ?", (conversation_id,)
    ).fetchone()
    return row is not None


def take_back(connection: sqlite3.Connection, conversation_id: str) -> None:
    """Let the conversation be written again, although it was forgotten."""
    connection.execute("DELETE FROM forgotten WHERE conversation_id = ?", (conversation_id,))


def rename(connection: sqlite3.Connection, conversation_id: str | None, name: str) -> bool:
    """Rename the conversation; return False if another one has that name."""
    if _is_taken(connection, name, but=conversation_id):
        return False
    connection.execute(
        "UPDATE conversation SET name = ? WHERE conversation_id = ?", (name, conversation_id)
    )
    return True


def _is_taken(connection: sqlite3.Connection, name: str, but: str | None = None) -> bool:
    row = connection.execute(
        "SELECT 1 FROM conversation WHERE name = ? AND conversation_id IS NOT ?", (name, but)
    ).fetchone()
    return row is not None


def delete_conversation(connection: sqlite3.Connection, conversation_id: str) -> None:
    """Delete a conversation with all its turns, superseded ones and kept answers included.

    That it was forgotten stays on record, so that no other process writes it again.
    """
    connection.execute("DELETE FROM conversation WHERE conversation_id = ?", (conversation_id,))
    connection.execute("INSERT OR IGNORE INTO forgotten VALUES (?)", (conversation_id,))


def read_conversation(
    connection: sqlite3.Connection, name_or_id: str
) -> tuple[Conversation, list[StoredTurn]] | None:
    """Return a conversation still without turns, and all turns that were stored of it."""
    conversation_id = find(connection, name_or_id)
    if conversation_id is None:
        return None
    row = connection.execute(
        "SELECT name, system FROM conversation WHERE conversation_id = ?", (conversation_id,)
    ).fetchone()
    if row is None:
        import sqlite3

        raise sqlite3.DatabaseError("an index is malformed")
    conversation = Conversation(text_of(row[0]), conversation_id, text_of(row[1]))
    return conversation, read_turns(connection, conversation_id)


def summaries(connection: sqlite3.Connection, search: str) -> list[Summary]:
    """Return the summaries of conversations that contain the text `search`, last used first."""
    rows = connection.execute(
        """
        SELECT name, conversation_id,
            (SELECT count(*) FROM current_turn AS t
                WHERE t.conversation_id = c.conversation_id),
            started, last_used,
            coalesce((SELECT prompt FROM current_turn AS t
                WHERE t.conversation_id = c.conversation_id
                ORDER BY position, started LIMIT 1), ''),
            coalesce((SELECT path FROM notebook AS n
                WHERE n.conversation_id = c.conversation_id
                ORDER BY n.last_used DESC LIMIT 1), '')
        FROM conversation AS c
        WHERE contains(name, :search) OR EXISTS (
            SELECT 1 FROM current_turn AS t
            WHERE t.conversation_id = c.conversation_id
            AND (contains(prompt, :search) OR contains(answer, :search)))
        ORDER BY last_used DESC, c.rowid DESC
        """,
        {"search": well_formed(search)},
    )
    return [
        Summary(
            text_of(name),
            text_of(conversation_id),
            turns,
            number_of(started),
            number_of(used),
            text_of(first_prompt),
            text_of(path),
        )
        for name, conversation_id, turns, started, used, first_prompt, path in rows
    ]
