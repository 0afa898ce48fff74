"""Dataclasses, typed dicts and named tuples: each field is asked for, and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from typing import Any, ClassVar, NamedTuple

import pytest
from typing_extensions import NotRequired, Required, TypedDict

from copilot_magic.context.typed.annotations import form_of
from copilot_magic.context.typed.plain_types import NotPlain, Unusable
from copilot_magic.context.typed.records import is_record


@dataclass
class Price:
    amount: float
    currency: str = "EUR"


@dataclass
class Review:
    """What somebody thinks of it."""

    title: str
    price: Price
    tags: list[str] = field(default_factory=list, metadata={"description": "in lower case"})
    made: str = field(default="here", init=False)
    kind: ClassVar[str] = "review"

    def __post_init__(self) -> None:
        if not self.title:
            raise ValueError("the title\nis empty")


class Options(TypedDict, total=False):
    a: Required[int]
    b: str
    c: NotRequired[float]


class Point(NamedTuple):
    x: int
    y: int = 0


def test_the_schema_of_a_dataclass_asks_for_each_of_its_fields() -> None:
    """Strict servers refuse properties that may be missing."""
    assert form_of(Review).schema == {
        "description": "What somebody thinks of it.",
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "price": {
                "type": "object",
                "properties": {"amount": {"type": "number"}, "currency": {"type": "string"}},
                "required": ["amount", "currency"],
                "additionalProperties": False,
            },
            "tags": {
                "type": "array",
                "items": {"type": "string"},
                "description": "in lower case",
            },
        },
        "required": ["title", "price", "tags"],
        "additionalProperties": False,
    }


def test_a_dataclass_is_made_of_its_fields_and_its_defaults() -> None:
    value = {"title": "Good", "price": {"amount": 3}}
    assert form_of(Review).read(value, "answer") == Review("Good", Price(3.0, "EUR"), [])


def test_more_than_was_asked_for_does_no_harm() -> None:
    value = {"amount": 1, "currency": "USD", "why": "because"}
    assert form_of(Price).read(value, "answer") == Price(1.0, "USD")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("good", "answer: must be an object, not 'good'"),
        ({}, "answer.title: is missing"),
        ({"title": "x", "price": {"amount": "cheap"}}, "answer.price.amount: must be a number"),
        ({"title": "x", "price": {"amount": 1}, "tags": [5]}, "answer.tags[0]: must be text"),
        ({"title": "x", "price": {"amount": 1, "currrency": "$"}}, "a property 'currrency'"),
        ({"title": "", "price": {"amount": 1}}, "answer: Review does not take it: the title is"),
    ],
)
def test_a_field_that_is_wrong_is_named(value: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)) as caught:
        form_of(Review).read(value, "answer")
    assert "\n" not in str(caught.value)


def test_a_typed_dict_may_lack_what_is_not_required() -> None:
    form = form_of(Options)
    assert form.schema["required"] == ["a"]
    assert form.read({"a": 1}, "answer") == {"a": 1}
    assert form.read({"a": 1, "c": 2}, "answer") == {"a": 1, "c": 2.0}
    with pytest.raises(ValueError, match=r"answer\.a: is missing"):
        form.read({"b": "x"}, "answer")


@pytest.mark.parametrize("value", [{"x": 1, "y": 2}, [1, 2]])
def test_a_named_tuple_is_an_object_or_a_list(value: Any) -> None:
    assert form_of(Point).read(value, "answer") == Point(1, 2)


def test_a_named_tuple_has_its_defaults() -> None:
    assert form_of(Point).read({"x": 1}, "answer") == Point(1, 0)
    assert form_of(set[Point]).read([[1, 2], [1, 2]], "answer") == {Point(1, 2)}


def test_a_union_of_records_takes_the_one_whose_fields_are_there() -> None:
    form = form_of(Price | Point)
    assert form.read({"x": 1}, "answer") == Point(1, 0)
    with pytest.raises(ValueError, match=r"^answer\.amount: must be a number"):
        form.read({"amount": "cheap"}, "answer")


@dataclass
class Tree:
    value: int
    children: list[Tree]


@dataclass
class Odd:
    value: InitVar[int]


def test_a_record_that_is_not_plain_says_why() -> None:
    with pytest.raises(NotPlain, match="Tree contains itself"):
        form_of(Tree)
    with pytest.raises(NotPlain, match="only its constructor takes"):
        form_of(Odd)


def test_a_name_that_cannot_be_resolved_is_named() -> None:
    @dataclass
    class Lost:
        value: Nowhere  # noqa: F821

    with pytest.raises(Unusable, match="in Lost, name 'Nowhere' is not defined"):
        form_of(Lost)


def test_other_classes_are_no_records() -> None:
    pydantic = pytest.importorskip("pydantic")
    assert all(map(is_record, (Price, Options, Point)))
    checked: Any = pydantic.dataclasses.dataclass(type("C", (), {"__annotations__": {"a": "int"}}))
    for cls in (int, dict, tuple, Mapping, checked):
        assert not is_record(cls)
