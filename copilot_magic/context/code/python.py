"""The syntax tree of a cell: Python with the lines that only IPython understands."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

from ...markdown.magics import CELL_MAGIC, PYTHON_MAGICS

__all__ = ["Parsed", "parse_cell", "try_to_parse"]

# Characters of source that are parsed; nothing is said about longer ones.
_LONGEST = 200_000

_MAGIC = re.compile(r"(\s*)%{1,2}(\w+)")
_SHELL = re.compile(r"(\s*)!")
_HELP = re.compile(r"(\s*)(?:\?{1,2}[\w.*%]+|%{0,2}[\w.*]+\?{1,2})\s*$")
_TIMED = re.compile(r"(\s*)%time\s+(?=\S)")
_ASSIGNED = re.compile(r"(\s*[\w.,\[\]'\" ]*[\w\]])\s*=\s*(?:!|%(\w+))")

# How many lines are replaced one by one. Only the line with the error is known to be no Python: in
# an expression over several lines, one may begin with `%`.
_ONE_BY_ONE = 30


@dataclass(frozen=True)
class Parsed:
    """The syntax tree of a cell.

    Attributes:
        tree: The tree, in which ``pass`` stands for a line that only IPython understands.
        magics: The magics on these lines, by name; ``!`` is a command of the system.
        is_timed: The cell is run by ``%%timeit``, so it binds no names.
    """

    tree: ast.Module
    magics: frozenset[str] = frozenset()
    is_timed: bool = False


def parse_cell(source: str) -> Parsed | None:
    """Return the syntax tree of a cell, None if it does not parse or is too long.

    A cell in another language, such as one of ``%%bash``, is an empty tree with one magic.
    """
    parsed = try_to_parse(source)
    return parsed if isinstance(parsed, Parsed) else None


def try_to_parse(source: str) -> Parsed | int:
    """Return the syntax tree of a cell, or the number of the line with the error.

    Lines count from 1; 0 is for an error that is not at a line.
    """
    if len(source) > _LONGEST:
        return 0
    magics: set[str] = set()
    if match := CELL_MAGIC.match(source):
        magics.add(match[1])
        if match[1] not in PYTHON_MAGICS:
            return Parsed(ast.Module([], []), frozenset(magics))
        source = "\n" + source[match.end() :]
    is_timed = "timeit" in magics
    lines = source.split("\n")
    # As IPython does it: the first line says how far the cell is indented.
    first = next((line for line in lines if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip())]
    lines = [line.removeprefix(indent) for line in lines]
    for _ in range(_ONE_BY_ONE):
        tree = _parse("\n".join(lines))
        if isinstance(tree, ast.Module):
            return Parsed(tree, frozenset(magics), is_timed)
        if not 0 < tree <= len(lines) or not _replace(lines, tree - 1, magics):
            break
    # Python reports an unclosed bracket or string before an error above it.
    replaced = [_replace(lines, number, magics) for number in range(len(lines))]
    if any(replaced):
        tree = _parse("\n".join(lines))
    if isinstance(tree, ast.Module):
        return Parsed(tree, frozenset(magics), is_timed)
    return tree


def _parse(source: str) -> ast.Module | int:
    """Return the tree, or the number of the line with the error, 0 if that is not known."""
    try:
        with warnings.catch_warnings():
            # They would be shown to the user, who has not written this code.
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except SyntaxError as error:
        return error.lineno or 0
    except (ValueError, OverflowError, RecursionError, MemoryError):
        return 0


def _replace(lines: list[str], number: int, magics: set[str]) -> bool:
    """Put Python in the place of a line for IPython; say whether it was one."""
    line = lines[number]
    name = "!"
    if match := _TIMED.match(line):
        lines[number] = match[1] + line[match.end() :]
        return True
    if match := _ASSIGNED.match(line):
        name = match[2] or "!"
        python = f"{match[1]} = None"
    elif match := _HELP.match(line):
        lines[number] = f"{match[1]}pass"
        return True
    elif match := _MAGIC.match(line):
        name = match[2]
        python = f"{match[1]}pass"
    elif match := _SHELL.match(line):
        python = f"{match[1]}pass"
    else:
        return False
    magics.add(name)
    while line.endswith("\\") and number + 1 < len(lines):
        lines[number] = ""
        number += 1
        line = lines[number]
    lines[number] = python
    return True
