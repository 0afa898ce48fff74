"""Typed answers: checked against their type, and asked for once more if they do not fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..chat.answer import Answer
from ..chat.prompt import Prompt
from ..chat.turn import Turn
from ..context.typed.answer_type import LONGEST_LIST
from ..context.typed.second_try import asked_again

if TYPE_CHECKING:
    from ..context.typed.answer_type import AnswerType
    from ..session.exchange import Exchange
    from .shell import Notebook

__all__ = ["ask_typed"]


def ask_typed(
    notebook: Notebook,
    prompt: Prompt,
    exchange: Exchange,
    wanted: AnswerType,
    present: Callable[..., Answer],
    *,
    out: str | None = None,
) -> Any:
    """Ask for an answer of a type and return its value; ask once more if it does not fit.

    The second try replaces the first one in the conversation.

    Args:
        notebook: The notebook that asks.
        prompt: What to ask.
        exchange: That prompt, which has not begun.
        wanted: The type.
        present: Shows an exchange and returns its answer.
        out: The variable to assign the value to.

    Raises:
        TypedAnswerError: Neither answer fits.
        CopilotError: There was no answer, or not all of it.
    """
    reading = _Reading(wanted)
    present(exchange, language="json", remarks=reading.read)
    if reading.problem:
        again = _with_problem(prompt, exchange.turn, reading.problem, wanted)
        exchange = notebook.session.ask(
            again,
            exchange.conversation,
            replaces=exchange.turn,
            settings=exchange.settings,
        )
        reading = _Reading(wanted, last=True)
        present(exchange, language="json", remarks=reading.read)
    if reading.problem:
        raise wanted.misfit(reading.problem)
    if out:
        notebook.assign(out, reading.value)
    return reading.value


class _Reading:
    """The value of an answer, or what is wrong with it."""

    def __init__(self, wanted: AnswerType, *, last: bool = False) -> None:
        self.value: Any = None
        self.problem = ""
        self._wanted = wanted
        self._last = last

    def read(self, turn: Turn) -> list[str]:
        """Read the answer of a turn; return what its footer should mention."""
        try:
            self.value = self._wanted.parse(turn.answer)
        except ValueError as error:
            self.problem = str(error)
            more = "" if self._last else "; asked once more"
            return [f"not of type {self._wanted.name}: {self.problem}{more}"]
        return []


def _with_problem(prompt: Prompt, turn: Turn, problem: str, wanted: AnswerType) -> Prompt:
    """Return the prompt with the answer that did not fit, and the reason."""
    said, schema = asked_again(prompt.expanded or prompt.text, turn.answer, problem, wanted)
    notes = [*prompt.notes, f"the first answer was not of type {wanted.name}"]
    if schema != prompt.schema:
        notes.append(f"lists of at most {LONGEST_LIST} values")
    return replace(prompt, expanded=said, schema=schema, notes=tuple(notes))
