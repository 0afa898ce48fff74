"""The rows of turns: written whole or as they grow, superseded, and read back.

Each function that takes a connection is one part of a transaction, which its caller begins.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..chat.turn import Turn, turn_of, turn_to_dict
from ..text import well_formed

if TYPE_CHECKING:
    import sqlite3

__all__ = [
    "StoredTurn",
    "find_answer",
    "grow",
    "keep_answer",
    "mark_stale",
    "position_of",
    "put_missing_turns",
    "put_turn",
    "read_turns",
    "reinstate_replaced",
    "standing_turns",
    "supersede",
]

# The fields of a turn that have a column of their own. The others are together in `details`, as
# JSON, so a new field of Turn needs no new version of the file.
_COLUMNS = ("id", "prompt", "answer", "reasoning", "status", "stale", "started")
_ALL_COLUMNS = (*_COLUMNS, "details")
_SELECTED = ", ".join(_ALL_COLUMNS)


@dataclass(frozen=True)
class StoredTurn:
    """A turn as it was read, the number of the process that wrote it, and what superseded it."""

    turn: Turn
    writer: int | None
    superseded_by: str | None


def put_turn(
    connection: sqlite3.Connection,
    conversation_id: str,
    turn: Turn,
    writer: int,
    position: int | None = None,
) -> None:
    """Write all of `turn`: where it already is, else at `position`, else at the end."""
    details = turn_to_dict(turn)
    values = [details.pop(column) for column in _COLUMNS]
    values.append(json.dumps(details, default=str))
    connection.execute(
        f"INSERT INTO turn (conversation_id, position, writer, {_SELECTED}) VALUES"
        " (?1, coalesce(?2, (SELECT coalesce(max(position) + 1, 0) FROM turn"
        f" WHERE conversation_id = ?1)), ?3{', ?' * len(_ALL_COLUMNS)})"
        " ON CONFLICT (conversation_id, id) DO UPDATE SET writer = excluded.writer, "
        + ", ".join(f"{column} = excluded.{column}" for column in _ALL_COLUMNS),
        (
            conversation_id,
            position,
            writer,
            *(well_formed(value) if isinstance(value, str) else value for value in values),
        ),
    )


def put_missing_turns(
    connection: sqlite3.Connection, conversation_id: str, turns: Iterable[Turn], writer: int
) -> None:
    """Write those of `turns` that the file does not have yet."""
    rows = connection.execute("SELECT id FROM turn WHERE conversation_id = ?", (conversation_id,))
    known = {turn_id for (turn_id,) in rows}
    for turn in turns:
        if turn.id not in known:
            put_turn(connection, conversation_id, turn, writer)


def grow(
    connection: sqlite3.Connection,
    conversation_id: str,
    turn_id: str,
    answer: str,
    reasoning: str,
) -> None:
    """Write what has arrived of an answer so far."""
    connection.execute(
        "UPDATE turn SET answer = ?, reasoning = ? WHERE conversation_id = ? AND id = ?",
        (well_formed(answer), well_formed(reasoning), conversation_id, turn_id),
    )


def position_of(connection: sqlite3.Connection, conversation_id: str, turn_id: str) -> int | None:
    """Return the position of a turn in its conversation, or None if the file does not have it."""
    row = connection.execute(
        "SELECT position FROM turn WHERE conversation_id = ? AND id = ?",
        (conversation_id, turn_id),
    ).fetchone()
    return None if row is None else int(row[0])


def supersede(
    connection: sqlite3.Connection, conversation_id: str, turn_id: str, by: str | None
) -> None:
    """Record by which turn another one is superseded; None makes it a current one again."""
    connection.execute(
        "UPDATE turn SET superseded_by = ? WHERE conversation_id = ? AND id = ?",
        (by, conversation_id, turn_id),
    )


def reinstate_replaced(connection: sqlite3.Connection, conversation_id: str, turn_id: str) -> None:
    """Give the place of a turn back to the turn that it replaced.

    If a third turn has superseded it meanwhile, the place is that one's.
    """
    row = connection.execute(
        "SELECT old.id FROM turn AS old JOIN current_turn AS new"
        " ON new.conversation_id = old.conversation_id AND new.id = old.superseded_by"
        " WHERE old.conversation_id = ? AND new.id = ? ORDER BY old.started",
        (conversation_id, turn_id),
    ).fetchone()
    if row is not None:
        supersede(connection, conversation_id, turn_id, by=row[0])
        supersede(connection, conversation_id, row[0], by=None)


def mark_stale(connection: sqlite3.Connection, conversation_id: str, turns: Iterable[Turn]) -> None:
    """Record which of `turns` are outdated."""
    connection.executemany(
        "UPDATE turn SET stale = 1 WHERE conversation_id = ? AND id = ?",
        [(conversation_id, turn.id) for turn in turns if turn.stale],
    )


def keep_answer(connection: sqlite3.Connection, request_key: str, turn_id: str) -> None:
    """Record that a turn is the answer to this request."""
    connection.execute("UPDATE turn SET request_key = ? WHERE id = ?", (request_key, turn_id))


def find_answer(connection: sqlite3.Connection, request_key: str) -> Turn | None:
    """Return the last complete turn that was kept as the answer to this request, or None."""
    row = connection.execute(
        f"SELECT {_SELECTED} FROM turn"
        " WHERE request_key = ? AND status = 'complete' ORDER BY started DESC",
        (request_key,),
    ).fetchone()
    return None if row is None else _turn(row)


def _turn(row: tuple[Any, ...]) -> Turn:
    columns = dict(zip(_COLUMNS, row, strict=False))
    columns["stale"] = bool(columns["stale"])
    return turn_of({**json.loads(row[len(_COLUMNS)]), **columns})


def read_turns(connection: sqlite3.Connection, conversation_id: str) -> list[StoredTurn]:
    """Return all turns of a conversation, superseded ones among them, in their order."""
    rows = connection.execute(
        f"SELECT {_SELECTED}, writer, superseded_by FROM turn"
        " WHERE conversation_id = ? ORDER BY position, started",
        (conversation_id,),
    )
    return [StoredTurn(_turn(row), *row[-2:]) for row in rows]


def standing_turns(stored: list[StoredTurn], is_alive: Callable[[int | None], bool]) -> list[Turn]:
    """Return the turns that have a place in the conversation.

    A turn that never ended becomes ``interrupted`` if its process is gone. If it had received
    nothing, its place is given back to the turn that it replaced, as the process would have done.
    """
    # A turn that was asked again twice is superseded twice by the same one: the first one counts.
    replaced = {found.superseded_by: found for found in reversed(stored)}
    standing = []
    for found in stored:
        if found.superseded_by is not None:
            continue
        while _end_if_dead(found, is_alive) and not found.turn.answer and found.turn.id in replaced:
            found = replaced[found.turn.id]
        standing.append(found.turn)
    return standing


def _end_if_dead(found: StoredTurn, is_alive: Callable[[int | None], bool]) -> bool:
    """Mark a turn as interrupted if its process died before it ended; say whether it did."""
    if found.turn.status != "streaming" or is_alive(found.writer):
        return False
    found.turn.status = "interrupted"
    return True
