"""Asking from a cell: what is shown, what is assigned, how it ends, in a real shell."""

from __future__ import annotations

import inspect
import signal
import threading
import time
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from pictures import PNG
from scripted_server import Exchange, ScriptedServer, answer

from copilot_magic import ask
from copilot_magic.errors import AuthenticationError, ExpressionError, UsageError
from copilot_magic.notebook.arguments import PromptLine
from copilot_magic.notebook.asking import ask_prompt
from copilot_magic.notebook.magics import CopilotMagics


def test_the_answer_is_shown_returned_and_the_last_one(
    magics: CopilotMagics, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ask_prompt(magics.notebook.up_to_date(), "hi", PromptLine(out="x"))
    assert said == "You said: hi"
    assert shell.user_ns["_copilot"] is shell.user_ns["x"] is said
    assert "You said: hi" in capsys.readouterr().out


def test_a_prompt_that_fails_leaves_the_last_answer(
    magics: CopilotMagics, shell: InteractiveShell, server: ScriptedServer
) -> None:
    ask_prompt(magics.notebook.up_to_date(), "hi", PromptLine())
    server.script(lambda exchange: exchange.reply(401, {"error": {"message": "no key"}}))
    with pytest.raises(AuthenticationError):
        ask_prompt(magics.notebook.up_to_date(), "ho", PromptLine(out="x"))
    assert shell.user_ns["_copilot"] == "You said: hi"
    assert "x" not in shell.user_ns


def test_a_new_conversation_can_be_named(magics: CopilotMagics) -> None:
    notebook = magics.notebook.up_to_date()
    ask_prompt(notebook, "a", PromptLine(new=True, conversation="fresh"))
    assert notebook.session.library.current.name == "fresh"
    ask_prompt(notebook, "b", PromptLine(conversation="aside"))
    assert notebook.session.library.current.name == "fresh"


def test_an_interrupt_keeps_what_arrived_and_says_how_to_continue(
    magics: CopilotMagics, shell: InteractiveShell, server: ScriptedServer
) -> None:
    half = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("half")
        half.set()
        exchange.client_gone()

    def interrupt() -> None:
        half.wait(30)
        conversation = magics.notebook.session.library.current
        while not conversation.answered:
            time.sleep(0.01)
        signal.raise_signal(signal.SIGINT)

    server.script(script)
    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt) as caught:
        ask_prompt(magics.notebook.up_to_date(), "hi", PromptLine(out="x"))
    lines = caught.value._render_traceback_()  # type: ignore[attr-defined]
    assert lines == ["KeyboardInterrupt: %copilot continue picks up from here"]
    assert shell.user_ns["x"].status == "interrupted"


def test_ask_is_the_magic_as_a_function(
    magics: CopilotMagics, shell: InteractiveShell, server: ScriptedServer
) -> None:
    assert ask("hi", temperature=0.5) == "You said: hi"
    assert server.posts[0]["temperature"] == 0.5
    assert shell.user_ns["_copilot"] == "You said: hi"
    server.script(lambda exchange: exchange.reply(404, {"error": {"message": "no such model"}}))
    with pytest.raises(Exception, match="%copilot models"):
        ask("hi")


def test_asking_quietly_shows_nothing_and_keeps_the_answer(
    magics: CopilotMagics, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask("hi", show=False) == "You said: hi"
    assert capsys.readouterr().out == ""
    assert shell.user_ns["_copilot"] == "You said: hi"


@pytest.mark.usefixtures("magics")
def test_an_answer_that_is_printed_is_shown_once(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell("from copilot_magic import ask\nprint(ask('hi'))\nprint(ask('ho'), 1)")
    assert capsys.readouterr().out == "You said: hi\nYou said: ho 1\n"
    shell.run_cell("print(len(ask('hey')))")
    assert capsys.readouterr().out == "You said: hey\n13\n"


def test_the_signature_of_ask_names_its_options() -> None:
    parameters = inspect.signature(ask).parameters
    assert list(parameters)[:2] == ["prompt", "show"]
    assert {"model", "temperature", "max_tokens", "conversation", "raw"} <= set(parameters)
    assert not {"options", "out", "dry_run"} & set(parameters)


@pytest.mark.parametrize("option", ["colour", "out", "dry_run"])
def test_ask_refuses_what_it_does_not_know(option: str) -> None:
    with pytest.raises(UsageError, match=f"no option '{option}'"):
        ask("hi", **{option: True})


def test_ask_refuses_an_empty_prompt() -> None:
    with pytest.raises(UsageError, match="empty"):
        ask("  ")


def test_a_result_of_the_cell_is_not_shown_twice(
    magics: CopilotMagics, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell("from copilot_magic import ask\nask('hi')")
    assert capsys.readouterr().out.count("You said: hi") == 1
    shell.run_cell("_copilot")
    assert capsys.readouterr().out.count("You said: hi") == 1


def test_raw_shows_the_text_as_it_is(
    magics: CopilotMagics, server: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.script(lambda exchange: answer(exchange, "**bold**"))
    ask_prompt(magics.notebook.up_to_date(), "hi", PromptLine(raw=True))
    assert capsys.readouterr().out == "**bold**\n"


def test_ask_expands_only_a_text_that_is_written_in_the_call(
    magics: CopilotMagics, server: ScriptedServer
) -> None:
    """Whoever wrote another text, such as one of a table, could run code here otherwise."""
    local = 7
    ask("Is it {{local}}?", show=False)
    assert server.posts[-1]["messages"][-1]["content"] == "Is it 7?"
    text = "Is it {{local}}?"
    ask(text, show=False)
    assert server.posts[-1]["messages"][-1]["content"] == "Is it {{local}}?"
    ask(f"{text} {local}", show=False)
    assert server.posts[-1]["messages"][-1]["content"] == "Is it {{local}}? 7"


def test_ask_masks_the_secrets_of_the_notebook_and_of_the_caller(
    magics: CopilotMagics, shell: InteractiveShell, server: ScriptedServer
) -> None:
    shell.user_ns["db_password"] = "hunter22-a"
    api_key = "Kx82-zz91-Pq77"
    ask(f"Use hunter22-a and {api_key}", show=False)
    sent = server.posts[-1]["messages"][-1]["content"]
    assert sent == "Use [masked: db_password] and [masked: api_key]"


def test_ask_takes_pictures_as_objects_and_as_files(
    magics: CopilotMagics, server: ScriptedServer, tmp_path: Path
) -> None:
    file = tmp_path / "a picture.png"
    file.write_bytes(PNG)
    ask("Look", image=[PNG, str(file), file], show=False)
    text, *pictures = server.posts[-1]["messages"][-1]["content"]
    assert text == {"type": "text", "text": "Look"}
    assert [part["type"] for part in pictures] == ["image_url"] * 3


def test_the_error_of_an_expression_in_ask_begins_no_conversation(
    magics: CopilotMagics, server: ScriptedServer
) -> None:
    nothing: dict[str, int] = {}
    with pytest.raises(ExpressionError, match="KeyError"):
        ask("Is it {{nothing['x']}}?", new=True, show=False)
    assert not server.posts
    assert nothing == {}
    assert not magics.notebook.session.library.current.turns
