"""Objects in a few words."""

from __future__ import annotations

import os
from typing import Any

import pytest

from copilot_magic.context.describe.short import short


class Hostile:
    def __len__(self) -> int:
        raise SystemExit

    def __repr__(self) -> str:
        raise SystemExit

    shape = property(lambda self: 1 / 0)
    dtype = property(lambda self: 1 / 0)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (5, "int 5"),
        (1.5, "float 1.5"),
        (True, "bool True"),
        (None, "None"),
        ([1, 2], "list, 2 items"),
        ({}, "dict, 0 items"),
        ({1: 2}, "dict, 1 item"),
        ("abc", "str, 3 characters"),
        (b"a", "bytes, 1 byte"),
        (os, "module"),
        (int, "class"),
        (short, "function"),
        (print, "function"),
        (object(), "object"),
        (Hostile(), "Hostile"),
        (type("x\x1b[31m" * 50, (), {})(), None),
    ],
)
def test_an_object_is_its_type_and_its_size(value: Any, words: str | None) -> None:
    said = short(value)
    assert said == words or words is None
    assert len(said) <= 60
    assert said.isprintable()


def test_tables_and_arrays_are_their_shape() -> None:
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    assert short(pd.DataFrame({"a": range(1200), "b": 1})) == "DataFrame, 1,200 × 2"
    assert short(pd.Series([1])) == "Series, 1 value"
    assert short(np.zeros((3, 4))) == "array, 3 × 4"
    assert short(np.zeros(5)) == "array, 5 values"
    assert short(np.float64(2.5)) == "float64 2.5"
    pl = pytest.importorskip("polars")
    assert short(pl.DataFrame({"a": [1]})) == "DataFrame, 1 × 1"
    assert short(pl.LazyFrame({"a": [1]})) == "LazyFrame"


def test_a_text_is_not_shown_since_it_may_be_a_password() -> None:
    assert "hunter2" not in short("hunter2") + short(b"hunter2") + short(["hunter2"])
