"""What pydantic knows is left to pydantic; its schemas and messages are put in short words."""

from __future__ import annotations

import datetime
import json
import re
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal, Union

import pytest

from copilot_magic.context.typed.pydantic_types import PydanticForm, tidied
from copilot_magic.errors import UsageError

pydantic = pytest.importorskip("pydantic")
Field: Any = pydantic.Field
Base: Any = pydantic.BaseModel


class Street(Base):
    name: str
    number: int = Field(ge=1)


class Person(Base):
    """Somebody."""

    name: str = Field(description="the full name", max_length=20)
    born: datetime.date
    home: Street | None = None
    work: Street = Field(default=Street(name="x", number=1), description="where from 9 to 5")
    friends: list[Person] = Field(default_factory=list)

    @pydantic.field_validator("name")
    @classmethod
    def no_digits(cls, name: str) -> str:
        if name == "KeyError":
            raise KeyError("broken\nvalidator")
        if any(map(str.isdigit, name)):
            raise ValueError("has digits")
        return name


class Cat(Base):
    kind: Literal["cat"]


class Dog(Base):
    kind: Literal["dog"]


@dataclass
class Tree:
    value: int
    children: list[Tree]


def form(annotation: Any) -> PydanticForm:
    return PydanticForm(annotation, "T", "it is not plain")


def test_a_model_is_an_object_with_all_its_properties() -> None:
    schema = form(Street).schema
    assert schema == {
        "type": "object",
        "properties": {"name": {"type": "string"}, "number": {"type": "integer", "minimum": 1}},
        "required": ["name", "number"],
        "additionalProperties": False,
    }


def test_a_model_that_contains_itself_is_an_object_all_the_same() -> None:
    for annotation in (Person, Tree):
        schema = form(annotation).schema
        assert schema["type"] == "object" and schema["$defs"][annotation.__name__]
        assert "default" not in json.dumps(schema) and "title" not in json.dumps(schema)


def test_nothing_stands_beside_a_reference() -> None:
    work = form(Person).schema["properties"]["work"]
    assert work["description"] == "where from 9 to 5"
    assert work["properties"]["name"] == {"type": "string"} and "$ref" not in work


def test_what_servers_do_not_know_is_said_otherwise() -> None:
    pet = form(Annotated[Union[Cat, Dog], Field(discriminator="kind")]).schema  # noqa: UP007
    assert list(pet) == ["anyOf", "$defs"]
    assert form(Decimal).schema == {"anyOf": [{"type": "number"}, {"type": "string"}]}
    assert form(Annotated[str, Field(pattern="^[a-z]+$")]).schema["pattern"] == "^[a-z]+$"
    for refused in ("[a-z]", "^(?=a)[a-z]+$"):
        assert tidied({"type": "string", "pattern": refused}) == {"type": "string"}


def test_a_property_may_have_the_name_of_what_is_left_out() -> None:
    class Book(Base):
        title: str
        default: int

    assert list(form(Book).schema["properties"]) == ["title", "default"]


@pytest.mark.parametrize(
    ("annotation", "value", "read"),
    [
        (Street, {"name": "a", "number": 5}, Street(name="a", number=5)),
        (list[Street], [{"name": "a", "number": 5}], [Street(name="a", number=5)]),
        (Decimal, "1.10", Decimal("1.10")),
        (datetime.timedelta, "PT5M", datetime.timedelta(minutes=5)),
        (Annotated[int, Field(gt=3)], 4, 4),
        (
            uuid.UUID,
            "12345678123456781234567812345678",
            uuid.UUID(int=0x12345678 * (1 + 2**32 + 2**64 + 2**96)),
        ),
        (Tree, {"value": 1, "children": [{"value": 2, "children": []}]}, Tree(1, [Tree(2, [])])),
    ],
    ids=str,
)
def test_values_are_read_as_pydantic_reads_json(annotation: Any, value: Any, read: Any) -> None:
    assert form(annotation).read(value, "answer") == read


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"born": "2000-01-01"}, "answer.name: field required"),
        (
            {"name": "x1", "born": "soon"},
            "answer.name: value error, has digits, not 'x1'; answer.born",
        ),
        (
            {"name": "x", "born": "2000-01-01", "friends": [{"name": "y", "born": 5.5}]},
            "answer.friends[0].born: ",
        ),
        ({"name": "KeyError", "born": "2000-01-01"}, "answer: KeyError: 'broken\\nvalidator'"),
        ("x", "answer: input should be an object, not 'x'"),
    ],
)
def test_problems_are_one_line_that_names_the_place(value: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)) as caught:
        form(Person).read(value, "answer")
    assert "\n" not in str(caught.value) and "https://" not in str(caught.value)


def test_only_the_first_problems_are_told() -> None:
    with pytest.raises(ValueError, match="and 7 more") as caught:
        form(list[int]).read(["x" * 1000] * 10, "answer")
    assert len(str(caught.value)) <= 400


def test_a_type_that_pydantic_does_not_know_is_refused() -> None:
    class Strange: ...

    with pytest.raises(UsageError, match="An answer cannot be of type T: ") as caught:
        form(Strange)
    assert "\n" not in str(caught.value) and "list[str]" in caught.value.hint


def test_without_pydantic_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pydantic", None)
    with pytest.raises(UsageError, match="T needs pydantic: it is not plain") as caught:
        form(Decimal)
    assert caught.value.hint == 'Install it:\n    pip install "pydantic>=2"'
