"""A name is followed to what it stands for."""

from __future__ import annotations

import ast

import pytest

from copilot_magic.markdown.names import Names


def names_of(code: str) -> list[str]:
    """Return the full names of the expression in the last line."""
    tree = ast.parse(code)
    names = Names()
    for node in ast.walk(tree):
        names.bind(node)
    last = tree.body[-1]
    assert isinstance(last, ast.Expr)
    return names.of(last.value)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("import a.b\na.b.c", "a.b.c"),
        ("import a.b as x\nx.c()", "a.b.c()"),
        ("from a import b as x\nx", "a.b"),
        ("from . import b\nb.c", "?.c"),
        ("os.remove", "~os.remove"),
        ("pd.read_csv(x)", "~pandas.read_csv()"),
        ("x = a\ny = x.b\ny()", "~a.b()"),
        ("x, y = a, b\ny", "~b"),
        ("x, y = f()\ny", "?"),
        ("with f() as x: pass\nx", "~f()"),
        ("(x := a)\nx", "~a"),
        ("x: a = b\nx", "~b"),
        ("def f(x: Path): pass\nx", "~pathlib.Path()"),
        ("def f(x): pass\nx", "?"),
        ("def f(): pass\nf()", "?()"),
        ("for x in y: pass\nx", "?"),
        ("for x in sorted(Path('a').glob('*')): pass\nx", "pathlib.Path()"),
        ("[x for x in Path('a').iterdir()]\nx", "pathlib.Path()"),
        ("Path('a') / 'b'", "~pathlib.Path()"),
        ("a / b", "?"),
        ("getattr(os, 'remove')", "~os.remove"),
        ("getattr(os, name)", "~getattr()"),
        ("__import__('os').remove", "os.remove"),
        ("import importlib\nimportlib.import_module('a').b", "a.b"),
        ("x = x.a\nx", "?.a"),
        ("7", "?"),
    ],
)
def test_an_expression_has_a_full_name(code: str, name: str) -> None:
    assert names_of(code) == [name]


def test_a_name_may_have_several_meanings_but_not_many() -> None:
    assert names_of("x = a\nx = b\nx") == ["~a", "~b"]
    assert names_of("from a import *\nb") == ["~b", "a.b"]
    assert len(names_of("".join(f"x = a{n}\n" for n in range(99)) + "x")) == 4


@pytest.mark.parametrize(
    "code",
    ["a" + ".b" * 300, "a = b\n" + "".join(f"a{n} = a{n - 1}.x\n" for n in range(1, 300)) + "a299"],
)
def test_a_long_way_is_not_followed_to_its_end(code: str) -> None:
    assert names_of(code)[0].startswith("?")


def test_text_is_known_as_far_as_it_is_literal() -> None:
    names = Names()
    tree = ast.parse("base = 'https://a'\nurl = base + path")
    for node in ast.walk(tree):
        names.bind(node)
    for code, text in {
        "'x'": "x",
        "url": "https://a",
        "f'a{b}'": "a",
        "'a%s' % b": "a%s",
        "['rm', x]": "rm ''",
        "f()": "",
        "unknown": "",
    }.items():
        assert names.text(ast.parse(code, mode="eval").body) == text
