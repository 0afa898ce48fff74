"""What the notebook can send along: the cells that ran, the last failure, and its variables."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..context.code.names import names_in
from ..context.describe.description import cut_middle
from ..context.describe.failure import user_traceback
from ..context.describe.hiding import Hiding
from ..context.describe.userfiles import is_cell
from ..context.gather import Attachment
from ..errors import ExpressionError
from ..text import one_line, printable
from .history import cells_before

if TYPE_CHECKING:
    from ..context.secrets.masker import Masker
    from .failures import Failure
    from .shell import Notebook

__all__ = ["cells_attached", "error_of_user", "failure_attached", "variables_attached"]

# Characters of each, at most.
SOURCE = 6_000
OUTPUT = 2_000
TRACEBACK = 6_000
CALLED = 2
"""How many other cells that a failure went through are sent."""

VARIABLE = 1_500
VARIABLES = 6
"""How many variables of a failed cell are described."""

NAMES = 100
"""How many names are sent if one is missing; the newest ones."""

Mask = Callable[[str], str]


def _as_it_is(text: str) -> str:
    return text


def cells_attached(notebook: Notebook, count: int, mask: Mask = _as_it_is) -> list[Attachment]:
    """Return the last `count` cells that ran, oldest first, each with its text output.

    Args:
        notebook: Where they ran.
        count: How many.
        mask: Masks secrets, which has to be done before a text is cut.
    """
    if not count or notebook.shell is None:
        return []
    attachments = []
    for cell in cells_before(notebook.shell, count):
        title = f"Cell {cell.number} of my notebook:"
        name = f"cell {cell.number}"
        attachments.append(_shortened(title, mask(cell.source), SOURCE, "python", name, "code"))
        if cell.output.strip():
            title = f"The output of cell {cell.number}:"
            attachments.append(_shortened(title, mask(cell.output), OUTPUT))
    return attachments


def failure_attached(failure: Failure, mask: Mask = _as_it_is) -> list[Attachment]:
    """Return the cell that failed, and its traceback without the frames of libraries."""
    where = f"cell {failure.number}" if failure.number else "the cell that failed"
    attachments = []
    if failure.source.strip():
        title = f"The source of {where}:"
        attachments.append(_shortened(title, mask(failure.source), SOURCE, "python", where, "code"))
    error = error_of_user(failure)
    return [
        *attachments,
        *_called_cells(error, failure.source, mask),
        Attachment(
            f"What {where} raised:",
            printable(user_traceback(error, TRACEBACK)),
            "text",
            "the last error",
            type(error).__name__,
        ),
    ]


def error_of_user(failure: Failure) -> BaseException:
    """Return what the user's code raised, rather than our error about it."""
    error = failure.error
    return error.__cause__ or error if isinstance(error, ExpressionError) else error


def _called_cells(error: BaseException, source: str, mask: Mask) -> list[Attachment]:
    """Return the other cells that the failure went through, such as one with a function."""
    cells: dict[str, None] = {}
    traceback = error.__traceback__
    while traceback is not None and len(cells) < CALLED:
        file = traceback.tb_frame.f_code.co_filename
        text = "".join(linecache.getlines(file)) if is_cell(file) else ""
        if text.strip() and text.strip() != source.strip():
            cells[text] = None
        traceback = traceback.tb_next
    title = "Another cell of my notebook, which that one ran code of:"
    return [
        _shortened(title, mask(text), SOURCE, "python", "another cell", "code") for text in cells
    ]


def variables_attached(
    failure: Failure, variables: Mapping[str, Any], masker: Masker | None = None
) -> list[Attachment]:
    """Return brief descriptions of the data that the failed code uses, for a correction."""
    source = getattr(failure.error, "expression", "") or failure.source
    used = [name for name in names_in(source).uses if name in variables]
    data = [name for name in used if not _is_code(variables[name])]
    is_missing = isinstance(error_of_user(failure), NameError)
    attachments = _names_attached(variables) if is_missing else []
    for name in data[:VARIABLES]:
        found = Hiding(masker, name).describe(variables[name], VARIABLE)
        title = f"My variable `{name}` ({one_line(found.kind, 200)}):"
        text = printable(found.text)
        attachments.append(Attachment(title, text, found.language, name, found.kind))
    return attachments


def _names_attached(variables: Mapping[str, Any]) -> list[Attachment]:
    """Return the names of the user's variables, one of which was probably meant."""
    names = [name for name in variables if not name.startswith("_") and name not in ("In", "Out")]
    listed = [f"{name} ({type(variables[name]).__name__})" for name in names[-NAMES:]]
    if not listed:
        return []
    return [Attachment("My variables:", ", ".join(listed), "text", "the names of variables")]


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
