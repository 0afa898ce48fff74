"""Tab completion, asked as IPython asks it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from IPython.core.interactiveshell import InteractiveShell


def offered(shell: InteractiveShell, line: str) -> list[str]:
    """Return what the extension offers when Tab is pressed at the end of `line`."""
    symbol = "" if line.endswith(" ") else line.split()[-1]
    event = SimpleNamespace(
        text_until_cursor=line, symbol=symbol, line=line, command=line.split()[0]
    )
    (complete,) = shell.strdispatchers["complete_command"].s_matches(line.split()[0])
    return list(complete(event))


@pytest.mark.usefixtures("magics")
def test_commands_and_options_are_offered(shell: InteractiveShell) -> None:
    assert {"serve", "status", "continue"} <= set(offered(shell, "%copilot "))
    options = offered(shell, "%%copilot --new ")
    assert "--temperature" in options
    assert "--new" not in options


@pytest.mark.usefixtures("magics")
def test_conversations_are_offered_with_quotes_if_they_need_them(shell: InteractiveShell) -> None:
    shell.run_line_magic("copilot", 'new "my talk"')
    assert offered(shell, "%copilot use ") == ['"my talk"']
    assert offered(shell, "%%copilot -c ") == ['"my talk"']
    assert offered(shell, "%copilot use my ") == []


@pytest.mark.usefixtures("magics")
def test_models_are_the_servers(shell: InteractiveShell) -> None:
    assert "scripted-model" in offered(shell, "%%copilot -m ")


@pytest.mark.usefixtures("magics")
def test_a_server_that_is_not_there_offers_nothing(shell: InteractiveShell) -> None:
    shell.run_line_magic("config", "CopilotMagics.base_url = 'http://127.0.0.1:9/v1'")
    assert offered(shell, "%%copilot -p ") == []
