"""A table as text: its columns, one a line, and its first and last rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ...text import count_of, one_line
from ..secrets.named import Named
from .columns import SAMPLE, cell_text, is_missing, summary
from .description import Description, cut_middle, readable
from .printer import Printer

__all__ = [
    "COLUMNS",
    "Column",
    "Names",
    "Table",
    "column_of",
    "label",
    "rendered",
    "rows_shown",
]

Names = Sequence[Named | None]
"""What the name of each value says about it."""

COLUMNS = 40
"""Most columns that are described one by one; of the others only the names."""

_NAMES = 100  # of other columns
_SMALL = 20  # rows of a table that is shown whole
_FIRST, _LAST = 5, 3

# Names that can be told from a number or a tuple without quotes.
_PLAIN_NAME = re.compile(r"[^\W\d][\w .:/%$€#&+-]*(?<! )")


@dataclass
class Column:
    """A column: what it is like, and the values of the rows that are shown."""

    name: str
    dtype: str
    missing: int
    summary: str
    cells: list[str]


@dataclass
class Table:
    """What is known about a table, ready to be laid out.

    Attributes:
        kind: What it is, with its shape.
        facts: Lines about all of it, such as its index.
        rows: How many rows it has.
        column_count: How many columns it has.
        columns: Those that are described.
        other_names: The names of some of the others.
        labels: The labels of the rows that are shown; empty if rows have none.
        is_wide: It can have several columns.
    """

    kind: str
    facts: list[str]
    rows: int
    column_count: int
    columns: list[Column]
    other_names: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    is_wide: bool = True


def rows_shown(rows: int) -> tuple[int, int]:
    """Return how many of the first and of the last rows to show."""
    return (rows, 0) if rows <= _SMALL else (_FIRST, _LAST)


def label(name: Any, printer: Printer) -> str:
    """Return the name of a column, in quotes if it could be taken for something else."""
    if type(name) is str and len(name) <= 60 and _PLAIN_NAME.fullmatch(name):
        return name
    return printer.brief(name, 60)


def column_of(
    name: str,
    dtype: Any,
    sample: list[Any],
    shown: list[Any],
    printer: Printer,
    missing: int | None = None,
    names: tuple[Names, Names] | None = None,
) -> Column:
    """Return a column as it is described, from a sample of its values.

    Args:
        name: Its name.
        dtype: The type of its values.
        sample: Some of its values.
        shown: The values of the rows that are shown.
        printer: Prints the values.
        missing: How many are missing in the sample, if `sample` has only a part of it.
        names: What the names of the values in `sample` and in `shown` say, if anything.
    """
    of_sample, of_shown = names or ([None] * len(sample), [None] * len(shown))
    at = [number for number, value in enumerate(sample) if not is_missing(value)]
    present = [sample[number] for number in at]
    words = summary(present, printer, [of_sample[n] for n in at]) if sample else "empty"
    cells = [cell_text(each, printer, name=of) for each, of in zip(shown, of_shown, strict=True)]
    missing = len(sample) - len(present) if missing is None else missing
    return Column(name, one_line(str(dtype), 60), missing, words, cells)


def rendered(table: Table, budget: int) -> Description:
    """Return the table as text that fits: fewer columns and rows, and shorter cells, if needed."""
    first = rows_shown(table.rows)[0]
    text = left_out = ""
    for columns, first_rows, last_rows, width in (
        (COLUMNS, _SMALL, _LAST, 60),
        (COLUMNS, _FIRST, _LAST, 30),
        (COLUMNS, 3, 2, 16),
        (20, 3, 1, 16),
        (10, 2, 1, 12),
        (5, 1, 0, 12),
    ):
        head, tail = min(first, first_rows), (last_rows if table.rows > _SMALL else 0)
        text = readable("\n".join(_lines(table, columns, head, tail, width)))
        left_out = _left_out(table, columns, head + tail)
        if len(text) <= budget:
            return Description(table.kind, text, left_out)
    text, more = cut_middle(text, budget)
    return Description(table.kind, text, left_out or more)


def _left_out(table: Table, columns: int, rows: int) -> str:
    parts = []
    if table.rows > rows:
        parts.append(f"{table.rows - rows:,} of {count_of(table.rows, 'row')}")
    if table.column_count > min(columns, len(table.columns)):
        others = table.column_count - min(columns, len(table.columns))
        parts.append(f"{others:,} of {count_of(table.column_count, 'column')}")
    return f"{' and '.join(parts)} left out" if parts else ""


def _lines(table: Table, count: int, first: int, last: int, width: int) -> list[str]:
    columns = table.columns[:count]
    is_sample = table.rows > SAMPLE
    of_sample = f", of an evenly spaced sample of {SAMPLE:,} rows" if is_sample else ""
    lines = [table.kind, *table.facts]
    if columns:
        noun = "columns" if table.is_wide else "values"
        lines += [f"{noun} (missing and contents{of_sample}):", *_column_lines(columns)]
    others = table.column_count - len(columns)
    if others and columns:
        names = [c.name for c in table.columns[count:]] + table.other_names
        shown = one_line(", ".join(names[:_NAMES]), 60 * width // 3)
        lines.append(f"  … and {count_of(others, 'more column')}: {shown}")
    if not columns or not first:
        return lines
    total = len(columns[0].cells)
    if table.rows <= first:
        lines += ["all rows:", *_grid(table, columns, range(first), width)]
    else:
        ends = [*range(first), *range(total - last, total)]
        words = f"first {first:,} and last {last:,} rows:" if last else "first rows:"
        lines += [
            words if first + last > 1 else "first row:",
            *_grid(table, columns, ends, width, first),
        ]
    return lines


def _column_lines(columns: list[Column]) -> list[str]:
    rows = [(c.name, c.dtype, f"{c.missing:,} missing", c.summary) for c in columns]
    widths = [min(max(len(row[i]) for row in rows), 40) for i in range(3)]
    return [
        "  " + "  ".join([*(row[i].ljust(widths[i]) for i in range(3)), row[3]]).rstrip()
        for row in rows
    ]


def _grid(
    table: Table, columns: list[Column], shown: Any, width: int, gap: int | None = None
) -> list[str]:
    """Return rows with their cells below each other, and a mark at the gap between them."""
    strips = [["", *(one_line(table.labels[i], width) for i in shown)]] if table.labels else []
    strips += [[one_line(text, width) for text in _strip(column, shown)] for column in columns]
    widths = [max(map(len, strip)) for strip in strips]
    rows = [
        "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in zip(*strips, strict=True)
    ]
    if gap is not None and gap < len(rows) - 1:
        rows.insert(gap + 1, "…")
    return [f"  {row}" for row in rows]


def _strip(column: Column, shown: Any) -> list[str]:
    return [column.name, *(column.cells[i] for i in shown)]
