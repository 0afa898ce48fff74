"""Code from an answer, put into the next cell: it is shown there, and never run for the user."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..chat.answer import Answer
from ..chat.prompt import Prompt
from ..chat.turn import Turn
from ..context.code.find import find_code
from ..context.code.names import missing_names, names_in, overwritten_names
from ..views.printing import say

if TYPE_CHECKING:
    from ..session.exchange import Exchange
    from .shell import Notebook

__all__ = ["mention_code", "put_code", "put_tried", "warnings_for"]

_LISTED = 5  # names in a warning; of further ones it says how many there are


def put_code(notebook: Notebook, turn: Turn) -> list[str]:
    """Put the code of an answer into the next cell; return what the footer should mention."""
    if turn.cut_off:
        return ["the code is cut off: not put into the next cell"]
    found = find_code(turn.answer)
    if found is None:
        return ["no code in the answer"]
    notebook.set_next_input(found.text)
    if found.language != "python":
        return list(found.notes)
    return [*found.notes, *warnings_for(notebook, found.text)]


def put_tried(
    notebook: Notebook,
    prompt: Prompt,
    exchange: Exchange,
    present: Callable[[Exchange], Answer],
    candidates: int,
) -> Answer:
    """Have code tried in a copy of this kernel, and put what ran there into the next cell.

    Raises:
        RehearsalError: It cannot be tried in a copy.
        CopilotError: There was no answer, or not all of it.
    """
    from .trying import until_it_runs

    tried = until_it_runs(notebook, prompt, exchange, present, _python_in, candidates=candidates)
    if tried.runs:
        notebook.set_next_input(tried.code)
    elif not tried.code:
        cut_off = exchange.turn.cut_off
        say("The code is cut off" if cut_off else "There is no Python in the answer to try")
    return tried.answer


def _python_in(answer: str) -> str:
    found = find_code(answer)
    return found.text if found is not None and found.language == "python" else ""


def mention_code(notebook: Notebook, turn: Turn) -> list[str]:
    """Return what the footer should mention of code that is too late for the next cell.

    A cell can fill the next one only while it runs.
    """
    if turn.cut_off:
        return ["the code is cut off"]
    if find_code(turn.answer) is None:
        return ["no code in the answer"]
    # The command takes the last answer of the current conversation.
    if notebook.session.library.current.last_answered is not turn:
        return []
    return ["%copilot code puts it into the next cell"]


def warnings_for(notebook: Notebook, code: str, before: str = "") -> list[str]:
    """Return what a user should know before running `code`.

    Args:
        notebook: Where it would run.
        code: The code.
        before: The code that it replaces; what that overwrites is not mentioned.
    """
    variables = notebook.namespace.variables
    warnings = []
    if missing := missing_names(code, variables):
        verb = "does" if len(missing) == 1 else "do"
        warnings.append(f"uses {_listed(missing)}, which {verb} not exist")
    if overwritten := overwritten_names(code, variables, names_in(before).binds):
        warnings.append(f"overwrites {_listed(overwritten)}")
    return warnings


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_LISTED])
    return f"{shown} and {len(names) - _LISTED} more" if len(names) > _LISTED else shown
