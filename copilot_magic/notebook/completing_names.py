"""Tab completion of the user's own names: in ``{{…``, and as values of ``--as`` and ``--image``.

No code of the user's is called; attributes of plain names are read, as IPython does.
"""

from __future__ import annotations

import builtins
import enum
import re
from collections.abc import Iterable, Mapping
from itertools import islice
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

__all__ = ["complete_expression", "open_field", "picture_names", "type_names", "variable_names"]

_LONGEST = 2_000
_MOST_KEYS = 10_000
_MOST = 300

_BRACES = re.compile(r"\{{2,}|\}\}")
_NAME = r"[^\W\d]\w*"
_KEY = r"\[(?:\"[^\"\\\n]*\"|'[^'\\\n]*')\]"
_CHAIN = rf"(?<![\w.\])\"'])({_NAME}(?:\.{_NAME}|{_KEY})*)"
_ATTRIBUTE = re.compile(rf"{_CHAIN}\.(\w*)$")
_SUBSCRIPT = re.compile(rf"{_CHAIN}\[$")
_PLAIN = re.compile(r"(?<![\w.\])\"'])(\w*)$")
_STEP = re.compile(rf"\.({_NAME})|\[\"([^\"]*)\"\]|\['([^']*)'\]")
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")

_TABLES = ("pandas", "polars", "pyarrow", "xarray", "dask", "geopandas", "modin")
_TYPES = ("int", "float", "str", "bool", "list[str]", "list[int]", "dict[str,int]", "DataFrame")
_LITERAL = "\"Literal['a', 'b']\""
_BASES = (enum.Enum, enum.IntEnum, enum.Flag, enum.IntFlag)
_PICTURE = re.compile("Figure|Axes|Image|ndarray|Widget|Chart")


def open_field(text: str) -> str | None:
    """Return what stands after a ``{{`` that is still open at the end of `text`, or None.

    Three braces or more are somebody else's template.
    """
    start = None
    for braces in _BRACES.finditer(text, max(0, len(text) - 10 * _LONGEST)):
        start = braces.end() if braces.group() == "{{" else None
    return None if start is None or len(text) - start > _LONGEST else text[start:]


def complete_expression(expression: str, variables: Mapping[str, object]) -> tuple[list[str], str]:
    """Return what may stand at the end of an expression, and the fragment there that it replaces.

    Args:
        expression: The expression up to the cursor.
        variables: The user's variables, by name.
    """
    outside, quote, inside = _split_string(expression)
    if quote:
        subscript = _SUBSCRIPT.search(outside)
        keys = _keys(_value(subscript[1], variables)) if subscript else []
        written = (key.replace("\\", "\\\\").replace(quote, f"\\{quote}") for key in keys)
        return _fitting(written, inside), inside
    if attribute := _ATTRIBUTE.search(expression):
        owner, fragment = attribute.groups()
        names = _attributes(_value(owner, variables))
        return _without_private(_fitting(names, fragment), fragment), fragment
    if subscript := _SUBSCRIPT.search(expression):
        return _fitting(map(repr, _keys(_value(subscript[1], variables))), ""), ""
    plain = _PLAIN.search(expression)
    if plain is None or plain[1][:1].isdigit():
        return [], ""
    own = sorted(name for name in variables if name.isidentifier())
    # All of Python's functions would hide the few names that the user is looking for.
    others = sorted(set(dir(builtins)) - set(own)) if plain[1] else []
    return _without_private(_fitting([*own, *others], plain[1]), plain[1]), plain[1]


def variable_names(variables: Mapping[str, object]) -> list[str]:
    """Return the names of the variables that hold data: no modules, functions and classes."""
    code = (ModuleType, FunctionType, BuiltinFunctionType, type)
    return sorted(
        name
        for name, value in variables.items()
        if not name.startswith("_") and not issubclass(type(value), code)
    )


def picture_names(variables: Mapping[str, object]) -> list[str]:
    """Return the names of the variables that hold data, those of figures and pictures first."""
    names = variable_names(variables)
    return sorted(names, key=lambda name: not _PICTURE.search(type(variables[name]).__name__))


def type_names(variables: Mapping[str, object]) -> list[str]:
    """Return types for ``--as``: plain ones, and the user's dataclasses, models and enums."""
    own = [name for name, value in variables.items() if _is_answer_type(value)]
    return [*_TYPES[:-1], _LITERAL, _TYPES[-1], *sorted(set(own) - set(_TYPES))]


def _is_answer_type(value: object) -> bool:
    if not issubclass(type(value), type) or value in _BASES:
        return False
    bases = type.__getattribute__(value, "__mro__")
    return any(
        base is enum.Enum
        or "__dataclass_fields__" in vars(base)
        or (base is not value and f"{base.__module__}.{base.__name__}" == "pydantic.main.BaseModel")
        for base in bases
    )


def _split_string(expression: str) -> tuple[str, str, str]:
    """Return what precedes a string that is still open, its quotation mark, and its text so far."""
    closed = 0
    for string in _STRING.finditer(expression):
        closed = string.end()
    rest = expression[closed:]
    opened = re.search("[\"']", rest)
    if opened is None:
        return expression, "", ""
    start = closed + opened.start()
    return expression[:start], opened.group(), expression[start + 1 :]


def _value(chain: str, variables: Mapping[str, Any]) -> Any:
    """Return the value of names, attributes and keys of known containers; None if it has none."""
    name = re.split(r"\W", chain, maxsplit=1)[0]
    value: Any = variables.get(name, getattr(builtins, name, None))
    for step in _STEP.finditer(chain, len(name)):
        key = step[2] if step[3] is None else step[3]
        try:
            if step[1]:
                value = getattr(value, step[1])
            elif dict in type(value).__mro__:
                value = dict.get(value, key)
            else:
                value = value[key] if _is_table(value) else None
        except Exception:  # noqa: BLE001  (it may be the user's own code)
            return None
    return value


def _attributes(value: object) -> list[str]:
    if value is None:
        return []
    try:
        return sorted(name for name in dir(value) if isinstance(name, str))
    except Exception:  # noqa: BLE001  (it may be the user's own code)
        return []


def _keys(value: Any) -> list[str]:
    """Return the keys of a mapping that are text, or the columns of a table."""
    try:
        if dict in type(value).__mro__:
            keys = list(islice(dict.keys(value), _MOST_KEYS))
        elif _is_table(value):
            columns = getattr(value, "columns", None)
            names = getattr(value, "column_names", columns)  # pyarrow's columns are the data
            keys = list(islice(value if names is None else names, _MOST_KEYS))
        elif type(value).__module__ != "__main__" and isinstance(value, Mapping):
            keys = list(islice(value, _MOST_KEYS))
        else:
            keys = []
    except Exception:  # noqa: BLE001  (it may be the user's own code)
        return []
    return [key for key in keys if isinstance(key, str) and key.isprintable()]


def _is_table(value: object) -> bool:
    return type(value).__module__.partition(".")[0] in _TABLES


def _fitting(names: Iterable[str], fragment: str) -> list[str]:
    return list(islice((name for name in names if name.startswith(fragment)), _MOST))


def _without_private(names: list[str], fragment: str) -> list[str]:
    return names if fragment.startswith("_") else [n for n in names if not n.startswith("_")]
