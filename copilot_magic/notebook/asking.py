"""A prompt asked from a cell, and its answer shown there: ``%%copilot`` and `ask` alike."""

from __future__ import annotations

import ast
import inspect
import json
import sys
from collections import deque
from contextlib import closing
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from executing import Source
from IPython.core.getipython import get_ipython

from ..chat.answer import Answer
from ..chat.conversation import Conversation
from ..chat.prompt import Content, Options, text_of
from ..errors import UsageError
from ..session.exchange import Exchange
from ..session.session import Session
from ..text import count_of, without_credentials
from ..wire.request import model_of, providers_of
from .arguments import PromptLine
from .hints import CONTINUE, with_hints
from .interrupts import one_interrupt, without_traceback
from .shell import Notebook

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = [
    "ask",
    "ask_prompt",
    "asked_name",
    "keep_answer",
    "notebook_of",
    "preview_prompt",
    "show_exchange",
]


def ask(prompt: str, *, show: bool = True, **options: Any) -> Answer:
    """Ask `prompt` as ``%%copilot`` does, show the answer as it arrives, and return it.

    Args:
        prompt: What to ask.
        show: Show the answer as it arrives; ``print(ask(…))`` shows it once in any case.
        **options: As on the magic's first line: ``model``, ``provider``, ``temperature``,
            ``max_tokens``, ``system``, ``conversation``, ``new``, ``replay`` (False is never),
            ``raw``.

    Raises:
        UsageError: An option is unknown or cannot be used, or the prompt is empty.
        PromptError: There was no answer, or not all of it.
    """
    show = show and not _is_printed()
    if options.pop("fresh", False):
        options["replay"] = False
    if unfit := {"out", "dry_run"} & set(options):
        raise UsageError(f"ask() has no option {unfit.pop()!r}", "help(ask) lists them")
    line = PromptLine.of(options)
    if not prompt.strip():
        raise UsageError("the prompt is empty", "ask('…') needs some words")
    notebook, has_magics = notebook_of(get_ipython())
    if not has_magics:
        answer = ask_prompt(notebook, prompt, line, show=show)
    else:
        with with_hints():
            answer = ask_prompt(notebook.up_to_date(), prompt, line, show=show)
    if show:
        # The cell has just shown it; IPython would show it again as the cell's result.
        answer._shown = True
        notebook.after_cell(lambda: setattr(answer, "_shown", False))
    return answer


ask.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [
        *list(inspect.signature(ask).parameters.values())[:2],
        *PromptLine.keywords(),
    ],
    return_annotation=Answer,
)


def _is_printed() -> bool:
    """Say whether the caller of `ask` prints what it returns: ``print(ask(…))``."""
    call: Any = Source.executing(sys._getframe(2)).node
    outer = getattr(call, "parent", None)
    return (
        isinstance(outer, ast.Call)
        and call in outer.args
        and isinstance(outer.func, ast.Name)
        and outer.func.id == "print"
    )


def notebook_of(shell: InteractiveShell | None) -> tuple[Notebook, bool]:
    """Return the notebook of `shell`, and whether its magics are loaded."""
    magics = shell.magics_manager.registry.get("CopilotMagics") if shell is not None else None
    if magics is None:
        return Notebook(shell, _session_of_process()), False
    return magics.notebook, True


@cache
def _session_of_process() -> Session:
    return Session()


def ask_prompt(notebook: Notebook, text: str, line: PromptLine, *, show: bool = True) -> Answer:
    """Ask `text` as `line` says, and show the answer as it arrives unless `show` is False.

    Raises:
        CopilotError: There was no answer, or not all of it.
    """
    library = notebook.session.library
    if line.new:
        conversation = library.new(line.conversation or "")
    elif line.conversation:
        conversation = library.find_or_add(line.conversation)
    else:
        conversation = library.current
    prompt = line.prompt(text, notebook.next_cell_id())
    exchange = notebook.session.ask(prompt, conversation)
    if not show:
        with closing(exchange):
            deque(exchange, maxlen=0)
        return keep_answer(notebook, exchange)
    return show_exchange(notebook, exchange, options=line.options, raw=line.raw, out=line.out)


def show_exchange(
    notebook: Notebook,
    exchange: Exchange,
    *,
    options: Options | None = None,
    raw: bool = False,
    out: str | None = None,
    already_shown: int = 0,
) -> Answer:
    """Show an answer as it arrives; whatever arrived is the last answer, however it ends.

    Args:
        notebook: Where to show it.
        exchange: The prompt on its way.
        options: What the prompt sets for itself.
        raw: Show plain text, no Markdown.
        out: The variable to assign the answer to.
        already_shown: How many characters of the answer other cells show already.

    Raises:
        CopilotError: There was no answer, or not all of it.
    """
    from ..views.open import open_view, show
    from ..views.view import Footer

    settings, turn = notebook.session.settings, exchange.turn
    view = open_view(
        notebook.shell,
        asked=asked_name(options or turn.options, notebook.session),
        remote_images=settings.remote_images,
        raw=raw,
    )
    with one_interrupt(lambda: exchange.ended):
        try:
            show(exchange, view)
        except KeyboardInterrupt as interrupt:
            more = f": {CONTINUE} picks up from here" if turn.answer else ""
            without_traceback(interrupt, more)
            raise
        finally:
            exchange.ended = True
            shown = replace(turn, answer=turn.answer[already_shown:])
            if shown.status == "streaming":  # it was interrupted before it had begun
                shown.status = "interrupted"
            view.finish(shown, Footer.of(shown, exchange.conversation.name, CONTINUE))
            answer = keep_answer(notebook, exchange, out)
    return answer


def keep_answer(notebook: Notebook, exchange: Exchange, out: str | None = None) -> Answer:
    """Return the answer, or what arrived of it; it is the last answer of the notebook from now."""
    answer = Answer.of(exchange.turn, exchange.conversation.conversation_id)
    if answer or answer.reasoning:
        notebook.assign("_copilot", answer)
        if out:
            notebook.assign(out, answer)
    return answer


def preview_prompt(notebook: Notebook, text: str, line: PromptLine) -> str:
    """Return, for a reader, what asking `text` would send; nothing is sent or changed."""
    session = notebook.session
    if line.new:
        conversation = Conversation(system=session.settings.system)
    elif line.conversation:
        conversation = session.library.preview(line.conversation)
    else:
        conversation = session.library.current
    body = session.preview(line.prompt(text, notebook.next_cell_id()), conversation)
    messages = body.pop("messages")
    size = sum(len(text_of(message["content"])) for message in messages)
    url = without_credentials(session.settings.base_url).rstrip("/")
    lines = [
        f"POST {url}/chat/completions (dry run: nothing is sent)",
        json.dumps(body, ensure_ascii=False),
        f"{count_of(len(messages), 'message')}, {count_of(size, 'character')}, "
        f"about {count_of(size // 4 + 1, 'token')}",
    ]
    for message in messages:
        lines += ["", f"[{message['role']}]", _readable(message["content"])]
    return "\n".join(lines)


def _readable(content: Content) -> str:
    """Return the content of a message for a reader: its text, and the kinds of its other parts."""
    if isinstance(content, str):
        return content
    kinds = [str(part.get("type")) for part in content if part.get("type") != "text"]
    return "\n".join([text_of(content), *(f"[{kind}]" for kind in kinds)])


def asked_name(options: Options, session: Session) -> str:
    """Return whom the user waits for; a provider only if the server is known to have providers."""
    settings = session.settings
    if settings.is_local_model:
        return "the local model"
    provider = providers_of(options, settings)[0] if session.dialect.gpt4free else ""
    return provider or model_of(options, settings) or "the server"
