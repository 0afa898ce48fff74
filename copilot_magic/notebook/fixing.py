"""The last failure explained, and the cell that failed corrected."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..context.code.find import find_code
from ..errors import UsageError
from ..views.diff import show_diff
from .arguments import PromptLine
from .attaching import error_of_user, variables_attached
from .coding import warnings_for
from .prompting import make_prompt
from .showing import show_exchange

if TYPE_CHECKING:
    from ..chat.turn import Turn
    from .failures import Failure
    from .shell import Notebook

__all__ = ["explain_failure", "fix_failure"]

_EXPLAIN = "Why did {what} of my notebook fail with {error}, and what should I change?"
_FIX = "Correct {what} of my notebook, which failed with {error}."
_WHOLE = (
    "Say in one sentence what was wrong. Then give the whole corrected {what} in one fenced block "
    "of Python, and change nothing else in it."
)


def explain_failure(notebook: Notebook) -> None:
    """Ask why the last failure happened, and show the answer.

    Raises:
        CopilotError: Nothing has failed, or there was no answer.
    """
    _ask(notebook, notebook.last_failure(), _EXPLAIN, "")


def fix_failure(notebook: Notebook) -> None:
    """Ask for a correction of the cell that failed; show the difference, fill the next cell.

    Raises:
        CopilotError: Nothing has failed, or there was no answer.
    """
    failure = notebook.last_failure()
    expression = getattr(failure.error, "expression", "")
    what = "expression" if expression else "cell"
    turn = _ask(notebook, failure, _FIX, _WHOLE.format(what=what))
    if turn.cut_off:
        raise UsageError("the answer was cut off", "Ask for the rest of it, and take its code then")
    found = find_code(turn.answer)
    if found is None:
        raise UsageError("the answer has no code", "Ask again in other words")
    corrected = found.text
    if expression:
        corrected = _with_expression(failure.source, expression, corrected.strip())
    notes = [] if expression else warnings_for(notebook, corrected, failure.source)
    show_diff(notebook.shell, failure.source, corrected, notes)
    if corrected.strip() != failure.source.strip():
        notebook.set_next_input(corrected)


def _with_expression(source: str, expression: str, corrected: str) -> str:
    """Return a prompt's cell with an expression replaced wherever it stands in double braces."""
    braces = re.compile(r"\{\{\s*" + re.escape(expression) + r"\s*\}\}")
    return braces.sub(lambda _: f"{{{{{corrected}}}}}", source)


def _ask(notebook: Notebook, failure: Failure, words: str, instruction: str) -> Turn:
    """Ask about a failure, with the data of its cell; show the answer and return its turn."""
    what = f"cell {failure.number}" if failure.number else "a cell"
    if expression := getattr(failure.error, "expression", ""):
        what = f"the expression {expression!r} in {what}"
    text = words.format(what=what, error=type(error_of_user(failure)).__name__)
    prompt = make_prompt(
        notebook,
        text,
        PromptLine(error=True),
        expand=False,
        more=tuple(variables_attached(failure, notebook.namespace.variables)),
        instruction=instruction,
    )
    exchange = notebook.session.ask(prompt)
    show_exchange(notebook, exchange)
    return exchange.turn
