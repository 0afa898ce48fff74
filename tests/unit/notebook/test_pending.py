"""An answer that is on its way: no text before its end, and what `wait` returns or raises."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

from copilot_magic.chat.answer import Answer
from copilot_magic.chat.turn import Turn
from copilot_magic.errors import CutError, UsageError
from copilot_magic.notebook.pending import PendingAnswer

ANSWER = Answer.of(Turn("?", answer="So it is.", model="m", status="complete"), "id")


def pending(cancel: Any = lambda: None) -> PendingAnswer:
    return PendingAnswer(lambda: "“why” in talk, 3 s", cancel)


def ended(value: Any = ANSWER, error: BaseException | None = None) -> PendingAnswer:
    answer = pending()
    answer.end(value, error)
    return answer


def test_before_its_end_there_is_no_text_that_could_pass_for_the_answer() -> None:
    answer = pending()
    assert not answer.done
    for use in (str, "{}".format, lambda value: f"{value}", PendingAnswer.arrived):
        with pytest.raises(UsageError, match="still on its way"):
            use(answer)
    for name in ("markdown", "code", "usage", "upper"):
        with pytest.raises(AttributeError, match=r"still on its way.*\.wait\(\)"):
            getattr(answer, name)
    with pytest.raises(TypeError):
        len(answer)  # type: ignore[arg-type]
    assert repr(answer) == "<PendingAnswer: “why” in talk, 3 s>"


def test_after_its_end_it_is_used_as_the_answer_is() -> None:
    answer = ended()
    assert answer.done
    assert answer.wait() is ANSWER and answer.arrived() is ANSWER
    assert (str(answer), answer.markdown, answer.model) == ("So it is.", "So it is.", "m")
    assert answer.upper() == "SO IT IS."
    assert repr(answer) == "<PendingAnswer: done, 9 characters>"


def test_what_an_answer_has_not_it_has_not_either() -> None:
    for answer in (pending(), ended()):
        for name in ("colour", "_repr_html_", "__len__"):
            assert not hasattr(answer, name)


def test_a_typed_value_is_what_wait_returns() -> None:
    answer = ended([1, 2])
    assert answer.wait() == [1, 2]
    assert str(answer) == "[1, 2]"
    assert repr(answer) == "<PendingAnswer: done>"


def test_an_error_is_raised_wherever_the_answer_is_wanted() -> None:
    answer = ended(None, CutError("The connection broke"))
    for use in (answer.wait, answer.arrived, lambda: str(answer), lambda: answer.markdown):
        with pytest.raises(CutError):
            use()
    assert repr(answer) == "<PendingAnswer: ended with CutError>"


def test_the_wait_ends_with_the_answer_or_with_its_time() -> None:
    answer = pending()
    with pytest.raises(TimeoutError, match=r"still on its way after 0\.01 s"):
        answer.wait(0.01)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(answer.wait())) for _ in range(3)]
    for thread in threads:
        thread.start()
    answer.end(ANSWER)
    for thread in threads:
        thread.join(30)
    assert found == [ANSWER] * 3
    assert answer.wait(0) is ANSWER


def test_an_interrupt_ends_the_wait_and_not_the_answer() -> None:
    answer = pending()
    timer = threading.Timer(0.2, signal.raise_signal, (signal.SIGINT,))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        answer.wait()
    timer.join()
    answer.end(ANSWER)
    assert answer.wait() is ANSWER


def test_cancel_stops_what_it_is_about() -> None:
    stopped: list[bool] = []
    pending(lambda: stopped.append(True)).cancel()
    assert stopped == [True]


def test_a_cell_that_shows_the_answer_does_not_show_this_as_its_result() -> None:
    answer = pending()
    with pytest.raises(NotImplementedError):
        answer._ipython_display_()
    answer._shown = True
    answer._ipython_display_()
