"""The rows of a batch: what can be iterated over, and how the answers get back to it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sized
from itertools import islice
from typing import Any

from ..errors import UsageError

__all__ = ["Items", "is_missing"]


class Items:
    """The rows to ask about: the elements of any iterable, or the rows of a table.

    A row of a DataFrame is a dict of its values, by column.

    Args:
        source: An iterable; pandas and Polars objects are known.
        first: How many of its rows to take; None takes all.

    Attributes:
        total: How many rows there are, or None if only the end will tell.
        index: The pandas index of the rows, or None.
        is_polars: They come from Polars.

    Raises:
        UsageError: It cannot be iterated over, or it is a text or a dict.
    """

    def __init__(self, source: Any, first: int | None = None) -> None:
        if isinstance(source, (str, bytes, Mapping)):
            kind = "one text" if isinstance(source, (str, bytes)) else "a dict"
            hint = "Give a list of texts, a Series or a DataFrame"
            raise UsageError(f"The items are {kind}, not a sequence of rows", hint)
        if not isinstance(source, Iterable):
            kind = type(source).__name__
            raise UsageError(f"The items are of type {kind}, which has no rows", "Give a list")
        if first is not None and first < 1:
            raise UsageError("first must be 1 or more", "Leave it out to ask about all rows")
        self._source: Any = source
        self._first = first
        count = len(source) if isinstance(source, Sized) else None
        self.total = count if first is None or count is None else min(first, count)
        self.index = _index_of(source, self.total)
        self.is_polars = _is(source, "polars", "Series") or _is(source, "polars", "DataFrame")

    def __iter__(self) -> Iterator[Any]:
        return islice(self._rows(), self._first)

    def _rows(self) -> Iterator[Any]:
        source = self._source
        if _is(source, "pandas", "DataFrame"):
            columns = list(source.columns)
            values = source.itertuples(index=False, name=None)
            return (dict(zip(columns, row, strict=True)) for row in values)
        if _is(source, "polars", "DataFrame"):
            return iter(source.iter_rows(named=True))
        return iter(source)


def is_missing(item: object) -> bool:
    """Say whether a row is empty: None, or what pandas has for a missing value."""
    if item is None or (isinstance(item, float) and item != item):
        return True
    pandas = sys.modules.get("pandas")
    return pandas is not None and (item is pandas.NA or item is pandas.NaT)


def _index_of(source: Any, count: int | None) -> Any:
    """Return the first labels of a pandas object; None for anything else."""
    if _is(source, "pandas", "Series") or _is(source, "pandas", "DataFrame"):
        return source.index[:count]
    return None


def _is(value: object, module: str, name: str) -> bool:
    """Say whether `value` is of a class of a package that the user has imported."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(value, kind)
