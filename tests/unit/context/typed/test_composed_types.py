"""Lists, tuples, dictionaries and unions are read part by part, and say where a part is wrong."""

from __future__ import annotations

import re
from typing import Any

import pytest

from copilot_magic.context.typed.composed_types import Array, FixedTuple, Mapping, Union
from copilot_magic.context.typed.plain_types import Null, Number, Text, Unusable, Whole


@pytest.mark.parametrize(
    ("make", "value"), [(list, [1, 2, 2]), (tuple, (1, 2, 2)), (set, {1, 2}), (frozenset, {1, 2})]
)
def test_a_list_becomes_what_was_asked_for(make: Any, value: Any) -> None:
    read = Array(Whole(), make).read([1, 2, 2], "answer")
    assert read == value and type(read) is make


def test_a_set_of_what_cannot_be_a_member_is_refused_before_anybody_is_asked() -> None:
    with pytest.raises(Unusable, match="a list cannot be a member of a set"):
        Array(Array(Whole()), set)
    Array(Array(Whole(), tuple), set)
    Array(FixedTuple([Whole(), Text()]), frozenset)
    with pytest.raises(Unusable):
        Array(Union([Null(), Mapping(Whole())]), set)


@pytest.mark.parametrize(
    ("form", "value", "problem"),
    [
        (Array(Text()), ["a", "b", 5], "answer[2]: must be text, not 5"),
        (Array(Text()), {"a": 1}, "answer: must be a list, not an object"),
        (Array(Whole(), tuple, 2), [1, 2, 3], "answer: must have 2 values, not 3"),
        (FixedTuple([Whole(), Text()]), [1], "answer: must have 2 values, not 1"),
        (FixedTuple([Whole(), Text()]), [1, 2], "answer[1]: must be text, not 2"),
        (FixedTuple([]), [1], "answer: must have 0 values, not 1"),
        (Mapping(Whole()), {"a": 1, "b": "x"}, "answer.b: must be a whole number, not 'x'"),
        (Mapping(Whole()), [1], "answer: must be an object, not a list"),
        (Mapping(Whole(), numbered=True), {"x": 1}, "answer: has the key 'x', not a whole number"),
        (Union([Whole(), Text()]), [], "answer: must be a whole number or text, not a list"),
        (Union([Array(Whole()), Null()]), ["x"], "answer[0]: must be a whole number, not 'x'"),
    ],
)
def test_a_part_that_is_wrong_is_named(form: Any, value: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        form.read(value, "answer")


def test_keys_may_be_whole_numbers() -> None:
    assert Mapping(Text(), numbered=True).read({"1": "a", "-2": "b"}, "answer") == {1: "a", -2: "b"}


@pytest.mark.parametrize("members", [[Whole(), Number()], [Number(), Whole()]])
def test_a_union_keeps_the_type_that_the_value_has(members: list[Any]) -> None:
    form = Union(members)
    assert [type(form.read(value, "answer")) for value in (5, 5.0)] == [int, float]


def test_a_union_may_be_the_whole_text() -> None:
    assert Union([Whole(), Text()]).read_text("good") == "good"
    with pytest.raises(ValueError, match="a whole number or null"):
        Union([Whole(), Null()]).read_text("good")
