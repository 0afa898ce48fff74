"""The last failure explained, and the cell that failed corrected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..context.code import find_code
from ..errors import ExpressionError, UsageError
from ..views.diff import show_diff
from .arguments import PromptLine
from .attaching import failure_attached, variables_attached
from .coding import warnings_for
from .prompting import make_prompt
from .showing import show_exchange

if TYPE_CHECKING:
    from ..chat.turn import Turn
    from .failures import Failure
    from .shell import Notebook

__all__ = ["explain_failure", "fix_failure"]

_EXPLAIN = "Why did {cell} of my notebook fail with {error}, and what should I change?"
_FIX = "Correct {cell} of my notebook, which failed with {error}."
_WHOLE_CELL = (
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
    turn = _ask(notebook, failure, _FIX, _WHOLE_CELL.format(what=what))
    if turn.cut_off:
        raise UsageError("the answer was cut off", "Ask for the rest of it, and take its code then")
    found = find_code(turn.answer)
    if found is None:
        raise UsageError("the answer has no code", "Ask again in other words")
    corrected = found.text
    if expression and isinstance(failure.error, ExpressionError):
        corrected = failure.source.replace(expression, corrected.strip())
    notes = [] if expression else warnings_for(notebook, corrected, failure.source)
    show_diff(notebook.shell, failure.source, corrected, notes)
    if corrected.strip() != failure.source.strip():
        notebook.set_next_input(corrected)


def _ask(notebook: Notebook, failure: Failure, words: str, instruction: str) -> Turn:
    """Ask about a failure, with the data of its cell; show the answer and return its turn."""
    cell = f"cell {failure.number}" if failure.number else "a cell"
    text = words.format(cell=cell, error=type(failure.error).__name__)
    expression = getattr(failure.error, "expression", "")
    prompt = make_prompt(
        notebook,
        text,
        PromptLine(),
        expand=False,
        more=(
            *failure_attached(failure),
            *variables_attached(expression or failure.source, notebook.namespace.variables),
        ),
        instruction=instruction,
    )
    exchange = notebook.session.ask(prompt)
    show_exchange(notebook, exchange)
    return exchange.turn
