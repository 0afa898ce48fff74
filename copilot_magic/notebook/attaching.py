"""What the notebook can send along: the cells that ran, the last failure, and its variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..context.describe.describe import describe
from ..context.describe.description import cut_middle
from ..context.describe.failure import user_traceback
from ..context.gather import Attachment
from ..context.names import names_in
from ..text import one_line, printable
from .history import cells_before

if TYPE_CHECKING:
    from .failures import Failure
    from .shell import Notebook

__all__ = ["cells_attached", "failure_attached", "variables_attached"]

# Characters of each, at most.
SOURCE = 6_000
OUTPUT = 2_000
TRACEBACK = 6_000
VARIABLE = 1_500
VARIABLES = 6
"""How many variables of a failed cell are described."""


def cells_attached(notebook: Notebook, count: int) -> list[Attachment]:
    """Return the last `count` cells that ran, oldest first, each with its text output."""
    if not count or notebook.shell is None:
        return []
    attachments = []
    for cell in cells_before(notebook.shell, count):
        title = f"Cell {cell.number} of my notebook:"
        name = f"cell {cell.number}"
        attachments.append(_shortened(title, cell.source, SOURCE, "python", name, "code"))
        if cell.output.strip():
            title = f"The output of cell {cell.number}:"
            attachments.append(_shortened(title, cell.output, OUTPUT))
    return attachments


def failure_attached(failure: Failure) -> list[Attachment]:
    """Return the cell that failed, and its traceback without the frames of libraries."""
    where = f"cell {failure.number}" if failure.number else "the cell that failed"
    attachments = []
    if failure.source.strip():
        title = f"The source of {where}:"
        attachments.append(_shortened(title, failure.source, SOURCE, "python", where, "code"))
    return [
        *attachments,
        Attachment(
            f"What {where} raised:",
            printable(user_traceback(failure.error, TRACEBACK)),
            "text",
            "the last error",
            type(failure.error).__name__,
        ),
    ]


def variables_attached(source: str, variables: Mapping[str, Any]) -> list[Attachment]:
    """Return, in brief, the data that `source` uses: what a correction has to know."""
    used = [name for name in names_in(source).uses if name in variables]
    data = [name for name in used if not _is_code(variables[name])]
    attachments = []
    for name in data[:VARIABLES]:
        found = describe(variables[name], VARIABLE)
        title = f"My variable `{name}` ({one_line(found.kind, 200)}):"
        text = printable(found.text)
        attachments.append(Attachment(title, text, found.language, name, found.kind))
    return attachments


def _is_code(value: object) -> bool:
    """Say whether a value is a module, a class or a function, which the source itself shows."""
    return isinstance(value, type) or type(value).__name__ in (
        "module",
        "function",
        "builtin_function_or_method",
        "method",
        "ufunc",
    )


def _shortened(
    title: str, text: str, limit: int, language: str = "text", name: str = "", kind: str = ""
) -> Attachment:
    shown, left_out = cut_middle(printable(text), limit)
    return Attachment(title, shown, language, name, kind, left_out if name else "")
