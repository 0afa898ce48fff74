"""The secrets in tables of the namespace: in the rows that a notebook shows of a table."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

from .named import Named, named

__all__ = ["of_table"]

# pandas shows at most 60 rows, and Polars fewer: tables up to that are looked at whole.
_ENDS = 30
_COLUMNS = 1_000
_SECRET_COLUMNS = 10


def of_table(value: object) -> Iterator[tuple[Named, object]]:
    """Yield values of the columns whose names are secrets'; a large table's first and last ones.

    Only objects that are exactly pandas' or Polars' tables or columns are looked into.
    """
    try:
        for name, column in islice(_columns(value), _SECRET_COLUMNS):
            size = len(column)
            is_small = size <= 2 * _ENDS
            ends = [slice(size)] if is_small else [slice(_ENDS), slice(size - _ENDS, size)]
            for rows in ends:
                cells = column.iloc[rows] if hasattr(column, "iloc") else column[rows]
                yield from ((name, cell) for cell in cells.to_list())
    except Exception:  # noqa: BLE001  # a table may be broken; what it shows is masked by its name
        return


def _columns(value: Any) -> Iterator[tuple[Named, Any]]:
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    for library in (pandas, polars):
        if library is None:
            continue
        if type(value) is getattr(library, "Series", None):
            if (found := named(value.name)) is not None:
                yield found, value
        elif type(value) is getattr(library, "DataFrame", None):
            names = list(value.columns[:_COLUMNS])
            for position, name in enumerate(names):
                if (found := named(name)) is not None:
                    is_pandas = library is pandas
                    yield found, value.iloc[:, position] if is_pandas else value.to_series(position)
