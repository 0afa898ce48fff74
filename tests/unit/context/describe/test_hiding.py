"""Objects with columns, keys and fields of secrets, described without a trace of them."""

from __future__ import annotations

import string
from collections import namedtuple
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_magic.context.describe.describe import describe
from copilot_magic.context.describe.hiding import Hiding
from copilot_magic.context.secrets.masker import Masker

SECRET = "s3cr3tP4ss!x"
LONG = f"s3cr3t{'-Ab1!x' * 20}"
COLUMNS = {"user": ["me"] * 3, "password": [SECRET, LONG, None], "n": [1, 2, 3]}


def described(value: object, expression: str = "v", budget: int | None = None) -> str:
    """Return the description; no part of the secrets may be in it."""
    hiding = Hiding(Masker(), expression)
    text = hiding.describe(value, budget).text
    assert "s3cr3t" not in text
    assert "P4ss" not in text
    assert hiding.has_hidden
    return text


def pandas_shapes() -> dict[str, Any]:
    pd = pytest.importorskip("pandas")
    df = pd.DataFrame(COLUMNS)
    return {
        "frame": df,
        "head": df.head(1),
        "column": df["password"],
        "row": df.iloc[0],
        "transposed": df.T,
        "summary": df.describe(include="all"),
        "index": df.set_index("password"),
        "levels": df.set_index(["user", "password"]),
        "only the index": df.set_index("password").index,
        "only the levels": df.set_index(["user", "password"]).index,
        "counts": df["password"].value_counts(),
        "groups": df.groupby("user"),
        "category": df.astype({"password": "category"}),
        "objects": df.astype(object),
        "bytes": pd.DataFrame({"password": [SECRET.encode(), LONG.encode()]}),
        "lists": pd.DataFrame({"passwords": [[SECRET], [LONG]]}),
        "dicts": pd.DataFrame({"login": [{"password": SECRET}, {"password": LONG}]}),
        "upper level": pd.concat({"x": df}, axis=1),
        "large": pd.DataFrame({"password": [f"s3cr3t-{i}" for i in range(5_000)]}),
    }


PANDAS = (
    *("frame", "head", "column", "row", "transposed", "summary", "index", "levels", "groups"),
    *("only the index", "only the levels", "counts", "category", "objects", "bytes", "lists"),
    *("dicts", "upper level", "large"),
)


@pytest.mark.parametrize("shape", PANDAS)
def test_pandas_columns_rows_and_indexes_with_a_secrets_name_are_masked(shape: str) -> None:
    value = pandas_shapes()[shape]
    assert "[masked: pass" in described(value)
    for budget in (100, 300, 600, 1_000):
        hiding = Hiding(Masker(), "v")
        text = hiding.describe(value, budget).text
        assert "s3cr3t" not in text


@pytest.mark.parametrize("shape", ["frame", "column", "lists", "structs", "enum", "categories"])
def test_polars_columns_with_a_secrets_name_are_masked(shape: str) -> None:
    pl = pytest.importorskip("polars")
    df = pl.DataFrame(COLUMNS)
    value = {
        "frame": df,
        "column": df["password"],
        "lists": pl.DataFrame({"passwords": [[SECRET], [LONG]]}),
        "structs": pl.DataFrame({"login": [{"password": SECRET}, {"password": LONG}]}),
        "enum": df["password"].cast(pl.Enum([SECRET, LONG])),
        "categories": df.with_columns(pl.col("password").cast(pl.Categorical)),
    }[shape]
    assert "[masked: password" in described(value)


def test_xarrays_variables_with_a_secrets_name_are_masked() -> None:
    xr = pytest.importorskip("xarray")
    array = xr.DataArray([SECRET, LONG], dims="i", name="password", attrs={"api_key": SECRET})
    assert "[masked: password]" in described(array)
    assert "[masked: password]" in described(array.to_dataset())
    named = xr.DataArray([1, 2], dims="password", coords={"password": [SECRET, LONG]})
    assert "password (password) <U126: [masked: password] to" in described(named)


@dataclass
class Login:
    user: str
    password: str


class Plain:
    def __init__(self) -> None:
        self.user = "me"
        self.password = LONG


@pytest.mark.parametrize(
    "value",
    [
        [{"user": "me", "password": SECRET}, {"user": "you", "password": LONG}],
        {"user": ["me"], "password": [SECRET, LONG]},
        {"user": ["me"], "password": (LONG,), "more": {"deep": [{"password": LONG}]}},
        [Login("me", LONG)],
        Login("me", SECRET),
        Plain(),
        namedtuple("Row", "user password")("me", LONG),
        SimpleNamespace(login={"password": LONG}).__dict__,
        {"password": LONG.encode()},
    ],
)
def test_keys_and_fields_with_a_secrets_name_are_masked(value: object) -> None:
    assert "[masked: password]" in described(value)
    assert "me" in described({"user": "me", "password": SECRET})


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("df['password'].tolist()", [SECRET, LONG]),
        ("df['password'][0]", SECRET),
        ("user.password", LONG),
        ("set(df.password)", {SECRET}),
    ],
)
def test_the_expression_names_a_value_that_has_no_name(expression: str, value: object) -> None:
    assert "[masked: password]" in described(value, expression)


def test_fields_of_numpys_records_are_masked() -> None:
    np = pytest.importorskip("numpy")
    kinds = [("user", "U10"), ("password", "U200")]
    for count in (1, 1_000):
        records = np.array([("me", LONG)] * count, dtype=kinds)
        assert "('me', '[masked: password]')" in described(records)
        described(records.reshape(1, -1))


def test_the_expression_names_an_array() -> None:
    np = pytest.importorskip("numpy")
    assert "[masked: password]" in described(np.array([SECRET, LONG]), "df['password'].values")
    many = np.array([f"s3cr3t-{i}" for i in range(2_000)])
    assert "[masked: password]" in described(many, "df.password.to_numpy()")
    pd = pytest.importorskip("pandas")
    array = pd.Series([SECRET, LONG]).array
    assert "[masked: password]" in described(array, "df['password'].array")


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_harmless_columns_stay_as_they_are(library: str) -> None:
    frame = pytest.importorskip(library).DataFrame(
        {
            "token": ["running", "stopped", "the"],
            "tokens": [512, 1024, 2048],
            "key": [1, 2, 1],
            "sort_key": ["customer_name", "price", "x"],
            "secret_santa_name": ["Anna Miller", "Bob Smith", "Carol Jones"],
            "password": [None, "None", "changed"],
            "secret": [True, False, True],
        }
    )
    hiding = Hiding(Masker(), "df")
    assert hiding.describe(frame) == describe(frame)
    assert not hiding.has_hidden


def test_nothing_is_hidden_without_a_masker() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(COLUMNS)
    assert Hiding(None, "password").describe(frame) == describe(frame)
    assert Hiding(None, "password").value(SECRET) == SECRET
    assert SECRET in describe(frame).text


@given(
    st.lists(
        st.text(string.ascii_letters + string.digits + "!-_ ", min_size=1, max_size=300).map(
            lambda text: f"Qz7!{text}#9"
        ),
        min_size=1,
        max_size=30,
    ),
    st.integers(80, 3_000),
    st.sampled_from(["records", "lists", "pandas", "polars"]),
)
def test_however_long_the_secrets_and_short_the_description_nothing_of_them_is_left(
    secrets: list[str], budget: int, shape: str
) -> None:
    value: Any = {"user": ["me"] * len(secrets), "password": secrets}
    if shape == "records":
        value = [{"user": "me", "password": each} for each in secrets]
    elif shape != "lists":
        value = pytest.importorskip(shape).DataFrame(value)
    text = Hiding(Masker(), "v").describe(value, budget).text
    assert "Qz7" not in text
    assert "#9" not in text
