"""Code run in plain Python, where there are no cells, with the variables of the caller."""

from __future__ import annotations

import ast
import linecache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .telling import Telling

__all__ = ["run_code"]

_FILE = "<cell>"


def run_code(code: str, namespace: dict[str, Any], telling: Telling) -> BaseException | None:
    """Run `code`, tell the value of a last expression, and return the error it ended with."""
    # A traceback finds the source here.
    linecache.cache[_FILE] = (len(code), None, code.splitlines(keepends=True), _FILE)
    try:
        tree = ast.parse(code, _FILE)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, _FILE, "exec"), namespace)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), _FILE, "eval"), namespace)
            if value is not None:
                telling.display({"text/plain": repr(value)}, is_result=True)
    except BaseException as error:  # noqa: BLE001  # whatever ends it is the outcome
        return error
    return None
