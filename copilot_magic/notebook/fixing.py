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
    from ..chat.prompt import Prompt
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
    _shown(notebook, _prompt(notebook, notebook.last_failure(), _EXPLAIN, ""))


def fix_failure(notebook: Notebook, *, candidates: int = 0) -> None:
    """Ask for a correction of the cell that failed; show the difference, fill the next cell.

    Args:
        notebook: The notebook.
        candidates: How many corrections to ask for at once, to be tried in a copy of this kernel
            before one is offered; 0 tries none.

    Raises:
        RehearsalError: It cannot be tried in a copy.
        CopilotError: Nothing has failed, or there was no answer.
    """
    failure = notebook.last_failure()
    expression = getattr(failure.error, "expression", "")
    what = "expression" if expression else "cell"
    prompt = _prompt(notebook, failure, _FIX, _WHOLE.format(what=what))
    if candidates:
        corrected = _tried(notebook, prompt, candidates)
    else:
        corrected = _code_in(_shown(notebook, prompt))
    if expression:
        corrected = _with_expression(failure.source, expression, corrected.strip())
    notes = [] if expression else warnings_for(notebook, corrected, failure.source)
    show_diff(notebook.shell, failure.source, corrected, notes)
    if corrected.strip() != failure.source.strip():
        notebook.set_next_input(corrected)


def _tried(notebook: Notebook, prompt: Prompt, candidates: int) -> str:
    """Return a correction that ran in a copy of this kernel."""
    from .trying import check_trying, until_it_runs

    check_trying(notebook)
    tried = until_it_runs(
        notebook,
        prompt,
        notebook.session.ask(prompt),
        lambda exchange: show_exchange(notebook, exchange),
        lambda answer: getattr(find_code(answer), "text", ""),
        candidates=candidates,
    )
    if not tried.code:
        raise UsageError("The answer has no code", "Ask again in other words")
    if not tried.runs:
        raise UsageError("No correction ran", "See the last error above, and correct it by hand")
    return tried.code


def _code_in(turn: Turn) -> str:
    """Return the code of an answer.

    Raises:
        UsageError: It has none, or not all of it.
    """
    if turn.cut_off:
        raise UsageError(
            "The answer was cut off",
            "Ask for the rest with %copilot continue, then take its code with %copilot code",
        )
    found = find_code(turn.answer)
    if found is None:
        raise UsageError("The answer has no code", "Ask again in other words")
    return found.text


def _with_expression(source: str, expression: str, corrected: str) -> str:
    """Return a prompt's cell with an expression replaced wherever it is in double braces."""
    braces = re.compile(r"\{\{\s*" + re.escape(expression) + r"\s*\}\}")
    return braces.sub(lambda _: f"{{{{{corrected}}}}}", source)


def _prompt(notebook: Notebook, failure: Failure, words: str, instruction: str) -> Prompt:
    """Return the prompt that asks about a failure, with the data of its cell."""
    what = f"cell {failure.number}" if failure.number else "a cell"
    if expression := getattr(failure.error, "expression", ""):
        what = f"the expression {expression!r} in {what}"
    text = words.format(what=what, error=type(error_of_user(failure)).__name__)
    masker = notebook.masker() if notebook.session.settings.mask_secrets else None
    return make_prompt(
        notebook,
        text,
        PromptLine(error=True),
        expand=False,
        more=tuple(variables_attached(failure, notebook.namespace.variables, masker)),
        instruction=instruction,
        masker=masker,
    )


def _shown(notebook: Notebook, prompt: Prompt) -> Turn:
    """Ask, show the answer and return its turn."""
    exchange = notebook.session.ask(prompt)
    show_exchange(notebook, exchange)
    return exchange.turn
