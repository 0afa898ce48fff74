"""Tables and columns of pandas and Polars; what they cost does not grow with their rows."""

from __future__ import annotations

from itertools import chain
from typing import Any

from ...text import count_of, one_line
from .columns import cell_text, positions
from .description import BUDGET, Description, cut_middle, readable, several
from .foreign import Patience, is_a, type_name
from .outline import POLARS, is_frame, outline
from .printer import Printer
from .tables import COLUMNS, Column, Table, column_of, label, rendered, rows_shown

__all__ = ["describe_frame", "is_described_frame", "memory"]

# Text of a cell is not looked at beyond this.
_TEXT = 200
_FEW = 10
_GROUPS = ("DataFrameGroupBy", "SeriesGroupBy")


def is_described_frame(value: object) -> bool:
    """Say whether `describe_frame` is for the object."""
    return is_frame(value) or is_a(value, "pandas.core.groupby", *_GROUPS)


def describe_frame(value: Any, budget: int | None, patience: Patience) -> Description:
    """Describe a table, a column, an index or the groups of a table."""
    budget = BUDGET if budget is None else budget
    printer = Printer(patience)
    if is_a(value, "pandas.core.groupby", *_GROUPS):
        return _groups(value, budget, printer)
    kind = outline(value, patience)
    if is_a(value, "polars", "LazyFrame"):
        return _lazy(value, kind, budget)
    if is_a(value, "polars", *POLARS):
        return rendered(_polars_table(value, kind, printer), budget)
    if is_a(value, "pandas", "Index"):
        shown = rows_shown(len(value))
        sample = value[positions(len(value))]
        column = _pandas_column(sample, value, "values", shown, printer)
        facts = [f"index: {_index(value, printer)}"]
        return rendered(Table(kind, facts, len(value), 1, [column], is_wide=False), budget)
    return rendered(_pandas_table(value, kind, printer), budget)


def _pandas_table(value: Any, kind: str, printer: Printer) -> Table:
    rows = len(value.index)
    shown = rows_shown(rows)
    if is_a(value, "pandas", "Series"):
        name = label(value.name, printer) if value.name is not None else "values"
        series, names, count = [value], [name], 1
    else:
        count = len(value.columns)
        names = [label(name, printer) for name in value.columns[: COLUMNS + 100].tolist()]
        series = [value.iloc[:, position] for position in range(min(count, COLUMNS))]
    sampled = positions(rows)
    columns = [
        _pandas_column(
            each if rows == len(sampled) else each.iloc[sampled], each, name, shown, printer
        )
        for each, name in zip(series, names, strict=False)
    ]
    facts = [f"index: {_index(value.index, printer)}"]
    facts += _column_facts(value, names[:COLUMNS], printer)
    if count <= COLUMNS:
        size = sum(int(each.memory_usage(index=False, deep=False)) for each in series)
        objects = ", and the objects in it" if any(str(s.dtype) == "object" for s in series) else ""
        facts.append(f"memory: {memory(size)}{objects}")
    labels = [*value.index[: shown[0]].tolist(), *_last(value.index, shown[1])]
    texts = [cell_text(each, printer, 40) for each in labels]
    is_wide = is_a(value, "pandas", "DataFrame")
    return Table(kind, facts, rows, count, columns, names[COLUMNS:], texts, is_wide)


def _pandas_column(
    sample: Any, whole: Any, name: str, shown: tuple[int, int], printer: Printer
) -> Column:
    dtype = str(whole.dtype)
    is_series = hasattr(whole, "iloc")
    first = whole.iloc[: shown[0]] if is_series else whole[: shown[0]]
    cells = [*_values(first), *_last(whole, shown[1])]
    if dtype == "category":
        categories = whole.dtype.categories
        ordered = ", ordered" if whole.dtype.ordered else ""
        dtype = f"category of {categories.dtype} ({several(len(categories), 'category')}{ordered})"
    missing = int(sample.isna().sum()) if is_series else None
    return column_of(name, dtype, _values(sample), cells, printer, missing)


def _last(values: Any, count: int) -> list[Any]:
    size = len(values)
    last = slice(size - count, size)
    return _values(values.iloc[last] if hasattr(values, "iloc") else values[last])


def _values(values: Any) -> list[Any]:
    """Return pandas' values as Python's, without the rest of very long texts and lists."""
    dtype = str(values.dtype)
    if dtype.startswith(("list", "struct", "map")):
        values = values.iloc[:_FEW] if hasattr(values, "iloc") else values[:_FEW]
    elif dtype.startswith("str") and hasattr(values, "str"):
        values = values.str.slice(0, _TEXT)
    found: list[Any] = values.tolist()
    return found


def _index(index: Any, printer: Printer) -> str:
    """Return the kind, the names and the range of an index."""
    names = [label(name, printer) for name in list(index.names)[:_FEW] if name is not None]
    words = type_name(index)
    if is_a(index, "pandas", "MultiIndex"):
        words += f" with {count_of(index.nlevels, 'level')}"
    elif words == "Index":
        words += f" of {one_line(str(index.dtype), 60)}"
    if names:
        words += f" named {', '.join(names)}"
    if len(index):
        low, high = (cell_text(index[at], printer, 40) for at in (0, -1))
        is_range = is_a(index, "pandas", "RangeIndex", "DatetimeIndex", "PeriodIndex")
        ends = f"{low} to {high}" if is_range else f"first {low}, last {high}"
        words += f", {ends}" if len(index) > 1 else f", {low}"
    if freq := getattr(index, "freqstr", None):
        words += f", frequency {freq}"
    if len(positions(len(index))) == len(index) and not index.is_unique:
        words += ", some labels more than once"
    return words


def _column_facts(value: Any, names: list[str], printer: Printer) -> list[str]:
    if not is_a(value, "pandas", "DataFrame"):
        return []
    facts = []
    if is_a(value.columns, "pandas", "MultiIndex"):
        levels = ", ".join(label(name, printer) for name in list(value.columns.names)[:_FEW])
        facts.append(f"columns have {count_of(value.columns.nlevels, 'level')}: {levels}")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        facts.append(f"column names that occur more than once: {', '.join(twice[:_FEW])}")
    return facts


def memory(size: int) -> str:
    """Return a number of bytes with a unit, such as ``1.5 MB``."""
    amount, unit = float(size), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:,.3g} {unit}" if unit != "bytes" else f"{size} bytes"


def _groups(value: Any, budget: int, printer: Printer) -> Description:
    keys = getattr(value, "keys", None)
    by = (
        printer.brief(keys, 200)
        if not callable(keys)
        else f"the function {printer.brief(keys, 80)}"
    )
    kind = f"pandas {type_name(value)}, grouped by {by}" if keys is not None else type_name(value)
    inner = describe_frame(value.obj, max(budget - len(kind) - 10, 0), printer.patience)
    return Description(kind, f"{kind}\nof: {inner.text}", inner.left_out)


def _polars_table(value: Any, kind: str, printer: Printer) -> Table:
    is_column = is_a(value, "polars", "Series")
    rows = len(value)
    count = 1 if is_column else value.width
    series = [value] if is_column else [value.to_series(i) for i in range(min(count, COLUMNS))]
    shown = rows_shown(rows)
    ends = [*range(shown[0]), *range(rows - shown[1], rows)]
    columns = []
    for each in series:
        name = label(each.name, printer) if each.name else "values" if is_column else "''"
        values = _polars_values(each, positions(rows))
        columns.append(column_of(name, each.dtype, values, _polars_values(each, ends), printer))
    names = [] if is_column else [label(n, printer) for n in value.columns[COLUMNS : COLUMNS + 100]]
    facts = [f"memory: {memory(int(value.estimated_size()))}"]
    return Table(kind, facts, rows, count, columns, names, is_wide=not is_column)


def _polars_values(series: Any, at: list[int]) -> list[Any]:
    """Return values as Python's, without the rest of very long texts and lists."""
    dtype = str(series.dtype)
    if dtype.startswith(("List", "Array", "Struct", "Object", "Binary")):
        # One by one, so that a list stays a Polars series, however long.
        return [_short_list(series[position]) for position in at]
    some = series if len(at) == len(series) else series.gather(at)
    if dtype == "String":
        some = some.str.slice(0, _TEXT)
    found: list[Any] = some.to_list()
    return found


def _short_list(value: Any) -> Any:
    is_short = is_a(value, "polars", "Series") and len(value) <= _FEW
    return value.to_list() if is_short else value


def _lazy(value: Any, kind: str, budget: int) -> Description:
    """Describe a lazy frame by its schema and its plan; it is not collected."""
    schema = list(value.collect_schema().items())
    kind = f"{kind}, {count_of(len(schema), 'column')}, not collected"
    width = max((min(len(str(name)), 40) for name, _ in schema[:COLUMNS]), default=0)
    lines = [f"  {one_line(str(n), 60).ljust(width)}  {one_line(str(t), 60)}" for n, t in schema]
    others = [f"  … and {len(schema) - COLUMNS:,} more columns"] if len(schema) > COLUMNS else []
    plan = str(value.explain(optimized=False))[:2_000].splitlines()
    parts = chain([kind, "columns:"], lines[:COLUMNS], others, ["plan:"], (f"  {x}" for x in plan))
    text, left_out = cut_middle(readable("\n".join(parts)), budget)
    return Description(kind, text, left_out)
