"""The commands of ``%copilot``: for each a function, its arguments and a line of help."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..chat.conversation import Conversation
from ..errors import StoreError, UsageError
from ..session.storage import Storage
from ..text import count_of, one_line, without_credentials
from ..views.printing import publish, say
from .arguments import Parser, add_trying
from .files import read_conversation, write_conversation
from .hints import after_check, next_step
from .serving import serve_command, stop_command
from .shell import Notebook
from .showing import show_exchange

__all__ = ["COMMANDS", "Command", "commands_help", "run_command"]


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: What stands after ``%copilot``.
        arguments: Its arguments as the help shows them; those in brackets may be left out, and
            the last one takes all further words if it ends in ``…``.
        help: What it does.
        run: Does it, given the notebook and the arguments, those left out being empty.
    """

    name: str
    arguments: str
    help: str
    run: Callable[..., None]

    @property
    def usage(self) -> str:
        """Return how it is written, with its arguments."""
        return f"%copilot {self.name} {self.arguments}".rstrip()

    def expect_arguments(self, words: list[str]) -> list[str]:
        """Return the arguments in `words`; those left out are empty.

        Raises:
            UsageError: There are too few, or too many.
        """
        wanted = self.arguments.split()
        if wanted and wanted[-1].endswith("…]"):
            words = [*words[: len(wanted) - 1], " ".join(words[len(wanted) - 1 :])]
        least = sum(not name.startswith("[") for name in wanted)
        if not least <= len(words) <= len(wanted):
            raise UsageError(
                f"%copilot {self.name} takes {self.arguments or 'no argument'}",
                "Put a name with spaces in double quotes" if wanted else "%copilot? explains it",
            )
        return words + [""] * (len(wanted) - len(words))


def run_command(notebook: Notebook, words: list[str]) -> None:
    """Run the command that `words` name; without any, show the status.

    Raises:
        UsageError: There is no such command, or its arguments are wrong.
    """
    name, *arguments = words or ["status"]
    command = COMMANDS.get(name)
    if command is None:
        from difflib import get_close_matches

        close = get_close_matches(name, COMMANDS, 1)
        if close:
            meant = f"Did you mean %copilot {close[0]}?"
        elif arguments:
            meant = f"To ask, use two percent signs: %%copilot {one_line(' '.join(words), 60)}"
        else:
            meant = "%copilot? lists the commands"
        raise UsageError(f"There is no command {name!r}", meant)
    if "--" not in command.arguments:  # else it parses its options itself
        arguments = command.expect_arguments(arguments)
    command.run(notebook, *arguments)


def commands_help() -> str:
    """Return the commands by what they are about, one a line, with what each does."""
    return "\n\n".join(
        "\n".join([f"{title}:", *(f"  {command.usage:<37}  {command.help}" for command in group)])
        for title, group in _GROUPS.items()
    )


def _status(notebook: Notebook) -> None:
    from ..views.view import Footer

    session, settings = notebook.session, notebook.session.settings
    conversation = session.library.current
    last = conversation.last_answered
    server = without_credentials(settings.base_url)
    provider = ", ".join(name or "the server's default" for name in settings.asked_providers)
    if session.dialect.gpt4free is False:
        provider = "none: this is not a gpt4free server"
    elif session.dialect.gpt4free is None and any(settings.asked_providers):
        provider += "  (if this is a gpt4free server)"
    if settings.is_local_model:
        server += "  (the local model)"
        provider = "none"
    unknown = "not reported by the server" if conversation.answered else "none yet"
    rows = {
        "server": server,
        "provider": provider,
        "model": settings.model or "the server's default",
        "conversation": f"{conversation.name}  ({conversation.conversation_id})",
        "turns": str(len(conversation.answered)),
        "tokens": _tokens(conversation) or unknown,
        "last answer": str(Footer.of(last)) if last else "none yet",
        "kept in": _file_state(session.library.storage),
    }
    if jobs := notebook.background.jobs:
        rows["on its way"] = f"\n{'':<13} ".join(str(job) for job in jobs)
    say("\n".join(f"{label:<13} {value}" for label, value in rows.items()))


def _tokens(conversation: Conversation) -> str:
    """Return the tokens of all turns, as far as the server named them."""
    used = {"prompt_tokens": 0, "completion_tokens": 0}
    for turn in conversation.turns:
        for name in used:
            count = (turn.usage or {}).get(name)
            used[name] += count if isinstance(count, int) else 0
    read, written = used.values()
    return f"{read:,} in, {written:,} out" if read or written else ""


def _file_state(storage: Storage) -> str:
    """Return where conversations are kept, and what is wrong with the file, if anything."""
    if storage.path is None:
        return "nowhere: the setting store is None"
    storage.read(lambda store: store.check_readable(), None)
    problem = storage.unwritten or storage.unread
    file, home = Path(storage.file), Path("~").expanduser().resolve()
    if file.is_relative_to(home):
        file = "~" / file.relative_to(home)
    if problem is None:
        return str(file)
    what = "not written" if storage.unwritten else "not all of it can be read"
    return f"{file}  ({what}; each prompt tries again)\n    {_problem(problem)}"


def _problem(error: StoreError) -> str:
    return f"{error.message}. {next_step(error)}"


def _doctor(notebook: Notebook) -> None:
    from ..doctor import diagnose

    session = notebook.session
    for check in diagnose(session.settings, session.dialect):
        say(f"{'✗' if check.problem else '✓'} {check.name}: {check.message}")
        if check.problem is not None:
            say(textwrap.indent(after_check(check.problem), "    "))


def _new(notebook: Notebook, name: str) -> None:
    say(f"New conversation {notebook.session.library.new(name).name}")


def _use(notebook: Notebook, name: str) -> None:
    conversation = notebook.session.library.use(name)
    say(f"Conversation {conversation.name}, {count_of(len(conversation.answered), 'turn')}")


def _list(notebook: Notebook, search: str) -> None:
    library = notebook.session.library
    found = library.summaries(search)
    if library.storage.unread is not None:
        say(_problem(library.storage.unread))
    if not found:
        say("No conversation has that in it" if search else "There are no conversations yet")
        return
    current = library.current.conversation_id
    lines = [f"  {'name':<24} {'turns':>4} last used         begins with"]
    for summary in found:
        mark = "*" if summary.conversation_id == current else " "
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(summary.last_used))
        first = one_line(summary.first_prompt, 50)
        lines.append(f"{mark} {summary.name:<24} {summary.turns:>4}  {day}  {first}")
    say("\n".join(lines))


def _rename(notebook: Notebook, first: str, second: str) -> None:
    library = notebook.session.library
    old, new = (first, second) if second else ("", first)
    if not new.strip():
        raise UsageError("The new name is empty", "Give one: %copilot rename NEW")
    library.rename(new, library.find(old) if old else library.current)
    say(f"Conversation {new}")


def _forget(notebook: Notebook, name: str) -> None:
    library = notebook.session.library
    notebook.background.cancel(library.find(name).conversation_id)
    _notes(library.forget(name))
    say(f"Forgotten: {name}")


def _restore(notebook: Notebook) -> None:
    restored = notebook.session.library.restore()
    if restored.copied is None:
        origin = "There was no copy: "
    else:
        copied = time.strftime("%Y-%m-%d %H:%M", time.localtime(restored.copied))
        origin = f"Restored from the copy of {copied}: "
    lines = [
        f"{origin}{count_of(restored.conversations, 'conversation')}, "
        f"{count_of(restored.turns, 'turn')}"
    ]
    if restored.added:
        lines.append(f"{count_of(restored.added, 'turn')} of them were read from the file itself")
    if restored.answers:
        lines.append(f"{count_of(restored.answers, 'answer')} of batches")
    if restored.kept:
        lines.append(f"The file as it was is kept as {restored.kept}")
    say("\n".join(lines))


def _show(notebook: Notebook, name: str) -> None:
    from ..transcript import to_markdown
    from .changes import changes_since

    library = notebook.session.library
    conversation = library.find(name) if name else library.current
    namespace = notebook.namespace
    text = to_markdown(conversation, lambda turn: changes_since(turn, namespace))
    publish(notebook.shell, text)


def _export(notebook: Notebook, *arguments: str) -> None:
    parser = Parser("%copilot export", "%copilot?")
    parser.add_argument("file")
    parser.add_argument("--force", action="store_true")
    options = parser.parse_args(list(arguments))
    conversation = notebook.session.library.current
    write_conversation(conversation, Path(options.file).expanduser(), replace=options.force)
    say(f"{count_of(len(conversation.answered), 'turn')} written to {options.file}")


def _import(notebook: Notebook, file: str) -> None:
    conversation = read_conversation(Path(file).expanduser())
    _notes(notebook.session.library.adopt(conversation))
    say(f"Conversation {conversation.name}, {count_of(len(conversation.answered), 'turn')}")


def _continue(notebook: Notebook) -> None:
    exchange = notebook.session.continue_last()
    show_exchange(notebook, exchange, already_shown=len(exchange.turn.answer))


def _retry(notebook: Notebook) -> None:
    show_exchange(notebook, notebook.session.retry())


def _cancel(notebook: Notebook, name: str) -> None:
    conversation_id = notebook.session.library.find(name).conversation_id if name else ""
    stopped = notebook.background.cancel(conversation_id)
    for job in stopped:
        say(f"Stopped: {job.name}, {job.received} kept")
    if not stopped:
        where = f" in {name}" if name else ""
        say(f"Nothing is being answered in the background{where}")


def _explain(notebook: Notebook) -> None:
    from .fixing import explain_failure

    explain_failure(notebook)


def _fix(notebook: Notebook, *words: str) -> None:
    from .fixing import fix_failure

    parser = Parser("%copilot fix", "%copilot?")
    add_trying(parser)
    fix_failure(notebook, candidates=parser.parse_args(words).try_)


def _panel(notebook: Notebook, name: str) -> None:
    from .panel.widget import show_panel

    show_panel(notebook, name)


def _code(notebook: Notebook, number: str) -> None:
    from ..markdown.render import code_blocks

    last = notebook.session.library.current.last_answered
    if last is not None and last.status == "streaming":
        raise UsageError("The last answer is still arriving", "Wait for it, or stop it")
    blocks = code_blocks(last.answer) if last is not None else []
    if not blocks:
        raise UsageError("The last answer has no code", "Ask for some with %%copilot --code")
    if number and not (number.isdecimal() and 1 <= int(number) <= len(blocks)):
        raise UsageError(
            f"The last answer has {count_of(len(blocks), 'code block')}, but no block {number}",
            f"Choose a number from 1 to {len(blocks)}",
        )
    index = int(number or 1)
    notebook.set_next_input(blocks[index - 1].code)
    if len(blocks) > 1:
        say(f"Code block {index} of {len(blocks)}")


def _drop(notebook: Notebook, number: str) -> None:
    conversation = notebook.session.library.current
    turns = list(conversation.turns)
    if not turns:
        raise UsageError("The conversation has no turns", "There is nothing to drop")
    if number and not (number.isdecimal() and 1 <= int(number) <= len(turns)):
        raise UsageError(
            f"The conversation has {count_of(len(turns), 'turn')}, but no turn {number}",
            "%copilot show numbers them",
        )
    index = int(number or len(turns))
    turn = turns[index - 1]
    if turn.status == "streaming":
        raise UsageError(f"Turn {index} is still being answered", "Wait for it, or stop it")
    notebook.session.drop(turn, conversation)
    say(f"Dropped turn {index}: {one_line(turn.prompt, 60)}")


def _models(notebook: Notebook) -> None:
    say("\n".join(notebook.session.client.models()) or "The server lists no models")


def _providers(notebook: Notebook) -> None:
    names = notebook.session.client.providers()
    say("\n".join(names) or "The server lists no providers; only a gpt4free server has any")


def _notes(notes: list[str]) -> None:
    for note in notes:
        say(note)


_GROUPS = {
    "The server": (
        Command("status", "", "show server, model, conversation and last answer", _status),
        Command("doctor", "", "check the server step by step; say how to fix what fails", _doctor),
        Command("serve", "[PATH.gguf] [--port N]", "start a local model", serve_command),
        Command("stop", "", "stop the local model", stop_command),
        Command("models", "", "list the models that the server offers", _models),
        Command("providers", "", "list the providers that a gpt4free server offers", _providers),
    ),
    "The last answer": (
        Command("continue", "", "continue an answer that was cut off", _continue),
        Command("retry", "", "ask the last prompt again, replacing its turn", _retry),
        Command("cancel", "[NAME]", "stop what is being answered in the background", _cancel),
        Command("code", "[N]", "put a code block of the answer into the next cell", _code),
    ),
    "The last exception": (
        Command("explain", "", "explain it", _explain),
        Command("fix", "[--try [N]]", "correct the cell that failed; --try runs it first", _fix),
    ),
    "Conversations": (
        Command("new", "[NAME]", "start a new conversation", _new),
        Command("use", "NAME", "switch to another conversation", _use),
        Command("list", "[TEXT…]", "list the conversations, or those with TEXT in them", _list),
        Command("show", "[NAME]", "show a conversation, its turns numbered", _show),
        Command("drop", "[N]", "take out turn number N, or the last one", _drop),
        Command("rename", "[OLD] NEW", "rename a conversation", _rename),
        Command("forget", "NAME", "delete a conversation permanently", _forget),
        Command(
            "export", "FILE [--force]", "write the current one as .md, .ipynb or .json", _export
        ),
        Command("import", "FILE.json", "read an exported conversation", _import),
        Command("restore", "", "bring back the last good copy of the conversation file", _restore),
        Command("panel", "[NAME]", "show the chat panel", _panel),
    ),
}

COMMANDS = {command.name: command for group in _GROUPS.values() for command in group}
