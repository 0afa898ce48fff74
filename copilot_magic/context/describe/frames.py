"""Tables and columns of pandas and Polars; what they cost does not grow with their rows."""

from __future__ import annotations

from itertools import chain
from typing import Any

from ...text import count_of, one_line
from ..secrets.named import Named
from .columns import cell_text, positions
from .description import BUDGET, Description, cut_middle, readable, several
from .foreign import is_a, type_name
from .outline import POLARS, is_frame, outline
from .printer import Printer
from .tables import COLUMNS, Column, Names, Table, column_of, label, rendered, rows_shown

__all__ = ["describe_frame", "is_described_frame", "memory"]

# Text of a cell is not looked at beyond this.
_TEXT = 200
_FEW = 10
_LISTS = 20
_GROUPS = ("DataFrameGroupBy", "SeriesGroupBy")


def is_described_frame(value: object) -> bool:
    """Say whether `describe_frame` is for the object."""
    return is_frame(value) or is_a(value, "pandas.core.groupby", *_GROUPS)


def describe_frame(value: Any, budget: int | None, printer: Printer) -> Description:
    """Describe a table, a column, an index or the groups of a table."""
    budget = BUDGET if budget is None else budget
    if is_a(value, "pandas.core.groupby", *_GROUPS):
        return _groups(value, budget, printer)
    kind = outline(value, printer.patience)
    if is_a(value, "polars", "LazyFrame"):
        return _lazy(value, kind, budget, printer)
    if is_a(value, "polars", *POLARS):
        return rendered(_polars_table(value, kind, printer), budget)
    if is_a(value, "pandas", "Index"):
        shown = rows_shown(len(value))
        column = _pandas_column(value, "values", None, positions(len(value)), shown, printer)
        facts = [f"index: {_index(value, printer)}"]
        return rendered(Table(kind, facts, len(value), 1, [column], is_wide=False), budget)
    return rendered(_pandas_table(value, kind, printer), budget)


def _pandas_table(value: Any, kind: str, printer: Printer) -> Table:
    rows = len(value.index)
    shown = rows_shown(rows)
    said: list[Named | None]
    if is_a(value, "pandas", "Series"):
        names = [label(value.name, printer) if value.name is not None else "values"]
        series, count = [value], 1
        said = [printer.named(value.name) or printer.name]
    else:
        count = len(value.columns)
        labels = value.columns[: COLUMNS + 100].tolist()
        names = [label(name, printer) for name in labels]
        series = [value.iloc[:, position] for position in range(min(count, COLUMNS))]
        said = [printer.named(name) for name in labels]
    sampled = positions(rows)
    of_rows = _named_rows(value.index, sampled, shown, printer)
    columns = [
        _pandas_column(each, name, says, sampled, shown, printer, of_rows)
        for each, name, says in zip(series, names, said, strict=False)
    ]
    facts = [f"index: {_index(value.index, printer)}"]
    facts += _column_facts(value, names[:COLUMNS], printer)
    if count <= COLUMNS:
        size = sum(int(each.memory_usage(index=False, deep=False)) for each in series)
        objects = ", and the objects in it" if any(str(s.dtype) == "object" for s in series) else ""
        facts.append(f"memory: {memory(size)}{objects}")
    row_labels = _ends(value.index, shown, printer)
    texts = [cell_text(each, printer, 40) for each in row_labels]
    is_wide = is_a(value, "pandas", "DataFrame")
    return Table(kind, facts, rows, count, columns, names[COLUMNS:], texts, is_wide)


def _pandas_column(
    whole: Any,
    name: str,
    said: Named | None,
    sampled: list[int],
    shown: tuple[int, int],
    printer: Printer,
    of_rows: tuple[Names, Names] | None = None,
) -> Column:
    """Return a column, given what its name and those of its rows say."""
    dtype = str(whole.dtype)
    is_series = hasattr(whole, "iloc")
    if len(sampled) == len(whole):
        sample = whole
    else:
        sample = whole.iloc[sampled] if is_series else whole[sampled]
    if dtype == "category":
        categories = whole.dtype.categories
        ordered = ", ordered" if whole.dtype.ordered else ""
        dtype = f"category of {categories.dtype} ({several(len(categories), 'category')}{ordered})"
    missing = int(sample.isna().sum()) if is_series else None
    values, cells = _values(sample, printer), _ends(whole, shown, printer)
    names: tuple[Names, Names] | None = None
    if said is not None:
        names = ([said] * len(values), [said] * len(cells))
    elif of_rows is not None:
        names = (of_rows[0][: len(values)], of_rows[1][: len(cells)])
    return column_of(name, dtype, values, cells, printer, missing, names)


def _named_rows(
    index: Any, sampled: list[int], shown: tuple[int, int], printer: Printer
) -> tuple[Names, Names] | None:
    """Return what the labels of rows say, as ``df.loc[7]`` and ``df.T`` have names for labels."""
    if str(index.dtype) not in ("object", "str", "string", "category"):
        return None
    labels = (index[sampled].tolist(), _ends(index, shown, printer))
    # Names, not texts.
    said = [
        [None if type(each) is str and " " in each else printer.named(each) for each in some]
        for some in labels
    ]
    return (said[0], said[1]) if any(said[0]) or any(said[1]) else None


def _ends(values: Any, shown: tuple[int, int], printer: Printer) -> list[Any]:
    """Return the first and last values, those of the rows that are shown."""
    size = len(values)
    ends = (slice(shown[0]), slice(size - shown[1], size))
    parts = [values.iloc[end] if hasattr(values, "iloc") else values[end] for end in ends]
    return [value for part in parts for value in _values(part, printer)]


def _values(values: Any, printer: Printer) -> list[Any]:
    """Return pandas' values as Python's, without the rest of very long texts and lists.

    The secrets of an index are masked, by the names of its levels.
    """
    dtype = str(values.dtype)
    if dtype.startswith(("list", "struct", "map")):
        # As many as a small table's rows, which are all shown.
        values = values.iloc[:_LISTS] if hasattr(values, "iloc") else values[:_LISTS]
    elif dtype.startswith("str") and hasattr(values, "str"):
        values = values.str.slice(0, _TEXT)
    found: list[Any] = values.tolist()
    if is_a(values, "pandas", "Index"):
        said = [printer.named(name) for name in values.names]
        if any(said):
            return [_label(each, said, printer) for each in found]
    return found


def _label(value: Any, said: list[Named | None], printer: Printer) -> Any:
    if type(value) is tuple and len(value) == len(said):
        return tuple(map(printer.hidden, value, said))
    return printer.hidden(value, said[0])


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
        low, high = (cell_text(each, printer, 40) for each in _ends(index, (1, 1), printer))
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
    inner = describe_frame(value.obj, max(budget - len(kind) - 10, 0), printer)
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
        cells = _polars_values(each, ends)
        said = printer.named(each.name) or (printer.name if is_column else None)
        dtype = str(each.dtype)
        said_of = None
        if said is not None:
            said_of = ([said] * len(values), [said] * len(cells))
            dtype = dtype.partition("(categories=")[0]  # of an `Enum`
        columns.append(column_of(name, dtype, values, cells, printer, names=said_of))
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


def _lazy(value: Any, kind: str, budget: int, printer: Printer) -> Description:
    """Describe a lazy frame by its schema and its plan; it is not collected."""
    schema = [
        (name, str(dtype).partition("(categories=")[0] if printer.named(name) else dtype)
        for name, dtype in value.collect_schema().items()
    ]
    kind = f"{kind}, {count_of(len(schema), 'column')}, not collected"
    width = max((min(len(str(name)), 40) for name, _ in schema[:COLUMNS]), default=0)
    lines = [f"  {one_line(str(n), 60).ljust(width)}  {one_line(str(t), 60)}" for n, t in schema]
    others = [f"  … and {len(schema) - COLUMNS:,} more columns"] if len(schema) > COLUMNS else []
    plan = str(value.explain(optimized=False))[:2_000].splitlines()
    parts = chain([kind, "columns:"], lines[:COLUMNS], others, ["plan:"], (f"  {x}" for x in plan))
    text, left_out = cut_middle(readable("\n".join(parts)), budget)
    return Description(kind, text, left_out)
