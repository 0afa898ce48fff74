"""A table is laid out so that it fits."""

from __future__ import annotations

import pytest

from copilot_magic.context.describe.foreign import Patience
from copilot_magic.context.describe.printer import Printer
from copilot_magic.context.describe.tables import Table, column_of, label, rendered, rows_shown

PRINTER = Printer(Patience())


def table(columns: int, rows: int = 10) -> Table:
    values = [f"some words {i}" for i in range(rows)]
    some = [column_of(f"column {i}", "str", values, values, PRINTER) for i in range(columns)]
    return Table(f"table, {rows} rows", ["index: none"], rows, columns, some)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("total", "total"),
        ("net price (€)", "'net price (€)'"),
        ("net price", "net price"),
        (0, "0"),
        ("0", "'0'"),
        (" a", "' a'"),
        ("a ", "'a '"),
        ("", "''"),
        ("a\nb", r"'a\nb'"),
        (("a", 1), "('a', 1)"),
        (None, "None"),
    ],
)
def test_a_name_that_could_be_taken_for_something_else_is_quoted(name: object, text: str) -> None:
    assert label(name, PRINTER) == text


def test_small_tables_are_shown_whole_and_others_by_their_ends() -> None:
    assert rows_shown(20) == (20, 0)
    assert rows_shown(21) == (5, 3)


def test_columns_are_below_each_other() -> None:
    lines = rendered(table(2), 5_000).text.split("\n")
    assert lines[3].index("str") == lines[4].index("str")
    assert lines[5] == "all rows:"
    assert {len(line) for line in lines[6:]} == {len(lines[6])}


@pytest.mark.parametrize("budget", [300, 600, 1_200, 2_400, 5_000])
def test_the_budget_is_kept_with_fewer_columns_and_rows(budget: int) -> None:
    found = rendered(table(30), budget)
    assert len(found.text) <= budget + 80
    is_whole = "all rows:" in found.text and "more column" not in found.text
    assert bool(found.left_out) is not is_whole


def test_missing_values_are_counted() -> None:
    column = column_of("a", "float", [1.0, None, float("nan")], [1.0], PRINTER)
    assert (column.missing, column.summary, column.cells) == (2, "all 1", ["1"])
