"""JSON is found in what a model writes around it, and bad JSON is said to be bad."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_magic.context.typed.loose_json import BREAKS_OFF, json_problem, json_values

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(values)
def test_json_alone_is_found(value: Any) -> None:
    assert next(json_values(f" {json.dumps(value)}\n")) == value


@given(values.filter(lambda value: isinstance(value, dict | list)))
def test_an_object_or_a_list_is_found_in_a_fence_and_in_prose(value: Any) -> None:
    said = json.dumps(value, indent=1)
    for text in (
        f"Sure!\n```json\n{said}\n```\nAnything else?",
        f"```\n{said}\n```",
        f"~~~json\n{said}",
        f"The answer is {said}, as you asked.",
        f"With {{braces}} and [brackets]: {said}.",
    ):
        assert value in list(json_values(text))


def test_the_values_come_in_the_order_of_the_text() -> None:
    assert list(json_values('See [1]: {"a": [2]} and {"b": 3}')) == [[1], {"a": [2]}, {"b": 3}]


def test_a_line_end_in_a_string_may_be_written_as_it_is() -> None:
    assert list(json_values('{"a": "one\ntwo"}')) == [{"a": "one\ntwo"}]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": 1, "a": 1}', "the property 'a' appears twice in one object"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": [-Infinity]}', "-Infinity is not JSON"),
        ('{"a": 1e999}', "the number 1e999 is too large"),
        ('{"a": ' + "1" * 5000 + "}", "a number has 5,000 digits"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ('{"a": 1 "b"}', "not valid in line 1"),
        ('```json\n{"a": 1,}\n```', "not valid in line 1"),
        ('{"a": [1, 2', BREAKS_OFF),
        ('{"a": "one', BREAKS_OFF),
        ('Here it is:\n```json\n{"a": ["x", "y"', BREAKS_OFF),
    ],
)
def test_bad_json_is_not_guessed_at(text: str, problem: str) -> None:
    assert list(json_values(text)) == []
    said = json_problem(text)
    assert said is not None and problem in said
    assert len(said) < 200 and "\n" not in said


def test_a_part_of_what_breaks_off_is_no_answer() -> None:
    assert list(json_values('{"a": {"b": 1}, "c": {"d": 2}, "e')) == []


def test_prose_has_no_json_in_it() -> None:
    for text in ("", "The answer is 42.", "f(x) = {x | x > 0}"):
        assert list(json_values(text)) == []
        assert json_problem(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        "{ " * 500_000,
        '{"a":' * 200_000,
        '"' * 1_000_000,
        "```\n" * 250_000,
        '{"a": "' + "x" * 1_000_000,
        "[1] " * 250_000,
        "word " * 200_000,
    ],
    ids=lambda text: repr(text[:6]),
)
def test_a_megabyte_of_anything_ends(text: str) -> None:
    """The number of tries is bounded, so the time is no more than some readings of the text."""
    assert len(list(json_values(text))) < 200
    json_problem(text)


@given(st.text(alphabet='{}[]",:1a \n`', max_size=40))
def test_any_text_is_searched(text: str) -> None:
    list(json_values(text))
    json_problem(text)
