"""Functions and classes by their source, also those of cells; modules by their names."""

from __future__ import annotations

import functools
import json
import linecache
import math
import sys
import types
from typing import Any

import pytest

from copilot_magic.context.describe.describe import describe
from copilot_magic.context.describe.source import source_of

CELL = '''\
import dataclasses

def totals(df, column):
    """Sum up a column."""
    return df[column].sum()

class Basket:
    limit = 10
    def add(self, item):
        self.items.append(item)

    @property
    def size(self): return 1

@dataclasses.dataclass
class Point:
    x: int
    y: int = 0
'''


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what a cell of a notebook has defined."""
    file = "/tmp/ipykernel_123/777.py"
    lines = CELL.splitlines(keepends=True)
    monkeypatch.setitem(linecache.cache, file, (len(CELL), None, lines, file))
    main = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    exec(compile(CELL, file, "exec"), main.__dict__)
    return main.__dict__


def test_a_function_of_a_cell_is_its_source(cell: dict[str, Any]) -> None:
    found = describe(cell["totals"])
    assert (found.kind, found.language, found.left_out) == ("function totals", "python", "")
    assert found.text == "\n".join(CELL.splitlines()[2:5])


def test_a_class_of_a_cell_is_its_source(cell: dict[str, Any]) -> None:
    found = describe(cell["Basket"])
    assert (found.kind, found.language) == ("class Basket", "python")
    assert found.text == "\n".join(CELL.splitlines()[6:13])


def test_a_class_without_methods_of_its_own_is_found_too(cell: dict[str, Any]) -> None:
    assert describe(cell["Point"]).text == "\n".join(CELL.splitlines()[14:18])


def test_methods_and_properties_are_their_source(cell: dict[str, Any]) -> None:
    basket = cell["Basket"]()
    found = describe(basket.add)
    assert found.kind == "method Basket.add"
    assert found.text.startswith("# bound to: <__main__.Basket object>\ndef add(self, item):")
    assert describe(cell["Basket"].size).text == "@property\ndef size(self): return 1"


def test_wrapped_functions_are_the_source_of_the_inner_one(cell: dict[str, Any]) -> None:
    found = describe(functools.partial(cell["totals"], column="a"))
    assert found.text.startswith("# totals with column='a' given\ndef totals(")
    assert describe(functools.lru_cache(cell["totals"])).text.startswith("def totals(")


def test_a_built_in_function_is_its_signature() -> None:
    found = describe(len)
    assert found.kind == "built-in function len"
    assert found.text.startswith('def len(obj, /):\n    """Return the number of items')
    assert describe(math.hypot).text.startswith("def hypot(")
    assert (
        describe(str.upper).text.startswith("def upper(") or "str.upper" in describe(str.upper).text
    )


def test_a_class_that_is_too_long_is_an_outline() -> None:
    found = describe(json.JSONDecoder, 1_500)
    assert found.text.startswith("class JSONDecoder:\n")
    assert "def decode(self, s, " in found.text
    assert found.left_out.startswith("all but an outline of ")
    assert len(describe(dict).text) > 100


def test_a_long_function_loses_its_middle() -> None:
    found = describe(json.dumps, 500)
    assert found.text.startswith("def dumps(")
    assert "characters left out" in found.left_out


def test_a_module_is_its_public_names() -> None:
    found = describe(json)
    assert found.kind == "module json"
    assert "classes: JSONDecoder, JSONDecodeError, JSONEncoder" in found.text
    assert "functions: dump, dumps, load, loads" in found.text
    assert "about: JSON " in found.text


def test_a_lazy_module_loads_nothing() -> None:
    class Lazy(types.ModuleType):
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError

    module = Lazy("lazy")
    types.ModuleType.__getattribute__(module, "__dict__").update(version=1, __all__=["later"])
    assert describe(module).text == "module lazy\nothers: later"


def test_there_may_be_no_source() -> None:
    names: dict[str, Any] = {"__name__": "elsewhere"}
    exec("def f(x): return x\nclass C:\n    def m(self): pass", names)
    assert source_of(names["f"]) == ""
    assert describe(names["f"]).text == "def f(x):\n    ..."
    assert describe(names["C"]).text == "class C:\n    def m(self): ..."


def test_a_ufunc_is_a_function() -> None:
    np = pytest.importorskip("numpy")
    assert describe(np.add).kind == "NumPy function add"
    assert "Add arguments element-wise." in describe(np.add).text
