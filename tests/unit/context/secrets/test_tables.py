"""Secrets of the tables in the namespace: of the rows that a notebook shows."""

from __future__ import annotations

from typing import Any

import pytest

from copilot_magic.context.secrets.masker import Masker
from copilot_magic.context.secrets.tables import of_table

SECRET = "s3cr3tP4ss!x"


def table(library: str, columns: dict[str, Any]) -> Any:
    return pytest.importorskip(library).DataFrame(columns)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_what_is_printed_of_a_table_is_masked_like_a_variable(library: str) -> None:
    frame = table(library, {"user": ["me"], "password": [SECRET], "sort_key": ["customer_name"]})
    masker = Masker({"df": frame})
    text = masker.mask(f"{frame}")
    assert SECRET not in text
    assert "[masked: password]" in text
    assert masker.masked == ["password"]
    assert masker.mask("customer_name of me") == "customer_name of me"
    assert Masker({"column": frame["password"]}).mask(SECRET) == "[masked: password]"


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_of_a_large_table_only_the_ends_are_read(library: str) -> None:
    frame = table(library, {"password": [f"s3cr3t-{i}-x" for i in range(200)]})
    cells = [cell for _, cell in of_table(frame)]
    assert cells == [f"s3cr3t-{i}-x" for i in (*range(30), *range(170, 200))]


def test_harmless_columns_and_numbers_are_not_learned() -> None:
    frame = table(
        "pandas",
        {
            "token": ["running", "stopped"],
            "key": [1, 2],
            "pin": ["1234", "5678"],
            "api_key": [7, 8],
        },
    )
    masker = Masker({"df": frame})
    text = frame.to_string()
    assert masker.mask(text) == text


def test_other_objects_are_not_looked_into() -> None:
    pandas = pytest.importorskip("pandas")

    class Mine(pandas.DataFrame):  # type: ignore[misc, name-defined]
        @property
        def iloc(self) -> Any:
            raise AssertionError

    assert list(of_table(Mine({"password": [SECRET]}))) == []
    assert list(of_table([{"password": SECRET}])) == []


def test_many_tables_do_not_slow_the_masker_down_without_bound() -> None:
    tables = {
        f"df{i}": table("pandas", {"password": [f"s3cr3t-{i}-{j}" for j in range(60)]})
        for i in range(20)
    }
    masker = Masker(tables)
    masked = [f"s3cr3t-{i}-{j}" for i in range(20) for j in range(60)]
    known = sum(masker.mask(f"({each})") == "([masked: password])" for each in masked)
    assert 400 <= known <= 600


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_the_beginning_of_a_long_secret_that_a_table_prints_is_masked(library: str) -> None:
    frame = table(library, {"user": ["me"], "password": [f"s3cr3t{'-Ab1' * 50}"]})
    assert "s3cr3t" in f"{frame}"
    text = Masker({"df": frame}).mask(f"{frame}")
    assert "s3cr3t" not in text
    assert "Ab1" not in text
