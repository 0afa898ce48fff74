"""What a batch can be asked about."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy
import pandas
import pytest

from copilot_magic.batch.items import Items, is_missing
from copilot_magic.errors import UsageError


def test_any_iterable_gives_its_elements() -> None:
    assert list(Items(["a", "b"])) == ["a", "b"] and Items(["a", "b"]).total == 2
    assert list(Items(n for n in range(3))) == [0, 1, 2]
    assert Items(iter([1])).total is None
    assert list(Items(numpy.array([1, 2]))) == [1, 2]


def test_first_takes_so_many_and_reads_no_more() -> None:
    numbers = count()
    assert list(Items(numbers, 3)) == [0, 1, 2] and next(numbers) == 3
    assert Items([1, 2], 5).total == 2 and Items(count(), 5).total is None


def test_a_series_gives_its_values_and_keeps_its_index() -> None:
    items = Items(pandas.Series(["a", "b", "c"], index=[10, 20, 30]), 2)
    assert list(items) == ["a", "b"] and list(items.index) == [10, 20] and items.total == 2


def test_a_table_gives_its_rows_as_dicts() -> None:
    items = Items(pandas.DataFrame({"a": [1, 2], "b c": ["x", "y"]}, index=["r", "s"]))
    assert list(items) == [{"a": 1, "b c": "x"}, {"a": 2, "b c": "y"}]
    assert list(items.index) == ["r", "s"]


def test_polars_is_known_too() -> None:
    polars = pytest.importorskip("polars")
    items = Items(polars.DataFrame({"a": [1, 2]}))
    assert list(items) == [{"a": 1}, {"a": 2}] and items.is_polars and items.index is None
    assert list(Items(polars.Series(["x"]))) == ["x"]


@pytest.mark.parametrize("source", ["one text", b"bytes", {"a": 1}, 5, None])
def test_what_has_no_rows_is_refused(source: Any) -> None:
    with pytest.raises(UsageError, match="The items are"):
        Items(source)


def test_first_must_be_positive() -> None:
    with pytest.raises(UsageError, match="first"):
        Items([1], 0)


@pytest.mark.parametrize("item", [None, float("nan"), numpy.nan, pandas.NA, pandas.NaT])
def test_missing_values_are_empty(item: object) -> None:
    assert is_missing(item)


@pytest.mark.parametrize("item", ["", 0, False, [], numpy.array([1, 2]), 0.0])
def test_other_values_are_not(item: object) -> None:
    assert not is_missing(item)
