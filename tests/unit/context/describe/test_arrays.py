"""Arrays: shape, type, a sample and corners; the whole is never read."""

from __future__ import annotations

from typing import Any

import pytest

from copilot_magic.context.describe.describe import describe
from copilot_magic.context.describe.description import BUDGET

np = pytest.importorskip("numpy")


def test_a_small_array_is_shown_whole() -> None:
    found = describe(np.arange(6).reshape(2, 3))
    assert found.kind == "NumPy array, 2 × 3 of int64"
    assert found.text.endswith("values:\n[[0, 1, 2], [3, 4, 5]]")
    assert found.left_out == ""


def test_a_large_array_shows_its_corners_and_a_sample() -> None:
    array = np.zeros((1_000, 300))
    array[0, 0], array[-1, -1], array[0, 1] = 1, np.nan, np.inf
    found = describe(array)
    assert found.left_out == "all but 81 of 300,000 values left out"
    assert "NaN or missing, of an evenly spaced sample of 1,000 values: 1" in found.text
    assert "min 0, mean 0.001001" in found.text
    assert "corners:\n  [  1, inf,   0," in found.text
    assert found.text.endswith("0, NaN]")


class Watched(np.ndarray):  # type: ignore[misc,name-defined]
    """An array whose values may not be reduced or copied as a whole."""

    def __array_function__(self, *args: Any, **more: Any) -> Any:
        raise AssertionError

    def __array_ufunc__(self, *args: Any, **more: Any) -> Any:
        raise AssertionError

    def tolist(self) -> Any:
        raise AssertionError

    __iter__ = copy = astype = min = max = mean = sum = __repr__ = tolist  # type: ignore[assignment]


def test_no_method_of_a_subclass_is_called() -> None:
    found = describe(np.zeros((1_000, 1_000)).view(Watched))
    assert "contents, of an evenly spaced sample of 1,000 values: all 0" in found.text


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.array(5), "value: 5"),
        (np.zeros((0, 3)), "no values"),
        (np.zeros((10, 20, 30)), "corners of [0, :, :]:"),
        (np.ma.masked_equal([1, 2, 3], 2), "masked or NaN: 1"),
        (np.array([(1, "a")], dtype=[("x", "i4"), ("n", "U5")]), "fields: x: int32, n: <U5"),
        (np.array([{}, [1], None], dtype=object), "mixed types: 1 dict, 1 list"),
        (np.array(["2024-01-01", "NaT"], dtype="M8[ns]"), "contents: all 2024-01-01"),
        (np.array([1 + 2j]), "1 complex; such as (1+2j)"),
        (np.ones(5, bool), "True: 5"),
        (np.array(["a", "b"] * 300), "2 distinct ('a': 300, 'b': 300)"),
        (np.array([np.inf, 1.0]), "infinite: 1"),
        (np.arange(10**6), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …, 999994, "),
        (np.zeros(3, dtype="V8"), "values:"),
        (np.lib.stride_tricks.as_strided(np.zeros(1), (10**6, 10**6), (0, 0)), "all 0"),
    ],
    ids=str,
)
def test_every_kind_of_array_is_described(array: Any, words: str) -> None:
    found = describe(array)
    assert words in found.text
    assert "description" not in found.text
    assert len(found.text) <= BUDGET


class Tensor:
    """An array of another library."""

    dtype = "float32"
    device = "cuda:0"

    @property
    def shape(self) -> tuple[int, int]:
        return (3, 4)

    def __repr__(self) -> str:
        return "tensor([…])"

    def __array__(self) -> Any:
        raise AssertionError


def test_an_array_of_another_library_is_not_converted() -> None:
    found = describe(Tensor())
    assert found.kind == f"{__name__.partition('.')[0]} Tensor, 3 × 4 of float32"
    assert found.text == f"{found.kind}\ndevice: 'cuda:0'\ntensor([…])"
