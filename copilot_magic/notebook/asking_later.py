"""A prompt asked in the background: its cell ends, and its answer goes on arriving there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..chat.answer import Answer
from ..errors import CopilotError, CutError
from ..session.exchange import NAMED_BY, Exchange
from ..text import one_line
from .arguments import PromptLine
from .background import Job
from .hints import next_step
from .pending import PendingAnswer
from .shell import Notebook
from .showing import open_view_for, show_exchange

if TYPE_CHECKING:
    from ..views.view import View

__all__ = ["ask_later"]

Work = Callable[[Callable[..., Answer]], Any]
"""Has a prompt answered, with what shows an exchange and returns its answer; returns the value."""


def ask_later(
    notebook: Notebook,
    exchange: Exchange,
    work: Work,
    line: PromptLine,
    prompt: str,
    *,
    show: bool = True,
) -> PendingAnswer:
    """Have a prompt answered in the background; return the answer that is on its way.

    Args:
        notebook: The notebook that asks.
        exchange: The prompt, which has not begun.
        work: Has it answered.
        line: The options.
        prompt: What the user wrote.
        show: Show the answer in the running cell.
    """
    job = Job(exchange, prompt, notebook.running_cell())
    pending = PendingAnswer(job.__str__, job.cancel)
    # A typed answer may need a second try, for which no output can be opened later.
    views = iter(_open_views(notebook, job, 2 if line.as_ is not None else 1) if show else [])
    fail = _open_failure(notebook, prompt)

    def present(exchange: Exchange, **more: Any) -> Answer:
        return _present(notebook, job, views, exchange, **more)

    def run() -> None:
        value: Any = None
        error: BaseException | None = None
        try:
            value = work(present)
        except CopilotError as problem:
            problem.hint = next_step(problem)
            error = problem
        except BaseException as problem:  # noqa: BLE001  (whoever waits gets it)
            error = problem
        with suppress(Exception):  # at the end of a process, there may be nobody to show it to
            if error is not None and not job.cancelled:
                fail(_lines_of(error))
        kept = value
        if error is not None and line.as_ is None:  # what arrived of it
            kept = Answer.of(job.exchange.turn, job.exchange.conversation.conversation_id)
        if line.out and (error is None or kept):
            notebook.replace(line.out, pending, kept)
        notebook.background.remove(job)
        pending.end(value, error)

    if line.out:
        notebook.assign(line.out, pending)
    conversation = exchange.conversation
    place = notebook.session.library.places.place(conversation.conversation_id, prompt)
    try:
        notebook.background.start(job, place, run)
    except BaseException as error:
        if job.thread.ident is None:
            pending.end(None, error)
        raise
    return pending


def _present(
    notebook: Notebook, job: Job, views: Iterator[View], exchange: Exchange, **more: Any
) -> Answer:
    """Show an exchange in the cell that asked, and return its answer.

    Raises:
        CopilotError: There was no answer, or not all of it, or the job was stopped.
    """
    job.use(exchange)
    view = next(views, None)
    answer = show_exchange(notebook, exchange, view=view, visible=view is not None, **more)
    if exchange.turn.status == "interrupted":
        raise CutError("The prompt was stopped", "Ask again", begun=bool(answer))
    return answer


def _open_views(notebook: Notebook, job: Job, count: int) -> list[View]:
    """Open the views that the rest of the answer may need: none can be opened later."""
    if notebook.shell is None:
        return []  # a script gets the answer when it asks for it
    if notebook.renders:
        views = [open_view_for(notebook, job.exchange.turn.options) for _ in range(count)]
        for view in views:
            view.detach()
        return views
    from ..views.later import LateView
    from ..views.printing import say

    between_cells = notebook.background.between_cells
    between_cells.start()
    say("In the background: the answer is printed here when it is complete")
    return [LateView(job.prompt, between_cells.print)] * count


def _open_failure(notebook: Notebook, prompt: str) -> Callable[[list[str]], None]:
    """Return what later shows, in the cell that is running now, why there is no answer."""
    if notebook.shell is None:
        return lambda lines: None
    if notebook.renders:
        from ..views.later import LateOutput

        return LateOutput(notebook.shell.display_pub.publish).fail
    between_cells = notebook.background.between_cells
    between_cells.start()
    title = f"“{one_line(prompt, NAMED_BY)}”"
    return lambda lines: between_cells.print("\n".join([title, *lines, ""]))


def _lines_of(error: BaseException) -> list[str]:
    """Return what a cell that failed would show, without our own code."""
    if isinstance(error, CopilotError):
        return error._render_traceback_()
    return [one_line(f"{type(error).__name__}: {error}", 500)]
