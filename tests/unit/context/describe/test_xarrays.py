"""xarray's objects are described without loading anything."""

from __future__ import annotations

from typing import Any

import pytest

from copilot_magic.context.describe.describe import describe

np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")
xr = pytest.importorskip("xarray")


def weather() -> Any:
    return xr.Dataset(
        {"t": (("time", "x"), np.full((365, 2), 280.5), {"units": "K"}), "n": ((), 3)},
        coords={"time": pd.date_range("2024", periods=365), "x": [1, 2]},
        attrs={"title": "Weather"},
    )


def test_a_dataset_reads_well() -> None:
    found = describe(weather())
    assert found.kind == "xarray Dataset, 2 variables over time: 365 × x: 2"
    lines = found.text.split("\n")
    assert lines[1] == "dimensions: time: 365, x: 2"
    assert lines[4] == "  x (x) int64: 1 to 2"
    assert lines[6] == "  t (time, x) float64; contents: all 280.5; units: 'K'"
    assert lines[7] == "  n () int64; value: 3"
    assert lines[-1] == "{'title': 'Weather'}"


def test_an_array_reads_well() -> None:
    found = describe(weather().t)
    assert found.kind == "xarray DataArray, time: 365 × x: 2, of float64"
    assert "name: 't'" in found.text
    assert "corners:\n  [280.5, 280.5]" in found.text
    assert found.left_out == "all but 18 of 730 values left out"


def test_values_in_a_file_are_not_loaded() -> None:
    class InFile(xr.backends.BackendArray):  # type: ignore[misc,name-defined]
        shape, dtype = (10, 10), np.dtype("float64")

        def __getitem__(self, key: Any) -> Any:
            raise AssertionError("loaded")

    lazy = xr.core.indexing.LazilyIndexedArray(InFile())
    found = describe(xr.DataArray(xr.Variable(("x", "y"), lazy)))
    assert "values: not loaded" in found.text
    assert found.left_out == "values not loaded"
