"""Text from another thread in a terminal: never in the midst of a cell's output or of a prompt."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from copilot_magic.notebook.between_cells import BetweenCells


@pytest.fixture
def terminal(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a shell that claims to have IPython's usual prompt."""
    monkeypatch.setattr(shell, "pt_app", object(), raising=False)
    return shell


def started_in_a_cell(shell: Any) -> BetweenCells:
    between = BetweenCells(shell)
    shell.user_ns["between"] = between
    shell.run_cell("between.start()")
    return between


def test_at_the_prompt_it_is_printed_at_once(
    terminal: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    between = started_in_a_cell(terminal)
    between.print("one\n")
    assert capsys.readouterr().out == "one\n"
    between.stop()


def test_while_a_cell_runs_it_waits_for_its_end(
    terminal: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    between = started_in_a_cell(terminal)
    terminal.run_cell("")
    inner = "get_ipython().run_cell('print(2)')"
    terminal.run_cell(f"between.print('late\\n'); print('a'); _ = {inner}")
    assert capsys.readouterr().out == "a\n2\nlate\n"
    between.stop()


def test_at_a_simple_prompt_it_waits_for_the_next_cell(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    between = started_in_a_cell(shell)
    between.print("one\n")
    assert capsys.readouterr().out == ""
    shell.run_cell("print('a')")
    assert capsys.readouterr().out == "a\none\n"
    between.stop()


def test_started_by_a_file_that_ipython_runs_it_prints_after_the_first_cell(
    terminal: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    between = BetweenCells(terminal)
    between.start()
    between.print("one\n")
    terminal.run_cell("print('a')", store_history=True)
    assert capsys.readouterr().out == "a\none\n"
    between.stop()


def test_what_is_held_at_the_end_is_printed_then_and_nothing_later(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [list(callbacks) for callbacks in shell.events.callbacks.values()]
    between = started_in_a_cell(shell)
    between.print("one\n")
    between.stop()
    between.print("two\n")
    shell.run_cell("pass")
    assert capsys.readouterr().out == "one\n"
    assert [list(callbacks) for callbacks in shell.events.callbacks.values()] == before


def test_plain_python_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    between = BetweenCells(None)
    between.start()
    between.print("one\n")
    between.stop()
    assert capsys.readouterr().out == ""
