"""A column in a few words."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_magic.context.describe.columns import cell_text, is_missing, positions, summary
from copilot_magic.context.describe.foreign import Patience
from copilot_magic.context.describe.printer import Printer

DAY = datetime.datetime(2024, 1, 1)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "nothing but missing values"),
        ([True, False, True], "True: 2, False: 1"),
        ([1, 2, 6], "min 1, mean 3, max 6"),
        ([0.1, 0.2], "min 0.1, mean 0.15, max 0.2"),
        ([1, 2] * 10, "min 1, mean 1.5, max 2; 2 distinct (1: 10, 2: 10)"),
        ([10**400, 1], f"min 1, max 1{'0' * 59}"),
        ([decimal.Decimal("1.5"), decimal.Decimal("2.5")], "min 1.5, mean 2, max 2.5"),
        ([float("inf"), 1.0], "min 1, max inf"),
        (["a", "b", "a"] * 2, "2 distinct ('a': 4, 'b': 2)"),
        (list("abcdef"), "6 distinct, such as 'a', 'b', 'c'"),
        (["x"] * 3, "all 'x'"),
        ([DAY, DAY + datetime.timedelta(days=3)], "2024-01-01 to 2024-01-04"),
        ([DAY, DAY.replace(tzinfo=datetime.timezone.utc)], "2 distinct, such as "),
        ([1, "a", "b"], "mixed types: 2 str, 1 int; such as 1, 'a', 'b'"),
        ([[1], [2]], "2 list; such as [1], [2]"),
        ([datetime.timedelta(1), datetime.timedelta(2)], "1 day, 0:00:00 to 2 days, 0:00:00"),
    ],
)
def test_values_are_told_in_a_few_words(values: list[Any], words: str) -> None:
    assert summary(values, Printer(Patience())).startswith(words)


def test_the_most_frequent_of_many_texts_are_named() -> None:
    values = [f"v{i % 20}" for i in range(100)] + ["often"] * 50
    words = summary(values, Printer(Patience()))
    assert words.startswith("21 distinct (most frequent 'often': 50, 'v0': 5,")


def test_unequal_or_unhashable_objects_are_neither_compared_nor_hashed() -> None:
    class Touchy:
        def __eq__(self, other: object) -> bool:
            raise AssertionError

        __hash__ = __lt__ = __eq__  # type: ignore[assignment]

        def __repr__(self) -> str:
            return "touchy"

    words = summary([Touchy(), Touchy()], Printer(Patience()))
    assert words == "2 Touchy; such as touchy, touchy"


@given(st.integers(0, 10_000), st.integers(2, 50))
def test_positions_are_spread_from_end_to_end(size: int, count: int) -> None:
    found = positions(size, count)
    assert len(found) == min(size, count)
    assert found == sorted(set(found))
    if size:
        assert (found[0], found[-1]) == (0, size - 1)


def test_missing_values_have_several_forms() -> None:
    pd = pytest.importorskip("pandas")
    missing = [None, float("nan"), decimal.Decimal("nan"), pd.NaT, pd.NA]
    assert all(is_missing(value) for value in missing)
    assert not any(is_missing(value) for value in (0, "", [], "nan"))


def test_a_cell_is_one_short_line() -> None:
    printer = Printer(Patience())
    assert cell_text("a\nb", printer) == "a b"
    assert cell_text(1 / 3, printer) == "0.333333"
    assert cell_text(float("nan"), printer) == "NaN"
    assert cell_text(DAY, printer) == "2024-01-01 00:00:00"
    assert len(cell_text([1] * 10**6, printer, 20)) <= 20
