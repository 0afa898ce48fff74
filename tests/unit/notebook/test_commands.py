"""The commands of ``%copilot``: found, checked, explained, and what each prints."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from scripted_server import Exchange, ScriptedServer, answer

from copilot_magic.chat.completion import Completion
from copilot_magic.errors import UsageError
from copilot_magic.notebook.arguments import PromptLine
from copilot_magic.notebook.asking import ask_prompt
from copilot_magic.notebook.commands import COMMANDS, Command, commands_help, run_command
from copilot_magic.notebook.magics import CopilotMagics
from copilot_magic.notebook.shell import Notebook
from copilot_magic.store.journal import Journal
from copilot_magic.store.store import Store


@pytest.fixture
def notebook(magics: CopilotMagics) -> Notebook:
    return magics.notebook.up_to_date()


def printed(capsys: pytest.CaptureFixture[str], notebook: Notebook, *words: str) -> str:
    capsys.readouterr()
    run_command(notebook, list(words))
    return capsys.readouterr().out


def command(arguments: str) -> Command:
    return Command("x", arguments, "", lambda *_: None)


@pytest.mark.parametrize(
    ("arguments", "words", "expected"),
    [
        ("", [], []),
        ("[NAME]", [], [""]),
        ("NAME", ["a"], ["a"]),
        ("[OLD] NEW", ["a"], ["a", ""]),
        ("[OLD] NEW", ["a", "b"], ["a", "b"]),
        ("[TEXT…]", [], [""]),
        ("[TEXT…]", ["a", "b"], ["a b"]),
    ],
)
def test_arguments_are_filled_up(arguments: str, words: list[str], expected: list[str]) -> None:
    assert command(arguments).expect_arguments(words) == expected


@pytest.mark.parametrize(
    ("arguments", "words"), [("", ["a"]), ("NAME", []), ("NAME", ["a", "b"]), ("[OLD] NEW", [])]
)
def test_a_wrong_number_of_arguments_says_what_the_command_takes(
    arguments: str, words: list[str]
) -> None:
    with pytest.raises(UsageError, match=arguments.split()[0] if arguments else "no argument"):
        command(arguments).expect_arguments(words)


def test_an_unknown_command_names_the_closest_one(notebook: Notebook) -> None:
    with pytest.raises(UsageError, match="Did you mean %copilot status") as caught:
        run_command(notebook, ["statsu"])
    assert "statsu" in caught.value.message


def test_a_question_in_the_place_of_a_command_says_how_to_ask(notebook: Notebook) -> None:
    with pytest.raises(UsageError, match="%%copilot What is pandas"):
        run_command(notebook, ["What", "is", "pandas"])


def test_every_command_is_explained() -> None:
    explained = commands_help()
    for name, known in COMMANDS.items():
        assert f"%copilot {name}" in explained
        assert known.help in explained


def test_the_status_names_the_file_as_users_do(
    magics: CopilotMagics, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    for path, shown in (
        (home / "talks.db", "~/talks.db"),
        (home.parent / "talks.db", str(home.parent / "talks.db")),
    ):
        magics.store = str(path)
        status = printed(capsys, magics.notebook.up_to_date())
        assert status.endswith(f"kept in       {shown}\n")


def half(exchange: Exchange) -> None:
    exchange.start()
    exchange.delta("half")
    exchange.client_gone()


def test_cancel_says_what_it_stopped_and_status_what_is_on_its_way(
    notebook: Notebook, server: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert printed(capsys, notebook, "cancel") == "Nothing is being answered in the background\n"
    server.script(half)
    for name in ("first", "second"):
        ask_prompt(notebook, f"about {name}", PromptLine(background=True, conversation=name))
    while not all(job.exchange.turn.answer for job in notebook.background.jobs):
        pass
    status = re.sub(r"\d+ s,", "N s,", printed(capsys, notebook))
    assert "on its way    “about first” in first, N s, 4 characters\n" in status
    assert "              “about second” in second, N s, 4 characters\n" in status
    stopped = "Stopped: “about first” in first, 4 characters kept\n"
    assert printed(capsys, notebook, "cancel", "first") == stopped
    nothing = "Nothing is being answered in the background in first\n"
    assert printed(capsys, notebook, "cancel", "first") == nothing
    with pytest.raises(UsageError, match="no conversation 'third'"):
        run_command(notebook, ["cancel", "third"])
    assert "about second" in printed(capsys, notebook, "cancel")
    assert "on its way" not in printed(capsys, notebook)


def test_forgetting_a_conversation_stops_what_is_on_its_way_there(
    notebook: Notebook, server: ScriptedServer
) -> None:
    server.script(half)
    pending = ask_prompt(notebook, "one", PromptLine(background=True, conversation="first"))
    while not notebook.background.jobs[0].exchange.turn.answer:
        pass
    run_command(notebook, ["forget", "first"])
    assert pending.done
    assert [summary.name for summary in notebook.session.library.summaries("one")] == []


def test_code_of_half_an_answer_is_not_taken(notebook: Notebook, server: ScriptedServer) -> None:
    server.script(half)
    ask_prompt(notebook, "one", PromptLine(background=True))
    while not notebook.background.jobs[0].exchange.turn.answer:
        pass
    with pytest.raises(UsageError, match="still arriving"):
        run_command(notebook, ["code"])
    notebook.background.cancel()


def test_without_a_command_the_status_is_shown(
    notebook: Notebook, server: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, notebook)
    assert text == printed(capsys, notebook, "status")
    for part in (server.base_url, "Copilot", "none yet", "turns         0"):
        assert part in text


def test_the_status_counts_the_tokens_of_the_conversation(
    notebook: Notebook,
    shell: InteractiveShell,
    server: ScriptedServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert re.search("tokens +none yet", printed(capsys, notebook, "status"))
    shell.run_cell_magic("copilot", "", "zero")
    assert re.search("tokens +not reported", printed(capsys, notebook, "status"))
    usage = {"prompt_tokens": 600, "completion_tokens": 5, "total_tokens": 605}

    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("fine")
        exchange.finish(usage=usage)
        exchange.done()

    server.script(script)
    for prompt in ("one", "two"):
        shell.run_cell_magic("copilot", "", prompt)
    assert "1,200 in, 10 out" in printed(capsys, notebook, "status")


def test_conversations_are_made_listed_renamed_and_forgotten(
    notebook: Notebook, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "New conversation alpha" in printed(capsys, notebook, "new", "alpha")
    shell.run_cell_magic("copilot", "", "about whales\n")
    printed(capsys, notebook, "new", "beta")
    shell.run_cell_magic("copilot", "", "about birds\n")
    listed = printed(capsys, notebook, "list")
    assert "* beta" in listed
    assert "about whales" in listed
    assert "beta" not in printed(capsys, notebook, "list", "ABOUT", "WHALES")
    assert "No conversation has that" in printed(capsys, notebook, "list", "zebra")
    assert printed(capsys, notebook, "use", "alpha") == "Conversation alpha, 1 turn\n"
    assert "gamma" in printed(capsys, notebook, "rename", "gamma")
    assert "delta" in printed(capsys, notebook, "rename", "beta", "delta")
    assert "Forgotten: delta" in printed(capsys, notebook, "forget", "delta")
    assert "delta" not in printed(capsys, notebook, "list")
    with pytest.raises(UsageError, match="empty"):
        run_command(notebook, ["rename", " "])


def test_what_is_exported_is_imported(
    notebook: Notebook,
    shell: InteractiveShell,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shell.run_cell_magic("copilot", "", "hello\n")
    name = notebook.session.library.current.name
    assert "1 turn written to" in printed(capsys, notebook, "export", str(tmp_path / "talk.json"))
    printed(capsys, notebook, "forget", name)
    assert "1 turn" in printed(capsys, notebook, "import", str(tmp_path / "talk.json"))
    with pytest.raises(UsageError, match="here already"):
        run_command(notebook, ["import", str(tmp_path / "talk.json")])


def test_show_prints_the_conversation(
    notebook: Notebook, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell_magic("copilot", "", "hello\n")
    text = printed(capsys, notebook, "show")
    assert "hello" in text
    assert "You said: hello" in text


def test_retry_asks_the_last_prompt_again(
    notebook: Notebook,
    shell: InteractiveShell,
    server: ScriptedServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shell.run_cell_magic("copilot", "", "hello\n")
    server.script(lambda exchange: answer(exchange, "again"))
    assert "again" in printed(capsys, notebook, "retry")
    assert str(shell.user_ns["_copilot"]) == "again"


def test_the_servers_models_and_providers_are_listed(
    notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "scripted-model" in printed(capsys, notebook, "models")
    assert "lists no providers" in printed(capsys, notebook, "providers")


def test_the_doctor_says_what_is_well_and_how_to_fix_what_is_not(
    notebook: Notebook, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "✓ server: reachable" in printed(capsys, notebook, "doctor")
    shell.run_line_magic("config", "CopilotMagics.base_url = 'http://127.0.0.1:9/v1'")
    magics = shell.magics_manager.registry["CopilotMagics"]
    text = printed(capsys, magics.notebook.up_to_date(), "doctor")
    assert "✗ server" in text
    assert "    Start a small model on this machine:\n        %copilot serve\n" in text


def test_the_doctor_does_not_continue_what_it_asked_itself(
    notebook: Notebook, server: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its question is no turn of the conversation."""
    server.script(lambda exchange: answer(exchange, "all"))
    text = printed(capsys, notebook, "doctor")
    assert "✗ streaming" in text and "    The server, or a proxy on the way" in text
    assert "%copilot continue" not in text


def test_the_status_knows_what_the_doctor_learned(
    notebook: Notebook, server: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "if this is a gpt4free server" in printed(capsys, notebook)
    providers = b'[{"id": "Copilot", "object": "provider"}]'
    server.get["/v1/providers"] = (200, {}, providers)
    printed(capsys, notebook, "doctor")
    assert re.search(r"^provider      Copilot$", printed(capsys, notebook), re.MULTILINE)
    del server.get["/v1/providers"]
    printed(capsys, notebook, "doctor")
    assert "none: this is not a gpt4free server" in printed(capsys, notebook)


def test_the_doctor_does_not_send_to_itself(
    notebook: Notebook, server: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.script(lambda exchange: exchange.reply(200, "<html><title>Hi</title></html>"))
    text = printed(capsys, notebook, "doctor")
    assert "✗ answer" in text
    assert "%copilot doctor" not in text


def test_an_export_over_a_file_needs_force(
    notebook: Notebook, shell: InteractiveShell, tmp_path: Path
) -> None:
    shell.run_cell_magic("copilot", "", "hello\n")
    path = tmp_path / "my talk.md"
    run_command(notebook, ["export", str(path)])
    with pytest.raises(UsageError, match="--force"):
        run_command(notebook, ["export", str(path)])
    run_command(notebook, ["export", str(path), "--force"])
    assert "hello" in path.read_text(encoding="utf-8")


def test_code_puts_a_block_of_the_last_answer_into_the_next_cell(
    notebook: Notebook,
    shell: InteractiveShell,
    server: ScriptedServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put: list[str] = []
    shell.set_next_input = lambda text, replace=False: put.append(text)
    with pytest.raises(UsageError, match="no code"):
        run_command(notebook, ["code"])
    blocks = "```python\nx = 1\n```\n\nand\n\n```\ny = 2\n```\n"
    server.script(lambda exchange: answer(exchange, blocks))
    shell.run_cell_magic("copilot", "", "code, please\n")
    assert "Code block 1 of 2" in printed(capsys, notebook, "code")
    run_command(notebook, ["code", "2"])
    assert put == ["x = 1", "y = 2"]
    for wrong in ("0", "3", "x"):
        with pytest.raises(UsageError, match="2 code blocks, but no block"):
            run_command(notebook, ["code", wrong])


def test_a_turn_is_dropped_by_number_and_from_what_is_sent(
    notebook: Notebook,
    shell: InteractiveShell,
    server: ScriptedServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(UsageError, match="no turns"):
        run_command(notebook, ["drop"])
    for prompt in ("one", "two", "three"):
        shell.run_cell_magic("copilot", "-p Other", prompt)
    assert printed(capsys, notebook, "drop", "2") == "Dropped turn 2: two\n"
    assert printed(capsys, notebook, "drop") == "Dropped turn 2: three\n"
    with pytest.raises(UsageError, match="1 turn, but no turn 2"):
        run_command(notebook, ["drop", "2"])
    shell.run_cell_magic("copilot", "-p Other", "four")
    said = [message["content"] for message in server.posts[-1]["messages"]]
    assert said == ["one", "You said: one", "four"]
    name = notebook.session.library.current.name
    store = Store.open("")
    stored = store.load(name)
    store.close()
    assert stored is not None
    assert [turn.prompt for turn in stored.turns] == ["one", "four"]


def test_restore_says_how_many_answers_of_batches_are_back(
    notebook: Notebook, capsys: pytest.CaptureFixture[str]
) -> None:
    ask_prompt(notebook, "one", PromptLine())
    with closing(Journal()) as journal:
        journal.keep({"one": Completion("1"), "two": Completion("2")})
    said = printed(capsys, notebook, "restore")
    assert said.splitlines()[0] == "There was no copy: 1 conversation, 1 turn"
    assert "2 answers of batches" in said.splitlines()
