"""Types made of others: lists, tuples, dictionaries and unions, as a model writes them in JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ...text import one_line, well_formed
from .plain_types import Form, Unusable, misfit, shown

__all__ = ["Array", "FixedTuple", "Mapping", "Union"]


class Array(Form):
    """A list of values of one type.

    Args:
        item: Their form.
        make: What makes the value of the list.
        length: How many there must be, or None.
    """

    def __init__(
        self, item: Form, make: Callable[[Iterable[Any]], Any] = list, length: int | None = None
    ) -> None:
        if make in (set, frozenset) and not item.hashable:
            raise Unusable(f"{item.words} cannot be a member of a set")
        self._item, self._make, self._length = item, make, length
        self.schema = {"type": "array", "items": item.schema}
        self.words = "a list"
        self.hashable = make is frozenset or (make is tuple and item.hashable)
        if length is not None:
            self.schema |= {"minItems": length, "maxItems": length}

    def _takes(self, value: Any) -> bool:
        return isinstance(value, list)

    def _read(self, value: Any, path: str) -> Any:
        _check_length(value, path, self._length)
        return self._make([self._item.read(v, f"{path}[{n}]") for n, v in enumerate(value)])


class FixedTuple(Form):
    """A tuple with a type for each place."""

    words = "a list"

    def __init__(self, items: Sequence[Form]) -> None:
        self._items = items
        self.hashable = all(item.hashable for item in items)
        self.schema = {
            "type": "array",
            **({"prefixItems": [item.schema for item in items]} if items else {}),
            "minItems": len(items),
            "maxItems": len(items),
        }

    def _takes(self, value: Any) -> bool:
        return isinstance(value, list)

    def _read(self, value: Any, path: str) -> tuple[Any, ...]:
        _check_length(value, path, len(self._items))
        pairs = zip(self._items, value, strict=True)
        return tuple(item.read(v, f"{path}[{n}]") for n, (item, v) in enumerate(pairs))


class Mapping(Form):
    """``dict[str, …]`` or ``dict[int, …]``."""

    words = "an object"
    hashable = False

    def __init__(self, item: Form, *, numbered: bool = False) -> None:
        self._item, self._numbered = item, numbered
        self.schema = {"type": "object", "additionalProperties": item.schema}
        if numbered:
            self.schema["propertyNames"] = {"pattern": "^-?[0-9]+$"}

    def _takes(self, value: Any) -> bool:
        return isinstance(value, dict)

    def _read(self, value: Any, path: str) -> dict[Any, Any]:
        if not isinstance(value, dict):
            raise misfit(path, self.words, value)
        return {
            self._key(name, path): self._item.read(v, f"{path}.{one_line(name, 40)}")
            for name, v in value.items()
        }

    def _key(self, name: str, path: str) -> Any:
        if not self._numbered:
            return well_formed(name)
        try:
            return int(name)
        except ValueError:
            raise ValueError(f"{path}: has the key {shown(name)}, not a whole number") from None


class Union(Form):
    """A value of one of several types."""

    def __init__(self, members: Sequence[Form]) -> None:
        self._members = members
        self.schema = {"anyOf": [member.schema for member in members]}
        self.words = " or ".join(dict.fromkeys(member.words for member in members))
        self.hashable = all(member.hashable for member in members)

    def _takes(self, value: Any) -> bool:
        return any(member.takes(value) for member in self._members)

    def _read(self, value: Any, path: str) -> Any:
        likely = [member for member in self._members if member.takes(value)]
        problems = []
        for member in likely + [other for other in self._members if other not in likely]:
            try:
                return member.read(value, path)
            except ValueError as problem:
                problems.append(problem)
        raise problems[0] if len(likely) == 1 else misfit(path, self.words, value)

    def _read_text(self, text: str) -> Any:
        for member in self._members:
            try:
                return member.read_text(text)
            except ValueError:
                continue
        raise misfit("answer", self.words, text)


def _check_length(value: Any, path: str, length: int | None) -> None:
    if not isinstance(value, list):
        raise misfit(path, "a list", value)
    if length is not None and len(value) != length:
        raise ValueError(f"{path}: must have {length} values, not {len(value)}")
