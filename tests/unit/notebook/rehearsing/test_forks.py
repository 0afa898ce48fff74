"""Libraries whose threads do not survive a fork."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from copilot_magic.notebook.rehearsing.forks import threaded_library


@pytest.fixture
def polars(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("polars")
    module.Frame = type("Frame", (), {"__module__": "polars.dataframe"})  # type: ignore[attr-defined]
    exec("def scan(): pass", module.__dict__)
    module.scan.__module__ = "polars.io"
    monkeypatch.setitem(sys.modules, "polars", module)
    return module


@pytest.mark.parametrize(
    "code",
    [
        "pl.read_csv('x')",
        "d.sum()",
        "e.sum()",
        "cls()",
        "scan()",
        "import polars",
        "import polars.io as x",
        "from polars import col",
    ],
)
def test_code_uses_it_by_name_by_import_and_by_its_objects(polars: ModuleType, code: str) -> None:
    frame = polars.Frame
    names = {
        "pl": polars,
        "d": frame(),
        "e": type("Own", (frame,), {"__module__": "__main__"})(),
        "cls": frame,
        "scan": polars.scan,
    }
    assert threaded_library(code, names) == "polars"


def test_what_is_not_used_or_not_loaded_is_not_named(
    polars: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert threaded_library("x = d", {"pl": polars, "d": 1}) == ""
    assert threaded_library("x = = d", {"pl": polars}) == ""
    monkeypatch.delitem(sys.modules, "polars")
    assert threaded_library("import polars", {}) == ""
