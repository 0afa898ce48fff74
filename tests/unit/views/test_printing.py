"""A progress bar: in a terminal, in a pipe, in a notebook (a shell with a display publisher)."""

from __future__ import annotations

import io
import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import RichOutput, capture_output

from copilot_magic.views.printing import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_one_line_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    progress = Progress(None, "Fetching")
    progress.update(50_000_000, 100_000_000)
    progress.update(100_000_000, 100_000_000)
    assert "Fetching: 50 of 100 MB" in terminal.getvalue()
    assert "\n" not in terminal.getvalue()
    progress.close()
    assert terminal.getvalue().endswith("\r\x1b[2K")


def test_a_pipe_is_told_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(None, "Fetching")
    progress.update(1, 2)
    progress.close()
    assert capsys.readouterr().out == ""


def test_a_notebook_shows_one_bar_that_goes_away() -> None:
    shell = InteractiveShell.instance()
    shell.kernel = object()
    with capture_output() as captured:
        progress = Progress(shell, "Fetching <b>")
        progress.update(50_000_000, 100_000_000)
        progress.update(100_000_000, 100_000_000)
        progress.close()
    del shell.kernel
    shown: list[RichOutput] = captured.outputs
    first, second, last = (output.data["text/html"] for output in shown)
    assert 'value="50000000" max="100000000"' in first
    assert "Fetching &lt;b&gt;: 100 of 100 MB" in second
    assert last == ""
    assert [output.update for output in shown] == [False, True, True]


def test_nothing_is_shown_where_nothing_was_done(capsys: pytest.CaptureFixture[str]) -> None:
    Progress(None, "Fetching").close()
    assert capsys.readouterr().out == ""
