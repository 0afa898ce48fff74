"""The magics ``%%copilot`` and ``%copilot``: arguments, dispatch, and `ask` as a function."""

from __future__ import annotations

import argparse
import atexit
import json
import os
import time
from collections.abc import Callable
from dataclasses import fields, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import traitlets
from IPython.core.getipython import get_ipython
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class

from ..chat.conversation import Answer, Conversation, Turn
from ..errors import UsageError
from ..session.session import Events, Session
from ..settings import LOCAL_KEY, LOCAL_URL, Settings
from ..text import one_line
from .arguments import COMMANDS, Parser, count, prompt_parser, split_words, take
from .completion import add_completion, remove_completion

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["CopilotMagics", "ask", "load_ipython_extension", "unload_ipython_extension"]


def _say(text: str) -> None:
    from ..markdown.stream import plain

    print(plain(text))  # noqa: T201  # the one place that writes for `%copilot`


def _publish(text: str) -> None:
    """Show Markdown rendered; IPython's own ``Markdown`` would run what is in it."""
    from IPython.display import display

    from ..markdown.stream import bundle

    display(bundle(text), raw=True)  # type: ignore[no-untyped-call]


# These outlive the magics, so that %reload_ext goes on with the conversations and the local model.
_sessions: WeakKeyDictionary[InteractiveShell, Session] = WeakKeyDictionary()
_served: WeakKeyDictionary[InteractiveShell, tuple[Path, int]] = WeakKeyDictionary()


@magics_class
class CopilotMagics(Magics):
    """Ask a chat-completions server from cells; its traits are the settings."""

    base_url = traitlets.Unicode(help="The server, up to and including /v1.").tag(config=True)
    provider = traitlets.Unicode(
        help="Who answers behind a gpt4free server; '' is the server's default."
    ).tag(config=True)
    providers = traitlets.List(
        traitlets.Unicode(),
        help="Providers to try in this order, each where the one before failed before its first "
        "token; empty means `provider` alone.",
    ).tag(config=True)
    model = traitlets.Unicode(help="The model; '' is the server's default.").tag(config=True)
    system = traitlets.Unicode(help="System message of new conversations.").tag(config=True)
    connect_timeout = traitlets.Float(
        Settings.connect_timeout, min=0.001, help="Longest wait for a connection, in seconds."
    ).tag(config=True)
    first_token_timeout = traitlets.Float(
        Settings.first_token_timeout,
        min=0.001,
        help="Longest wait for an answer to begin, in seconds.",
    ).tag(config=True)
    idle_timeout = traitlets.Float(
        Settings.idle_timeout, min=0.001, help="Longest silence within an answer, in seconds."
    ).tag(config=True)
    retries = traitlets.Int(
        Settings.retries,
        min=0,
        help="How often to try again where nothing was received and the server says later.",
    ).tag(config=True)
    allow_plain_http = traitlets.Bool(
        help="Send the API key unencrypted to a host that is not this machine."
    ).tag(config=True)
    remote_images = traitlets.Bool(
        help="Load pictures that an answer links to, instead of showing the links."
    ).tag(config=True)
    replay = traitlets.Union(
        [traitlets.Bool(), traitlets.Unicode()],
        default_value=False,
        help="Show the stored answer to exactly the same request: True, or a file's path.",
    ).tag(config=True)
    store = traitlets.Unicode(
        Settings.store,
        allow_none=True,
        help="The conversation file; '' is the default place, None keeps nothing.",
    ).tag(config=True)
    get_api_key = traitlets.Callable(
        None,
        allow_none=True,
        help="A function that returns the API key; by default that is COPILOT_API_KEY.",
    ).tag(config=True)

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell) -> None:
        self._environment = Settings.from_environment()
        self._asks = (-1, 0)
        super().__init__(shell)
        if shell not in _sessions:
            notebook = os.environ.get("JPY_SESSION_NAME", "")
            _sessions[shell] = Session(self.settings, notebook=notebook)
        self.session = _sessions[shell]

    @traitlets.default("base_url")
    def _default_base_url(self) -> str:
        return self._environment.base_url

    @traitlets.default("provider")
    def _default_provider(self) -> str:
        return self._environment.provider

    @traitlets.default("model")
    def _default_model(self) -> str:
        return self._environment.model

    @property
    def settings(self) -> Settings:
        """Return the settings as the traits have them now."""
        values = {field.name: getattr(self, field.name) for field in fields(Settings)}
        values["providers"] = tuple(self.providers)
        return Settings(**values)

    # Prompts

    @cell_magic("copilot")  # type: ignore[arg-type]  # IPython leaves its decorators untyped
    def ask_cell(self, line: str, cell: str) -> None:
        """Ask what is in the cell and watch the answer being written.

        ::

            %%copilot
            Hello, i am Heiner. How are you?

        The next ``%%copilot`` cell goes on in the same conversation. The last answer is in
        ``_copilot``: a ``str`` with ``.code``, ``.usage``, ``.model`` and more. Interrupt the
        kernel to stop an answer and keep what has come; ``%copilot continue`` goes on from there.
        Running a cell again asks again and replaces its turn.

        Options, on the first line::

            -m, --model NAME         for this prompt only; "" is the server's default
            -p, --provider NAME      likewise: who answers behind a gpt4free server
            -c, --conversation NAME  ask in a named conversation, made if new; this prompt only
            --new                    start a new conversation first, and stay in it
            -s, --system TEXT        system message of the conversation
            -t, --temperature X      sent only when given
            --max-tokens N           sent only when given
            -o, --out NAME           assign the answer to a variable
            --replay, --fresh        use a stored answer to exactly this request / never
            --raw                    plain text, no Markdown
            --dry-run                show what would be sent; send nothing

        ``%copilot?`` lists the commands and settings. With no server at hand, ``%copilot serve``
        starts a small model on this machine.
        """
        options = prompt_parser().parse_args(split_words(line))
        if not cell.strip():
            raise UsageError("the prompt is empty", "Write it below the line with %%copilot")
        self.session.settings = self.settings
        text = cell.strip("\n")
        if options.dry_run:
            _dry_run(self.session, text, options, self.next_cell_id())
            return
        answer = _ask(self.shell, self.session, text, options, self.next_cell_id())
        if options.out:
            self.shell.user_ns[options.out] = answer

    def next_cell_id(self) -> str | None:
        """Return the running cell's id, from its second prompt on with a number, or None."""
        get_parent = getattr(self.shell, "get_parent", None)
        parent = get_parent() if get_parent is not None else {}
        cell_id = parent.get("metadata", {}).get("cellId")
        if not cell_id:
            return None
        execution, count = self._asks
        count = count + 1 if execution == self.shell.execution_count else 1
        self._asks = (self.shell.execution_count, count)
        return str(cell_id) if count == 1 else f"{cell_id}#{count}"

    # Commands

    @line_magic("copilot")  # type: ignore[arg-type]
    def command(self, line: str) -> None:
        """Manage the conversation, the server and the local model; ``%%copilot`` asks.

        ::

            %copilot                       status: server, model, conversation, last answer
            %copilot serve [PATH.gguf] [--port N]   start a small model on this machine
            %copilot stop                  stop it
            %copilot doctor                check step by step; says how to mend what fails
            %copilot new [NAME]            start a new conversation
            %copilot use NAME              go on in another one
            %copilot list [TEXT]           the conversations, or those with TEXT in them
            %copilot rename NEW            or: rename OLD NEW
            %copilot forget NAME           delete a conversation for ever
            %copilot show [NAME]           the conversation rendered
            %copilot export FILE           as .md, .ipynb or .json, by the file's ending
            %copilot import FILE.json      take in an exported conversation
            %copilot continue              go on with an answer that was cut off
            %copilot retry                 ask the last prompt again, replacing its turn
            %copilot models, providers     what the server offers

        Settings, here or in ``ipython_config.py``::

            %config CopilotMagics.base_url = "http://localhost:1337/v1"
            %config CopilotMagics          shows them all

        The environment sets COPILOT_BASE_URL, COPILOT_PROVIDER, COPILOT_MODEL, and the key:
        COPILOT_API_KEY. A function may fetch the key instead, from a keyring for example::

            %config CopilotMagics.get_api_key = lambda: keyring.get_password("copilot", "me")

        ``%%copilot?`` explains how to ask.
        """
        name, *arguments = split_words(line) or ["status"]
        if name not in COMMANDS:
            close = get_close_matches(name, COMMANDS, 1)
            meant = f"did you mean %copilot {close[0]}?" if close else "%copilot? lists them"
            raise UsageError(f"there is no command {name!r}", meant)
        self.session.settings = self.settings
        run: Callable[[list[str]], None] = getattr(self, f"_command_{name}")
        run(arguments)

    def _command_status(self, arguments: list[str]) -> None:
        from ..views.cell import Footer

        take("status", arguments)
        session, settings = self.session, self.session.settings
        conversation = session.conversation
        turns = conversation.turns
        last = next((turn for turn in reversed(turns) if turn.answer), None)
        server = settings.base_url
        providers = settings.providers or (settings.provider,)
        provider = ", ".join(name or "the server's default" for name in providers)
        if settings.is_local_model:
            server += "  (a small model on this machine)"
            provider = "none"
        rows = {
            "server": server,
            "provider": provider,
            "model": settings.model or "the server's default",
            "conversation": f"{conversation.name}  ({conversation.conversation_id})",
            "turns": str(len(conversation.answered)),
            "last answer": str(Footer.of(last, Conversation(""))) if last else "none yet",
        }
        _say("\n".join(f"{label:<13} {value}" for label, value in rows.items()))

    def _command_new(self, arguments: list[str]) -> None:
        (name,) = take("new", arguments, 0, 1)
        conversation = self.session.new(name)
        _say(f"new conversation {conversation.name}")

    def _command_use(self, arguments: list[str]) -> None:
        (name,) = take("use", arguments, 1, 1)
        conversation = self.session.use(name)
        count = len(conversation.answered)
        _say(f"conversation {conversation.name}, {count} turn{'s' * (count != 1)}")

    def _command_list(self, arguments: list[str]) -> None:
        found = self.session.summaries(" ".join(arguments))
        if not found:
            _say("no conversations" + (" with that in them" if arguments else ""))
            return
        current = self.session.conversation.conversation_id
        lines = []
        for summary in found:
            mark = "*" if summary.conversation_id == current else " "
            day = time.strftime("%Y-%m-%d %H:%M", time.localtime(summary.last_used))
            first = one_line(summary.first_prompt, 50)
            lines.append(f"{mark} {summary.name:<24} {summary.turns:>4}  {day}  {first}")
        _say(f"  {'name':<24} {'turns':>4} last used         begins with\n" + "\n".join(lines))

    def _command_rename(self, arguments: list[str]) -> None:
        old, new = ["", *arguments][-2:] if len(arguments) < 2 else take("rename", arguments, 2, 2)
        if not new:
            raise UsageError("rename needs a name", "%copilot rename NEW, or rename OLD NEW")
        self.session.rename(new, self.session.find(old) if old else None)
        _say(f"conversation {new}")

    def _command_forget(self, arguments: list[str]) -> None:
        (name,) = take("forget", arguments, 1, 1)
        self.session.forget(name)
        _say(f"forgotten: {name}")

    def _command_show(self, arguments: list[str]) -> None:
        from ..transcript import to_markdown

        (name,) = take("show", arguments, 0, 1)
        conversation = self.session.find(name) if name else self.session.conversation
        _publish(to_markdown(conversation))

    def _command_export(self, arguments: list[str]) -> None:
        from .. import transcript

        (name,) = take("export", arguments, 1, 1)
        path = Path(name).expanduser()
        conversation = self.session.conversation
        if path.suffix == ".md":
            text = transcript.to_markdown(conversation)
        elif path.suffix == ".json":
            text = transcript.to_json(conversation)
        elif path.suffix == ".ipynb":
            if path.exists():
                # It may be the very notebook that is open.
                raise UsageError(f"{name} exists", "Choose another name for the notebook")
            text = json.dumps(transcript.to_notebook(conversation), indent=1, ensure_ascii=False)
        else:
            raise UsageError(
                f"no export to {name!r}", "Name a file that ends in .md, .ipynb or .json"
            )
        try:
            path.write_text(text + "\n" * (not text.endswith("\n")), encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"cannot write {name}: {error.strerror}", "Choose another place"
            ) from None
        _say(f"{len(conversation.answered)} turns in {name}")

    def _command_import(self, arguments: list[str]) -> None:
        from ..transcript import from_json

        (name,) = take("import", arguments, 1, 1)
        try:
            text = Path(name).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise UsageError(
                f"cannot read {name}: {reason}", "Name an exported .json file"
            ) from None
        conversation = self.session.adopt(from_json(text))
        _say(f"conversation {conversation.name}, {len(conversation.answered)} turns")

    def _command_continue(self, arguments: list[str]) -> None:
        take("continue", arguments)
        session, conversation = self.session, self.session.conversation
        events = session.go_on()
        before = conversation.turns[-1].answer
        _show(self.shell, session, events, conversation, before=before)

    def _command_retry(self, arguments: list[str]) -> None:
        take("retry", arguments)
        session = self.session
        _show(self.shell, session, session.retry(), session.conversation)

    def _command_models(self, arguments: list[str]) -> None:
        take("models", arguments)
        _say("\n".join(self.session.client.models()) or "the server names no models")

    def _command_providers(self, arguments: list[str]) -> None:
        take("providers", arguments)
        names = self.session.client.providers()
        _say("\n".join(names) or "the server names no providers: only gpt4free's has some")

    def _command_doctor(self, arguments: list[str]) -> None:
        from ..doctor import diagnose

        take("doctor", arguments)
        for check in diagnose(self.session.settings):
            _say(f"{'✓' if check.ok else '✗'} {check.name}: {check.message}")
            if not check.ok:
                _say(f"    {check.mend}")

    # The small local model

    def _command_serve(self, arguments: list[str]) -> None:
        parser = Parser("%copilot serve", "%copilot?")
        parser.add_argument("path", nargs="?")
        parser.add_argument("--port", type=count)
        options = parser.parse_args(arguments)
        self.serve(options.path, options.port)

    def serve(self, path: str | Path | None = None, port: int | None = None) -> None:
        """Start the small local model, or say which server is there already, and use it."""
        from ..local import launcher
        from ..views.printing import Progress

        bar = Progress(self.shell, "Fetching the small model, once")
        try:
            server = launcher.start(path, port, bar.update)
        finally:
            bar.close()
        self.base_url = server.base_url
        if isinstance(server, launcher.AlreadyRunning):
            _say(f"a server is running already at {server.base_url}: prompts go there")
            return
        os.environ[LOCAL_URL], os.environ[LOCAL_KEY] = server.base_url, server.api_key
        _say(
            f"{server.model} answers at {server.base_url}\n"
            "It is a small model on this machine, not Copilot: quick, private, and often wrong."
        )

    def _command_stop(self, arguments: list[str]) -> None:
        from ..local import launcher

        take("stop", arguments)
        if launcher.stop() is None:
            raise UsageError("no local model was started here", "%copilot serve starts one")
        self._forget_local_model()
        _say("the local model is stopped")

    def leave(self) -> None:
        """Close what the magics hold open; the local model ends too, as it was started here."""
        self.session.close()
        if os.environ.get(LOCAL_URL):
            from ..local import launcher

            server = launcher.stop()
            if server is not None:
                _served[self.shell] = (server.path, server.port)
            self._forget_local_model()

    def come_back(self) -> None:
        """Start the local model again that `leave` has stopped."""
        served = _served.pop(self.shell, None)
        if served is not None:
            self.serve(*served)

    def _forget_local_model(self) -> None:
        if os.environ.pop(LOCAL_URL, None) == self.base_url:
            self.base_url = Settings.from_environment().base_url
        os.environ.pop(LOCAL_KEY, None)


def _ask(
    shell: InteractiveShell | None,
    session: Session,
    text: str,
    arguments: argparse.Namespace,
    cell_id: str | None,
) -> Answer:
    if arguments.new:
        conversation = session.new()
    elif arguments.conversation:
        conversation = session.named(arguments.conversation)
    else:
        conversation = session.conversation
    options = _chosen(arguments)
    events = session.ask(
        text,
        conversation=conversation,
        system=arguments.system,
        options=options,
        cell_id=cell_id,
        replay=arguments.replay,
    )
    named = {name: options[name] for name in ("model", "provider") if name in options}
    asked = replace(session.settings, **named)
    return _show(shell, session, events, conversation, raw=arguments.raw, asked=asked)


def _chosen(options: argparse.Namespace) -> dict[str, Any]:
    names = ("model", "provider", "temperature", "max_tokens")
    values = {name: getattr(options, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _show(
    shell: InteractiveShell | None,
    session: Session,
    events: Events,
    conversation: Conversation,
    *,
    raw: bool = False,
    before: str = "",
    asked: Settings | None = None,
) -> Answer:
    """Show `events` as they come; whatever was received is the last answer, however it ends.

    Args:
        before: What of the answer other cells show already.
        asked: The settings with which this prompt is asked, where they are not the session's.
    """
    from ..views.cell import open_view, show

    session.turn = None
    view = open_view(shell, raw=raw, settings=asked or session.settings)
    try:
        show(events, view)
    except KeyboardInterrupt as interrupt:
        _without_traceback(interrupt, session.turn)
        raise
    finally:
        turn = session.turn or Turn("", status="interrupted")
        view.finish(replace(turn, answer=turn.answer[len(before) :]), conversation)
        answer = Answer.of(turn, conversation.conversation_id)
        if answer and shell is not None:
            shell.user_ns["_copilot"] = answer
    return answer


def _dry_run(session: Session, text: str, options: argparse.Namespace, cell_id: str | None) -> None:
    conversation = session.conversation
    if options.new:
        conversation = Conversation(system=session.settings.system)
    elif options.conversation:
        conversation = session.peek(options.conversation)
    body = session.preview(
        text,
        conversation=conversation,
        system=options.system,
        options=_chosen(options),
        cell_id=cell_id,
    )
    messages = body.pop("messages")
    size = sum(len(message["content"]) for message in messages)
    url = session.settings.base_url.rstrip("/")
    lines = [
        f"POST {url}/chat/completions (dry run: nothing is sent)",
        json.dumps(body, ensure_ascii=False),
        f"{len(messages)} message{'s' * (len(messages) != 1)}, {size:,} characters, "
        f"about {size // 4 + 1:,} tokens",
    ]
    for message in messages:
        lines += ["", f"[{message['role']}]", message["content"]]
    _say("\n".join(lines))


def _without_traceback(interrupt: KeyboardInterrupt, turn: Turn | None) -> None:
    """Have IPython show an interrupt in a line, without the way through our code."""
    more = ": %copilot continue goes on from here" if turn is not None and turn.answer else ""
    interrupt._render_traceback_ = lambda: [f"KeyboardInterrupt{more}"]  # type: ignore[attr-defined]


def ask(prompt: str, **options: Any) -> Answer:
    """Ask `prompt` as ``%%copilot`` does, show the answer as it arrives, and return it.

    Args:
        prompt: What to ask.
        **options: As on the magic's first line: ``model``, ``provider``, ``conversation``,
            ``new``, ``system``, ``temperature``, ``max_tokens``, ``replay``, ``fresh``, ``raw``.

    Raises:
        UsageError: An option is unknown or unfit, or the prompt is empty.
        PromptError: There was no answer, or not all of it.
    """
    known = vars(prompt_parser().parse_args([]))
    if options.pop("fresh", False):
        options["replay"] = False
    unknown = sorted(set(options) - (set(known) - {"out", "dry_run"}))
    if unknown:
        raise UsageError(f"ask() has no option {unknown[0]!r}", "help(ask) lists them")
    if not prompt.strip():
        raise UsageError("the prompt is empty", "ask('…') needs some words")
    arguments = argparse.Namespace(**{**known, **options})
    shell = get_ipython()
    magics = shell.magics_manager.registry.get("CopilotMagics") if shell is not None else None
    if magics is not None:
        magics.session.settings = magics.settings
        answer = _ask(shell, magics.session, prompt, arguments, magics.next_cell_id())
    else:
        answer = _ask(shell, _session_of_process(), prompt, arguments, None)
    if shell is not None:
        _shown_in_this_cell(shell, answer)
    return answer


def _shown_in_this_cell(shell: InteractiveShell, answer: Answer) -> None:
    """Keep IPython from showing `answer` again as the result of the cell that has just shown it."""

    def end(*_: object) -> None:
        answer._shown = False
        shell.events.unregister("post_run_cell", end)

    answer._shown = True
    shell.events.register("post_run_cell", end)


@cache
def _session_of_process() -> Session:
    return Session(Settings.from_environment())


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register ``%%copilot`` and ``%copilot``, and what completes them."""
    magics = CopilotMagics(shell)
    shell.register_magics(magics)
    add_completion(shell, magics)
    atexit.register(magics.session.close)
    magics.come_back()


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take everything back; loading again goes on with the conversations and the local model."""
    manager = shell.magics_manager
    magics = manager.registry.pop("CopilotMagics", None)
    if magics is None:
        return
    atexit.unregister(magics.session.close)
    magics.leave()
    for kind in ("line", "cell"):
        manager.magics[kind].pop("copilot", None)
    shell.configurables.remove(magics)
    shell.user_ns.pop("_copilot", None)
    remove_completion(shell)
