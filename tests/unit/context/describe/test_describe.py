"""Whatever the object does, there is a description, and it is within its budget."""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import MagicMock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_magic.context.describe import foreign
from copilot_magic.context.describe.describe import describe
from copilot_magic.context.describe.description import BUDGET, LINE, LONG_BUDGET


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less long for objects that hang."""
    init = foreign.Patience.__init__
    monkeypatch.setattr(
        foreign.Patience, "__init__", lambda self, one=0.1, together=6.0: init(self, one, together)
    )


class Raises:
    def __repr__(self) -> str:
        raise ValueError("no words")


class Exits:
    def __repr__(self) -> str:
        raise SystemExit(3)


class Hangs:
    def __repr__(self) -> str:
        while True:
            pass


class NoString:
    def __repr__(self) -> str:
        return 5  # type: ignore[return-value]


class Megabyte:
    def __repr__(self) -> str:
        return "x" * 10**6


class RaisesSilently:
    def __repr__(self) -> str:
        raise Unsayable


class Unsayable(Exception):
    def __str__(self) -> str:
        raise self


class Pretends:
    """An object that lies about its class, and has every attribute."""

    @property
    def __class__(self) -> Any:
        raise SystemExit

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *args: Any, **more: Any) -> Any:
        return self


class Meta(type):
    @property
    def __name__(cls) -> Any:  # type: ignore[override]
        raise SystemExit

    __module__ = __doc__ = __name__  # type: ignore[assignment]

    def __repr__(cls) -> str:
        raise SystemExit


class OfMeta(metaclass=Meta):
    pass


# Made in the test: pytest itself would fail over some of them.
HOSTILE: dict[str, tuple[Callable[[], object], str]] = {
    "raises": (Raises, "its repr failed: ValueError: no words"),
    "exits": (Exits, "its repr failed: SystemExit: 3"),
    "hangs": (Hangs, "its repr took longer than 0.1 seconds"),
    "no string": (NoString, "its repr failed: TypeError: "),
    "megabyte": (Megabyte, "992,000 of 1,000,000 characters left out"),
    "raises the unsayable": (RaisesSilently, "its repr failed: Unsayable"),
    "in a list": (lambda: [Raises()], "its repr failed: ValueError: no words"),
    "in a dict": (lambda: {"a": Hangs()}, "its repr took longer than 0.1 seconds"),
    "pretends": (Pretends, "Pretends object"),
    "of a hostile metaclass": (OfMeta, "OfMeta object"),
    "class of a hostile metaclass": (lambda: OfMeta, "OfMeta"),
    "mock": (MagicMock, "MagicMock"),
    "exception": (Unsayable, "Unsayable"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_object_is_described_honestly(name: str) -> None:
    make, words = HOSTILE[name]
    found = describe(make())
    assert (words in found.text) is True
    assert len(found.text) <= BUDGET + LINE


def test_an_interrupt_of_the_user_is_none_of_the_objects_faults() -> None:
    class Interrupts:
        def __repr__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        describe([Interrupts()])


def test_many_objects_that_hang_cost_the_time_of_one() -> None:
    """They are of one class, so only the first is asked."""
    text = describe([Hangs() for _ in range(1_000)]).text
    assert text.count("took longer") == 1


def test_a_thread_can_describe_too() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(describe, [1, "a"]).result().text == "[1, 'a']"
        assert "took longer" in pool.submit(describe, Hangs()).result().text


def test_own_words_for_a_model_come_first() -> None:
    class Portfolio(dict):  # type: ignore[type-arg]
        def _repr_llm_(self) -> str:
            return "stocks, mostly"

    assert describe(Portfolio(a=1)).text == "stocks, mostly"


def test_own_words_that_fail_are_mentioned_above_the_others() -> None:
    class Portfolio(dict):  # type: ignore[type-arg]
        def _repr_llm_(self) -> str:
            raise ValueError("no")

    found = describe(Portfolio(a=1))
    assert found.text == "(its _repr_llm_ failed: ValueError: no)\nPortfolio({'a': 1})"


def test_strings_and_source_have_a_larger_budget() -> None:
    assert describe("x" * LONG_BUDGET).text == "x" * LONG_BUDGET
    assert len(describe(["x" * LONG_BUDGET]).text) <= BUDGET + LINE
    assert describe(describe).language == "python"


def test_control_characters_and_colours_do_not_matter() -> None:
    class Colourful:
        def __repr__(self) -> str:
            return "\x1b[31mred\x1b[0m \x1b]0;title\x07 \u202e"

    assert describe(Colourful()).text == "red ␛]0;title␇ <U+202E>"
    assert describe("a\x1b[31mb\x07\ud800").text == "ab␇\ufffd"


def test_addresses_are_left_out_because_they_differ_each_time() -> None:
    assert describe([object(), iter([])]).text == "[<object object>, <list_iterator object>]"


class Colour(enum.Enum):
    RED = 1


_ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text()
    | st.binary()
    | st.dates()
    | st.datetimes()
    | st.decimals()
    | st.sampled_from([Colour.RED, len, Colour, sys])
    | st.builds(Raises)
    | st.builds(Megabyte),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@given(_ANY, st.none() | st.integers(0, 3_000))
def test_a_description_fits_its_budget_and_is_always_the_same(
    value: object, budget: int | None
) -> None:
    found = describe(value, budget)
    assert len(found.text) <= (LONG_BUDGET if budget is None else budget) + LINE
    assert found == describe(value, budget)
    found.text.encode()
    assert "\n" not in found.kind
    assert len(found.kind) < 300


@given(st.lists(st.text(min_size=5)))
def test_what_is_not_all_there_says_so(value: list[str]) -> None:
    found = describe(value, 100)
    try:
        is_whole = eval(found.text) == value
    except SyntaxError:
        is_whole = False
    assert is_whole or found.left_out or found.text != repr(value)
