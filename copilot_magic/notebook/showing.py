"""An answer shown in the cell that asked, as it arrives, and kept as the last one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from ..chat.answer import Answer
from ..chat.prompt import Options
from ..chat.turn import Turn
from ..session.exchange import Event, Exchange
from ..session.session import Session
from ..wire.chunks import Delta
from ..wire.request import model_of, providers_of
from .hints import CONTINUE
from .interrupts import one_interrupt, without_traceback
from .shell import Notebook

if TYPE_CHECKING:
    from ..views.view import View

__all__ = ["asked_name", "keep_answer", "open_view_for", "show_exchange"]


def show_exchange(
    notebook: Notebook,
    exchange: Exchange,
    *,
    options: Options | None = None,
    raw: bool = False,
    out: str | None = None,
    visible: bool = True,
    view: View | None = None,
    already_shown: int = 0,
    language: str = "",
    remarks: Callable[[Turn], list[str]] = lambda turn: [],
) -> Answer:
    """Show an answer as it arrives; whatever arrived is the last answer, however it ends.

    Args:
        notebook: Where to show it.
        exchange: The prompt on its way.
        options: What the prompt sets for itself.
        raw: Show plain text, no Markdown.
        out: The variable to assign the answer to.
        visible: Show it at all.
        view: Where to show it; by default a new view in the running cell.
        already_shown: How many characters of the answer other cells show already.
        language: The answer is no Markdown but code of this language.
        remarks: Called with a turn that is complete, for what else its footer should mention.

    Raises:
        CopilotError: There was no answer, or not all of it.
    """
    if not visible:
        with closing(exchange):
            deque(exchange, maxlen=0)
        remarks(exchange.turn)
        return keep_answer(notebook, exchange, out)
    from ..views.open import show
    from ..views.view import Footer

    turn = exchange.turn
    view = view or open_view_for(notebook, options or turn.options, raw=raw)
    fenced = bool(language) and not raw and notebook.renders
    with one_interrupt(lambda: exchange.ended):
        try:
            show(_in_fence(exchange, language) if fenced else exchange, view)
        except KeyboardInterrupt as interrupt:
            more = f": {CONTINUE} picks up from here" if turn.answer else ""
            without_traceback(interrupt, more)
            raise
        finally:
            exchange.ended = True
            text = turn.answer[already_shown:]
            if fenced and text:
                text = f"```{language}\n{text}" + ("```" if text.endswith("\n") else "\n```")
            shown = replace(turn, answer=text)
            if turn.status == "complete":
                shown.notes = [*turn.notes, *remarks(turn)]
            if shown.status == "streaming":  # it was interrupted before it had begun
                shown.status = "interrupted"
            view.finish(shown, Footer.of(shown, exchange.conversation.name, CONTINUE))
            answer = keep_answer(notebook, exchange, out)
    return answer


def open_view_for(notebook: Notebook, options: Options, *, raw: bool = False) -> View:
    """Open a view in the running cell, for the answer to a prompt with these options."""
    from ..views.open import open_view

    return open_view(
        notebook.shell,
        asked=asked_name(options, notebook.session),
        remote_images=notebook.session.settings.remote_images,
        raw=raw,
    )


def keep_answer(notebook: Notebook, exchange: Exchange, out: str | None = None) -> Answer:
    """Return the answer, or what arrived of it; it is the last answer of the notebook from now."""
    answer = Answer.of(exchange.turn, exchange.conversation.conversation_id)
    if answer or answer.reasoning:
        notebook.assign("_copilot", answer)
        if out:
            notebook.assign(out, answer)
    return answer


def asked_name(options: Options, session: Session) -> str:
    """Return whom the user waits for; a provider only if the server is known to have providers."""
    settings = session.settings
    if settings.is_local_model:
        return "the local model"
    provider = providers_of(options, settings)[0] if session.dialect.gpt4free else ""
    return provider or model_of(options, settings) or "the server"


def _in_fence(events: Exchange, language: str) -> Generator[Event, None, None]:
    """Yield the events of an answer that is shown as a block of code."""
    begun = False
    with closing(events):
        for event in events:
            if isinstance(event, Delta) and event.content and not begun:
                begun = True
                event = event._replace(content=f"```{language}\n{event.content}")
            yield event
