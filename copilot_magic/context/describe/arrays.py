"""NumPy arrays and what is like them, such as tensors; only a sample of the values is read."""

from __future__ import annotations

import sys
from typing import Any

from ...text import one_line
from ..secrets.named import Named
from .columns import SAMPLE, cell_text, is_missing, positions, summary
from .description import BUDGET, Description, cut_middle, readable
from .foreign import Unanswered, defines, is_a
from .frames import memory
from .outline import is_array_like, outline
from .printer import Printer

__all__ = ["array_lines", "describe_array", "is_array"]

_SMALL = 400  # values of an array that is shown whole
_ROWS, _COLUMNS = (6, 3), (6, 3)  # first and last ones of a larger array


def is_array(value: object) -> bool:
    """Say whether `describe_array` is for the object."""
    return is_array_like(value)


def describe_array(value: Any, budget: int | None, printer: Printer) -> Description:
    """Describe an array: shape, type, a summary of a sample, and its corners."""
    budget = BUDGET if budget is None else budget
    kind = outline(value, printer.patience)
    if not is_a(value, "numpy", "ndarray"):
        return _like(value, kind, budget, printer)
    size = int(value.size)
    lines, left_out = array_lines(value, printer, max(budget - 400, 0), printer.name)
    facts = [kind] if size <= 1 else [kind, f"memory: {memory(int(value.nbytes))}"]
    text, cut = cut_middle(readable("\n".join(facts + lines)), budget)
    return Description(kind, text, left_out or cut)


def array_lines(
    value: Any, printer: Printer, budget: int, name: Named | None = None
) -> tuple[list[str], str]:
    """Return lines about the values of a NumPy array, and what was left out.

    Args:
        value: The array.
        printer: Prints the values.
        budget: Most characters of the values, if all are shown.
        name: What the array's name says about them.
    """
    np: Any = sys.modules["numpy"]  # the array is one of its, so it is loaded

    if not is_a(value, "numpy.ma", "MaskedArray"):
        value = np.asarray(value)  # a subclass, such as a matrix, has ways of its own
    size = int(value.size)
    if value.ndim == 0:
        return [f"value: {printer.brief(_python(value, printer), 200, name)}"], ""
    if not size:
        return ["no values"], ""
    lines = _sampled(value, np, printer, name)
    if names := value.dtype.names:
        fields = ", ".join(f"{name}: {value.dtype[name]}" for name in names[:40])
        lines.insert(0, one_line(f"fields: {fields}", 1_000))
    if size <= _SMALL:
        printed = printer.print(_rounded(_python(value, printer)), budget, name)
        return [*lines, "values:", printed.text], printed.left_out
    shown = _corners(value, np, printer, name)
    return [*lines, *shown], f"all but {_corner_count(value)} left out"


def _corner_count(value: Any) -> str:
    """Return how much of a larger array is shown."""
    if value.ndim == 1:
        return f"{sum(_ROWS) * 2} of {value.size:,} values"
    rows, columns = (
        min(sum(ends), n) for ends, n in zip((_ROWS, _COLUMNS), value.shape[-2:], strict=True)
    )
    return f"{rows * columns} of {value.size:,} values"


def _sampled(value: Any, np: Any, printer: Printer, name: Named | None) -> list[str]:
    size = int(value.size)
    at = np.unravel_index(np.asarray(positions(size)), value.shape)
    sample = _python(value[at], printer)
    present = [each for each in sample if not is_missing(each)]
    of_sample = f", of an evenly spaced sample of {SAMPLE:,} values" if size > SAMPLE else ""
    missing = len(sample) - len(present)
    word = "masked or NaN" if is_a(value, "numpy.ma", "MaskedArray") else "NaN or missing"
    lines = [f"{word}{of_sample}: {missing:,}"] if missing else []
    if value.dtype.names:
        return lines
    if value.dtype.kind == "f" and (infinite := sum(abs(each) == float("inf") for each in present)):
        lines.append(f"infinite{of_sample}: {infinite:,}")
    names = [name] * len(present)
    return [*lines, f"contents{of_sample}: {summary(present, printer, names)}"]


def _python(value: Any, printer: Printer) -> Any:
    """Return the values as Python's; those of dates would be integers otherwise."""
    if value.dtype.kind in "mM":
        value = value.astype(f"{value.dtype.kind}8[us]")
    said = [printer.named(name) for name in value.dtype.names or ()]
    return _masked(value.tolist(), said, printer) if any(said) else value.tolist()


def _masked(value: Any, said: list[Named | None], printer: Printer) -> Any:
    """Return nested lists of records, the secrets among their fields masked."""
    if type(value) is list:
        return [_masked(each, said, printer) for each in value]
    return tuple(map(printer.hidden, value, said)) if type(value) is tuple else value


def _rounded(value: Any) -> Any:
    """Return nested lists with floats of six digits: more say nothing to a model."""
    if type(value) is list:
        return [_rounded(each) for each in value]
    return float(f"{value:.6g}") if type(value) is float else value


def _ends(size: int, ends: tuple[int, int]) -> list[int]:
    first, last = ends
    return [*range(first), *range(size - last, size)] if size > first + last else list(range(size))


def _corners(value: Any, np: Any, printer: Printer, name: Named | None) -> list[str]:
    """Return the first and last values of an array, of its first plane if it has several."""
    planes = ", ".join(["0"] * (value.ndim - 2))
    heading = f"corners of [{planes}, :, :]:" if planes else "corners:"
    while value.ndim > 2:
        value = value[0]
    if value.ndim == 1:
        rows = _ends(value.size, (2 * _ROWS[0], 2 * _ROWS[1]))
        texts = [cell_text(each, printer, 30, name) for each in _python(value[rows], printer)]
        if len(rows) < value.size:
            texts.insert(2 * _ROWS[0], "…")
        return ["first and last values:", f"  [{', '.join(texts)}]"]
    rows, columns = (_ends(n, ends) for n, ends in zip(value.shape, (_ROWS, _COLUMNS), strict=True))
    cells = [
        [cell_text(each, printer, 20, name) for each in row]
        for row in _python(value[np.ix_(rows, columns)], printer)
    ]
    width = max((len(text) for row in cells for text in row), default=1)
    lines = []
    for row in cells:
        texts = [text.rjust(width) for text in row]
        if len(columns) < value.shape[1]:
            texts.insert(_COLUMNS[0], "…")
        lines.append(f"  [{', '.join(texts)}]")
    if len(rows) < value.shape[0]:
        lines.insert(_ROWS[0], "  …")
    return [heading, *lines]


def _like(value: Any, kind: str, budget: int, printer: Printer) -> Description:
    """Describe an array of another library by what it says of itself; nothing is computed."""
    lines = [kind]
    for name in ("device", "requires_grad", "chunks", "nnz", "names"):
        if defines(value, name):
            try:
                fact = printer.patience.ask(lambda name=name: getattr(value, name), name)  # type: ignore[misc]
            except Unanswered:
                continue
            if fact is not None:
                lines.append(f"{name}: {printer.brief(fact, 200)}")
    if printer.name is not None and is_a(value, "pandas.api.extensions", "ExtensionArray"):
        lines.append(printer.print(value[:_SMALL].tolist(), budget, printer.name).text)
    else:
        lines.append(printer.repr_of(value))
    text, left_out = cut_middle(readable("\n".join(lines)), budget)
    return Description(kind, text, left_out)
