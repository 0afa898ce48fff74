"""The magics as loaded into a real shell: settings, help, loading and unloading."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell
from scripted_server import ScriptedServer

from copilot_magic.errors import UsageError
from copilot_magic.notebook.magics import CopilotMagics


def test_an_empty_cell_asks_nothing(magics: CopilotMagics, server: ScriptedServer) -> None:
    with pytest.raises(UsageError, match="empty"):
        magics.ask_cell("", "  \n")
    assert not server.posts


def test_a_dry_run_sends_nothing(
    magics: CopilotMagics, server: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    magics.ask_cell("--dry-run", "hello\n")
    assert "[user]\nhello" in capsys.readouterr().out
    assert not server.posts


def test_settings_take_effect_with_the_next_prompt_and_equal_ones_change_nothing(
    magics: CopilotMagics, shell: InteractiveShell, server: ScriptedServer
) -> None:
    client = magics.notebook.up_to_date().session.client
    magics.command("status")
    assert magics.notebook.up_to_date().session.client is client
    shell.run_line_magic("config", "CopilotMagics.model = 'other'")
    magics.ask_cell("", "hi\n")
    assert server.posts[0]["model"] == "other"


def test_reloading_brings_the_conversation_back(
    magics: CopilotMagics, shell: InteractiveShell, server: ScriptedServer
) -> None:
    magics.ask_cell("-p Other", "one\n")
    shell.run_line_magic("reload_ext", "copilot_magic")
    shell.run_cell_magic("copilot", "-p Other", "two\n")
    assert len(server.posts[1]["messages"]) == 3
    assert shell.magics_manager.registry["CopilotMagics"] is not magics


def test_unloading_leaves_nothing_behind(magics: CopilotMagics, shell: InteractiveShell) -> None:
    shell.run_cell_magic("copilot", "", "one\n")
    shell.run_line_magic("unload_ext", "copilot_magic")
    for kind in ("line", "cell"):
        assert "copilot" not in shell.magics_manager.magics[kind]
    assert "CopilotMagics" not in shell.magics_manager.registry
    assert magics not in shell.configurables
    assert not [name for name in shell.user_ns if "copilot" in name]
    assert not [name for name in shell.strdispatchers["complete_command"].strs if "copilot" in name]


def test_an_error_names_a_magic_on_a_line_of_its_own(
    magics: CopilotMagics, server: ScriptedServer
) -> None:
    with pytest.raises(UsageError) as caught:
        magics.command("use nobody")
    message, *hint = caught.value._render_traceback_()
    assert message.endswith("There is no conversation 'nobody'")
    assert hint == ["See which there are:", "    %copilot list"]


def test_a_prompt_on_the_line_of_a_cell_without_a_body_is_asked(
    magics: CopilotMagics, shell: InteractiveShell, server: ScriptedServer
) -> None:
    shell.run_cell("%%copilot hi there?").raise_error()
    assert server.posts[0]["messages"][-1]["content"] == "hi there?"
    with pytest.raises(UsageError, match="empty"):
        shell.run_cell("%%copilot").raise_error()


@pytest.mark.usefixtures("magics")
def test_a_question_for_the_line_magic_says_how_to_ask(shell: InteractiveShell) -> None:
    with pytest.raises(UsageError, match="%%copilot What is pandas"):
        shell.run_cell("%copilot What is pandas?").raise_error()
