"""Annotations: resolved, named as a reader writes them, and turned into forms."""

from __future__ import annotations

import collections.abc
import enum
import sys
import typing
from dataclasses import dataclass
from typing import Annotated, Any, ForwardRef, Literal, NewType, Optional

import pytest

from copilot_magic.context.typed.annotations import form_of, is_annotation, readable
from copilot_magic.context.typed.plain_types import NotPlain, Unusable


class Colour(enum.Enum):
    RED = 1
    GREEN = 2
    VERT = 2


class Word(str, enum.Enum):
    YES = "yes, please"
    NO = "no"


class Access(enum.Flag):
    READ = 1


@dataclass
class Inner:
    word: "Word"  # noqa: UP037  resolved in this module
    colour: "list[Colour]"  # noqa: UP037


Name = NewType("Name", str)
STRING = {"type": "string"}
INTEGER = {"type": "integer"}


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (str, STRING),
        (None, {"type": "null"}),
        (Any, {}),
        (Name, STRING),
        (list, {"type": "array", "items": {}}),
        (typing.List[str], {"type": "array", "items": STRING}),  # noqa: UP006
        (collections.abc.Sequence[int], {"type": "array", "items": INTEGER}),
        (set[int], {"type": "array", "items": INTEGER}),
        (tuple, {"type": "array", "items": {}}),
        (tuple[int, ...], {"type": "array", "items": INTEGER}),
        (tuple[int, int], {"type": "array", "items": INTEGER, "minItems": 2, "maxItems": 2}),
        (
            tuple[int, str],
            {"type": "array", "prefixItems": [INTEGER, STRING], "minItems": 2, "maxItems": 2},
        ),
        (tuple[()], {"type": "array", "minItems": 0, "maxItems": 0}),
        (dict, {"type": "object", "additionalProperties": {}}),
        (dict[str, int], {"type": "object", "additionalProperties": INTEGER}),
        (Optional[int], {"anyOf": [INTEGER, {"type": "null"}]}),  # noqa: UP045
        (int | str, {"anyOf": [INTEGER, STRING]}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (
            Literal[1, None],
            {"anyOf": [{"type": "integer", "enum": [1]}, {"type": "null", "enum": [None]}]},
        ),
        (Annotated[int, "how many"], {"type": "integer", "description": "how many"}),
        (Colour, {"type": "string", "enum": ["RED", "GREEN"]}),
        (Word, {"type": "string", "enum": ["yes, please", "no"]}),
        ("list[int]", {"type": "array", "items": INTEGER}),
        (ForwardRef("Optional[int]"), {"anyOf": [INTEGER, {"type": "null"}]}),
        (list["int"], {"type": "array", "items": INTEGER}),
    ],
    ids=lambda value: "" if isinstance(value, dict) else readable(value),
)
def test_an_annotation_has_a_schema(annotation: Any, schema: dict[str, Any]) -> None:
    assert form_of(annotation).schema == schema


def test_annotations_of_fields_are_resolved_where_their_class_is() -> None:
    read = form_of(Inner).read({"word": "no", "colour": ["RED", "GREEN"]}, "answer")
    assert read == Inner(Word.NO, [Colour.RED, Colour.GREEN])


def test_a_name_of_the_notebook_is_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "MyColour", Colour, raising=False)
    assert form_of("MyColour").read("RED", "answer") is Colour.RED


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the type statement is newer")
def test_an_alias_stands_for_what_it_names() -> None:
    alias = typing.TypeAliasType("Many", list[int])
    assert form_of(alias).read([1], "answer") == [1]
    assert readable(alias) == "Many"


@pytest.mark.parametrize(
    "annotation",
    [
        complex,
        object(),
        Access,
        Literal[b"x"],
        dict[float, int],
        list[complex],
        Annotated[int, 5],
        typing.TypeVar("T"),
        {},
    ],
    ids=repr,
)
def test_other_types_are_not_plain(annotation: Any) -> None:
    with pytest.raises(NotPlain):
        form_of(annotation)


@pytest.mark.parametrize("text", ["Nowhere", "list[", "os.system('x')", "1 +"])
def test_a_text_that_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(Unusable, match="is not a type"):
        form_of(text)


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (int, "int"),
        (None, "None"),
        (list[str], "list[str]"),
        (typing.List[str], "list[str]"),  # noqa: UP006
        (collections.abc.Sequence[int], "Sequence[int]"),
        (dict[str, list[int]], "dict[str, list[int]]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (tuple[()], "tuple[()]"),
        (Optional[int], "int | None"),  # noqa: UP045
        (Literal["good", "bad"], "Literal['good', 'bad']"),
        (Annotated[int, 5], "int"),
        (Colour, "Colour"),
        (Any, "Any"),
        (Name, "Name"),
        ("list[Colour]", "list[Colour]"),
    ],
    ids=str,
)
def test_an_annotation_is_named_as_a_reader_writes_it(annotation: Any, name: str) -> None:
    assert readable(annotation) == name


def test_a_class_of_a_function_is_named_without_the_function() -> None:
    class Local: ...

    assert readable(list[Local]) == "list[Local]"


def test_only_what_stands_for_a_type_is_an_annotation() -> None:
    for annotation in (int, None, "int", Any, list[int], int | str, Literal[1], Name):
        assert is_annotation(annotation)
    for other in (5, [int], {}, print, lambda: 5, int.__add__):
        assert not is_annotation(other)
