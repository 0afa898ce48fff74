"""Fingerprints tell that an object has changed, at the same cost for any size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_magic.context.fingerprint import changes, fingerprint

np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")


def told(before: Any, now: Any) -> str:
    """Return what has changed, after a round trip through JSON."""
    stored = json.loads(json.dumps(fingerprint(before)))
    return changes(stored, fingerprint(now))


def frame(rows: int = 100) -> Any:
    return pd.DataFrame({"a": range(rows), "b": ["x"] * rows, "c": [1.5] * rows})


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (lambda df: df, ""),
        (lambda df: df.copy(), ""),
        (lambda df: pd.concat([df, df[:20]]), "100 → 120 rows"),
        (lambda df: df.assign(tax=1), "columns added: tax"),
        (lambda df: df.drop(columns=["a", "b"]), "columns dropped: a, b"),
        (lambda df: df.astype({"a": "float64"}), "type of `a`: int64 → float64"),
        (lambda df: df[["c", "b", "a"]], "columns in another order"),
        (lambda df: df.assign(c=2.5), "other values"),
        (lambda df: df.set_index(df.index + 1), "other values"),
        (lambda df: df["a"], "DataFrame → Series"),
        (lambda df: "text", "DataFrame → str"),
        (lambda df: object(), "no DataFrame any more"),
    ],
)
def test_a_change_of_a_table_is_told_in_a_few_words(now: Callable[[Any], Any], words: str) -> None:
    assert told(frame(), now(frame())) == words


def test_the_last_row_of_a_long_table_counts() -> None:
    longer = frame(100_000)
    longer.iloc[-1, 0] = -1
    assert told(frame(100_000), longer) == "other values"


def test_wide_tables_are_told_by_their_counts() -> None:
    wide = pd.DataFrame(np.zeros((3, 500)))
    more = pd.DataFrame(np.zeros((3, 501)))
    renamed = wide.rename(columns={400: "other"})
    assert len(json.dumps(fingerprint(wide))) < 4_000
    assert told(wide, more) == "500 → 501 columns"
    assert told(wide, renamed) == "other columns"


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        (1, 2, "1 → 2"),
        (1, "1", "int → str"),
        ("a" * 100, "a" * 99 + "b", "other values"),
        ("a" * 100, "a" * 101, "length 100 → 101"),
        ([1, 2], [1, 3], "other values"),
        ([1, 2], [1, 2, 3], "length 2 → 3"),
        ({"a": 1}, {"a": 2}, "other values"),
        ({1, 2}, {1, 2, 3}, "length 2 → 3"),
        (np.zeros(3), np.ones(3), "other values"),
        (np.zeros((3, 4)), np.zeros((4, 3)), "shape 3 × 4 → 4 × 3"),
        (np.zeros(3), np.zeros(3, dtype="int8"), "type: float64 → int8"),
        (pd.Series([1]), pd.Series([1.0]), "type: int64 → float64"),
        (object(), 1, ""),
        (object(), object(), ""),
    ],
)
def test_changes_of_other_objects_are_told(before: Any, now: Any, words: str) -> None:
    assert told(before, now) == words
    assert told(before, before) == ""


def test_a_table_of_another_library_is_another_type() -> None:
    pl = pytest.importorskip("polars")
    table = pl.DataFrame({"a": [1, 2]})
    assert told(pd.DataFrame({"a": [1, 2]}), table) == "pandas.DataFrame → polars.DataFrame"
    assert told(table, table.with_columns(b=1)) == "columns added: b"
    assert told(table, table.lazy()) == "DataFrame → LazyFrame"
    assert told(table.lazy(), table.lazy().select("a")) == ""


def test_an_xarray_is_told_by_its_sizes() -> None:
    xr = pytest.importorskip("xarray")
    short, long = (xr.DataArray(np.zeros((n, 2)), dims=("t", "x")) for n in (3, 4))
    assert told(short, long) == "shape t: 3 × x: 2 → t: 4 × x: 2"


def test_a_new_definition_of_a_function_is_told() -> None:
    assert told(frame, told) == "other source"
    assert told(frame, frame) == ""


class Touchy(list):
    """A list whose own methods must not be called."""

    def __getitem__(self, index: Any) -> Any:
        raise AssertionError

    __iter__ = __len__ = __getitem__  # type: ignore[assignment]


class Cell:
    """An object that counts how often it is asked for anything."""

    asked = 0

    def __repr__(self) -> str:
        Cell.asked += 1
        return "cell"

    __hash__ = None  # type: ignore[assignment]


def test_objects_in_a_table_are_not_asked() -> None:
    before = Cell.asked
    assert fingerprint(pd.DataFrame({"a": [Cell() for _ in range(2_000)]}))["rows"] == 2_000
    assert Cell.asked == before


def test_a_long_list_costs_no_more_than_a_short_one() -> None:
    assert fingerprint(Touchy(range(10**6)))["length"] == 10**6
    assert fingerprint(deque([1] * 10**5))["length"] == 10**5


def test_the_fingerprint_of_anything_fits_in_json(
    tmp_path: Any,
) -> None:
    for value in (None, 1.5, float("nan"), "\ud800\x1b", b"\xff", {1: {2: 3}}, print, json, int):
        found = fingerprint(value)
        assert json.loads(json.dumps(found)) == found
        assert len(json.dumps(found)) < 1_000


@given(st.recursive(st.none() | st.integers() | st.text() | st.floats(), st.lists, max_leaves=20))
def test_an_unchanged_value_has_not_changed(value: Any) -> None:
    assert told(value, value) == ""


_JSON = st.recursive(
    st.none() | st.integers() | st.text() | st.booleans(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
_KEYS = st.sampled_from(["type", "rows", "columns", "shape", "sample", "length", "column_count"])


@given(st.dictionaries(_KEYS, _JSON, max_size=3), st.dictionaries(_KEYS, _JSON, max_size=3))
def test_whatever_was_stored_the_comparison_does_not_fail(
    before: dict[str, Any], now: dict[str, Any]
) -> None:
    assert isinstance(changes(before, now), str)


def test_other_keys_of_another_version_do_not_count() -> None:
    now = fingerprint(frame())
    assert changes({"type": "pandas.DataFrame", "hash": "abc", "version": 2}, now) == ""


def test_another_process_gives_the_same_fingerprint() -> None:
    code = (
        "import json, pandas as pd, numpy as np\n"
        "from copilot_magic.context.fingerprint import fingerprint\n"
        "values = [{'a', 'b', 'c'}, {'a': {'x', ('y', 1)}}, [{1: object()}, str.upper],\n"
        "    'text', [1, (2, 3)],\n"
        "    pd.DataFrame({'a': ['x', 'y'], 'b': pd.to_datetime(['2024-01-01'] * 2)}),\n"
        "    np.arange(1000), pd.Categorical(['a'])]\n"
        "print(json.dumps([fingerprint(value) for value in values]))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_a_hostile_object_has_no_fingerprint() -> None:
    class Hostile(list):
        @property
        def __class__(self) -> Any:
            raise SystemExit

    class Sequence(str):
        def __len__(self) -> int:
            raise SystemExit

    assert fingerprint(Hostile([1]))["length"] == 1
    assert fingerprint(Sequence("abc"))["length"] == 3
