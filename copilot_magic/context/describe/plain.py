"""Values that Python itself has: numbers, text, bytes, dates, enums, containers, dataclasses."""

from __future__ import annotations

import datetime
import decimal
import enum
import fractions
from collections import deque
from collections.abc import Mapping, Sequence, Set
from typing import Any

from ...text import count_of
from .description import BUDGET, LONG_BUDGET, Description, cut_middle, readable, several
from .elements import length_of
from .foreign import Patience, Unanswered, defines, is_a, is_kind, type_name
from .printer import Printer, number_text

__all__ = ["describe_plain", "is_plain"]

_EXACT: tuple[type, ...] = (
    *(datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo),
    *(decimal.Decimal, fractions.Fraction, range, slice),
)
_TEXT = (str, bytes, bytearray)
_CONTAINERS = (list, tuple, dict, set, frozenset, deque, Mapping, Set, Sequence)


def is_plain(value: object) -> bool:
    """Say whether `describe_plain` is for the object."""
    return (
        is_kind(value, (*_TEXT, *_EXACT, *_CONTAINERS, enum.Enum))
        or number_text(value) is not None
        or is_a(value, "numpy", "generic")
        or is_a(value, "array", "array")
        or defines(value, "__dataclass_fields__")
    )


def describe_plain(value: Any, budget: int | None, printer: Printer) -> Description:
    """Describe such a value."""
    value = printer.hidden(value, printer.name)
    if is_kind(value, str) and not is_kind(value, enum.Enum):
        return _describe_string(value, LONG_BUDGET if budget is None else budget)
    budget = BUDGET if budget is None else budget
    printed = printer.print(value, budget, printer.name)
    kind = _kind(value, printer.patience)
    if is_kind(value, enum.Enum):
        members = list(type(value).__members__)
        left_out = "" if len(members) <= 50 else f" … {len(members) - 50:,} more"
        own = printer.brief(value.value, 200)
        text = f"{printed.text} = {own}\nmembers: {', '.join(members[:50])}{left_out}"
        return Description(kind, readable(text))
    return Description(kind, printed.text, printed.left_out)


def _describe_string(value: Any, budget: int) -> Description:
    """Describe a text: it is shown as it is, the middle of a long one left out."""
    size = str.__len__(value)
    kind = f"{type_name(value)}, {count_of(size, 'character')}"
    if size <= budget:
        text = readable(str.__getitem__(value, slice(None)))
        # A control character may become a few visible ones.
        return Description(kind, *cut_middle(text, budget))
    third = budget // 3
    head = readable(str.__getitem__(value, slice(budget - third)))
    tail = readable(str.__getitem__(value, slice(size - third, size)))
    left_out = f"{size - budget:,} of {count_of(size, 'character')} left out"
    text = f"{head[: budget - third]}\n… {left_out} …\n{tail[len(tail) - min(third, len(tail)) :]}"
    return Description(kind, text.strip("\n"), left_out)


def _kind(value: Any, patience: Patience) -> str:
    name = type_name(value)
    if is_kind(value, enum.Enum):
        return f"member of the enum {name}"
    if is_kind(value, (bytes, bytearray)):
        return f"{name}, {count_of(length_of(value, patience), 'byte')}"
    if number_text(value) is not None or is_kind(value, _EXACT):
        return name
    if defines(value, "__dataclass_fields__"):
        return f"dataclass {name}"
    if is_kind(value, tuple) and (defines(value, "_fields") or defines(value, "n_sequence_fields")):
        return f"named tuple {name}"
    if is_kind(value, _CONTAINERS):
        noun = "entry" if is_kind(value, (dict, Mapping)) else "item"
        try:
            return f"{name}, {several(length_of(value, patience), noun)}"
        except Unanswered:
            return name
    return f"NumPy {name}" if is_a(value, "numpy", "generic") else name
