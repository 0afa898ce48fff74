"""Typed answers: what is asked of the server and the model, and the value of what they answer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from ...errors import TypedAnswerError, UsageError
from .annotations import form_of, is_annotation, readable
from .loose_json import BREAKS_OFF, json_problem, json_values
from .plain_types import Form, NotPlain, Text, Unusable
from .pydantic_types import PydanticForm
from .sketch import sketch

__all__ = ["LONGEST_LIST", "AnswerType"]

LONGEST_LIST = 10

_WRAPPER = "answer"
_OTHERS = "Use a type such as int, list[str], a dataclass or a pydantic model"
# Longer texts are prose; a shorter one is shown in the message, as the value that does not fit.
_LONGEST_VALUE = 40


@dataclass(frozen=True)
class AnswerType:
    """The type that an answer must have, made of an annotation by `of`.

    Attributes:
        name: As a reader writes it: ``list[str]``, ``Review``.
        schema: The JSON schema to ask for. It is always an object's, since some servers enforce no
            others: values of other types are its property ``answer``.
        strict: The schema fits what OpenAI calls strict mode.
        instruction: What tells the model to answer so, for servers that do not enforce it, too.
    """

    name: str
    schema: dict[str, Any]
    strict: bool
    instruction: str
    _form: Form = field(repr=False, compare=False)

    @classmethod
    def of(cls, annotation: object) -> AnswerType:
        """Return the type that `annotation` names: plain types, tables, and what pydantic knows.

        Raises:
            UsageError: There is no JSON schema of it; or only pydantic knows, and it is missing.
        """
        if not is_annotation(annotation):
            kind = type(annotation).__name__
            raise UsageError(
                f"An object of type {kind} cannot be the type of an answer",
                _OTHERS,
            )
        name = readable(annotation)
        try:
            form = form_of(annotation)
        except Unusable as reason:
            raise UsageError(f"An answer cannot be of type {name}: {reason}", _OTHERS) from None
        except NotPlain as reason:
            form = PydanticForm(annotation, name, str(reason))
        schema = form.schema if form.is_object else _wrapped(form.schema)
        outline = sketch(schema)
        if outline is None:
            said = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
            instruction = f"Answer with nothing but JSON that fits this JSON schema: {said}"
        else:
            instruction = f"Answer with nothing but JSON of this form: {outline}"
        if form.note:
            instruction += f"\n{form.note}"
        return cls(name, schema, _is_strict(schema), instruction, form)

    @property
    def response_format(self) -> dict[str, Any]:
        """Return the ``response_format`` that asks an OpenAI-compatible server for it."""
        # OpenAI allows no other characters in a name, and 64 of them.
        name = re.sub(r"[^a-zA-Z0-9]+", "_", self.name).strip("_")[:64] or "answer"
        described = {"name": name, "strict": self.strict, "schema": self.schema}
        return {"type": "json_schema", "json_schema": described}

    def parse(self, text: str) -> Any:
        """Return the value that a model's answer stands for.

        The JSON may be fenced, have prose around it, or lack the wrapper that was asked for.

        Raises:
            ValueError: It stands for no value of the type; the message is one line that both the
                user and the model understand.
        """
        problem: ValueError | None = None
        of_object = False
        for value in json_values(text):
            try:
                return self._read(value)
            except ValueError as error:
                # What was asked for is an object, so the first of these is what was meant.
                if problem is None or (isinstance(value, dict) and not of_object):
                    problem, of_object = error, isinstance(value, dict)
        try:
            return self._form.read_text(text.strip())
        except ValueError as error:
            said = problem or json_problem(text)
            if said is None and len(text.strip()) <= _LONGEST_VALUE:
                raise
            raise ValueError(said or "there is no JSON in the answer") from error

    def repair(self, problem: str) -> tuple[str, dict[str, Any]]:
        """Return the prompt that asks a model to repair its last answer, and its ``json_schema``.

        If the answer broke off, at the limit of tokens, no list may be longer than
        `LONGEST_LIST`: small models write lists without end, and begin the same one again.

        Args:
            problem: What `parse` said about the answer.
        """
        text = f"Your last answer does not fit: {problem}. {self.instruction}"
        described = self.response_format["json_schema"]
        if problem == BREAKS_OFF:
            text += f"\nWrite at most {LONGEST_LIST} values into a list."
            described["schema"] = _bounded(self.schema)
        return text, described

    def misfit(self, problem: str) -> TypedAnswerError:
        """Return the error for an answer that had `problem`, and was not repaired."""
        return TypedAnswerError(
            f"The answer is not of type {self.name}: {problem}",
            "Ask again, or ask a larger model",
            wanted=self.name,
            problem=problem,
        )

    def _read(self, value: Any) -> Any:
        """Read one JSON value: in the wrapper, without it, or in one that was not asked for."""
        inner = value.get(_WRAPPER, _NOTHING) if isinstance(value, dict) else _NOTHING
        if inner is _NOTHING and isinstance(value, dict) and len(value) == 1:
            (inner,) = value.values()
            # Any object with a text in it would do as a text.
            inner = _NOTHING if isinstance(self._form, Text) else inner
        ways = [value] if inner is _NOTHING else [value, inner]
        if not self._form.is_object:
            ways.reverse()
        problems = []
        for way in ways:
            try:
                return self._form.read(way, _WRAPPER)
            except ValueError as problem:
                problems.append(problem)
        raise problems[0]


_NOTHING = object()


def _wrapped(schema: dict[str, Any]) -> dict[str, Any]:
    inner = {name: value for name, value in schema.items() if name != "$defs"}
    definitions = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    return {
        "type": "object",
        "properties": {_WRAPPER: inner},
        "required": [_WRAPPER],
        "additionalProperties": False,
        **definitions,
    }


def _bounded(schema: Any) -> Any:
    """Return `schema` with a limit for each list in it that has none."""
    if isinstance(schema, list):
        return [_bounded(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    bounded = {name: _bounded(part) for name, part in schema.items()}
    if schema.get("type") == "array":
        bounded.setdefault("maxItems", max(LONGEST_LIST, schema.get("minItems", 0)))
    return bounded


# https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
_STRICT_KEYWORDS = {
    *("type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf"),
    *("$ref", "$defs", "description", "format", "pattern", "multipleOf", "minItems", "maxItems"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
}
_STRICT_FORMATS = {
    *("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"),
}


def _is_strict(schema: Any) -> bool:
    """Say whether `schema` fits OpenAI's strict mode, which refuses all others."""
    if not isinstance(schema, dict) or not set(schema) <= _STRICT_KEYWORDS:
        return False
    if not set(schema) & {"type", "anyOf", "$ref"}:
        return False
    if schema.get("format", "date") not in _STRICT_FORMATS:
        return False
    properties = schema.get("properties", {})
    if schema.get("type") == "object":
        all_required = set(schema.get("required", ())) == set(properties)
        if schema.get("additionalProperties") is not False or not all_required:
            return False
    parts = [*properties.values(), *schema.get("anyOf", ()), *schema.get("$defs", {}).values()]
    if schema.get("type") == "array":
        parts.append(schema.get("items"))
    return all(map(_is_strict, parts))
