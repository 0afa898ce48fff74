"""Single values: their schemas, what is read as one, and what is refused in one line."""

from __future__ import annotations

from datetime import date, datetime, time, timezone
from typing import Any

import pytest

from copilot_magic.context.typed.plain_types import (
    Anything,
    Choice,
    Form,
    Moment,
    Null,
    Number,
    Text,
    Truth,
    Whole,
    misfit,
    shown,
)

JSON: dict[str, Any] = {
    "null": None,
    "true": True,
    "int": 5,
    "float": 0.5,
    "text": "good",
    "list": [],
    "object": {},
}


@pytest.mark.parametrize(
    ("form", "fitting"),
    [
        (Text(), {"text"}),
        (Truth(), {"true"}),
        (Whole(), {"int"}),
        (Number(), {"int", "float"}),
        (Null(), {"null"}),
        (Anything(), set(JSON)),
        (Choice([("good", 1), ("bad", 2)]), {"text"}),
        (Moment(date), set()),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Form) else "",
)
def test_a_value_of_another_type_is_refused(form: Form, fitting: set[str]) -> None:
    for name, value in JSON.items():
        if name in fitting:
            form.read(value, "answer")
        else:
            with pytest.raises(ValueError, match=r"^answer\.x: must be "):
                form.read(value, "answer.x")


def test_a_whole_number_may_have_a_point_and_becomes_a_float_where_one_is_asked_for() -> None:
    assert Whole().read(5.0, "answer") == 5 and type(Whole().read(5.0, "answer")) is int
    assert type(Number().read(5, "answer")) is float
    with pytest.raises(ValueError, match="a smaller number"):
        Number().read(10**400, "answer")


def test_half_a_character_does_not_break_the_text() -> None:
    assert Text().read("a\ud83d\ude00\ud800", "answer") == "a😀\ufffd"


def test_a_choice_tells_true_from_one() -> None:
    form = Choice([(1, "one"), (True, "yes"), (None, "none")])
    assert [form.read(value, "answer") for value in (1, True, None)] == ["one", "yes", "none"]
    with pytest.raises(ValueError, match=r"must be one of 1, true, null, not 1\.0"):
        form.read(1.0, "answer")


@pytest.mark.parametrize("text", ["good", "Good.", "**good**", '"GOOD"', "`good`"])
def test_a_choice_may_be_the_whole_text(text: str) -> None:
    assert Choice([("good", 1), ("bad", 2)]).read_text(text) == 1


def test_a_choice_is_not_looked_for_in_prose() -> None:
    with pytest.raises(ValueError, match="must be one of 'good', 'bad'"):
        Choice([("good", 1), ("bad", 2)]).read_text("It is good, not bad.")
    with pytest.raises(ValueError, match=r"must be one of 'a', 'A', not 'a\."):
        Choice([("a", 1), ("A", 2)]).read_text("a.")


def test_long_choices_are_cut_in_messages() -> None:
    assert Choice([(f"n{n}", n) for n in range(40)]).words.endswith("'n11', …")


@pytest.mark.parametrize(
    ("kind", "said", "value"),
    [
        (date, "2024-12-31", date(2024, 12, 31)),
        (time, "23:59:00", time(23, 59)),
        (datetime, "2024-12-31T23:59:00", datetime(2024, 12, 31, 23, 59)),
        (datetime, "2024-12-31T23:59:00Z", datetime(2024, 12, 31, 23, 59, tzinfo=timezone.utc)),
    ],
)
def test_dates_and_times_are_iso_strings(kind: Any, said: str, value: Any) -> None:
    assert Moment(kind).read(said, "answer") == value
    assert Moment(kind).read_text(said) == value


@pytest.mark.parametrize(
    ("kind", "said"), [(date, "31.12.2024"), (datetime, "2024-12-31"), (time, "noon"), (date, 5)]
)
def test_other_dates_are_refused(kind: Any, said: Any) -> None:
    with pytest.raises(ValueError, match=r"must be a (date|time)"):
        Moment(kind).read(said, "answer")


def test_a_text_may_be_the_whole_answer_unless_it_was_meant_to_be_json() -> None:
    assert Text().read_text("Paris, of course") == "Paris, of course"
    for text in ('{"answer": "Par', '```json\n{"a"', "[1, 2", ""):
        with pytest.raises(ValueError, match="must be text"):
            Text().read_text(text)


@pytest.mark.parametrize(("text", "value"), [("True", True), ("false.", False)])
def test_true_and_false_may_be_written_as_python_does(text: str, value: bool) -> None:
    assert Truth().read_text(text) is value


def test_a_message_is_one_short_line_whatever_the_value() -> None:
    for value in ("x" * 10**6, "a\nb\x1b[31m", 10**900, ["x"] * 10**5, {"a": "b"}, None, True):
        line = str(misfit("answer", "a number", value))
        assert "\n" not in line and "\x1b" not in line and len(line) < 100
    assert shown(None) == "null" and shown(True) == "true" and shown("a") == "'a'"
