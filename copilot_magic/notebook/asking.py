"""A prompt asked from a cell, and its answer shown there: ``%%copilot`` and `ask` alike."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from executing import Source

from ..chat.answer import Answer
from ..errors import UsageError
from ..session.session import Session
from .arguments import NOT_FOR_ASK, PromptLine
from .hints import with_hints
from .namespace import Namespace
from .pending import PendingAnswer
from .prompting import answer_type, make_prompt, pictures_of
from .shell import Notebook, current_shell
from .showing import show_exchange

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..chat.prompt import Prompt
    from ..context.typed.answer_type import AnswerType
    from ..session.exchange import Exchange

__all__ = ["ask", "ask_prompt", "is_written_in", "notebook_of"]


def ask(prompt: str, *, show: bool = True, **options: Any) -> Any:
    """Ask `prompt` as ``%%copilot`` does, show the answer as it arrives, and return it.

    ``{{expressions}}`` are replaced only if the prompt is written out in the call itself:
    ``ask("Explain {{df}}")``. A text from elsewhere is sent as it is, since whoever wrote it could
    run code here otherwise.

    Args:
        prompt: What to ask.
        show: Show the answer as it arrives; ``print(ask(…))`` shows it once in any case.
        **options: As on the magic's first line: ``model``, ``provider``, ``temperature``,
            ``max_tokens``, ``system``, ``conversation``, ``new``, ``replay`` (False is never),
            ``raw``, ``code``, ``context``, ``error``; ``as_`` is the type of the answer, and
            ``image`` a figure, a picture, the name of its file, or a list of them. With
            ``background``, the answer arrives while other cells run. Outside of IPython it is not
            shown then: ``.wait()`` returns it.

    Returns:
        An `Answer`, or a value of the type ``as_``; in the background a `PendingAnswer`.

    Raises:
        UsageError: An option is unknown or cannot be used, or the prompt is empty.
        PromptError: There was no answer, or not all of it.
    """
    caller = sys._getframe(1)
    call: Any = Source.executing(caller).node
    show = show and not _is_printed(call)
    if options.pop("fresh", False):
        options["replay"] = False
    if unfit := set(NOT_FOR_ASK) & set(options):
        raise UsageError(f"ask() has no option {unfit.pop()!r}", "help(ask) lists them")
    if "as" in options:  # a keyword of Python, so it comes in ** only
        options["as_"] = options.pop("as")
    line = PromptLine.of(options)
    line = replace(line, image=pictures_of(line.image))
    if not prompt.strip():
        raise UsageError("the prompt is empty", "ask('…') needs some words")
    shell = current_shell()
    is_cell = shell is not None and caller.f_locals is shell.user_ns
    how: dict[str, Any] = {
        "show": show,
        "namespace": None if is_cell else Namespace(caller.f_globals, caller.f_locals),
        "expand": is_written_in(call, prompt),
    }
    notebook, has_magics = notebook_of(shell)
    if not has_magics:
        answer = ask_prompt(notebook, prompt, line, **how)
    else:
        with with_hints():
            answer = ask_prompt(notebook.up_to_date(), prompt, line, **how)
    if show and isinstance(answer, (Answer, PendingAnswer)):
        # The cell has just shown it, or will; IPython would show it again as the cell's result.
        answer._shown = True
        notebook.after_cell(lambda: setattr(answer, "_shown", False))
    return answer


ask.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [
        *list(inspect.signature(ask).parameters.values())[:2],
        *PromptLine.keywords(),
    ],
    return_annotation=Any,
)


def is_written_in(call: Any, prompt: str) -> bool:
    """Say whether the prompt is a literal in the call: ``ask("…")``."""
    written = call.args[0] if isinstance(call, ast.Call) and call.args else None
    return isinstance(written, ast.Constant) and written.value == prompt


def _is_printed(call: Any) -> bool:
    """Say whether the caller of `ask` prints what it returns: ``print(ask(…))``."""
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


def ask_prompt(
    notebook: Notebook,
    text: str,
    line: PromptLine,
    *,
    show: bool = True,
    namespace: Namespace | None = None,
    expand: bool = True,
) -> Any:
    """Ask `text` as `line` says, and return the answer, or the typed value that `line` wants.

    In the background, that is a `PendingAnswer`.

    Args:
        notebook: The notebook that asks.
        text: What the user wrote.
        line: The options.
        show: Show the answer as it arrives.
        namespace: The variables that expressions can name; by default the user's.
        expand: Replace the ``{{expressions}}`` in the text.

    Raises:
        CopilotError: There was no answer, or not all of it.
    """
    # Everything that can be wrong here is said before a conversation begins or changes.
    namespace = namespace or Namespace.of_shell(notebook.shell)
    wanted = answer_type(line.as_, namespace)
    if wanted is not None and line.code:
        raise UsageError("an answer is either code or a value", "Give --code or --as, not both")
    if line.try_:
        if line.background:
            raise UsageError("--try cannot go on in the background", "Leave out --try, or -b")
        from .trying import check_trying

        check_trying(notebook)
    if line.background and line.raw and notebook.renders:
        raise UsageError("--raw cannot go on in the background", "Leave out --raw, or -b")
    prompt = make_prompt(notebook, text, line, namespace=namespace, expand=expand, wanted=wanted)
    library = notebook.session.library
    if line.new:
        conversation = library.new(line.conversation or "")
    elif line.conversation:
        conversation = library.find_or_add(line.conversation)
    else:
        conversation = library.current
    notebook.cancel_earlier_run()
    exchange = notebook.session.ask(prompt, conversation)
    work = partial(_answered, notebook, prompt, exchange, wanted, line)
    if line.background:
        from .asking_later import ask_later

        return ask_later(notebook, exchange, work, line, text, show=show)
    return work(
        partial(show_exchange, notebook, options=line.options, raw=line.raw, visible=show),
        out=line.out,
    )


def _answered(
    notebook: Notebook,
    prompt: Prompt,
    exchange: Exchange,
    wanted: AnswerType | None,
    line: PromptLine,
    present: Callable[..., Answer],
    **out: str | None,
) -> Any:
    """Have a prompt answered; return the answer, or the typed value that is wanted.

    Args:
        present: Shows an exchange and returns its answer.
        **out: As ``out``, the variable to assign it to.
    """
    if wanted is not None:
        from .typed import ask_typed

        # A second try is part of the same prompt: no other one comes in between.
        with notebook.session.library.places.place(
            exchange.conversation.conversation_id, prompt.text
        ):
            return ask_typed(notebook, prompt, exchange, wanted, present, **out)
    if line.try_:
        from .coding import put_tried

        return put_tried(notebook, prompt, exchange, partial(present, **out), line.try_)
    if line.code:
        from .coding import mention_code, put_code

        put = mention_code if line.background else put_code
        return present(exchange, remarks=lambda turn: put(notebook, turn), **out)
    return present(exchange, **out)
