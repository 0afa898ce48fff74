"""The kind of a table or an array in a few words, without a look at its values."""

from __future__ import annotations

from typing import Any

from ...text import count_of, one_line
from .foreign import Patience, Unanswered, defines, full_type_name, is_a, type_name

__all__ = [
    "POLARS",
    "is_array_like",
    "is_frame",
    "is_labelled",
    "is_table_like",
    "outline",
    "shape_text",
]

PANDAS = ("DataFrame", "Series", "Index")
POLARS = ("DataFrame", "LazyFrame", "Series")


def is_frame(value: object) -> bool:
    """Say whether the object is a table or a column of pandas or Polars."""
    return is_a(value, "pandas", *PANDAS) or is_a(value, "polars", *POLARS)


def is_labelled(value: object) -> bool:
    """Say whether the object is one of xarray's."""
    return is_a(value, "xarray", "DataArray", "Dataset", "Variable")


def is_array_like(value: object) -> bool:
    """Say whether the object's class has a shape and a type of elements, such as a tensor."""
    is_number = is_a(value, "numpy", "generic")
    return not is_number and defines(value, "shape") and defines(value, "dtype")


def is_table_like(value: object) -> bool:
    """Say whether `outline` knows the object."""
    return is_frame(value) or is_labelled(value) or is_array_like(value)


def outline(value: Any, patience: Patience) -> str:
    """Return the kind of a table or an array, such as ``NumPy array, 3 × 4 of float64``."""
    try:
        return one_line(patience.ask(lambda: _outline(value), "its shape"), 200)
    except Unanswered as reason:
        return f"{type_name(value)} ({reason})"


def _outline(value: Any) -> str:
    name = type_name(value)
    for library, title in (("pandas", "pandas"), ("polars", "Polars")):
        if is_a(value, library, "DataFrame"):
            rows, columns = value.shape
            return f"{title} {name}, {count_of(rows, 'row')} × {count_of(columns, 'column')}"
        if is_a(value, library, "Series", "Index"):
            # Not the categories of a Polars `Enum`, which may be many, or secrets.
            dtype = str(value.dtype).partition("(categories=")[0]
            return f"{title} {name} of {dtype}, {count_of(len(value), 'value')}"
    if is_a(value, "polars", "LazyFrame"):
        return f"Polars {name}"
    if is_a(value, "xarray", "Dataset"):
        return f"xarray {name}, {count_of(len(value.data_vars), 'variable')} over {_sizes(value)}"
    if is_labelled(value):
        return f"xarray {name}, {_sizes(value) or 'no dimensions'}, of {value.dtype}"
    title = f"NumPy {'masked ' if is_a(value, 'numpy.ma', 'MaskedArray') else ''}array"
    if not is_a(value, "numpy", "ndarray"):
        title = f"{full_type_name(value).partition('.')[0]} {name}"
    dtype = str(value.dtype).removeprefix("torch.").removeprefix("<dtype: ").strip("'>")
    if getattr(value.dtype, "names", None):
        dtype = f"records with {count_of(len(value.dtype.names), 'field')}"
    return f"{title}, {shape_text(value.shape)} of {dtype}"


def _sizes(value: Any) -> str:
    return " × ".join(f"{name}: {size:,}" for name, size in list(value.sizes.items())[:10])


def shape_text(shape: Any) -> str:
    """Return a shape in words: ``3 × 4``, ``5 values``, ``a single value``."""
    sizes = [f"{size:,}" if type(size) is int else str(size) for size in shape]
    if len(sizes) > 1:
        return " × ".join(sizes)
    return f"{sizes[0]} value{'' if sizes[0] == '1' else 's'}" if sizes else "a single value"
