"""Tab completion, asked as IPython asks it."""

from __future__ import annotations

from pathlib import Path

import pytest
from IPython.core import completer
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from copilot_magic.notebook.commands import COMMANDS

# Older ones mix in their own offers, and split a name at its spaces.
OURS_ALONE = pytest.mark.skipif(
    not hasattr(completer, "context_matcher"), reason="needs IPython 8.6 or newer"
)


def offered(shell: InteractiveShell, line: str) -> list[str]:
    """Return what a front end shows when Tab is pressed at the end of `line`, in its order."""
    with provisionalcompleter():
        return [completion.text for completion in shell.Completer.completions(line, len(line))]


@pytest.mark.usefixtures("magics")
def test_commands_and_options_are_offered(shell: InteractiveShell) -> None:
    assert {"serve", "status", "continue"} <= set(offered(shell, "%copilot "))
    options = offered(shell, "%%copilot --new ")
    assert {"--temperature", "-b", "--background"} <= set(options)
    assert "--new" not in options


@OURS_ALONE
@pytest.mark.usefixtures("magics")
def test_conversations_are_offered_with_quotes_if_they_need_them(shell: InteractiveShell) -> None:
    shell.run_line_magic("copilot", 'new "my talk"')
    assert offered(shell, "%copilot use ") == ['"my talk"']
    assert offered(shell, "%copilot cancel ") == ['"my talk"']
    assert offered(shell, "%%copilot -c ") == ['"my talk"']


@pytest.mark.usefixtures("magics")
def test_models_are_the_servers(shell: InteractiveShell) -> None:
    # A slow server's names are there at a later Tab.
    for _ in range(100):
        if "scripted-model" in offered(shell, "%%copilot -m "):
            return
    raise AssertionError("the model is never offered")


@pytest.mark.usefixtures("magics")
def test_a_server_that_is_not_there_offers_nothing(shell: InteractiveShell) -> None:
    shell.run_line_magic("config", "CopilotMagics.base_url = 'http://127.0.0.1:9/v1'")
    assert "--new" not in offered(shell, "%%copilot -p ")


@OURS_ALONE
@pytest.mark.usefixtures("magics")
def test_only_what_fits_is_offered(shell: InteractiveShell) -> None:
    assert offered(shell, "%copilot s") == ["status", "serve", "stop", "show"]
    assert offered(shell, "%%copilot --te") == ["--temperature"]
    assert offered(shell, "%copilot ") == list(COMMANDS)
    options = offered(shell, "%%copilot --")
    assert "--dry-run" in options
    assert all(option.startswith("--") for option in options)
    assert len(options) < 30
    assert "--new" not in offered(shell, "%%copilot -t ")


@pytest.mark.usefixtures("magics")
def test_files_are_offered_to_commands_that_take_one(
    shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "talk.json").touch()
    monkeypatch.chdir(tmp_path)
    assert "talk.json" in offered(shell, "%copilot import ta")


@pytest.mark.usefixtures("magics")
def test_other_lines_are_completed_as_ever(shell: InteractiveShell) -> None:
    shell.user_ns["a_long_name"] = 1
    assert "a_long_name" in offered(shell, "a_long_n")
    assert "--new" not in offered(shell, "%timeit --")


@OURS_ALONE
@pytest.mark.usefixtures("magics")
def test_a_name_in_open_quotation_marks_is_completed(shell: InteractiveShell) -> None:
    shell.run_line_magic("copilot", 'new "my talk"')
    assert offered(shell, '%copilot use "my t') == ['"my talk"']
