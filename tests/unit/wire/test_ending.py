"""How an answer ends, and how long its next piece may take."""

from __future__ import annotations

import pytest

from copilot_magic.errors import (
    CutError,
    EmptyAnswerError,
    FirstTokenTimeoutError,
    IdleTimeoutError,
    MalformedAnswerError,
)
from copilot_magic.wire.chunks import Delta
from copilot_magic.wire.ending import Ending, no_first_token


class Clock:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ending(clock: Clock) -> Ending:
    return Ending(300.0, 120.0, 5.0, clock)


# --- How long the next piece may take -------------------------------------------------------


def test_the_first_token_has_its_time_from_the_start(ending: Ending, clock: Clock) -> None:
    assert ending.time_left() == 300
    clock.now += 100
    assert ending.time_left() == 200
    clock.now += 1000
    assert 0 < ending.time_left() < 0.01, "a socket takes 0 for no timeout"


def test_what_had_arrived_by_the_deadline_is_still_read_but_not_a_stream_of_keep_alives(
    ending: Ending, clock: Clock
) -> None:
    ending.time_left()
    clock.now += 1000
    with pytest.raises(TimeoutError):
        for _ in range(1000):
            assert ending.time_left() > 0
    ending.note(Delta("a"))
    assert ending.time_left() == 120


def test_the_clock_starts_when_something_is_waited_for(ending: Ending, clock: Clock) -> None:
    clock.now += 1000
    assert ending.time_left() == 300


@pytest.mark.parametrize("token", [Delta("a"), Delta(reasoning="hm")])
def test_each_token_restarts_the_clock(ending: Ending, clock: Clock, token: Delta) -> None:
    ending.note(token)
    assert ending.time_left() == 120
    clock.now += 119
    assert ending.time_left() == 1
    ending.note(token)
    assert ending.time_left() == 120


def test_a_keep_alive_does_not_restart_the_clock(ending: Ending, clock: Clock) -> None:
    ending.note(Delta("a"))
    ending.time_left()
    clock.now += 50
    ending.note(Delta(model="m"))
    assert ending.time_left() == 70


def test_a_slow_consumer_costs_nothing(ending: Ending, clock: Clock) -> None:
    ending.note(Delta("a"))
    clock.now += 1000
    assert ending.time_left() == 120


def test_what_follows_the_finish_reason_has_little_time(ending: Ending, clock: Clock) -> None:
    ending.note(Delta("a", finish_reason="stop"))
    assert ending.time_left() == 5
    impatient = Ending(300.0, 2.0, 5.0, clock)
    impatient.note(Delta("a", finish_reason="stop"))
    assert impatient.time_left() == 2


# --- An answer in one piece -----------------------------------------------------------------


@pytest.fixture
def whole(clock: Clock) -> Ending:
    return Ending(300.0, 120.0, 5.0, clock, whole=True)


def test_the_headers_of_a_whole_answer_have_the_time_of_a_first_token(
    whole: Ending, clock: Clock
) -> None:
    assert whole.time_left() == 300
    clock.now += 299
    assert whole.time_left() == 1


def test_after_the_headers_of_a_whole_answer_only_silence_counts(
    whole: Ending, clock: Clock
) -> None:
    whole.time_left()
    clock.now += 299
    whole.responded()
    for _ in range(3):  # a piece a minute
        assert whole.time_left() == 120
        clock.now += 60
    whole.fell_silent()
    assert type(whole.broken) is IdleTimeoutError


def test_a_whole_answer_that_keeps_dripping_has_the_time_of_a_first_token_again(
    whole: Ending, clock: Clock
) -> None:
    whole.time_left()
    whole.responded()
    whole.time_left()
    clock.now += 290
    assert whole.time_left() == 10
    clock.now += 10
    whole.fell_silent()
    assert type(whole.broken) is FirstTokenTimeoutError


def test_the_headers_of_a_stream_change_nothing(ending: Ending, clock: Clock) -> None:
    ending.time_left()
    clock.now += 200
    ending.responded()
    assert ending.time_left() == 100


def test_nothing_of_a_whole_answer_is_kept_before_it_is_whole(whole: Ending) -> None:
    whole.note(Delta("half"))
    assert whole.begun and not whole.kept
    assert (whole.cut_error().begun, whole.cut_error().hint) == (False, "Ask again")
    whole.fell_silent()
    assert isinstance(whole.broken, IdleTimeoutError) and not whole.broken.begun


def test_what_was_streamed_is_kept(ending: Ending) -> None:
    ending.note(Delta("half"))
    assert ending.kept
    ending.fell_silent()
    assert isinstance(ending.broken, IdleTimeoutError) and ending.broken.begun


# --- How it ends ----------------------------------------------------------------------------


def test_an_answer_is_whole_with_done_or_a_finish_reason(ending: Ending, clock: Clock) -> None:
    ending.note(Delta("a"))
    assert ending.error(done=True) is None
    ending.note(Delta(finish_reason="length"))
    assert ending.error(done=False) is None
    ending.cut()
    assert ending.error(done=False) is None, "what breaks after the end does no harm"


def test_json_in_one_piece_is_a_whole_answer_without_either(ending: Ending) -> None:
    ending.in_one_piece = True
    ending.note(Delta("a"))
    assert ending.error(done=False) is None


def test_without_either_an_answer_whose_body_ended_is_whole_with_a_note(ending: Ending) -> None:
    ending.note(Delta("a"))
    assert ending.error(done=False) is None
    assert ending.notes(done=False) == ("the server did not say that this is all of the answer",)
    assert ending.notes(done=True) == ()
    ending.note(Delta(finish_reason="stop"))
    assert ending.notes(done=False) == ()


def test_without_either_and_without_a_word_the_answer_is_empty(ending: Ending) -> None:
    assert isinstance(ending.error(done=False), EmptyAnswerError)


@pytest.mark.parametrize("begun", [True, False])
def test_a_body_that_broke_off_was_cut(ending: Ending, begun: bool) -> None:
    if begun:
        ending.note(Delta("a"))
    ending.cut()
    error = ending.error(done=False)
    assert isinstance(error, CutError) and error.begun is begun
    assert "broke before the end" in error.message
    assert ("What arrived is kept" in error.hint) is begun


def test_a_cut_says_its_reason(ending: Ending) -> None:
    ending.note(Delta(reasoning="hm"))
    ending.cut("The prompt was stopped")
    error = ending.error(done=False)
    assert isinstance(error, CutError) and error.begun
    assert error.message == "The prompt was stopped"


def test_half_a_json_body_was_cut(ending: Ending) -> None:
    ending.in_one_piece = True
    ending.cut()
    assert isinstance(ending.error(done=False), CutError)


def test_silence_before_the_first_token_is_one_error_and_after_it_another(ending: Ending) -> None:
    ending.fell_silent()
    error = ending.error(done=False)
    assert isinstance(error, FirstTokenTimeoutError)
    assert (error.message, error.seconds) == ("No answer began within 5 minutes", 300)
    ending.note(Delta("a"))
    ending.fell_silent()
    error = ending.error(done=False)
    assert isinstance(error, IdleTimeoutError) and error.begun
    assert (error.message, error.seconds) == ("The answer stopped for 2 minutes", 120)


@pytest.mark.parametrize(
    ("delta", "message"),
    [
        (Delta(finish_reason="stop"), "The answer was empty"),
        (Delta(" \n", finish_reason="stop"), "The answer was empty"),
        (Delta(reasoning=" \n", finish_reason="stop"), "The answer was empty"),
        (
            Delta(finish_reason="tool_calls"),
            "The model asked for a tool instead of answering, and it has none here",
        ),
        (Delta(finish_reason="content_filter"), "The answer was empty (content_filter)"),
    ],
)
def test_an_end_without_a_word_is_an_empty_answer(
    ending: Ending, delta: Delta, message: str
) -> None:
    ending.note(delta)
    error = ending.error(done=False)
    assert isinstance(error, EmptyAnswerError)
    assert error.message == message


def test_an_answer_that_is_only_reasoning_is_not_empty(ending: Ending) -> None:
    ending.note(Delta(reasoning="hm"))
    assert ending.error(done=True) is None
    assert ending.notes(done=True) == ("the model only thought aloud and gave no answer",)


def test_done_without_a_word_is_an_empty_answer(ending: Ending) -> None:
    assert isinstance(ending.error(done=True), EmptyAnswerError)


def test_json_without_an_answer_is_json_of_another_kind(ending: Ending) -> None:
    ending.in_one_piece = True
    error = ending.error(done=False)
    assert isinstance(error, MalformedAnswerError)
    assert "JSON of another kind" in error.message


def test_no_hint_needs_a_notebook(ending: Ending) -> None:
    hints = [no_first_token(1).hint]
    for step in (ending.cut, ending.fell_silent):
        for delta in (Delta(), Delta("a")):
            ending.note(delta)
            step()
            error = ending.error(done=False)
            assert error is not None
            hints.append(error.hint)
    empty = ending.__class__(1, 1, 1).error(done=True)
    assert empty is not None
    assert not [hint for hint in [*hints, empty.hint] if not hint or "%" in hint or "`" in hint]
