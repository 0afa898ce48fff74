"""A JSON schema in the words that models understand best: an outline of the JSON itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...text import one_line

__all__ = ["sketch"]

_MARKS = ("type", "properties", "required", "additionalProperties", "items", "prefixItems")
_LENGTHS = ("minItems", "maxItems")


def sketch(schema: Mapping[str, Any]) -> str | None:
    """Return an outline of `schema`: ``{"title": string, "tags": [string, ...]}``.

    Small models take a schema for a part of the answer, and repeat it.

    Returns:
        None if an outline cannot say it, such as that of a type which contains itself.
    """
    try:
        return _outline(schema, schema.get("$defs", {}), ())
    except _CannotSay:
        return None


class _CannotSay(Exception):
    """A schema that an outline cannot express."""


def _outline(schema: Any, definitions: Mapping[str, Any], within: tuple[str, ...]) -> str:
    if not isinstance(schema, Mapping) or not schema:
        return "any JSON value"
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name in within:
            raise _CannotSay
        return _outline(definitions[name], definitions, (*within, name))
    if set(schema) & {"allOf", "not", "if", "patternProperties"}:
        raise _CannotSay
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        said = " or ".join(json.dumps(value, ensure_ascii=False) for value in values)
        return said + _remarks(schema, ("enum", "const"))
    if "anyOf" in schema:
        said = " or ".join(_outline(part, definitions, within) for part in schema["anyOf"])
        return said + _remarks(schema, ("anyOf",))
    kind = schema.get("type")
    if kind == "object":
        return _object(schema, definitions, within) + _remarks(schema, ("$defs", "propertyNames"))
    if kind == "array":
        return _array(schema, definitions, within)
    if isinstance(kind, list):
        words = " or ".join(kind) if len(kind) < 4 else "value"
        return words + _remarks(schema)
    if not isinstance(kind, str):
        raise _CannotSay
    return kind + _remarks(schema)


def _object(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], within: tuple[str, ...]
) -> str:
    required = schema.get("required", ())
    parts = [
        f"{json.dumps(name, ensure_ascii=False)}: {_outline(part, definitions, within)}"
        + ("" if name in required else " (may be left out)")
        for name, part in schema.get("properties", {}).items()
    ]
    others = schema.get("additionalProperties", False)
    if others is not False:
        key = '"number"' if "propertyNames" in schema else '"name"'
        parts.append(f"{key}: {_outline(others, definitions, within)}, ...")
    return f"{{{', '.join(parts)}}}"


def _array(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], within: tuple[str, ...]
) -> str:
    fixed = schema.get("prefixItems")
    least, most = (schema.get(name) for name in _LENGTHS)
    if fixed is None and least == most and isinstance(most, int) and most <= 5:
        fixed = [schema.get("items")] * most
    if fixed is not None:
        said = ", ".join(_outline(part, definitions, within) for part in fixed)
        return f"[{said}]{_remarks(schema, _LENGTHS)}"
    return f"[{_outline(schema.get('items'), definitions, within)}, ...]{_remarks(schema)}"


def _remarks(schema: Mapping[str, Any], said: tuple[str, ...] = ()) -> str:
    """Return the description and the limits in a schema, in brackets, or nothing."""
    rest = {name: value for name, value in schema.items() if name not in (*_MARKS, *said)}
    remarks = [one_line(str(rest.pop("description")))] if "description" in rest else []
    remarks += [f"{name} {value}" for name, value in rest.items()]
    return f" ({', '.join(remarks)})" if remarks else ""
