"""What is shown after its cell has ended: a late output, and an answer shown at once."""

from __future__ import annotations

import pytest
from front_end import FrontEnd

from copilot_magic.chat.turn import Turn
from copilot_magic.views.later import LateOutput, LateView
from copilot_magic.views.view import Footer
from copilot_magic.wire.chunks import Delta

TURN = Turn("?", answer="# Title\n\nText", status="complete", model="m")


def written(turn: Turn, prompt: str = "why?") -> list[str]:
    texts: list[str] = []
    view = LateView(prompt, texts.append)
    view.start()
    view.feed(Delta(content="half"))
    view.detach()
    view.finish(turn, Footer.of(turn))
    return texts


def test_an_error_takes_the_place_of_an_empty_output_and_is_text() -> None:
    front_end = FrontEnd()
    output = LateOutput(front_end.publish)
    assert list(front_end.outputs.values()) == [{"text/html": "", "text/plain": ""}]
    output.fail(["ServerError: <img src=x onerror=alert(1)>", "    %copilot retry"])
    (shown,) = front_end.outputs.values()
    assert 'role="alert"' in shown["text/html"] and "<img" not in shown["text/html"]
    assert front_end.seen == "ServerError: <img src=x onerror=alert(1)>\n    %copilot retry"
    assert shown["text/plain"] == front_end.seen


def test_the_whole_answer_is_written_at_once_below_its_prompt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert written(TURN) == ["“why?”\n# Title\n\nText\nm\n"]


def test_it_is_styled_where_the_terminal_has_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    (text,) = written(TURN)
    assert "\x1b[1m# Title\x1b[0m\n" in text
    assert text.endswith("\x1b[2mm\x1b[0m\n")


def test_control_characters_do_nothing_and_the_code_s_effects_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    code = "\x1b[2J\n```python\nos.remove(x)\n```"
    (text,) = written(Turn("?", answer=code, status="complete"), "a\x1b[2J\nb")
    assert "\x1b" not in text and "the code deletes files" in text
    assert len(text.split("\n")[0]) < 30


def test_an_answer_that_failed_without_a_word_leaves_it_to_the_error() -> None:
    assert written(Turn("?", status="failed")) == []
