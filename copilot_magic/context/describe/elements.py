"""What is in a container: its first and last elements, taken without touching the others.

Containers of Python are read through the methods of their base class, because a subclass may do
anything in its own; those of others are asked with patience.
"""

from __future__ import annotations

import dataclasses
import itertools
import types
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from .foreign import Patience, Unanswered, classes_of, defines, is_a, is_kind, namespace, type_name

__all__ = ["Elements", "elements_of", "length_of"]

# Larger ones are not put into an order, which would take a look at every element.
_SORTABLE = 1_000
_NO_CONTAINERS = (str, bytes, bytearray, range, memoryview)  # though they are sequences
_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))


@dataclasses.dataclass(frozen=True)
class Elements:
    """What is in a container.

    Attributes:
        opening: What to print before the elements.
        closing: What to print after them.
        first: The first elements: each a value, or a name or key, the sign after it and a value.
        last: The last ones, if some in between are missing.
        count: How many there are.
        missing: How many are left out between or after.
        noun: What one is called.
        is_tuple: A single element needs a comma.
    """

    opening: str
    closing: str
    first: list[tuple[Any, ...]]
    count: int
    last: list[tuple[Any, ...]] = dataclasses.field(default_factory=list)
    missing: int = 0
    noun: str = "item"
    is_tuple: bool = False


def elements_of(value: Any, wanted: int, patience: Patience) -> Elements | None:
    """Return at most about `wanted` elements of a container; None if it is not one.

    Raises:
        Unanswered: A container of a library does not say what is in it.
    """
    if is_kind(value, tuple) and (found := _named_tuple(value)) is not None:
        return found
    if is_kind(value, tuple) and defines(value, "n_sequence_fields"):
        return None  # such as `os.stat_result`, which has a good repr
    for base, opening, closing in ((list, "[", "]"), (tuple, "(", ")")):
        if is_kind(value, base):
            size = base.__len__(value)
            return _sequence(value, base, size, wanted, (base, opening, closing))
    if is_a(value, "array", "array"):
        return _sequence(value, type(value), len(value), wanted, (None, "[", "]"))
    if is_kind(value, dict):
        return _dictionary(value, wanted)
    if is_kind(value, (set, frozenset)):
        return _set(value, wanted)
    if is_kind(value, deque):
        return _deque(value, wanted)
    if type(value) in _VIEWS:
        items = [(item,) for item in itertools.islice(value, wanted)]
        return _with_names(value, None, "[", "]", items, [], len(value))
    if defines(value, "__dataclass_fields__"):
        return _dataclass(value, patience)
    return _foreign(value, wanted, patience)


def length_of(value: Any, patience: Patience) -> int:
    """Return the length of a container.

    Raises:
        Unanswered: It is of a library's class and does not say.
    """
    for base in (str, bytes, bytearray, list, tuple, dict, set, frozenset, deque):
        if is_kind(value, base):
            return int(base.__len__(value))
    return patience.ask(lambda: len(value), "its length")


def _sequence(
    value: Any, base: Any, size: int, wanted: int, names: tuple[Any, str, str]
) -> Elements:
    end = wanted if size <= wanted else wanted - wanted // 4
    first = base.__getitem__(value, slice(0, end))
    last = base.__getitem__(value, slice(max(size - wanted // 4, end), size))
    return _with_names(value, *names, [(v,) for v in first], [(v,) for v in last], size)


def _with_names(
    value: Any,
    base: Any,
    opening: str,
    closing: str,
    first: list[tuple[Any, ...]],
    last: list[tuple[Any, ...]],
    size: int,
    noun: str = "item",
) -> Elements:
    """Return the elements between brackets, with the class's name unless it is `base` itself."""
    is_base = type(value) is base
    return Elements(
        opening if is_base else f"{type_name(value)}({opening}",
        closing if is_base else f"{closing})",
        first,
        size,
        last,
        max(size - len(first) - len(last), 0),
        noun,
        is_tuple=is_kind(value, tuple),
    )


def _named_tuple(value: Any) -> Elements | None:
    classes = [cls for cls in classes_of(value) if "_fields" in namespace(cls)]
    fields = namespace(classes[0])["_fields"] if classes else ()
    size = tuple.__len__(value)
    if type(fields) is not tuple or len(fields) != size or not 0 < size <= 100:
        return None
    if not all(type(name) is str for name in fields):
        return None
    values = zip(fields, tuple.__iter__(value), strict=True)
    first = [(name, "=", member) for name, member in values]
    return Elements(f"{type_name(value)}(", ")", first, size, noun="field")


def _dictionary(value: Any, wanted: int) -> Elements:
    base: Any = OrderedDict if is_kind(value, OrderedDict) else dict
    size = dict.__len__(value)
    try:
        if is_kind(value, Counter) and size <= _SORTABLE:
            items = _by_count(list(dict.items(value)))[:wanted]
        else:
            items = list(itertools.islice(base.items(value), wanted))
    except RuntimeError:  # another thread changes it
        raise Unanswered("it changes while it is read") from None
    first: list[tuple[Any, ...]] = [(key, ": ", member) for key, member in items]
    return _with_names(value, dict, "{", "}", first, [], size, "entry")


def _by_count(items: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    if all(type(count) in (int, float) for _, count in items):
        return sorted(items, key=lambda item: -item[1])
    return items


def _set(value: Any, wanted: int) -> Elements:
    base: Any = set if is_kind(value, set) else frozenset
    size = base.__len__(value)
    if not size:
        return Elements(f"{type_name(value)}(", ")", [], 0)
    try:
        members = list(itertools.islice(base.__iter__(value), max(wanted, _SORTABLE)))
    except RuntimeError:
        raise Unanswered("it changes while it is read") from None
    # The order of strings in a set differs from process to process.
    for kinds in ((str,), (int, float, bool)):
        if size <= _SORTABLE and all(type(member) in kinds for member in members):
            members.sort()
    first: list[tuple[Any, ...]] = [(member,) for member in members[:wanted]]
    return _with_names(value, set, "{", "}", first, [], size)


def _deque(value: Any, wanted: int) -> Elements:
    size = deque.__len__(value)
    ends = 0 if size <= wanted else wanted // 4
    try:
        first = [(v,) for v in itertools.islice(deque.__iter__(value), wanted - ends)]
        last = [(v,) for v in itertools.islice(deque.__reversed__(value), ends)][::-1]
    except RuntimeError:
        raise Unanswered("it changes while it is read") from None
    return _with_names(value, None, "[", "]", list(first), list(last), size)


def _dataclass(value: Any, patience: Patience) -> Elements | None:
    def members() -> list[tuple[Any, ...]]:
        return [
            (field.name, "=", getattr(value, field.name, "<not set>"))
            for field in dataclasses.fields(type(value))
            if field.repr
        ]

    found = patience.ask(members, "its fields")
    return Elements(f"{type_name(value)}(", ")", found, len(found), noun="field")


def _foreign(value: Any, wanted: int, patience: Patience) -> Elements | None:
    """Return the elements of an object whose class says that it is a container."""
    if is_kind(value, Mapping):
        return _foreign_items(value, wanted, patience)
    is_set = is_kind(value, Set)
    if not is_set and (not is_kind(value, Sequence) or is_kind(value, _NO_CONTAINERS)):
        return None
    size = length_of(value, patience)
    ends = 0 if is_set or size <= wanted else wanted // 4
    start = min(size, wanted - ends)

    def members(indices: Iterable[int]) -> list[tuple[Any, ...]]:
        return [(value[index],) for index in indices]

    if is_set:
        first = patience.ask(
            lambda: [(v,) for v in itertools.islice(iter(value), wanted)], "its elements"
        )
        return _with_names(value, None, "{", "}", list(first), [], size)
    first = patience.ask(lambda: members(range(start)), "its elements")
    last = patience.ask(lambda: members(range(size - ends, size)), "its elements")
    return _with_names(value, None, "[", "]", first, last, size)


def _foreign_items(value: Any, wanted: int, patience: Patience) -> Elements:
    size = length_of(value, patience)

    def members() -> list[tuple[Any, ...]]:
        keys = itertools.islice(iter(value), wanted)
        return [(key, ": ", value[key]) for key in keys]

    is_proxy = type(value) is types.MappingProxyType
    base = types.MappingProxyType if is_proxy else None
    first = patience.ask(members, "its entries")
    return _with_names(value, base, "{", "}", first, [], size, "entry")
