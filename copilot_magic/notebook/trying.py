"""Code that has run in a copy of this kernel before it is offered: ``--try``."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ..chat.answer import Answer
from ..chat.completion import Completion
from ..chat.prompt import Prompt
from ..context.gather import Attachment
from ..errors import PromptError, RehearsalError, UsageError
from ..views.printing import say
from .rehearse import rehearse_cell
from .showing import keep_answer

if TYPE_CHECKING:
    from concurrent.futures import Future

    from ..session.exchange import Exchange
    from .rehearsing.rehearsal import Rehearsal
    from .shell import Notebook

__all__ = ["Tried", "check_trying", "until_it_runs"]

_REPAIRS = 2
# Characters of an error, and of the code, that go back to the model.
_SENT_BACK = 4_000

_AGAIN = "Correct it, and give the whole corrected code in one fenced block of Python."


class Tried(NamedTuple):
    """The result of trying.

    Attributes:
        answer: The answer whose code was tried last.
        code: That code; empty if the answer has none.
        runs: It ran, or only what it was not allowed to do kept it from running.
    """

    answer: Answer
    code: str
    runs: bool


def check_trying(notebook: Notebook) -> None:
    """Check, before anything is asked, that code can be tried here.

    Raises:
        RehearsalError: It cannot.
        UsageError: There is no shell.
    """
    from ..sandbox.support import why_not

    if notebook.shell is None:
        raise UsageError("--try needs a notebook or IPython", "Use rehearse() in plain Python")
    if reason := why_not():
        raise RehearsalError(f"Code cannot be tried here: {reason}", "Leave out --try")


def until_it_runs(
    notebook: Notebook,
    prompt: Prompt,
    exchange: Exchange,
    present: Callable[[Exchange], Answer],
    code_of: Callable[[str], str],
    *,
    candidates: int = 1,
) -> Tried:
    """Ask for code, try it in a copy of this kernel, and say what it did there.

    If it fails, the model gets the error and tries again, twice at most; its next answer replaces
    the last one in the conversation. With several candidates, so many are asked for at once
    instead, and the first one that runs is taken.

    Args:
        notebook: The notebook that asks.
        prompt: What to ask.
        exchange: That prompt, which has not begun.
        present: Shows an exchange and returns its answer.
        code_of: Returns the code of an answer to try, empty if there is none.
        candidates: How many answers to ask for at once.

    Raises:
        RehearsalError: The code cannot be tried in a copy, such as that of a library's threads.
        CopilotError: There was no answer, or not all of it.
    """
    if candidates > 1:
        return _first_that_runs(notebook, prompt, exchange, present, code_of, candidates)
    for left in reversed(range(_REPAIRS + 1)):
        answer = present(exchange)
        code = "" if exchange.turn.cut_off else code_of(answer)
        if not code:
            return Tried(answer, "", False)
        rehearsal = _tried(notebook, code)
        if rehearsal.ok or rehearsal.stopped:
            return Tried(answer, code, True)
        if left:
            again = _with_failure(notebook, prompt, code, rehearsal)
            exchange = notebook.session.ask(
                again,
                exchange.conversation,
                replaces=exchange.turn,
                settings=exchange.settings,
            )
    say(f"None of {_REPAIRS + 1} tries ran; %copilot code takes the last one")
    return Tried(answer, code, False)


def _tried(notebook: Notebook, code: str) -> Rehearsal:
    """Try code, and show what it did below the answer."""
    assert notebook.shell is not None
    rehearsal = rehearse_cell(notebook.shell, code)
    notebook.display(rehearsal)
    return rehearsal


def _with_failure(notebook: Notebook, prompt: Prompt, code: str, rehearsal: Rehearsal) -> Prompt:
    """Return the prompt with the code that failed, and its error."""
    from ..context.describe.description import cut_middle

    mask = notebook.masker().mask if notebook.session.settings.mask_secrets else str
    error = cut_middle(mask(rehearsal.error or ""), _SENT_BACK)[0]
    said = [
        prompt.expanded or prompt.text,
        Attachment(
            "You answered before with this code:", cut_middle(mask(code), _SENT_BACK)[0], "python"
        ).block(),
        Attachment("It was tried in my notebook, and failed:", error).block(),
        _AGAIN,
    ]
    notes = (*prompt.notes, "the code before failed when it was tried")
    return replace(prompt, expanded="\n\n".join(said), notes=notes)


def _first_that_runs(
    notebook: Notebook,
    prompt: Prompt,
    exchange: Exchange,
    present: Callable[[Exchange], Answer],
    code_of: Callable[[str], str],
    count: int,
) -> Tried:
    """Ask for several answers at once; take the first one whose code runs."""
    with _asked_aside(notebook, prompt, exchange, count - 1) as others:
        answer = present(exchange)
        code = "" if exchange.turn.cut_off else code_of(answer)
        seen = {code, ""}
        if code:
            rehearsal = _tried(notebook, code)
            if rehearsal.ok or rehearsal.stopped:
                return Tried(answer, code, True)
        for number, other in enumerate(others, 2):
            try:
                completion = other.result()
            except PromptError as error:
                say(f"Candidate {number} of {count}: {error.message}")
                continue
            other_code = code_of(completion.content)
            if other_code in seen:
                continue
            seen.add(other_code)
            say(f"Candidate {number} of {count}:")
            rehearsal = _tried(notebook, other_code)
            if rehearsal.ok or rehearsal.stopped:
                notebook.session.adopt(exchange.turn, exchange.conversation, completion)
                answer = keep_answer(notebook, exchange)
                notebook.display(answer)
                return Tried(answer, other_code, True)
    say(f"None of {count} candidates ran; %copilot code takes the first one")
    return Tried(answer, code, False)


@contextmanager
def _asked_aside(
    notebook: Notebook, prompt: Prompt, exchange: Exchange, count: int
) -> Iterator[list[Future[Completion]]]:
    """Ask the same prompt several times at once, outside the conversation."""
    from ..client.client import ChatClient

    session = notebook.session
    body = session.preview(prompt, exchange.conversation)
    body.pop("conversation", None)
    bodies = [{**body, "conversation_id": uuid.uuid4().hex} for _ in range(count)]
    client = ChatClient(exchange.settings, dialect=session.dialect)
    pool = ThreadPoolExecutor(count, thread_name_prefix="copilot-candidate")
    try:
        yield [pool.submit(client.complete, each) for each in bodies]
    finally:
        client.stop()
        pool.shutdown(wait=False, cancel_futures=True)
