"""Names of the user's, offered without calling what is the user's."""

from __future__ import annotations

import dataclasses
import enum
import os
from typing import Any

import pytest

from copilot_magic.notebook.completing_names import (
    complete_expression,
    open_field,
    picture_names,
    type_names,
    variable_names,
)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("a {{df", "df"),
        ("a {{df\n.x", "df\n.x"),
        ("a {{df}} {{e", "e"),
        ("{{f({'a': {1: 2", "f({'a': {1: 2"),
        ("{{", ""),
        ("a {{df}}", None),
        ("a {df", None),
        ("a {{{df", None),
        ("a {{{{df", None),
        ("", None),
        ("{{" + "x" * 5_000, None),
    ],
)
def test_a_field_is_open_until_its_braces_close(text: str, field: str | None) -> None:
    assert open_field(text) == field


class Thing:
    size = 3
    _private = 4

    @property
    def broken(self) -> int:
        raise ZeroDivisionError


VARIABLES: dict[str, Any] = {
    "thing": Thing(),
    "config": {"password": 1, "path": {"home": "x"}, 3: 4, "two\nlines": 5},
    "environ": os.environ,
    "_hidden": 1,
    "größe": 1,
}


@pytest.mark.parametrize(
    ("expression", "offered", "fragment"),
    [
        ("thi", ["thing"], "thi"),
        ("", ["config", "environ", "größe", "thing"], ""),
        ("gr", ["größe"], "gr"),
        ("len(thi", ["thing"], "thi"),
        ("x + thi", ["thing"], "thi"),
        ("_hid", ["_hidden"], "_hid"),
        ("isinst", ["isinstance"], "isinst"),
        ("thing.s", ["size"], "s"),
        ("thing._p", ["_private"], "_p"),
        ("len(thing.s", ["size"], "s"),
        ("config['pas", ["password"], "pas"),
        ('config["pa', ["password", "path"], "pa"),
        ("config['path']['ho", ["home"], "ho"),
        ("config[", ["'password'", "'path'"], ""),
        ("f(config['path'].ke", ["keys"], "ke"),
        ("environ['PAT", ["PATH"], "PAT"),
        # Nothing is called, and nothing offered inside of texts, numbers and results.
        ("f('thi", [], "thi"),
        ("thing.broken.x", [], "x"),
        ("thing.missing.x", [], "x"),
        ("len(x).re", [], ""),
        ("'a'.up", [], ""),
        ("config['x'].", [], ""),
        ("3.", [], ""),
        ("12", [], ""),
        ("nothing.x", [], "x"),
    ],
)
def test_what_fits_at_the_end_of_an_expression(
    expression: str, offered: list[str], fragment: str
) -> None:
    assert complete_expression(expression, VARIABLES) == (offered, fragment)


def test_nothing_of_the_users_is_called() -> None:
    class Loud(dict[str, int]):
        def __iter__(self) -> Any:
            raise AssertionError

        def __getitem__(self, key: str) -> Any:
            raise AssertionError

        def keys(self) -> Any:
            raise AssertionError

        def __call__(self) -> Any:
            raise AssertionError

    class Rude:
        def __dir__(self) -> Any:
            raise ZeroDivisionError

    variables = {"loud": Loud(price=1), "rude": Rude()}
    assert complete_expression("loud['pr", variables) == (["price"], "pr")
    assert complete_expression("loud['price'].re", variables) == (["real"], "re")
    assert complete_expression("loud().re", variables) == ([], "")
    assert complete_expression("rude.re", variables) == ([], "re")
    assert complete_expression("rude['re", variables) == ([], "re")


def test_columns_of_tables_are_offered() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"price": [1.0], "unit price": [2.0], 3: [4]})
    variables = {"df": table}
    assert complete_expression('df["', variables) == (["price", "unit price"], "")
    assert complete_expression("df.pri", variables) == (["price"], "pri")
    assert "mean" in complete_expression('df["price"].me', variables)[0]
    assert "columns" in complete_expression("df.", variables)[0]


def test_columns_of_polars_are_offered() -> None:
    polars = pytest.importorskip("polars")
    variables = {"df": polars.DataFrame({"price": [1.0], "unit price": [2.0]})}
    assert complete_expression('df["uni', variables) == (["unit price"], "uni")


def test_types_of_the_users_are_offered() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Colour(enum.Enum):
        RED = 1

    class Model(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        x: int

    class Plain:
        pass

    point = dataclasses.make_dataclass("Point", ["x"])
    names = type_names(
        {"Colour": Colour, "Model": Model, "Plain": Plain, "Point": point, "p": point(1)}
        | {"Enum": enum.Enum, "BaseModel": pydantic.BaseModel, "int": int}
    )
    assert names[:4] == ["int", "float", "str", "bool"]
    assert names[-4:] == ["DataFrame", "Colour", "Model", "Point"]


def test_variables_are_data_and_pictures_come_first() -> None:
    class Figure:
        pass

    variables = {"a": 1, "fig": Figure(), "os": os, "Figure": Figure, "f": len, "_b": 2}
    assert variable_names(variables) == ["a", "fig"]
    assert picture_names(variables) == ["fig", "a"]
