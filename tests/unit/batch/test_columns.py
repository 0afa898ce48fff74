"""Answers as a column of a table."""

from __future__ import annotations

import pandas
import pytest

from copilot_magic.batch.columns import series_of
from copilot_magic.chat.answer import Answer


@pytest.mark.parametrize(
    ("answers", "dtype"), [([1, None, 3], "Int64"), ([True, None], "boolean"), ([1, 2], "int64")]
)
def test_whole_numbers_stay_so_if_some_are_missing(answers: list[object], dtype: str) -> None:
    assert series_of(answers).dtype == dtype


def test_texts_are_plain_and_the_index_is_kept() -> None:
    column = series_of([Answer("a"), None], ["x", "y"])
    assert (
        type(column["x"]) is str and pandas.isna(column["y"]) and list(column.index) == ["x", "y"]
    )
