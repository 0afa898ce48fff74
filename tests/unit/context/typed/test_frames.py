"""Tables become real DataFrames with sensible types, and what is no table is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest

from copilot_magic.context.typed.frames import frame_of
from copilot_magic.context.typed.plain_types import Form

pd = pytest.importorskip("pandas")

ASKED = {"columns": ["n", "x", "name", "ok"], "rows": [[1, 0.5, "a", True], [2, 1, "b", False]]}
SAME = [
    ASKED,
    {"columns": ASKED["columns"], "data": ASKED["rows"]},
    [dict(zip(ASKED["columns"], row, strict=True)) for row in ASKED["rows"]],
    {"n": [1, 2], "x": [0.5, 1], "name": ["a", "b"], "ok": [True, False]},
    {
        "columns": ASKED["columns"],
        "rows": [dict(zip(ASKED["columns"], row, strict=True)) for row in ASKED["rows"]],
    },
]


def form(cls: Any) -> Form:
    found = frame_of(cls)
    assert found is not None
    return found


@pytest.mark.parametrize("value", SAME)
def test_a_table_is_read_in_each_usual_form(value: Any) -> None:
    frame = form(pd.DataFrame).read(value, "answer")
    expected = pd.DataFrame({"n": [1, 2], "x": [0.5, 1], "name": ["a", "b"], "ok": [True, False]})
    pd.testing.assert_frame_equal(frame, expected)
    assert [str(kind) for kind in frame.dtypes[["n", "x", "ok"]]] == ["int64", "float64", "bool"]


def test_missing_values_are_missing() -> None:
    frame = form(pd.DataFrame).read([{"n": 1, "name": "a"}, {"name": None}], "answer")
    assert frame["n"].isna().tolist() == [False, True] and frame["n"].dtype == "float64"
    assert frame["name"].isna().tolist() == [False, True]


def test_a_table_without_rows_has_its_columns() -> None:
    frame = form(pd.DataFrame).read({"columns": ["a", "b"], "rows": []}, "answer")
    assert list(frame.columns) == ["a", "b"] and len(frame) == 0
    assert len(form(pd.DataFrame).read([], "answer")) == 0


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (5, "answer: must be a table, not 5"),
        ({}, "answer: must be a table, not an object"),
        ({"columns": ["a"], "rows": [[1, 2]]}, "answer.rows[0]: must have 1 values, not 2"),
        ({"columns": ["a"], "rows": [1]}, "answer.rows[0]: must be a list, not 1"),
        ({"columns": ["a"], "rows": [[[1]]]}, "answer.rows[0][0]: must be a number, text, true"),
        ({"columns": ["a", "a"], "rows": []}, "answer.columns: has 'a' twice"),
        ({"columns": [1], "rows": []}, "answer.columns[0]: must be text, not 1"),
        ({"columns": "a", "rows": []}, "answer.columns: must be a list of names, not 'a'"),
        ([{"a": 1}, 5], "answer[1]: must be an object, not 5"),
        ({"a": [1, 2], "b": [1]}, "answer.b: must have 2 values, not 1"),
        ({"a": 1}, "answer.a: must be a list of the column's values, not 1"),
        ([{"a": {}}], "answer[0][0]: must be a number, text, true, false or null, not an object"),
    ],
)
def test_what_is_no_table_is_refused(value: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        form(pd.DataFrame).read(value, "answer")


def test_a_series_is_a_list_of_its_values() -> None:
    pd.testing.assert_series_equal(form(pd.Series).read([1, 2], "answer"), pd.Series([1, 2]))
    assert len(form(pd.Series).read([], "answer")) == 0
    with pytest.raises(ValueError, match="must be a list"):
        form(pd.Series).read({"a": 1}, "answer")


def test_polars_gets_its_own_tables() -> None:
    pl = pytest.importorskip("polars")
    for value in SAME:
        frame = form(pl.DataFrame).read(value, "answer")
        assert frame.schema == {"n": pl.Int64, "x": pl.Float64, "name": pl.String, "ok": pl.Boolean}
        assert frame.rows() == [(1, 0.5, "a", True), (2, 1.0, "b", False)]
    mixed = form(pl.DataFrame).read({"columns": ["a"], "rows": [[1], ["x"], [None]]}, "answer")
    assert mixed["a"].to_list() == ["1", "x", None]
    empty = form(pl.DataFrame).read({"columns": ["a"], "rows": []}, "answer")
    assert empty.columns == ["a"] and empty.height == 0
    assert form(pl.Series).read([1, 2.5], "answer").to_list() == [1.0, 2.5]


def test_other_classes_are_no_tables() -> None:
    class Special(pd.DataFrame):
        """A user's own, which may need more to be made."""

    for cls in (int, dict, Special):
        assert frame_of(cls) is None
