"""Views that write text: to a pipe, and to a real pseudo-terminal."""

from __future__ import annotations

import contextlib
import io
import math
import os
import pty
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import IO, Any

import pytest

from copilot_magic.chat.turn import Turn
from copilot_magic.views.open import open_view, show
from copilot_magic.views.printing import ERASE_LINE
from copilot_magic.views.terminal import LineStyles, PlainView, TerminalView
from copilot_magic.views.view import Footer
from copilot_magic.wire.chunks import Delta, Waiting


def show_answer(view: PlainView, *events: Delta | Waiting, **values: Any) -> None:
    """Show a whole answer; `values` are fields of its turn."""
    show((event for event in events), view)
    text = "".join(event.content for event in events if isinstance(event, Delta))
    turn = Turn("?", **{"answer": text, "status": "complete", **values})
    view.finish(turn, Footer.of(turn, "talk"))


class TestPlainView:
    """With neither a notebook nor a terminal, or if plain text was asked for."""

    def test_the_text_is_written_as_it_is_and_ends_its_line(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        show_answer(PlainView(), Delta(content="**a** <b>"), Delta(reasoning="hm"), Delta("c"))
        assert capsys.readouterr().out == "**a** <b>c\n"

    def test_marks_are_written_on_a_line_of_their_own(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        show_answer(PlainView(), Delta(content="a"), status="interrupted")
        assert capsys.readouterr().out == "a\ninterrupted\n"

    def test_what_the_code_does_is_one_of_the_marks(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code = "```python\nopen(x, 'w')\n```"
        show_answer(PlainView(), Delta(content=code), status="interrupted")
        assert capsys.readouterr().out == f"{code}\ninterrupted · the code writes files\n"

    def test_an_announced_wait_is_a_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        show_answer(PlainView(), Waiting(2, "429"), Delta(content="a"))
        assert capsys.readouterr().out == "429 – next try in 2 s\na\n"

    def test_a_try_that_follows_at_once_is_not_announced_in_seconds(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        show_answer(PlainView(), Waiting(0.0, "500; trying Second"), Delta(content="a"))
        assert capsys.readouterr().out == "500; trying Second …\na\n"

    def test_a_wait_for_another_answer_is_a_line_and_its_end_is_none(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        waits = Waiting(math.inf, "Waiting for the answer to “one”")
        show_answer(PlainView(), waits, Waiting(0.0, ""), Delta(content="a"))
        assert capsys.readouterr().out == "Waiting for the answer to “one” …\na\n"

    def test_escape_sequences_are_harmless_however_they_are_split(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        hostile = "\x1b]0;title\x07\x1b[2J\x9b31m\u202eabc\r\x7f"
        show_answer(PlainView(), *map(Delta, hostile), notes=[hostile])
        out = capsys.readouterr().out
        assert not set(out) & set("\x1b\x07\x9b\u202e\r\x7f")
        assert "abc" in out

    def test_what_the_output_cannot_encode_becomes_a_question_mark(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii"))
        show_answer(PlainView(), Delta(content="naïve"))
        assert raw.getvalue() == b"na?ve\n"

    def test_it_rarely_flushes_if_a_kernel_would_send_each_flush(self) -> None:
        class Counting(io.StringIO):
            flushes = 0

            def flush(self) -> None:
                self.flushes += 1

        with redirect_stdout(Counting()) as stream:
            show_answer(PlainView(3600.0), *[Delta(content="x")] * 100)
        assert stream.flushes == 1
        assert stream.getvalue() == "x" * 100 + "\n"


class Screen:
    """What is written to a terminal. A call ends it, and returns its text."""

    def __init__(self, leader: int, stream: IO[str]) -> None:
        self._leader = leader
        self._stream = stream
        self._gathered: list[bytes] = []
        self.reader = threading.Thread(target=self._gather)
        self.reader.start()

    def _gather(self) -> None:
        with contextlib.suppress(OSError):  # the other end is closed
            while True:
                self._gathered.append(os.read(self._leader, 65536))

    def __call__(self) -> str:
        self._stream.close()
        self.reader.join(20)
        return b"".join(self._gathered).decode().replace("\r\n", "\n")

    def wait_for(self, text: str) -> None:
        """Wait until `text` is written."""
        deadline = time.monotonic() + 30
        while text.encode() not in b"".join(self._gathered):
            assert time.monotonic() < deadline
            time.sleep(0.01)


@contextlib.contextmanager
def terminal() -> Iterator[Screen]:
    """Make the standard output a terminal, and yield it."""
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w", encoding="utf-8") as stream, redirect_stdout(stream):
        screen = Screen(leader, stream)
        try:
            yield screen
        finally:
            stream.close()
            screen.reader.join(20)
            os.close(leader)


class TestTerminalView:
    """IPython in a terminal."""

    @pytest.fixture(autouse=True)
    def colours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.delenv("NO_COLOR", raising=False)

    def test_a_terminal_gets_light_styles(self) -> None:
        text = "# Head\ntext\n```python\nx = 1\n# y\n```\nend"
        with terminal() as read:
            view = open_view(None, asked="Copilot")
            assert isinstance(view, TerminalView)
            show_answer(view, *map(Delta, text))
            written = read().removeprefix(ERASE_LINE)
        assert written == (
            "\x1b[1m# Head\x1b[0m\ntext\n\x1b[2m```python\x1b[0m\n\x1b[36mx = 1\x1b[0m\n"
            "\x1b[36m# y\x1b[0m\n\x1b[2m```\x1b[0m\nend\n\x1b[2mtalk\x1b[0m\n"
        )

    def test_styles_do_not_depend_on_how_the_text_was_cut(self) -> None:
        text = "# A\n\n- b\n``` js\n~~~\n#c\n```\n   ## d\n#e `f`\n~~~~\nx\n~~~\n"
        whole = LineStyles()
        expected = whole.feed(text) + whole.finish()
        for size in range(1, 8):
            styles = LineStyles()
            pieces = [styles.feed(text[i : i + size]) for i in range(0, len(text), size)]
            assert "".join(pieces) + styles.finish() == expected

    @pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
    def test_a_terminal_without_colours_gets_none(
        self, name: str, value: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(name, value)
        text = "# Head\n```\nx\n```"
        with terminal() as read:
            show_answer(TerminalView("Copilot"), Delta(reasoning="hm"), Delta(content=text))
            written = read().removeprefix(ERASE_LINE)
        assert written == f"hm\n\n{text}\ntalk\n"

    def test_reasoning_is_dimmed_and_apart(self) -> None:
        with terminal() as read:
            show_answer(TerminalView("Copilot"), Delta(reasoning="hm"), Delta(content="So."))
            written = read().removeprefix(ERASE_LINE)
        assert written == "\x1b[2mhm\x1b[0m\n\nSo.\n\x1b[2mtalk\x1b[0m\n"

    def test_the_wait_is_one_line_that_the_answer_replaces(self) -> None:
        with terminal() as read:
            view = TerminalView("Copilot", quiet_start=0.01)
            view.start()
            read.wait_for("Waiting for Copilot …")
            view.feed(Delta(content="Hello"))
            view.finish(Turn("?", answer="Hello", status="complete"), Footer(["talk"], []))
            before, hello, _ = read().partition("Hello")
        assert "\n" not in before
        assert before.endswith(ERASE_LINE) and hello

    def test_an_interrupt_before_the_first_word_ends_the_wait(self) -> None:
        with terminal() as read:
            show_answer(TerminalView("Copilot"), status="interrupted")
            assert "interrupted before the first word" in read()
        assert not [thread for thread in threading.enumerate() if thread.name == "copilot-view"]

    def test_escape_sequences_of_a_server_are_harmless(self) -> None:
        hostile = "\x1b]0;title\x07\x1b[2J\x9b31m\u202eabc\x7f"
        answer = [*map(Delta, hostile), Delta(reasoning=hostile)]
        with terminal() as read:
            show_answer(TerminalView(hostile), *answer, notes=[hostile])
            ours = re.sub(r"\r\x1b\[2K|\x1b\[(?:0|1|2|36)m", "", read())
        assert "abc" in ours
        assert not set(ours) & set("\x1b\x07\x9b\u202e\x7f")
