"""xarray's arrays and datasets; values that are not in memory are not loaded."""

from __future__ import annotations

from typing import Any

from ...text import count_of, one_line
from ..secrets.named import Named
from .arrays import array_lines
from .columns import cell_text
from .description import BUDGET, Description, cut_lines, cut_middle, readable
from .foreign import is_a
from .outline import is_labelled, outline
from .printer import Printer

__all__ = ["describe_labelled", "is_labelled"]

_MOST = 40  # coordinates, variables, attributes


def describe_labelled(value: Any, budget: int | None, printer: Printer) -> Description:
    """Describe a `DataArray`, a `Dataset` or a `Variable`."""
    budget = BUDGET if budget is None else budget
    kind = outline(value, printer.patience)
    lines = [kind]
    left_out = ""
    if name := getattr(value, "name", None):
        lines.append(f"name: {printer.brief(name, 80)}")
    lines.append("dimensions: " + ", ".join(f"{n}: {s:,}" for n, s in value.sizes.items()))
    if hasattr(value, "coords") and len(value.coords):
        lines += ["coordinates:", *cut_lines(_coordinates(value, printer), _MOST)]
    if is_a(value, "xarray", "Dataset"):
        each = max(budget // (4 * max(len(value.data_vars), 1)), 200)
        variables = [
            _variable(name, array, printer, each)
            for name, array in list(value.data_vars.items())[:_MOST]
        ]
        lines += ["variables:", *variables]
        if (more := len(value.data_vars) - _MOST) > 0:
            lines.append(f"  … {count_of(more, 'more variable')} …")
    else:
        said = printer.named(name) or printer.name
        room = max(budget - len("\n".join(lines)) - 600, 200)
        found, left_out = _values(value, printer, room, said)
        lines += found
    if attributes := dict(value.attrs):
        lines += ["attributes:", printer.print(attributes, 1_500).text]
    text, cut = cut_middle(readable("\n".join(lines)), budget)
    return Description(kind, text, left_out or cut)


def _coordinates(value: Any, printer: Printer) -> list[str]:
    lines = []
    for name, array in list(value.coords.items())[:_MOST]:
        dims = ", ".join(map(str, array.dims))
        said = printer.named(name)
        words = f"  {one_line(str(name), 60)} ({dims}) {array.dtype}"
        index = value.indexes.get(name) if name in value.dims else None
        if index is not None and len(index):
            low, high = (cell_text(index[at], printer, 40, said) for at in (0, -1))
            words += f": {low} to {high}"
        elif not array.ndim and _in_memory(array):
            words += f": {cell_text(array.values.item(), printer, 60, said)}"
        lines.append(words)
    return lines


def _variable(name: Any, array: Any, printer: Printer, budget: int) -> str:
    dims = ", ".join(map(str, array.dims))
    facts = [f"  {one_line(str(name), 60)} ({dims}) {array.dtype}"]
    found, _ = _values(array, printer, budget, printer.named(name), only_summary=True)
    facts += [line.strip() for line in found]
    if units := array.attrs.get("units"):
        facts.append(f"units: {printer.brief(units, 40)}")
    return "; ".join(facts)


def _values(
    array: Any, printer: Printer, budget: int, said: Named | None, only_summary: bool = False
) -> tuple[list[str], str]:
    if not _in_memory(array):
        chunks = getattr(array, "chunks", None)
        what = f" in chunks of {printer.brief(chunks, 200)}" if chunks else ""
        return [f"values: not loaded{what}"], "values not loaded"
    lines, left_out = array_lines(array.values, printer, budget, said)
    if only_summary:
        lines = [
            line for line in lines if not line.startswith((" ", "corners", "first", "values:", "["))
        ]
    return lines, left_out


def _in_memory(array: Any) -> bool:
    """Say whether the values are there: neither computed by dask nor still in a file."""
    variable = getattr(array, "variable", array)
    if getattr(variable, "chunks", None) is not None:
        return False
    return bool(getattr(variable, "_in_memory", True))
