"""Other objects: their richest text, or else their class and attributes."""

from __future__ import annotations

from typing import Any

import pytest

from copilot_magic.context.describe.describe import describe


class Basket:
    """What a customer buys.

    More words.
    """

    def __init__(self) -> None:
        self.owner = "jane"
        self.items = [1, 2]
        self._hidden = 3

    @property
    def total(self) -> int:
        raise SystemExit

    def add(self) -> None: ...


def test_an_object_without_a_repr_is_its_attributes() -> None:
    found = describe(Basket())
    module = __name__
    assert found.kind == "Basket object"
    assert found.text == (
        f"Basket object of class {module}.Basket\n"
        "about: What a customer buys.\n"
        "attributes:\n"
        "{'owner': 'jane', 'items': [1, 2]}\n"
        "methods: add"
    )


def test_slots_are_attributes_too() -> None:
    class Slotted:
        __slots__ = ("a", "b")

    value = Slotted()
    value.a = 1  # type: ignore[attr-defined]
    assert "attributes:\n{'a': 1}" in describe(value).text


def test_an_object_with_endless_attributes_is_bounded() -> None:
    value = Basket()
    for number in range(10_000):
        setattr(value, f"attribute{number}", value)
    found = describe(value, 2_000)
    assert len(found.text) < 2_100
    assert "entries left out" in found.left_out


class Words:
    """An object that has some of the ways to show itself."""

    def __repr__(self) -> str:
        return "repr"


class Markdown(Words):
    def _repr_markdown_(self) -> Any:
        return "**bold**"

    def _repr_html_(self) -> str:
        raise AssertionError


class MarkdownAndMetadata(Words):
    def _repr_markdown_(self) -> Any:
        return "**bold**", {"isolated": True}


class Bundle(Words):
    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return {"text/html": "<b>", "text/plain": "plain"}, {}


class RichBundle(Words):
    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return {"text/markdown": "**rich**", "text/plain": "plain"}


class NoBundle(Words):
    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return None


class NoMarkdown(Words):
    def _repr_markdown_(self) -> Any:
        return None


@pytest.mark.parametrize(
    ("value", "text", "language"),
    [
        (Words(), "repr", "text"),
        (Markdown(), "**bold**", "markdown"),
        (MarkdownAndMetadata(), "**bold**", "markdown"),
        (Bundle(), "plain", "text"),
        (RichBundle(), "**rich**", "markdown"),
        (NoBundle(), "repr", "text"),
        (
            NoMarkdown(),
            "(its _repr_markdown_ failed: TypeError: a NoneType instead of a str)\nrepr",
            "text",
        ),
    ],
)
def test_the_richest_text_wins(value: object, text: str, language: str) -> None:
    found = describe(value)
    assert (found.text, found.language) == (text, language)


def test_getattr_does_not_make_a_text() -> None:
    class Any_:
        def __getattr__(self, name: str) -> Any:
            return lambda *args, **more: "made up"

        def __repr__(self) -> str:
            return "real"

    assert describe(Any_()).text == "real"


def test_a_class_is_not_asked_for_what_its_objects_say() -> None:
    class Said:
        def _repr_llm_(self) -> str:
            raise AssertionError

    assert describe(Said).kind == "class Said"


def test_own_words_may_be_anything_that_is_text() -> None:
    class Said:
        def _repr_llm_(self) -> str:
            return "x" * 100_000

    found = describe(Said(), 500)
    assert found.left_out == "99,500 of 100,000 characters left out"
