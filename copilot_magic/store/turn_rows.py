"""The rows of turns: written whole or as they grow, superseded, and read back.

Each function that takes a connection is one part of a transaction, which its caller begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..chat.turn import Turn
from ..text import well_formed
from .turn_values import (
    ALL_COLUMNS,
    SELECTED,
    StoredTurn,
    number_of,
    stored_turn,
    turn_of_row,
    values_of,
)

if TYPE_CHECKING:
    import sqlite3

__all__ = [
    "delete_turn",
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


def put_turn(
    connection: sqlite3.Connection,
    conversation_id: str,
    turn: Turn,
    writer: int,
    position: int | None = None,
) -> None:
    """Write all of `turn`: where it already is, else at `position`, else at the end."""
    connection.execute(
        f"INSERT INTO turn (conversation_id, position, writer, {', '.join(ALL_COLUMNS)}) VALUES"
        " (?, coalesce(?, (SELECT coalesce(max(position) + 1, 0) FROM turn"
        f" WHERE conversation_id = ?)), ?{', ?' * len(ALL_COLUMNS)})"
        " ON CONFLICT (conversation_id, id) DO UPDATE SET writer = excluded.writer, "
        + ", ".join(f"{column} = excluded.{column}" for column in ALL_COLUMNS),
        (
            conversation_id,
            position,
            conversation_id,
            writer,
            *values_of(turn),
        ),
    )


def delete_turn(connection: sqlite3.Connection, conversation_id: str, turn_id: str) -> None:
    """Delete a turn; what it superseded stays superseded."""
    connection.execute(
        "DELETE FROM turn WHERE conversation_id = ? AND id = ?", (conversation_id, turn_id)
    )


def put_missing_turns(
    connection: sqlite3.Connection,
    conversation_id: str,
    turns: Sequence[Turn],
    writer: int,
    missed: Mapping[str, str | None] = MappingProxyType({}),
) -> None:
    """Write those of `turns` that the file does not have, or not as they ended.

    Args:
        connection: A connection in a transaction.
        conversation_id: Where the turns are.
        turns: The turns that stand, in their order.
        writer: The number of this process.
        missed: The turns of which a write failed, and the turn that each one replaced. They are
            written even if the file has something of them.
    """
    for turn in turns:
        replaced = missed.get(turn.id)
        while replaced is not None:
            supersede(connection, conversation_id, replaced, by=turn.id)
            replaced = missed.get(replaced)
    statuses = dict(
        connection.execute(
            "SELECT id, status FROM turn WHERE conversation_id = ?", (conversation_id,)
        ).fetchall()
    )
    for turn in turns:
        stored = statuses.get(turn.id)
        ended = stored == "streaming" != turn.status
        if stored is None or ended or turn.id in missed:
            put_turn(connection, conversation_id, turn, writer)
    if statuses:
        _put_in_order(connection, conversation_id, [turn.id for turn in turns])


def _put_in_order(
    connection: sqlite3.Connection, conversation_id: str, turn_ids: Sequence[str]
) -> None:
    """Put turns into this order, using the positions that they have."""
    stored = dict(
        connection.execute(
            "SELECT id, position FROM turn WHERE conversation_id = ?", (conversation_id,)
        ).fetchall()
    )
    positions = [number_of(stored.get(turn_id)) for turn_id in turn_ids]
    if positions != sorted(positions):
        connection.executemany(
            "UPDATE turn SET position = ? WHERE conversation_id = ? AND id = ?",
            [
                (position, conversation_id, turn_id)
                for position, turn_id in zip(sorted(positions), turn_ids, strict=True)
            ],
        )


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
    return None if row is None else int(number_of(row[0]))


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
        f"SELECT {SELECTED} FROM turn"
        " WHERE request_key = ? AND status = 'complete' ORDER BY started DESC",
        (request_key,),
    ).fetchone()
    return None if row is None else turn_of_row(row)


def read_turns(connection: sqlite3.Connection, conversation_id: str) -> list[StoredTurn]:
    """Return all turns of a conversation, superseded ones among them, in their order."""
    rows = connection.execute(
        f"SELECT {SELECTED} FROM turn WHERE conversation_id = ? ORDER BY position, started",
        (conversation_id,),
    )
    return [stored_turn(row) for row in rows]


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
