"""An outline of a schema: short, and close to the JSON that is wanted."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from copilot_magic.context.typed.annotations import form_of
from copilot_magic.context.typed.sketch import sketch


@pytest.mark.parametrize(
    ("annotation", "outline"),
    [
        (int, "integer"),
        (list[str], "[string, ...]"),
        (tuple[int, str], "[integer, string]"),
        (tuple[float, float], "[number, number]"),
        (dict[str, int], '{"name": integer, ...}'),
        (dict[int, str], '{"number": string, ...}'),
        (Literal["good", "bad"], '"good" or "bad"'),
        (int | None, "integer or null"),
        (list[Literal["ä", 1, None]], '["ä" or 1 or null, ...]'),
        (Any, "any JSON value"),
    ],
)
def test_plain_types_are_outlined(annotation: Any, outline: str) -> None:
    assert sketch(form_of(annotation).schema) == outline


def test_limits_and_descriptions_are_remarks() -> None:
    schema = {
        "type": "object",
        "description": "Somebody.",
        "properties": {
            "age": {"type": "integer", "minimum": 0, "description": "in years"},
            "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 9},
            "kind": {"const": "x", "type": "string"},
            "more": {"$ref": "#/$defs/More"},
        },
        "required": ["age", "tags", "kind"],
        "$defs": {"More": {"type": ["string", "null"]}},
    }
    assert sketch(schema) == (
        '{"age": integer (in years, minimum 0), "tags": [string, ...] (maxItems 9), "kind": "x", '
        '"more": string or null (may be left out)} (Somebody.)'
    )


@pytest.mark.parametrize(
    "schema",
    [
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/A"}},
            "$defs": {"A": {"type": "array", "items": {"$ref": "#/$defs/A"}}},
        },
        {"allOf": [{"type": "string"}, {"minLength": 1}]},
        {"description": "anything"},
    ],
)
def test_what_cannot_be_outlined_is_not(schema: dict[str, Any]) -> None:
    assert sketch(schema) is None
