"""The rows of the journal: answers of batches as the values of a row, and back.

Each function that takes a connection is one part of a transaction, which its caller begins.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..chat.completion import Completion
from ..text import well_formed
from .turn_values import number_of, of_types

if TYPE_CHECKING:
    import sqlite3

__all__ = [
    "COLUMNS",
    "SELECTED",
    "Found",
    "Row",
    "delete_unused",
    "find",
    "is_sound",
    "mark_used",
    "put",
    "row_of",
]

Row = tuple[str, int, int, str, str]
"""The values of `COLUMNS`."""

COLUMNS = ("request_key", "used", "checksum", "details", "answer")
_TEXTS = ("request_key", "details", "answer")
SELECTED = ", ".join(
    f"CAST({column} AS BLOB)" if column in _TEXTS else column for column in COLUMNS
)
"""The values of `COLUMNS`, with texts as the bytes they were written as."""

# Fewer than the variables that any SQLite allows in a statement: 999 before version 3.32.
_KEYS_AT_ONCE = 900

_TEXT_OR_NONE = (str, type(None))
# The fields of a completion that are together in `details`, and the types they may have.
_TYPES: dict[str, type | tuple[type, ...]] = {
    "reasoning": str,
    "finish_reason": _TEXT_OR_NONE,
    "usage": (dict, type(None)),
    "model": str,
    "provider": str,
    "elapsed": (int, float),
}


class Found(NamedTuple):
    """Answers by their keys, and the keys of those that were last used before today."""

    answers: dict[str, Completion]
    aged: list[str]


def row_of(key: str, completion: Completion, day: int) -> Row:
    """Return the values of `COLUMNS` for an answer that is used on that day."""
    key, answer, details = well_formed(key), well_formed(completion.content), _details(completion)
    return key, day, _checksum(key.encode(), details.encode(), answer.encode()), details, answer


def is_sound(row: Sequence[Any]) -> bool:
    """Say whether a row of `COLUMNS`, its texts as bytes, is as it was written.

    SQLite notices a damaged page, but not that the text in it is another one.
    """
    key, _, checksum, details, answer = row
    try:
        return bool(checksum == _checksum(key, details, answer))
    except TypeError:  # NULL is no text
        return False


def find(connection: sqlite3.Connection, keys: Iterable[str], today: int) -> Found:
    """Return the answers that are kept under these keys."""
    found = Found({}, [])
    for piece in _pieces(keys):
        rows = connection.execute(
            f"SELECT {SELECTED} FROM journal WHERE request_key IN ({_variables(piece)})", piece
        ).fetchall()
        _add(found, [row for row in rows if is_sound(row)], today)
    return found


def _add(found: Found, rows: Sequence[Sequence[Any]], today: int) -> None:
    # One call for all rows: a call costs more than what is in one row.
    try:
        parsed = json.loads(b"[" + b",".join([row[3] for row in rows]) + b"]")
    except RecursionError:
        # The figures of a server may be nested deeper than can be read where this is called.
        if len(rows) > 1:
            for row in rows:
                _add(found, [row], today)
        return
    for (key_text, used, _, _, answer), details in zip(rows, parsed, strict=True):
        key = key_text.decode()
        if not details.keys() <= _TYPES.keys():
            details = of_types(details, _TYPES)  # a later version wrote it
        found.answers[key] = Completion(answer.decode(), **details)
        if number_of(used) < today:
            found.aged.append(key)


def put(connection: sqlite3.Connection, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows of `COLUMNS`; each takes the place of the one with its key."""
    connection.executemany(
        f"INSERT INTO journal ({', '.join(COLUMNS)}) VALUES ({_variables(COLUMNS)})"
        " ON CONFLICT (request_key) DO UPDATE SET "
        + ", ".join(f"{column} = excluded.{column}" for column in COLUMNS[1:]),
        rows,
    )


def mark_used(connection: sqlite3.Connection, keys: Iterable[str], day: int) -> None:
    """Write that the answers under these keys are used on that day."""
    for piece in _pieces(keys):
        connection.execute(
            f"UPDATE journal SET used = ? WHERE +used < ? AND request_key IN ({_variables(piece)})",
            (day, day, *piece),
        )


def delete_unused(connection: sqlite3.Connection, day: int, limit: int) -> int:
    """Delete at most `limit` answers that were last used before that day; return how many."""
    return connection.execute(
        "DELETE FROM journal WHERE rowid IN"
        " (SELECT rowid FROM journal WHERE used < ? ORDER BY used LIMIT ?)",
        (day, limit),
    ).rowcount


def _pieces(keys: Iterable[str]) -> Iterator[list[str]]:
    distinct = list(dict.fromkeys(keys))
    for start in range(0, len(distinct), _KEYS_AT_ONCE):
        yield distinct[start : start + _KEYS_AT_ONCE]


def _variables(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


def _checksum(key: bytes, details: bytes, answer: bytes) -> int:
    return zlib.crc32(b"\n".join((key, details, answer)))


def _details(completion: Completion) -> str:
    """Return what is kept of a completion beside its text, as JSON."""
    details = {name: value for name in _TYPES if (value := getattr(completion, name))}
    if completion.usage is not None:
        details["usage"] = dict(completion.usage)
    try:
        text = json.dumps(details, default=str, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        # Figures that are no JSON are not worth losing the answer for.
        text = json.dumps({**details, "usage": None}, default=str, ensure_ascii=False)
    return well_formed(text)
