"""A summary of a column's values: numbers, dates, text, or anything else.

It is told from a sample of at most a thousand Python values, so pandas, Polars and NumPy share it.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import math
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ...text import one_line
from ..secrets.named import Named
from .foreign import is_a, is_kind, type_name
from .printer import Printer, number_text

__all__ = ["SAMPLE", "cell_text", "is_missing", "positions", "summary"]

SAMPLE = 1_000
"""Most rows that a summary looks at."""

# Only values of these classes are compared and counted: their code is Python's or the library's.
_COUNTED: tuple[type, ...] = (
    *(str, bytes, int, float, decimal.Decimal),
    *(datetime.date, datetime.datetime, datetime.time, datetime.timedelta),
)
_SCALARS = ("Timestamp", "Timedelta", "Period", "Interval")  # of pandas
_TIMES = (datetime.date, datetime.timedelta)
_CELL = 60


def positions(size: int, count: int = SAMPLE) -> list[int]:
    """Return at most `count` evenly spaced positions, the first and the last among them."""
    if size <= count:
        return list(range(size))
    return [step * (size - 1) // (count - 1) for step in range(count)]


def is_missing(value: Any) -> bool:
    """Say whether a value stands for none: None, NaN, NaT or NA."""
    if value is None:
        return True
    if is_kind(value, float):
        return math.isnan(value)
    if type(value) is decimal.Decimal:
        return value.is_nan()
    pandas = sys.modules.get("pandas")
    return pandas is not None and (value is pandas.NaT or value is pandas.NA)


def cell_text(value: Any, printer: Printer, limit: int = _CELL, name: Named | None = None) -> str:
    """Return the value of one cell in one line, text without quotes, a secret's name's masked."""
    value = printer.hidden(value, name)
    if is_kind(value, str) and not is_kind(value, enum.Enum):
        return one_line(str.__getitem__(value, slice(limit * 2)), limit)
    if is_kind(value, float):
        return "NaN" if math.isnan(value) else f"{value:.6g}"
    if _is_countable(value):
        return one_line(number_text(value) or str(value), limit)
    if is_missing(value):
        return str(value)
    return printer.brief(value, limit, name)


def summary(values: list[Any], printer: Printer, names: Sequence[Named | None] = ()) -> str:
    """Return in a few words what the values are like.

    Args:
        values: The values without the missing ones.
        printer: Prints the values.
        names: What the name of each says; empty if none says anything.
    """
    if not values:
        return "nothing but missing values"
    if any(names):
        return _hidden(values, printer, names)
    return _summary(values, printer)


def _hidden(values: list[Any], printer: Printer, names: Sequence[Named | None]) -> str:
    """Return what values are like of which some may be secrets."""
    shown = [printer.hidden(value, name) for value, name in zip(values, names, strict=True)]
    masks = [mask for mask, value in zip(shown, values, strict=True) if mask is not value]
    if len(masks) == len(values) and len(set(masks)) == 1 and all(map(_is_countable, values)):
        count = len(set(values))
        words = f"{count:,} distinct, all" if count > 1 else "all"
        return f"{words} {masks[0]!r}"
    return _summary(shown, printer, next(filter(None, names)))


def _summary(values: list[Any], printer: Printer, name: Named | None = None) -> str:
    if all(is_kind(value, bool) for value in values):
        return ", ".join(f"{value}: {n:,}" for value, n in Counter(values).most_common())
    if all(is_kind(value, (int, float, decimal.Decimal)) for value in values):
        return _numbers(values)
    if all(is_kind(value, _TIMES) for value in values) and (found := _range(values)):
        return found
    if all(is_kind(value, str) for value in values):
        return _distinct([str.__getitem__(value, slice(200)) for value in values], printer)
    names = Counter(type_name(value) for value in values)
    if len(names) == 1 and all(map(_is_countable, values)):
        return _distinct(values, printer)
    kinds = ", ".join(f"{count:,} {name}" for name, count in names.most_common(5))
    some = ", ".join(_quoted(value, printer, name) for value in values[:3])
    return f"{'mixed types: ' if len(names) > 1 else ''}{kinds}; such as {some}"


def _is_countable(value: Any) -> bool:
    return (
        type(value) in _COUNTED or is_a(value, "pandas", *_SCALARS) or is_a(value, "uuid", "UUID")
    )


def _numbers(values: list[Any]) -> str:
    low, high = min(values), max(values)
    if low == high:
        return f"all {_number(low)}"
    finite = [float(v) for v in values if abs(v) < sys.float_info.max / len(values)]
    mean = f"mean {math.fsum(finite) / len(finite):.6g}, " if len(finite) == len(values) else ""
    text = f"min {_number(low)}, {mean}max {_number(high)}"
    counts = Counter(values)
    if len(counts) <= 5 and len(values) >= 4 * len(counts):
        most = ", ".join(f"{_number(value)}: {n:,}" for value, n in counts.most_common())
        text += f"; {len(counts)} distinct ({most})"
    return text


def _number(value: Any) -> str:
    return f"{value:.6g}" if is_kind(value, float) else (number_text(value) or str(value))[:60]


def _range(values: list[Any]) -> str:
    try:
        low, high = str(min(values)), str(max(values))
    except TypeError:  # some with a time zone and some without
        return ""
    if low.endswith(" 00:00:00") and high.endswith(" 00:00:00") and is_midnight(values):
        low, high = low.removesuffix(" 00:00:00"), high.removesuffix(" 00:00:00")
    return f"all {low}" if low == high else f"{low} to {high}"


def is_midnight(values: list[Any]) -> bool:
    """Say whether all dates that have a time are at midnight."""
    return all(
        (v.hour, v.minute, v.second, v.microsecond) == (0, 0, 0, 0)
        for v in values
        if is_kind(v, datetime.datetime)
    )


def _distinct(values: list[Any], printer: Printer) -> str:
    counts = Counter(values)
    if len(counts) == 1:
        return f"all {_quoted(values[0], printer)}"
    if len(counts) > len(values) / 2:
        some = ", ".join(_quoted(value, printer) for value in list(counts)[:3])
        return f"{len(counts):,} distinct, such as {some}"
    shown = 8 if len(counts) <= 8 else 5
    most = ", ".join(f"{_quoted(v, printer)}: {n:,}" for v, n in counts.most_common(shown))
    most_frequent = "" if len(counts) <= 8 else "most frequent "
    return f"{len(counts):,} distinct ({most_frequent}{most})"


def _quoted(value: Any, printer: Printer, name: Named | None = None) -> str:
    if is_kind(value, str):
        return repr(one_line(str.__getitem__(value, slice(100)), 32))
    if is_a(value, "pandas", *_SCALARS):
        return str(value)
    return printer.brief(value, 40, name)
