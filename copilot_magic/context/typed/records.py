"""Types with named fields: dataclasses, ``TypedDict`` and ``NamedTuple``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import InitVar, dataclass
from typing import Any, get_args, get_origin, get_type_hints

from ...text import one_line
from .plain_types import Form, NotPlain, Unusable, misfit, shown

__all__ = ["Record", "is_record", "record_of"]

FormOf = Callable[[Any], Form]


@dataclass(frozen=True)
class _Field:
    name: str
    form: Form
    required: bool
    description: str = ""


class Record(Form):
    """An object with a property for each field.

    Args:
        cls: The class.
        fields: Its fields.
        make: What makes a value out of the fields.
        demand_all: Ask also for the fields that may be missing; strict servers need that.
        ordered: A list with a value for each field stands for one, too.
    """

    words = "an object"

    def __init__(
        self,
        cls: type,
        fields: Sequence[_Field],
        make: Callable[..., Any],
        *,
        demand_all: bool = True,
        ordered: bool = False,
    ) -> None:
        self._name, self._fields, self._make, self._ordered = cls.__name__, fields, make, ordered
        self.hashable = cls.__hash__ is not None
        self.schema = {
            **_described(_docstring(cls)),
            "type": "object",
            "properties": {f.name: {**f.form.schema, **_described(f.description)} for f in fields},
            "required": [f.name for f in fields if f.required or demand_all],
            "additionalProperties": False,
        }

    def _takes(self, value: Any) -> bool:
        if isinstance(value, dict):
            names = {field.name for field in self._fields}
            return not names or not names.isdisjoint(value)
        return self._ordered and isinstance(value, list) and len(value) == len(self._fields)

    def _read(self, value: Any, path: str) -> Any:
        if self._ordered and isinstance(value, list) and len(value) == len(self._fields):
            value = dict(zip([field.name for field in self._fields], value, strict=True))
        if not isinstance(value, dict):
            raise misfit(path, self.words, value)
        for field in self._fields:
            if field.required and field.name not in value:
                raise ValueError(f"{path}.{field.name}: is missing")
        given = {
            field.name: field.form.read(value[field.name], f"{path}.{field.name}")
            for field in self._fields
            if field.name in value
        }
        # More than was asked for does no harm, unless it is a misspelt field.
        if len(given) < len(self._fields) and (extra := [n for n in value if n not in given]):
            raise ValueError(f"{path}: must not have a property {shown(extra[0])}")
        try:
            return self._make(**given)
        except Exception as error:  # the user's own checks may raise anything
            said = one_line(str(error), 200) or type(error).__name__
            raise ValueError(f"{path}: {self._name} does not take it: {said}") from error


def is_record(cls: type) -> bool:
    """Say whether `cls` is a dataclass of the standard library's, or a typed dict or tuple."""
    if hasattr(cls, "__pydantic_validator__"):
        return False  # pydantic's own checks count
    return dataclasses.is_dataclass(cls) or _is_typed_dict(cls) or _is_named_tuple(cls)


def record_of(cls: type, form_of: FormOf) -> Record:
    """Return the form of a class that `is_record`.

    Args:
        cls: The class.
        form_of: What returns the form of a field's annotation.

    Raises:
        NotPlain: One of its fields is not plain.
    """
    try:
        hints = get_type_hints(cls, include_extras=True)
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        raise Unusable(one_line(f"in {cls.__name__}, {error}")) from None
    if dataclasses.is_dataclass(cls):
        if any(isinstance(hint, InitVar) for hint in hints.values()):
            raise NotPlain(f"{cls.__name__} has fields that only its constructor takes")
        missing = dataclasses.MISSING
        fields = [
            _Field(
                field.name,
                form_of(hints[field.name]),
                field.default is missing and field.default_factory is missing,
                str(field.metadata.get("description", "")),
            )
            for field in dataclasses.fields(cls)
            if field.init
        ]
        return Record(cls, fields, cls)
    if _is_typed_dict(cls):
        return Record(cls, _keys(cls, hints, form_of), dict, demand_all=False)
    defaults: Mapping[str, Any] = cls._field_defaults  # type: ignore[attr-defined]
    names: tuple[str, ...] = cls._fields  # type: ignore[attr-defined]
    fields = [_Field(name, form_of(hints.get(name, Any)), name not in defaults) for name in names]
    record = Record(cls, fields, cls, ordered=True)
    record.hashable = all(field.form.hashable for field in fields)
    return record


def _keys(cls: type, hints: Mapping[str, Any], form_of: FormOf) -> list[_Field]:
    """Return the keys of a ``TypedDict``, each of which may say itself whether it is required."""
    fields = []
    for name, hint in hints.items():
        required: bool = name in cls.__required_keys__  # type: ignore[attr-defined]
        # Compared by name: Python 3.10 has them in typing_extensions alone.
        while (mark := getattr(get_origin(hint), "_name", "")) in _MARKS:
            required = mark == "Required" or (required and mark == "ReadOnly")
            hint = get_args(hint)[0]
        fields.append(_Field(name, form_of(hint), required))
    return fields


_MARKS = ("Required", "NotRequired", "ReadOnly")


def _is_typed_dict(cls: type) -> bool:
    return issubclass(cls, dict) and hasattr(cls, "__required_keys__")


def _is_named_tuple(cls: type) -> bool:
    return issubclass(cls, tuple) and hasattr(cls, "_field_defaults")


def _docstring(cls: type) -> str:
    """Return what the author of `cls` wrote about it; Python itself writes its signature there."""
    said = cls.__dict__.get("__doc__") or ""
    return "" if said.startswith(f"{cls.__name__}(") else said


def _described(said: str) -> dict[str, str]:
    return {"description": one_line(said)} if said.strip() else {}
