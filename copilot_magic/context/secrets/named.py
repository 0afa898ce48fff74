"""Values whose name says that they are secret: of columns, keys, fields and expressions."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import NamedTuple

from ..interpolate import parsed
from .names import Kind, kind_of

__all__ = ["Named", "named", "named_in"]


class Named(NamedTuple):
    """A name that says that its values are secret.

    Attributes:
        label: The name, for a mask.
        kind: What it says about the values.
    """

    label: str
    kind: Kind


def named(name: object, outer: Named | None = None) -> Named | None:
    """Return what the name of a column, a key or a field says about its values; None if nothing.

    Args:
        name: The name; of several levels, as a tuple has them, the last one that says so counts.
        outer: What the name of all that says, such as that of a dictionary's variable.
    """
    for part in reversed(name) if type(name) is tuple else (name,):
        if type(part) is str and (kind := kind_of(part)) is not None:
            return Named(part, kind)
    label = f"{outer.label}.{name}" if outer is not None and type(name) is str else ""
    return _weaker(outer, label)


def _weaker(outer: Named | None, label: str = "") -> Named | None:
    """Return what a name says about parts that have names of their own."""
    # `api_keys = {"openai": …}`; but `credentials` have a user's name among them.
    if outer is None or outer.kind.label == "credentials":
        return None
    return Named(label or outer.label, outer.kind._replace(strong=False))


# These attributes are another view of the same values; `user.name` is something else.
_VIEWS = frozenset({"T", "array", "at", "data", "iat", "iloc", "loc", "str", "values"})
_COPIES = frozenset({"dict", "list", "repr", "set", "sorted", "str", "tuple"})
_GETTERS = frozenset({"get", "getattr", "getenv", "pop"})
_STEPS = 50


@lru_cache(maxsize=500)
def named_in(expression: str) -> Named | None:
    """Return what an expression says about its value: ``df["password"].head()``, ``user.pwd``."""
    tree = parsed(expression)
    node = tree.body if tree is not None else None
    is_part = False
    for _ in range(_STEPS):
        if node is None:
            break
        names, node, is_view = _step(node)
        for name in names:
            if (found := named(name)) is not None:
                return _weaker(found) if is_part else found
        is_part = is_part or not is_view
    return None


def _step(node: ast.expr) -> tuple[list[str], ast.expr | None, bool]:
    """Return the names that the last step has, what is before it, and whether it is a view."""
    if isinstance(node, ast.Name):
        return [node.id], None, True
    if isinstance(node, ast.Attribute):
        return [node.attr], node.value, node.attr in _VIEWS
    if isinstance(node, ast.Subscript):
        keys = _texts(node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice])
        return keys[::-1], node.value, not keys
    if isinstance(node, ast.Call):
        name = _called(node.func)
        keys = _texts(node.args[:2]) if name in _GETTERS else []
        if isinstance(node.func, ast.Attribute):
            return [*keys, name], node.func.value, not keys
        before = node.args[0] if node.args and name in _COPIES | _GETTERS else None
        return [*keys, name], before, not keys
    return [], None, True


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _texts(nodes: list[ast.expr]) -> list[str]:
    values = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return [value for value in values if isinstance(value, str)]
