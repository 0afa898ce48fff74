"""An object in a few words for a reader, such as ``DataFrame, 12 × 3``."""

from __future__ import annotations

from typing import Any

from ...text import count_of, one_line
from .elements import length_of
from .foreign import Patience, Unanswered, is_a, is_kind, type_name
from .outline import is_array_like, is_frame, is_labelled, shape_text
from .printer import Printer, number_text

__all__ = ["short"]

_SECONDS = 1.0
_TEXT = (str, bytes, bytearray)
_CONTAINERS = (list, tuple, dict, set, frozenset)
_FUNCTIONS = ("function", "builtin_function_or_method", "method")
_LENGTH = 60
_VALUE = 30


def short(value: object) -> str:
    """Return the type of an object and its size, or its value if it is a number.

    It raises no `Exception`, and costs the same for any size of object.
    """
    patience = Patience(one=_SECONDS, together=_SECONDS)
    try:
        return one_line(patience.ask(lambda: _short(value, patience), "its shape"), _LENGTH)
    except (Unanswered, Exception):  # noqa: BLE001  # objects can fail in any way
        return one_line(type_name(value), _LENGTH)


def _short(value: Any, patience: Patience) -> str:
    name = type_name(value)
    if value is None:
        return "None"
    if is_kind(value, type):
        return "class"
    if name == "module":
        return "module"
    if name in _FUNCTIONS:
        return "function"
    if is_a(value, "polars", "LazyFrame"):
        return name
    if is_a(value, "pandas", "DataFrame") or is_a(value, "polars", "DataFrame"):
        return f"{name}, {shape_text(value.shape)}"
    if is_frame(value):
        return f"{name}, {count_of(len(value), 'value')}"
    if is_labelled(value):
        return f"{name}, {' × '.join(f'{size:,}' for size in value.sizes.values()) or 'one value'}"
    if is_array_like(value):
        return f"{'array' if name == 'ndarray' else name}, {shape_text(value.shape)}"
    return _plain(value, name, patience)


def _plain(value: Any, name: str, patience: Patience) -> str:
    is_text = is_kind(value, _TEXT)
    if is_text or is_kind(value, _CONTAINERS):
        # Not the text itself, which may be a password.
        unit = "character" if is_kind(value, str) else "byte" if is_text else "item"
        return f"{name}, {count_of(length_of(value, patience), unit)}"
    if number_text(value) is not None or is_a(value, "numpy", "generic"):
        return f"{name} {Printer(patience, is_stable=True).print(value, _VALUE).text}"
    return name
