"""The ``{{expressions}}`` in a prompt: which of them are meant, and the text without them.

Prompts are full of braces: code, LaTeX, Jinja, f-strings. So only what is a Python expression
whose first name exists is taken for one; everything else stays as it is, byte for byte.
"""

from __future__ import annotations

import ast
import builtins
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

__all__ = [
    "Reference",
    "fill",
    "find_references",
    "is_plain",
    "mentions",
    "one_expression",
    "parsed",
]

# Longest expression, and how many of the ``}}`` after a ``{{`` may be its end.
_LONGEST = 2_000
_ENDS = 8
# A prompt of thousands of braces is code; looking at each of them would take too long.
_TRIES = 2_000

_OPEN = re.compile(r"\{{2,}")


@dataclass(frozen=True)
class Reference:
    """A ``{{…}}`` in a prompt.

    Attributes:
        expression: What stands between the braces.
        start: Where the braces begin.
        end: Where they end.
        name: The name that it begins with, in the order of reading; empty without one.
        meant: It is an expression of Python whose first name exists.
    """

    expression: str
    start: int
    end: int
    name: str
    meant: bool


def find_references(text: str, exists: Callable[[str], bool]) -> list[Reference]:
    """Return what stands in double braces in `text`, in order; none of it is evaluated.

    Args:
        text: The prompt.
        exists: Says whether there is a variable of this name. Python's own functions count only
            if they are called: ``{{id}}`` and ``{{input.name}}`` are words of templates.
    """
    found: list[Reference] = []
    position, tries = 0, 0
    while opened := _OPEN.search(text, position):
        position = opened.end()
        if len(opened[0]) > 2:  # three braces are somebody else's template, or a nested literal
            continue
        reference = None
        for end in _ends(text, position):
            tries += 1
            expression = text[position:end].strip()
            tree = parsed(expression) if tries <= _TRIES else None
            if tree is not None:
                name = _first_name(tree)
                called = _called_names(tree)
                meant = exists(name) or (name in called and hasattr(builtins, name))
                reference = Reference(expression, opened.start(), end + 2, name, meant)
                break
            if reference is None:
                reference = Reference(expression, opened.start(), end + 2, "", False)
        if reference is not None:
            found.append(reference)
            position = reference.end
    return found


def fill(text: str, references: list[Reference], values: Callable[[Reference], str]) -> str:
    """Return `text` with each reference that is meant replaced, in a single pass."""
    pieces, position = [], 0
    for reference in references:
        if reference.meant:
            pieces += [text[position : reference.start], values(reference)]
            position = reference.end
    return "".join([*pieces, text[position:]])


def is_plain(expression: str) -> bool:
    """Say whether evaluating `expression` runs no call: names, attributes and constant keys."""
    tree = parsed(expression)
    node = tree.body if tree is not None else None
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Constant):
            return False
        node = node.value
    return isinstance(node, ast.Name)


def mentions(expression: str, name: str) -> bool:
    """Say whether `expression` uses the variable `name`."""
    tree = parsed(expression)
    return tree is not None and any(
        isinstance(node, ast.Name) and node.id == name for node in ast.walk(tree)
    )


def _ends(text: str, start: int) -> Iterator[int]:
    """Yield where the braces that were opened before `start` may close."""
    end = start
    for _ in range(_ENDS):
        end = text.find("}}", end, start + _LONGEST)
        if end < 0:
            return
        yield end
        end += 1


def one_expression(expression: str) -> str:
    """Return the source as one expression, even if it goes over several lines."""
    return f"({expression}\n)" if "\n" in expression else expression


def parsed(expression: str) -> ast.Expression | None:
    """Return the tree of one expression, or None if it is not one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(one_expression(expression), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _first_name(tree: ast.Expression) -> str:
    """Return the first name, in the order of reading, that the expression does not bind itself."""
    bound = {
        name.id
        for name in ast.walk(tree)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    } | {argument.arg for argument in ast.walk(tree) if isinstance(argument, ast.arg)}
    names = [
        (name.lineno, name.col_offset, name.id)
        for name in ast.walk(tree)
        if isinstance(name, ast.Name) and name.id not in bound
    ]
    return min(names)[2] if names else ""


def _called_names(tree: ast.Expression) -> set[str]:
    return {
        call.func.id
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    }
