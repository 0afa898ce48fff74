"""Types that pydantic knows: models, constraints, ``Decimal``, ``UUID`` and all that is not plain.

pydantic is imported when such a type is asked for, and only then.
"""

from __future__ import annotations

import json
import warnings
from importlib import import_module
from typing import Any

from ...errors import COMMAND, UsageError
from ...text import one_line
from .plain_types import Form, shown

__all__ = ["PydanticForm", "tidied"]

_MOST_PROBLEMS = 3


class PydanticForm(Form):
    """The values of any type that pydantic can check; what counts as one is its decision.

    Args:
        annotation: The type.
        name: Its name, for messages.
        reason: Why it is not one of the plain types, for messages.

    Raises:
        UsageError: pydantic is not installed, or does not know the type either.
    """

    def __init__(self, annotation: Any, name: str, reason: str) -> None:
        try:
            adapter_of = import_module("pydantic").TypeAdapter
        except (ImportError, AttributeError):  # version 1 has no TypeAdapter
            raise UsageError(
                f"{name} needs pydantic: {reason}",
                f'Install it:\n{COMMAND}pip install "pydantic>=2"',
            ) from None
        try:
            self._adapter = adapter_of(annotation)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # defaults that are not JSON are left out below
                schema = self._adapter.json_schema()
        except Exception as error:  # noqa: BLE001  the user's own class may raise anything here
            said = str(error).partition("\n")[0]
            raise UsageError(
                f"An answer cannot be of type {name}: {one_line(said, 150)}",
                "Use another type, such as int, list[str], a dataclass or a pydantic model",
            ) from None
        self.schema = tidied(schema)
        self.words = f"a value of type {name}"

    def _takes(self, value: Any) -> bool:
        return isinstance(value, dict) or not self.is_object

    def _read(self, value: Any, path: str) -> Any:
        try:
            return self._adapter.validate_json(json.dumps(value))
        except Exception as error:  # the user's own validators may raise anything
            raise ValueError(_condensed(error, path)) from error

    def _read_text(self, text: str) -> Any:
        return self.read(text, "answer")


def _condensed(error: Exception, path: str) -> str:
    """Return the first few problems that pydantic found, in one line."""
    listed = getattr(error, "errors", None)
    if not callable(listed):
        return f"{path}: {one_line(f'{type(error).__name__}: {error}', 200)}"
    problems = listed(include_url=False, include_context=False)
    said = []
    for problem in problems[:_MOST_PROBLEMS]:
        place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in problem["loc"])
        what = problem["msg"][:1].lower() + problem["msg"][1:]
        given = "" if problem["type"] == "missing" else f", not {shown(problem.get('input'))}"
        said.append(f"{path}{place}: {what}{given}")
    if len(problems) > _MOST_PROBLEMS:
        said.append(f"and {len(problems) - _MOST_PROBLEMS} more")
    return one_line("; ".join(said), 400)


def tidied(schema: dict[str, Any]) -> dict[str, Any]:
    """Return pydantic's schema in the words that servers understand; it asks for all properties."""
    tidy = _Tidy(schema.get("$defs", {}))
    clean: dict[str, Any] = tidy.schema(schema)
    if set(clean) == {"$ref"}:  # the root of a model that contains itself
        clean = tidy.schema(tidy.target(clean))
    if "$ref" in json.dumps(clean):
        clean["$defs"] = {name: tidy.schema(part) for name, part in tidy.definitions.items()}
    return clean


# Titles repeat the names; a default is the reader's, not the model's.
_LEFT_OUT = ("title", "default", "examples", "discriminator", "$defs", "deprecated", "$schema")


class _Tidy:
    """The schemas of one root, tidied.

    Args:
        definitions: What its references refer to.
    """

    def __init__(self, definitions: dict[str, Any]) -> None:
        self.definitions = definitions
        self._copying: list[Any] = []

    def target(self, reference: dict[str, Any]) -> Any:
        """Return what ``{"$ref": …}`` refers to."""
        return self.definitions[reference["$ref"].rpartition("/")[2]]

    def schema(self, schema: Any) -> Any:
        """Return one schema tidied, with all its parts."""
        if not isinstance(schema, dict):
            return schema
        kept = {name: value for name, value in schema.items() if name not in _LEFT_OUT}
        if len(kept.get("allOf", ())) == 1:
            kept |= kept.pop("allOf")[0]
        if "$ref" in kept and len(kept) > 1:
            return self._copied(kept)
        if "oneOf" in kept:
            kept["anyOf"] = kept.pop("oneOf")
        pattern = kept.get("pattern", "^$")
        if "(?" in pattern or not (pattern.startswith("^") and pattern.endswith("$")):
            del kept["pattern"]  # servers refuse these; pydantic checks them all the same
        for name in ("properties", "patternProperties"):
            if name in kept:
                kept[name] = {key: self.schema(part) for key, part in kept[name].items()}
        for name in ("anyOf", "allOf", "prefixItems"):
            if name in kept:
                kept[name] = [self.schema(part) for part in kept[name]]
        for name in ("items", "additionalProperties"):
            if name in kept:
                kept[name] = self.schema(kept[name])
        if kept.get("type") == "object" and "additionalProperties" not in kept:
            kept.setdefault("properties", {})
            kept |= {"required": list(kept["properties"]), "additionalProperties": False}
        return kept

    def _copied(self, reference: dict[str, Any]) -> Any:
        """Return a copy of what is referred to: strict servers take nothing beside a reference."""
        target = self.target(reference)
        if any(target is other for other in self._copying):
            return {"$ref": reference["$ref"]}
        self._copying.append(target)
        beside = {name: value for name, value in reference.items() if name != "$ref"}
        try:
            return self.schema({**target, **beside})
        finally:
            self._copying.pop()
