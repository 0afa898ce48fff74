"""A turn as the values of its row, and back; of a damaged row, whatever can still be read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from ..chat.turn import Status, Turn, turn_of, turn_to_dict
from ..text import well_formed

__all__ = [
    "ALL_COLUMNS",
    "SELECTED",
    "StoredTurn",
    "number_of",
    "of_types",
    "stored_turn",
    "text_of",
    "turn_of_row",
    "values_of",
]

# The fields of a turn that have a column of their own. The others are together in `details`, as
# JSON, so a new field of Turn needs no new version of the file.
_COLUMNS = ("id", "prompt", "answer", "reasoning", "status", "stale", "started")
ALL_COLUMNS = (*_COLUMNS, "details")
SELECTED = ", ".join((*ALL_COLUMNS, "writer", "superseded_by"))

_NUMBER = (int, float)
_TEXT_OR_NONE = (str, type(None))
# A value in `details` is used only if it has one of these types.
_TYPES: dict[str, type | tuple[type, ...]] = {
    "error": str,
    "finish_reason": _TEXT_OR_NONE,
    "usage": (dict, type(None)),
    "model": str,
    "provider": str,
    "server": str,
    "asked_provider": str,
    "cell_id": _TEXT_OR_NONE,
    "first_token": (*_NUMBER, type(None)),
    "elapsed": _NUMBER,
    "notes": list,
    "replayed": bool,
    "options": dict,
    "expanded": str,
    "parts": list,
    "schema": (dict, type(None)),
    "objects": list,
}
_OPTION_TYPES = {"model": str, "provider": str, "temperature": _NUMBER, "max_tokens": int}


@dataclass(frozen=True)
class StoredTurn:
    """A turn as it was read, the number of the process that wrote it, and what superseded it."""

    turn: Turn
    writer: int | None
    superseded_by: str | None


def values_of(turn: Turn) -> list[Any]:
    """Return the values of a turn's `ALL_COLUMNS`."""
    details = turn_to_dict(turn)
    values = [details.pop(column) for column in _COLUMNS]
    values.append(json.dumps(details, default=str))
    return [well_formed(value) if isinstance(value, str) else value for value in values]


def stored_turn(row: Sequence[Any]) -> StoredTurn:
    """Return the turn of a row of `SELECTED` values."""
    writer, superseded_by = row[len(ALL_COLUMNS) : len(ALL_COLUMNS) + 2]
    return StoredTurn(
        turn_of_row(row),
        writer if isinstance(writer, int) else None,
        None if superseded_by is None else text_of(superseded_by),
    )


def turn_of_row(row: Sequence[Any]) -> Turn:
    """Return the turn of a row that begins with the values of `ALL_COLUMNS`."""
    turn_id, prompt, answer, reasoning, status, stale, started, details = row[: len(ALL_COLUMNS)]
    return turn_of(
        {
            **_usable(details),
            "id": text_of(turn_id),
            "prompt": text_of(prompt),
            "answer": text_of(answer),
            "reasoning": text_of(reasoning),
            "status": status if status in get_args(Status) else "interrupted",
            "stale": bool(stale),
            "started": number_of(started),
        }
    )


def text_of(value: object) -> str:
    """Return the text in a column; in a damaged row it may hold a value of any type."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)


def number_of(value: object) -> float:
    """Return the number in a column; 0.0 if a damaged row holds something else."""
    return float(value) if isinstance(value, (int, float)) else 0.0


def _usable(details: object) -> dict[str, Any]:
    """Return what can be used of the JSON in `details`."""
    try:
        found = json.loads(text_of(details))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    values = of_types(found, _TYPES)
    values["options"] = of_types(values.get("options", {}), _OPTION_TYPES)
    values["notes"] = [note for note in values.get("notes", []) if isinstance(note, str)]
    for name in ("parts", "objects"):
        values[name] = [member for member in values.get(name, []) if isinstance(member, dict)]
    return values


def of_types(values: dict[str, Any], types: dict[str, Any]) -> dict[str, Any]:
    """Return those of `values` that have a type in `types`, and are of it."""
    return {
        name: values[name]
        for name, kind in types.items()
        if name in values and isinstance(values[name], kind)
    }
