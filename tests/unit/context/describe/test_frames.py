"""Tables of pandas and Polars: all a model needs, at a cost that does not grow with the rows."""

from __future__ import annotations

from typing import Any

import pytest

from copilot_magic.context.describe.describe import describe
from copilot_magic.context.describe.description import BUDGET, LINE

np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")


def sales(rows: int) -> Any:
    count = np.arange(rows)
    return pd.DataFrame(
        {
            "order_id": count + 1,
            "region": np.array(["north", "south", "north", None], dtype=object)[count % 4],
            "amount": count % 100 + 0.25,
            "paid": count % 2 == 0,
            "date": pd.date_range("2024-01-01", periods=rows, freq="D")
            if rows < 10_000
            else pd.Timestamp("2024-01-01"),
        }
    )


def test_a_table_of_sales_reads_well() -> None:
    found = describe(sales(500))
    assert found.kind == "pandas DataFrame, 500 rows × 5 columns"
    assert found.left_out == "492 of 500 rows left out"
    lines = [" ".join(line.split()) for line in found.text.split("\n")]
    assert lines[0] == found.kind
    assert lines[1] == "index: RangeIndex, 0 to 499"
    assert lines[2].startswith("memory: ")
    assert lines[3] == "columns (missing and contents):"
    assert lines[4] == "order_id int64 0 missing min 1, mean 250.5, max 500"
    assert lines[5].endswith("125 missing 2 distinct ('north': 250, 'south': 125)")
    assert lines[6] == "amount float64 0 missing min 0.25, mean 49.75, max 99.25"
    assert lines[7] == "paid bool 0 missing True: 250, False: 250"
    assert lines[8].endswith("0 missing 2024-01-01 00:00:00 to 2025-05-14 00:00:00") or lines[
        8
    ].endswith("0 missing 2024-01-01 to 2025-05-14")
    assert lines[9] == "first 5 and last 3 rows:"
    assert lines[11].startswith("0 1 north 0.25 True 2024-01-01")
    assert lines[-4] == "…"
    assert lines[-1].startswith("499 500 ")


def test_a_small_table_is_shown_whole() -> None:
    found = describe(sales(7))
    assert "all rows:" in found.text
    assert found.left_out == ""


def test_from_a_thousand_rows_on_a_sample_is_described_and_says_so() -> None:
    text = describe(sales(1_000_000)).text
    assert "contents, of an evenly spaced sample of 1,000 rows" in text
    assert "sample" not in describe(sales(1_000)).text


class CountingArray(pd.api.extensions.ExtensionArray):  # type: ignore[misc,name-defined]
    """A column that counts the values that are read, and has no room for all of them."""

    def __init__(self, size: int, read: list[int]) -> None:
        self.size_, self.read = size, read

    dtype = pd.api.extensions.ExtensionDtype.__new__(
        type(
            "CountingDtype",
            (pd.api.extensions.ExtensionDtype,),
            {"name": "counting", "type": int, "na_value": None},
        )
    )
    nbytes = 0

    def __len__(self) -> int:
        return self.size_

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, (int, np.integer)):
            self.read.append(int(at))
            return int(at)
        if isinstance(at, slice):
            return CountingArray(len(range(*at.indices(self.size_))), self.read)
        return self.take(at)

    def take(self, indices: Any, *, allow_fill: bool = False, fill_value: Any = None) -> Any:
        self.read += list(indices)
        return CountingArray(len(indices), self.read)

    def isna(self) -> Any:
        self.read += range(self.size_)
        return np.zeros(self.size_, bool)

    def copy(self) -> Any:
        self.read += range(self.size_)
        return self

    def view(self, dtype: Any = None) -> Any:
        return self


def test_a_million_rows_cost_no_more_than_a_thousand() -> None:
    costs = []
    for size in (2_000, 1_000_000):
        read: list[int] = []
        frame = pd.DataFrame({"a": pd.Series(CountingArray(size, read), copy=False)}, copy=False)
        read.clear()
        found = describe(frame)
        assert "evenly spaced sample of 1,000 rows" in found.text
        costs.append(len(read))
    assert costs[0] == costs[1]
    assert costs[0] < 5_000


class Cell:
    """An object in a cell that counts its reprs."""

    reprs = 0

    def __repr__(self) -> str:
        Cell.reprs += 1
        return "x" * 100_000


class Hangs:
    def __repr__(self) -> str:
        raise SystemExit

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise SystemExit


def test_few_objects_in_cells_are_asked_for_their_repr() -> None:
    Cell.reprs = 0
    found = describe(pd.DataFrame({"o": [Cell() for _ in range(5_000)]}))
    assert len(found.text) < 2_000
    assert Cell.reprs < 20


def test_cells_may_be_hostile() -> None:
    values = [Hangs(), [1], {}, {1}, "a\x1b[31m\n" * 10_000, 10**5_000, None, float("inf")]
    found = describe(pd.DataFrame({"o": values}))
    assert "mixed types: " in found.text
    assert "\x1b" not in found.text
    assert len(found.text) < 3_000


def test_wide_tables_name_forty_columns_and_count_the_others() -> None:
    found = describe(pd.DataFrame(np.zeros((30, 1_000))))
    assert "  … and 960 more columns: 40, 41, " in found.text
    assert found.left_out == "22 of 30 rows and 960 of 1,000 columns left out"
    assert len(found.text) <= BUDGET


TABLES: dict[str, Any] = {
    "nothing": lambda: pd.DataFrame(),
    "no rows": lambda: pd.DataFrame({"a": []}),
    "no columns": lambda: pd.DataFrame(index=range(5)),
    "nothing but missing": lambda: pd.DataFrame({"a": [None, None]}),
    "duplicate columns": lambda: pd.DataFrame([[1, "b"]], columns=["a", "a"]),
    "columns of two levels": lambda: pd.DataFrame(
        [[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("b", "y")], names=["k", "l"])
    ),
    "index of two levels": lambda: sales(30).set_index(["region", "order_id"]),
    "categories": lambda: pd.DataFrame({"c": pd.Categorical(["a", "b", "a"])}),
    "nullable": lambda: pd.DataFrame({"n": pd.array([1, None, 3], dtype="Int64")}),
    "time zones": lambda: pd.DataFrame({"t": pd.date_range("2024", periods=3, tz="UTC")}),
    "periods": lambda: pd.DataFrame({"p": pd.period_range("2024-01", periods=3, freq="M")}),
    "intervals": lambda: pd.DataFrame({"i": pd.cut([1, 2, 3], 2)}),
    "sparse": lambda: pd.DataFrame({"s": pd.arrays.SparseArray([0, 0, 1])}),
    "complex": lambda: pd.DataFrame({"c": [1 + 2j]}),
    "time differences": lambda: pd.DataFrame({"d": pd.to_timedelta([1, 2], unit="h")}),
    "series": lambda: sales(50)["amount"],
    "series without a name": lambda: pd.Series([1, 2]),
    "index": lambda: pd.Index(["a", "b"], name="q"),
    "index of levels": lambda: pd.MultiIndex.from_product([[1, 2], ["a"]]),
    "date index": lambda: pd.date_range("2024", periods=5_000, freq="h"),
    "groups": lambda: sales(50).groupby("region"),
    "groups of a column": lambda: sales(50).groupby(["region", "paid"])["amount"],
    "float index": lambda: pd.Series([1, 2, 3], index=[0.5, 1.5, 2.5]),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("budget", [None, 300])
def test_every_kind_of_table_is_described_as_such(name: str, budget: int | None) -> None:
    found = describe(TABLES[name](), budget)
    assert found.kind.startswith("pandas ")
    assert found.text.startswith(found.kind)
    assert len(found.text) <= (budget or BUDGET) + LINE
    assert "description" not in found.text


def test_arrow_lists_and_texts_are_described() -> None:
    pa = pytest.importorskip("pyarrow")
    kind = pd.ArrowDtype(pa.list_(pa.int64()))
    frame = pd.DataFrame(
        {"l": pd.Series([[1, 2], None], dtype=kind), "s": pd.Series(["a"] * 2, dtype="string")}
    )
    text = describe(frame).text
    assert "1 missing" in text
    assert "all 'a'" in text


def test_what_is_special_about_a_table_is_said() -> None:
    def text(name: str) -> str:
        return describe(TABLES[name]()).text

    assert "column names that occur more than once: a" in text("duplicate columns")
    assert "columns have 2 levels: k, l" in text("columns of two levels")
    assert "MultiIndex with 2 levels named region, order_id" in text("index of two levels")
    assert "(2 categories)" in text("categories")
    assert "min 1, mean 2, max 3" in text("nullable")
    assert "frequency h" in text("date index")
    assert "grouped by 'region'" in text("groups")
    assert "some labels more than once" in describe(pd.Series([1, 2], index=["a", "a"])).text


def test_a_polars_table_reads_like_one_of_pandas() -> None:
    pl = pytest.importorskip("polars")
    found = describe(pl.DataFrame({"a": [1, None, 3], "b": ["x", "y", "x"], "l": [[1], [], None]}))
    assert found.kind == "Polars DataFrame, 3 rows × 3 columns"
    lines = [" ".join(line.split()) for line in found.text.split("\n")]
    assert lines[3] == "a Int64 1 missing min 1, mean 2, max 3"
    assert lines[4] == "b String 0 missing 2 distinct, such as 'x', 'y'"
    assert lines[5].startswith("l List(Int64) 1 missing 2 list")
    assert lines[-3:] == ["1 x [1]", "None y []", "3 x None"]


def test_polars_samples_and_never_collects() -> None:
    pl = pytest.importorskip("polars")
    long = pl.DataFrame({"a": range(5_000), "s": ["x" * 1_000] * 5_000})
    assert "evenly spaced sample of 1,000 rows" in describe(long).text
    assert describe(long["a"]).kind == "Polars Series of Int64, 5,000 values"

    def collected(frame: Any) -> Any:
        raise AssertionError

    lazy = long.lazy().map_batches(collected, schema={"a": pl.Int64})
    found = describe(lazy)
    assert found.kind == "Polars LazyFrame, 1 column, not collected"
    assert "plan:" in found.text


def test_a_column_of_arrows_lists_is_shown_with_all_rows_of_a_small_table() -> None:
    arrow = pytest.importorskip("pyarrow")
    lists = pd.Series([[i] for i in range(15)], dtype=pd.ArrowDtype(arrow.list_(arrow.int64())))
    text = describe(pd.DataFrame({"a": lists})).text
    assert "failed" not in text
    assert "[14]" in text
