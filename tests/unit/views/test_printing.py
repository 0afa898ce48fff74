"""Printed lines, rendered Markdown and the progress bar: in a terminal, a pipe and a notebook."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import RichOutput, capture_output

from copilot_magic.views.printing import ProgressBar, publish, say


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def kernel_shell() -> Iterator[Any]:
    """Yield a shell that passes for a kernel's."""
    shell: Any = InteractiveShell.instance()
    shell.kernel = object()
    yield shell
    del shell.kernel


def test_a_terminal_shows_one_line_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    progress = ProgressBar(None, "Fetching")
    progress.update(50_000_000, 100_000_000)
    progress.update(100_000_000, 100_000_000)
    assert "Fetching: 50 of 100 MB" in terminal.getvalue()
    assert "\n" not in terminal.getvalue()
    progress.close()
    assert terminal.getvalue().endswith("\r\x1b[2K")


def test_a_pipe_shows_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    progress = ProgressBar(None, "Fetching")
    progress.update(1, 2)
    progress.close()
    assert capsys.readouterr().out == ""


def test_a_notebook_shows_one_bar_that_goes_away(kernel_shell: Any) -> None:
    with capture_output() as captured:
        progress = ProgressBar(kernel_shell, "Fetching <b>")
        progress.update(50_000_000, 100_000_000)
        progress.update(100_000_000, 100_000_000)
        progress.close()
    shown: list[RichOutput] = captured.outputs
    first, second, last = (output.data["text/html"] for output in shown)
    assert 'value="50000000" max="100000000"' in first
    assert "Fetching &lt;b&gt;: 100 of 100 MB" in second
    assert last == ""
    assert [output.update for output in shown] == [False, True, True]
    assert len({output.transient["display_id"] for output in shown}) == 1


def test_a_notebook_sees_what_comes_after_the_bytes_and_then_the_result(kernel_shell: Any) -> None:
    with capture_output() as captured:
        progress = ProgressBar(kernel_shell, "Fetching")
        progress.update(100_000_000, 100_000_000)
        progress.note("Starting…")
        progress.close("<b> answers")
    shown: list[RichOutput] = captured.outputs
    assert [output.data["text/plain"] for output in shown[1:]] == ["Starting…", "<b> answers"]
    assert "&lt;b&gt; answers" in shown[-1].data["text/html"]
    assert len({output.transient["display_id"] for output in shown}) == 1


def test_without_a_notebook_the_result_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    progress = ProgressBar(None, "Fetching")
    progress.note("Starting…")
    progress.close("It answers")
    assert capsys.readouterr().out == "It answers\n"


@pytest.mark.usefixtures("kernel_shell")
def test_nothing_is_shown_if_nothing_was_done(capsys: pytest.CaptureFixture[str]) -> None:
    with capture_output() as captured:
        ProgressBar(InteractiveShell.instance(), "Fetching").close()
    ProgressBar(None, "Fetching").close()
    assert captured.outputs == []
    assert capsys.readouterr().out == ""


def test_control_characters_are_printed_as_signs(capsys: pytest.CaptureFixture[str]) -> None:
    say("one\r\ntwo \x1b[2J")
    assert capsys.readouterr().out == "one\ntwo ␛[2J\n"


def test_what_the_output_cannot_encode_is_printed_as_a_question_mark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii"))
    say("✓ naïve")
    sys.stdout.flush()
    assert raw.getvalue() == b"? na?ve\n"


def test_markdown_is_published_as_safe_html_with_its_source(kernel_shell: Any) -> None:
    with capture_output() as captured:
        publish(kernel_shell, "**bold** <script>")
    (output,) = captured.outputs
    assert "<strong>bold</strong> &lt;script&gt;" in output.data["text/html"]
    assert output.data["text/markdown"] == output.data["text/plain"] == "**bold** <script>"


def test_a_terminal_prints_the_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    publish(InteractiveShell.instance(), "**bold**")
    assert capsys.readouterr().out == "**bold**\n"


def test_a_terminal_that_renders_a_type_itself_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    shell: Any = InteractiveShell.instance()
    rendered = []
    monkeypatch.setattr(
        shell,
        "mime_renderers",
        {"text/markdown": lambda text, metadata: rendered.append(text)},
        raising=False,
    )
    publish(shell, "**bold**")
    assert rendered == ["**bold**"]
