"""Tables and columns of pandas and Polars, as a model writes them in JSON.

Neither library is imported: a type can only come from one that the user has imported.
"""

from __future__ import annotations

import sys
from typing import Any

from ...text import one_line, well_formed
from .plain_types import Form, misfit, shown

__all__ = ["frame_of"]

_CELL: dict[str, Any] = {"type": ["number", "string", "boolean", "null"]}
_CELL_WORDS = "a number, text, true, false or null"


def frame_of(cls: type) -> Form | None:
    """Return the form of `cls` if it is the DataFrame or the Series of pandas or Polars."""
    for library, make in (("pandas", _pandas_column), ("polars", _polars_column)):
        module: Any = sys.modules.get(library)
        if module is None:
            continue
        if cls is getattr(module, "DataFrame", None):
            return Table(module)
        if cls is getattr(module, "Series", None):
            return Column(module, make)
    return None


class Table(Form):
    """A DataFrame.

    It is asked for as the names of its columns and the values of its rows. A list of records, and
    an object with a list for each column, are read as well.

    Args:
        module: ``pandas`` or ``polars``.
    """

    words = "a table"
    hashable = False
    note = "A value is a number, a string, true, false or null; each row has one for each column."

    def __init__(self, module: Any) -> None:
        self._module = module
        properties = {
            "columns": {"type": "array", "items": {"type": "string"}},
            "rows": {"type": "array", "items": {"type": "array", "items": _CELL}},
        }
        self.schema = {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    def _takes(self, value: Any) -> bool:
        return isinstance(value, dict | list)

    def _read(self, value: Any, path: str) -> Any:
        names, rows = self._parts(value, path)
        columns = list(map(list, zip(*rows, strict=True))) if rows else [[] for _ in names]
        if self._module.__name__ == "polars":
            return self._module.DataFrame(
                [
                    _polars_column(self._module, column).alias(name)
                    for name, column in zip(names, columns, strict=True)
                ]
            )
        made = [_pandas_column(self._module, column) for column in columns]
        frame = self._module.DataFrame(dict(enumerate(made)), index=range(len(rows)))
        frame.columns = names
        return frame

    def _parts(self, value: Any, path: str) -> tuple[list[str], list[list[Any]]]:
        """Return the names of the columns and the rows, whichever way they are given."""
        if isinstance(value, list):
            return _of_records(value, path)
        if not isinstance(value, dict) or not value:
            raise misfit(path, self.words, value)
        rows = value.get("rows", value.get("data"))
        if "columns" in value and isinstance(rows, list):
            names = value["columns"]
            if not isinstance(names, list):
                raise misfit(f"{path}.columns", "a list of names", names)
            if rows and all(isinstance(row, dict) for row in rows):
                return _of_records(rows, f"{path}.rows")
            return _names(names, f"{path}.columns"), _rows(rows, len(names), f"{path}.rows")
        return _of_columns(value, path)


class Column(Form):
    """A Series, asked for as a list of its values.

    Args:
        module: ``pandas`` or ``polars``.
        make: What makes a Series of the module out of a list.
    """

    words = "a list"
    hashable = False

    def __init__(self, module: Any, make: Any) -> None:
        self._module, self._make = module, make
        self.schema = {"type": "array", "items": _CELL}

    def _takes(self, value: Any) -> bool:
        return isinstance(value, list)

    def _read(self, value: Any, path: str) -> Any:
        if not isinstance(value, list):
            raise misfit(path, self.words, value)
        return self._make(self._module, _cells(value, path))


def _of_records(records: list[Any], path: str) -> tuple[list[str], list[list[Any]]]:
    for number, record in enumerate(records):
        if not isinstance(record, dict):
            raise misfit(f"{path}[{number}]", "an object", record)
    # A dict keeps the order in which the columns appear.
    names = list(dict.fromkeys(name for record in records for name in record))
    rows = [
        _cells([record.get(name) for name in names], f"{path}[{number}]")
        for number, record in enumerate(records)
    ]
    return _names(names, path), rows


def _of_columns(value: dict[str, Any], path: str) -> tuple[list[str], list[list[Any]]]:
    length = None
    for name, column in value.items():
        place = f"{path}.{one_line(name, 40)}"
        if not isinstance(column, list):
            raise misfit(place, "a list of the column's values", column)
        length = len(column) if length is None else length
        if len(column) != length:
            raise ValueError(f"{place}: must have {length} values, not {len(column)}")
        _cells(column, place)
    return _names(list(value), path), [list(row) for row in zip(*value.values(), strict=True)]


def _names(names: list[Any], path: str) -> list[str]:
    for number, name in enumerate(names):
        if not isinstance(name, str):
            raise misfit(f"{path}[{number}]", "text", name)
        if name in names[:number]:
            raise ValueError(f"{path}: has {shown(name)} twice")
    return [well_formed(name) for name in names]


def _rows(rows: list[Any], width: int, path: str) -> list[list[Any]]:
    for number, row in enumerate(rows):
        if not isinstance(row, list):
            raise misfit(f"{path}[{number}]", "a list", row)
        if len(row) != width:
            raise ValueError(f"{path}[{number}]: must have {width} values, not {len(row)}")
    return [_cells(row, f"{path}[{number}]") for number, row in enumerate(rows)]


def _cells(values: list[Any], path: str) -> list[Any]:
    for number, value in enumerate(values):
        if isinstance(value, dict | list):
            raise misfit(f"{path}[{number}]", _CELL_WORDS, value)
    return [well_formed(value) if isinstance(value, str) else value for value in values]


def _pandas_column(pandas: Any, values: list[Any]) -> Any:
    return pandas.Series(values, dtype=None if values else object)


def _polars_column(polars: Any, values: list[Any]) -> Any:
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {int, float}:
        values = [None if value is None else float(value) for value in values]
    elif len(kinds) > 1:
        values = [None if value is None else str(value) for value in values]
    elif not kinds:
        return polars.Series(values=values, dtype=polars.String)
    return polars.Series(values=values)
