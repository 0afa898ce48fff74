"""What a cell needs and what it binds, as Python would find it."""

from __future__ import annotations

import collections
import math
import os.path
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_magic.context.code.names import missing_names, names_in, overwritten_names


@pytest.mark.parametrize(
    ("source", "uses", "binds"),
    [
        ("x = y", "y", "x"),
        ("x = x", "", "x"),
        ("x += 1", "x", "x"),
        ("x = 0\nx += 1", "", "x"),
        ("del x", "x", ""),
        ("x = 1\ndel x", "", "x"),
        ("x.a = y[0] = 1", "x y", ""),
        ("a, (b, *c) = d", "d", "a b c"),
        ("print(len(x), display, __name__, In, _)", "x", ""),
        ("if a:\n    x = 1\nx", "a", "x"),
        ("x\nx = 1", "", "x"),
        ("for i, j in p.items(): i\nelse: k", "p k", "i j"),
        ("while (n := f()): n", "f", "n"),
        ("with open(p) as f, g: f", "p g", "f"),
        ("try: a\nexcept (E, F) as e: e\nfinally: b", "a E F b", "e"),
        ("import a.b, c as d\nfrom e import f as g, h", "", "a d g h"),
        ("from . import a", "", "a"),
        ("def f(a, *b, c=d, **e) -> g: return a, b, c, e, h, i\ni = 1", "d g h", "f i"),
        ("def f(x: T): pass", "T", "f"),
        ("from __future__ import annotations\ndef f(x: T) -> U: pass\ny: V = 1", "", "f y"),
        ("def f():\n    x: T = 1\n    return x", "", "f"),
        ("x: int\nx", "x", ""),
        ("@a.b(c)\nclass D(E, m=F):\n    x = 1\n    def m(self): return x", "a c E F x", "D"),
        ("class D:\n    x = 1\n    y = x\n    z = [x for _ in y]", "x", "D"),
        ("class D:\n    def m(self): return super().m(), __class__", "", "D"),
        ("lambda a, *, b=c: a + b + d", "c d", ""),
        ("[x for x in xs if x > y]", "xs y", ""),
        ("{k: v for k, v in a for w in k if w}", "a", ""),
        ("[(z := x) for x in y]\nz", "y", "z"),
        ("x = [x for x in x]", "", "x"),
        ("def f():\n    global g\n    g = 1\ng", "", "f g"),
        ("def f():\n  n = 1\n  def h():\n    nonlocal n\n    n += m\n  return h", "m", "f"),
        ("def f():\n    return g()\ndef g(): return f", "", "f g"),
        ("def f():\n    def g(): return a\n    a = 1\n    return g", "", "f"),
        ("match c:\n case [a, *b]: a\n case {1: d, **e}: 0\n case P(x=f): 1", "c P", "a b d e f"),
        ("f'{a!r:>{b}} {c}'", "a b c", ""),
        ("async def f():\n    async with a as b: await c", "a c", "f"),
        ("[x async for x in y]", "y", ""),
        ("await a", "a", ""),
        ("%time x = f(y)\nfiles = !ls", "f y", "x files"),
        ("%%timeit\nx = y", "y", ""),
        ("%%bash\nx = y", "", ""),
        ("b\na\nb", "b a", ""),
        ("x = (", "", ""),
        ("", "", ""),
    ],
)  # fmt: skip
def test_names(source: str, uses: str, binds: str) -> None:
    names = names_in(source)
    assert set(names.uses) == set(uses.split())
    assert list(names.binds) == binds.split()
    assert names.is_certain


def test_missing_names_come_in_the_order_of_their_first_use() -> None:
    assert missing_names("def f():\n    return c\na + b + f() + c + df", {"df"}) == ["c", "a", "b"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="its syntax is new in Python 3.12")
def test_type_parameters_are_names_of_their_definition() -> None:
    source = "def f[T: A](x: T) -> T: return U\nclass C[V](B[V]): x: V\ntype L[W] = list[W | X]"
    names = names_in(source)
    assert set(names.uses) == {"A", "U", "B", "X"}
    assert names.binds == ("f", "C", "L")


@pytest.mark.parametrize(
    "source",
    ["from math import *\nx", "exec('x = 1')\nx", "globals()['x'] = 1\nx", "%run a.py\nx", "x = ("],
)
def test_nothing_is_missing_for_certain_if_any_name_may_be_bound(source: str) -> None:
    assert missing_names(source, ()) == []


def test_overwritten_names_are_those_that_were_there() -> None:
    source = "df = 1\nnew = 2\ndef f(): pass\n_x = 3\nfor i in df: pass"
    assert overwritten_names(source, ["df", "f", "_x", "i", "other"]) == ["df", "f", "i"]
    assert overwritten_names(source, ["df", "f"], but={"df"}) == ["f"]


def test_importing_what_is_there_already_overwrites_nothing() -> None:
    source = (
        "import math, os.path as p\nfrom collections import Counter as C, OrderedDict\nimport os"
    )
    there = {"math": math, "p": os.path, "C": collections.Counter, "os": os}
    namespace = {**there, "OrderedDict": collections.OrderedDict}
    assert overwritten_names(source, namespace) == []
    assert overwritten_names(source, list(namespace)) == []
    assert set(overwritten_names(source, dict.fromkeys(namespace))) == set(namespace)
    assert overwritten_names("import math\nmath = 1", {"math": math}) == ["math"]


def test_a_module_is_not_asked_for_what_it_would_only_then_import(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Lazy(type(sys)):  # type: ignore[misc]
        def __getattr__(self, name: str) -> object:
            raise AssertionError(name)

    monkeypatch.setitem(sys.modules, "lazy", Lazy("lazy"))
    assert overwritten_names("from lazy import thing", {"thing": 1}) == ["thing"]


@pytest.mark.parametrize("source", ["-" * 1_500 + "x", "x" + ".a" * 3_000, "[" * 90 + "]" * 90])
def test_deep_code_raises_nothing(source: str) -> None:
    names_in(source)


@given(st.text(alphabet="defx=(): \n[]forinlambda,.%!*", max_size=80))
def test_nothing_raises(source: str) -> None:
    names_in(source)
    overwritten_names(source, {"x": 1})
