"""Views against a front end that keeps outputs as Jupyter's do."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import redirect_stdout
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher

from copilot_magic.chat.conversation import Conversation, Turn
from copilot_magic.settings import Settings
from copilot_magic.views import cell as display
from copilot_magic.views.cell import (
    MAX_OUTPUTS,
    Footer,
    NotebookView,
    PlainView,
    TerminalView,
    open_view,
    show,
)
from copilot_magic.wire.chunks import Delta, Waiting


class FrontEnd:
    """Keep the outputs of a cell, and know what of them can be seen."""

    def __init__(self, after: Callable[[FrontEnd], object] = lambda front_end: None) -> None:
        self.outputs: dict[str, dict[str, str]] = {}
        self.messages: list[tuple[str, dict[str, str]]] = []
        self._after = after

    def publish(
        self, data: dict[str, str], *, transient: dict[str, str], update: bool = False
    ) -> None:
        name = transient["display_id"]
        assert update == (name in self.outputs)
        self.outputs[name] = data
        self.messages.append((name, data))
        self._after(self)

    @property
    def seen(self) -> str:
        return seen("".join(data["text/html"] for data in list(self.outputs.values())))

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + 20
        while text not in self.seen:
            assert time.monotonic() < deadline, f"{text!r} is not in {self.seen!r}"
            time.sleep(0.005)


class _Seen(HTMLParser):
    """Gather the text that is not hidden by a style."""

    def __init__(self, hidden: set[str]) -> None:
        super().__init__()
        self.text: list[str] = []
        self._hidden = hidden
        self._open: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("br", "hr", "img", "input"):
            return
        classes = (dict(attrs).get("class") or "").split()
        hides = tag == "style" or not self._hidden.isdisjoint(classes)
        self._open.append(hides)

    def handle_endtag(self, tag: str) -> None:
        if self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if not any(self._open):
            self.text.append(data)


def seen(html: str) -> str:
    hidden = {
        name.strip().removeprefix(".")
        for rule in re.findall(r"<style>([^<{]*)\{display:none\}", html)
        for name in rule.split(",")
    }
    parser = _Seen(hidden)
    parser.feed(html)
    parser.close()
    return "".join(parser.text)


def notebook_view(front_end: FrontEnd, **options: Any) -> NotebookView:
    return NotebookView(front_end.publish, "Copilot", **options)


def deltas(*pieces: str) -> Generator[Delta | Waiting, None, None]:
    for piece in pieces:
        yield Delta(content=piece)


def shown(*events: Delta | Waiting, **turn: Any) -> FrontEnd:
    """Return a front end that was shown a whole answer."""
    front_end = FrontEnd()
    view = notebook_view(front_end)
    show((event for event in events), view)
    text = "".join(event.content for event in events if isinstance(event, Delta))
    view.finish(Turn("?", **{"answer": text, "status": "complete", **turn}), Conversation())
    return front_end


def paragraphs(count: int) -> list[str]:
    """Return the words of paragraphs, each word another one."""
    return [f"p{number}w{word}" for number in range(count) for word in range(5)]


def as_markdown(words: list[str]) -> str:
    return "".join(word + (" " if index % 5 < 4 else "\n\n") for index, word in enumerate(words))


@pytest.fixture
def every_event_is_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "MIN_INTERVAL", 0.0)
    monkeypatch.setattr(display, "MAX_INTERVAL", 0.0)


def words_in(text: str) -> list[str]:
    return re.findall(r"p\d+w\d+", text)


class TestOutputs:
    """What the reader sees, message by message."""

    def test_no_message_takes_away_or_repeats_what_was_seen(self) -> None:
        words = paragraphs(200)
        most = 0

        def check(front_end: FrontEnd) -> None:
            nonlocal most
            now = words_in(front_end.seen)
            assert now == words[: len(now)]
            assert len(now) >= most
            most = len(now)

        front_end = FrontEnd(check)
        outputs = display._Outputs(front_end.publish)
        for index in range(len(words)):
            start = index - index % 5
            if index % 5 == 4:
                outputs.settle(f"<p>{' '.join(words[start : index + 1])}</p>")
            else:
                outputs.tail(f"<p>{' '.join(words[start : index + 1])}</p>")
        outputs.finish("", "", "", as_markdown(words))
        assert words_in(front_end.seen) == words

    @pytest.mark.parametrize("count", [10, 100, 3_000])
    def test_outputs_stay_few_however_long_the_answer(self, count: int) -> None:
        front_end = FrontEnd()
        outputs = display._Outputs(front_end.publish)
        for number in range(count):
            outputs.settle(f"<p>p{number}w0</p>")
            outputs.tail(f"<p>p{number + 1}w0</p>")
        assert len(front_end.outputs) <= MAX_OUTPUTS

    def test_a_settled_block_is_sent_again_seldom(self) -> None:
        front_end = FrontEnd()
        outputs = display._Outputs(front_end.publish)
        for number in range(1_000):
            outputs.settle(f"<p>p{number}w0</p>")
            outputs.tail("<p>…</p>")
        sent = [word for _, data in front_end.messages for word in words_in(data["text/html"])]
        assert max(map(sent.count, set(sent[::7]))) <= 4
        # The first ones are never touched again.
        assert all(sent.count(f"p{number}w0") == 1 for number in range(MAX_OUTPUTS // 2))

    def test_outputs_opened_beforehand_are_enough_for_any_rest(self) -> None:
        front_end = FrontEnd()
        outputs = display._Outputs(front_end.publish)
        outputs.settle("<p>p0w0</p>")
        outputs.open_all()
        opened = list(front_end.outputs)
        words = [f"p{number}w0" for number in range(500)]
        for word in words[1:]:
            outputs.settle(f"<p>{word}</p>")
        outputs.finish("", "<p>rest</p>", "<p>foot</p>", "x" * 5_000)
        assert list(front_end.outputs) == opened
        assert words_in(front_end.seen) == words
        assert front_end.seen.endswith("restfoot")


class TestNotebookView:
    """The view as the magic uses it: start, feed, finish."""

    def test_a_short_answer_ends_as_one_output_with_its_source(self) -> None:
        front_end = shown(Delta(content="# Title\n\nOne\n\n"), Delta(content="Two `x`"))
        first, *others = front_end.outputs.values()
        assert "Title" in first["text/html"] and "Two <code>x</code>" in first["text/html"]
        assert first["text/markdown"] == first["text/plain"] == "# Title\n\nOne\n\nTwo `x`"
        assert all(other == {"text/html": "", "text/plain": ""} for other in others)

    def test_a_long_answer_ends_whole_in_its_outputs_with_its_source_once(self) -> None:
        words = paragraphs(400)
        text = as_markdown(words)
        front_end = shown(*(Delta(content=piece) for piece in re.findall(".{1,50}", text, re.S)))
        assert words_in(front_end.seen) == words
        sources = [data["text/plain"] for data in front_end.outputs.values()]
        assert "".join(sources) == text

    def test_what_was_received_is_shown_though_nothing_follows(self) -> None:
        front_end = FrontEnd()
        view = notebook_view(front_end)
        view.start()
        for word in ("one ", "two ", "three"):
            view.feed(Delta(content=word))
        front_end.wait_for("one two three")
        view.finish(Turn("?", answer="one two three", status="complete"), Conversation())

    def test_nothing_is_painted_twice_in_the_same_words(self, every_event_is_painted: None) -> None:
        front_end = FrontEnd()
        view = notebook_view(front_end)
        view.start()
        for piece in ["a ", "b ", "", "", "c\n\n", "\n\n", "d"]:
            view.feed(Delta(content=piece))
            time.sleep(0.01)
        view.finish(Turn("?", answer="a b c\n\n\n\nd", status="complete"), Conversation())
        last: dict[str, dict[str, str]] = {}
        for name, data in front_end.messages:
            assert last.get(name) != data
            last[name] = data

    def test_fast_tokens_are_painted_together(self) -> None:
        pieces = [f"word{number} " for number in range(20_000)]
        front_end = FrontEnd()
        view = notebook_view(front_end)
        began = time.monotonic()
        show(deltas(*pieces), view)
        view.finish(Turn("?", answer="".join(pieces), status="complete"), Conversation())
        paints = (time.monotonic() - began) / display.MIN_INTERVAL
        # A paint publishes the part that has settled, the rest, and what a merging has emptied.
        assert len(front_end.messages) <= 3 * paints + MAX_OUTPUTS + 5

    def test_the_wait_shows_who_is_waited_for_and_goes_away(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(display, "PATIENCE", 0.0)
        front_end = FrontEnd()
        view = notebook_view(front_end)
        view.start()
        front_end.wait_for("Waiting for Copilot … 1 s")
        view.feed(Waiting(30, "429: too many requests"))
        front_end.wait_for("429: too many requests – next try in 30 s")
        view.feed(Delta(content="Hello"))
        front_end.wait_for("Hello")
        assert "Waiting" not in front_end.seen and "429" not in front_end.seen
        view.finish(Turn("?", answer="Hello", status="complete"), Conversation())

    def test_reasoning_is_folded_away_above_the_answer_and_not_in_its_source(self) -> None:
        front_end = shown(Delta(reasoning="I *think*"), Delta(content="So it is."))
        (first, *_) = front_end.outputs.values()
        folded, answer = first["text/html"].split("</details>")
        assert '<details class="copilot-reasoning"><summary>' in folded
        assert "I <em>think</em>" in folded and "So it is." in answer
        assert first["text/markdown"] == first["text/plain"] == "So it is."

    def test_thinking_is_a_sign_of_life(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(display, "PATIENCE", 0.0)
        front_end = FrontEnd()
        view = notebook_view(front_end)
        view.start()
        view.feed(Delta(reasoning="Let me see"))
        front_end.wait_for("Thinking …")
        view.finish(Turn("?", reasoning="Let me see", status="interrupted"), Conversation())
        assert "Let me see" in front_end.seen and "Thinking" not in front_end.seen

    def test_a_piece_that_only_the_turn_has_got_is_shown(self) -> None:
        front_end = shown(Delta(content="one "), answer="one two", status="interrupted")
        assert "one two" in front_end.seen and "interrupted" in front_end.seen

    def test_a_failure_without_a_word_leaves_nothing(self) -> None:
        front_end = shown(status="failed", error="refused")
        assert front_end.seen == "" and set(front_end.outputs.values() or [""]) == {""}

    def test_finish_does_nothing_where_start_was_not_reached(self) -> None:
        front_end = FrontEnd()
        notebook_view(front_end).finish(Turn("?", status="interrupted"), Conversation())
        assert front_end.messages == []

    def test_an_interrupt_while_finishing_loses_no_text(self) -> None:
        class Interrupting(FrontEnd):
            def publish(self, data: dict[str, str], **more: Any) -> None:
                if "the end" in data["text/html"]:
                    signal.raise_signal(signal.SIGINT)
                    time.sleep(0.2)
                super().publish(data, **more)

        front_end = Interrupting()
        view = notebook_view(front_end)
        show(deltas("the "), view)
        turn = Turn("?", answer="the end", status="interrupted")
        with pytest.raises(KeyboardInterrupt):
            view.finish(turn, Conversation())
        front_end.wait_for("the end")
        front_end.wait_for("interrupted")

    def test_a_fault_in_rendering_does_not_cost_the_answer(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def fail(*arguments: object) -> list[str]:
            raise RuntimeError("a fault")

        monkeypatch.setattr(display.markdown.Stream, "feed", fail)
        monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
        shown(Delta(content="the answer"))
        assert "the answer" in capsys.readouterr().out

    def test_hostile_names_and_notes_are_text(self) -> None:
        bad = "<img src=x onerror=alert(1)>"
        front_end = shown(Delta(content="x"), model=bad, provider=bad, notes=[bad])
        (first, *_) = front_end.outputs.values()
        assert "<img" not in first["text/html"]
        assert front_end.seen.count(bad) == 3

    def test_text_with_halves_of_characters_can_be_sent(self) -> None:
        front_end = shown(Delta(content="a \ud83d"), Delta(content="\ude00 \udc00"))
        for _, data in front_end.messages:
            for text in data.values():
                text.encode()
        assert "a 😀" in front_end.seen

    def test_what_is_captured_is_only_the_final_state(self) -> None:
        shell = SimpleNamespace(kernel=object(), display_pub=CapturingDisplayPublisher())
        view = open_view(shell, settings=Settings())  # type: ignore[arg-type]
        show(deltas("one\n\n", "two\n\n", "three"), view)
        view.finish(Turn("?", answer="one\n\ntwo\n\nthree", status="complete"), Conversation())
        (output,) = shell.display_pub.outputs
        assert "three" in output["data"]["text/html"]

    def test_show_closes_the_generator_when_the_view_dies(self) -> None:
        closed = []

        def events() -> Generator[Delta | Waiting, None, None]:
            try:
                yield Delta(content="x")
                yield Delta(content="y")
            finally:
                closed.append(True)

        class Dying(PlainView):
            def feed(self, event: Delta | Waiting) -> None:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            show(events(), Dying())
        assert closed == [True]


FOOTERS: dict[str, tuple[dict[str, Any], str]] = {
    "facts": (
        {
            "model": "gpt-x",
            "provider": "Copilot",
            "elapsed": 3.0,
            "first_token": 1.0,
            "usage": {"completion_tokens": 50},
        },
        "gpt-x · Copilot · 3.0 s · 25 tokens/s · talk",
    ),
    "no token counts": ({"model": "gpt-x", "elapsed": 3.0}, "gpt-x · 3.0 s · talk"),
    "odd token counts": (
        {"elapsed": 3.0, "usage": {"completion_tokens": "many"}},
        "3.0 s · talk",
    ),
    "interrupted": (
        {"answer": "x", "status": "interrupted"},
        "talk · interrupted",
    ),
    "interrupted early": (
        {"answer": "", "status": "interrupted"},
        "talk · interrupted before the first word",
    ),
    "failed": (
        {"status": "failed"},
        "talk · cut off by an error",
    ),
    "failed at once": ({"answer": "", "status": "failed"}, ""),
    "too long": (
        {"finish_reason": "length"},
        "talk · cut off: length limit – %copilot continue",
    ),
    "replayed": (
        {"replayed": True, "elapsed": 1.0, "usage": {"completion_tokens": 9}},
        "1.0 s · talk · replayed",
    ),
    "stale": ({"stale": True}, "talk · rests on an older answer"),
    "notes": ({"notes": ["2 turns left out"]}, "talk · 2 turns left out"),
}


@pytest.mark.parametrize("case", FOOTERS)
def test_the_footer_says(case: str) -> None:
    values, expected = FOOTERS[case]
    turn = Turn("?", **{"answer": "x", "status": "complete", **values})
    assert str(Footer.of(turn, Conversation("talk"))) == expected


def plain_answer(view: PlainView, *events: Delta | Waiting, **turn: Any) -> None:
    show((event for event in events), view)
    text = "".join(event.content for event in events if isinstance(event, Delta))
    view.finish(Turn("?", **{"answer": text, "status": "complete", **turn}), Conversation("talk"))


class TestPlainView:
    """Where there is neither a notebook nor a terminal, or plain text was asked for."""

    def test_the_text_is_written_as_it_is_and_ends_its_line(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        plain_answer(PlainView(), Delta(content="**a** <b>"), Delta(reasoning="hm"), Delta("c"))
        assert capsys.readouterr().out == "**a** <b>c\n"

    def test_marks_are_written_on_a_line_of_their_own(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        plain_answer(PlainView(), Delta(content="a"), status="interrupted")
        assert capsys.readouterr().out == "a\ninterrupted\n"

    def test_escape_sequences_are_harmless_however_they_are_split(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        hostile = "\x1b]0;title\x07\x1b[2J\x9b31m\u202eabc\r\x7f"
        plain_answer(PlainView(), *map(Delta, hostile), notes=[hostile])
        out = capsys.readouterr().out
        assert not set(out) & set("\x1b\x07\x9b\u202e\r\x7f")
        assert "abc" in out

    def test_what_the_output_cannot_encode_becomes_a_question_mark(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii"))
        plain_answer(PlainView(), Delta(content="naïve"))
        assert raw.getvalue() == b"na?ve\n"

    def test_it_is_flushed_seldom_where_a_kernel_would_send_each_flush(self) -> None:
        class Counting(io.StringIO):
            flushes = 0

            def flush(self) -> None:
                self.flushes += 1

        with redirect_stdout(Counting()) as stream:
            plain_answer(PlainView(3600.0), *[Delta(content="x")] * 100)
        assert stream.flushes == 1
        assert stream.getvalue() == "x" * 100 + "\n"


@contextlib.contextmanager
def terminal() -> Iterator[Callable[[], str]]:
    """Make the standard output a terminal; yield what ends it and returns all it was sent."""
    leader, follower = pty.openpty()
    gathered: list[bytes] = []

    def gather() -> None:
        with contextlib.suppress(OSError):  # the other end is closed
            while True:
                gathered.append(os.read(leader, 65536))

    def read() -> str:
        stream.close()
        reader.join(20)
        return b"".join(gathered).decode().replace("\r\n", "\n")

    reader = threading.Thread(target=gather)
    reader.start()
    try:
        with os.fdopen(follower, "w", encoding="utf-8") as stream, redirect_stdout(stream):
            yield read
    finally:
        reader.join(20)
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
            view = open_view(None, settings=Settings())
            assert isinstance(view, TerminalView)
            plain_answer(view, *map(Delta, text))
            written = read().removeprefix(display.ERASE_LINE)
        assert written == (
            "\x1b[1m# Head\x1b[0m\ntext\n\x1b[2m```python\x1b[0m\n\x1b[36mx = 1\x1b[0m\n"
            "\x1b[36m# y\x1b[0m\n\x1b[2m```\x1b[0m\nend\n\x1b[2mtalk\x1b[0m\n"
        )

    def test_styles_do_not_depend_on_how_the_text_was_cut(self) -> None:
        text = "# A\n\n- b\n``` js\n~~~\n#c\n```\n   ## d\n#e `f`\n~~~~\nx\n~~~\n"
        whole = display._LineStyles()
        expected = whole.feed(text) + whole.finish()
        for size in range(1, 8):
            styles = display._LineStyles()
            pieces = [styles.feed(text[i : i + size]) for i in range(0, len(text), size)]
            assert "".join(pieces) + styles.finish() == expected

    @pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
    def test_a_terminal_without_colours_gets_none(
        self, name: str, value: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(name, value)
        text = "# Head\n```\nx\n```"
        with terminal() as read:
            plain_answer(TerminalView("Copilot"), Delta(reasoning="hm"), Delta(content=text))
            written = read().removeprefix(display.ERASE_LINE)
        assert written == f"hm\n\n{text}\ntalk\n"

    def test_reasoning_is_dimmed_and_apart(self) -> None:
        with terminal() as read:
            plain_answer(TerminalView("Copilot"), Delta(reasoning="hm"), Delta(content="So."))
            written = read().removeprefix(display.ERASE_LINE)
        assert written == "\x1b[2mhm\x1b[0m\n\nSo.\n\x1b[2mtalk\x1b[0m\n"

    def test_the_wait_is_one_line_that_the_answer_replaces(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(display, "PATIENCE", 0.01)
        with terminal() as read:
            view = TerminalView("Copilot")
            view.start()
            time.sleep(0.05)
            view.feed(Delta(content="Hello"))
            view.finish(Turn("?", answer="Hello", status="complete"), Conversation("talk"))
            before, hello, _ = read().partition("Hello")
        assert "Waiting for Copilot …" in before and "\n" not in before
        assert before.endswith(display.ERASE_LINE) and hello

    def test_an_interrupt_before_the_first_word_ends_the_wait(
        self,
    ) -> None:
        with terminal() as read:
            view = TerminalView("Copilot")
            view.start()
            view.finish(Turn("?", status="interrupted"), Conversation("talk"))
            assert "interrupted before the first word" in read()
        assert not [thread for thread in threading.enumerate() if thread.name == "copilot-view"]

    def test_escape_sequences_of_a_server_are_harmless(self) -> None:
        hostile = "\x1b]0;title\x07\x1b[2J\x9b31m\u202eabc\x7f"
        answer = [*map(Delta, hostile), Delta(reasoning=hostile)]
        with terminal() as read:
            plain_answer(TerminalView(hostile), *answer, notes=[hostile])
            ours = re.sub(r"\r\x1b\[2K|\x1b\[(?:0|1|2|36)m", "", read())
        assert "abc" in ours
        assert not set(ours) & set("\x1b\x07\x9b\u202e\x7f")


def test_the_view_fits_what_is_in_front_of_the_user(capsys: pytest.CaptureFixture[str]) -> None:
    kernel: Any = SimpleNamespace(
        kernel=object(), display_pub=SimpleNamespace(publish=lambda *_, **__: None)
    )
    settings = Settings()
    assert isinstance(open_view(kernel, settings=settings), NotebookView)
    assert type(open_view(kernel, raw=True, settings=settings)) is PlainView
    assert type(open_view(None, settings=settings)) is PlainView
