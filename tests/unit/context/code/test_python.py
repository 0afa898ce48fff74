"""Cells parse with the lines that only IPython understands."""

from __future__ import annotations

import ast
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_magic.context.code.python import parse_cell, try_to_parse


@pytest.mark.parametrize(
    ("source", "python", "magics"),
    [
        ("x = 1", "x = 1", set()),
        ("%matplotlib inline\nx", "pass\nx", {"matplotlib"}),
        ("!ls *.py\nx", "pass\nx", {"!"}),
        ("files = !ls\na.b = %sx ls", "files = None\na.b = None", {"!", "sx"}),
        ("df?\n?df.head\nx??\nx", "pass\npass\npass\nx", set()),
        ("%time x = f()", "x = f()", set()),
        ("%time", "pass", {"time"}),
        ("for a in b:\n    !echo {a}", "for a in b:\n    pass", {"!"}),
        ("!pip install \\\n    x\ny", "pass\ny", {"!"}),
        ("!echo it's (\nx", "pass\nx", {"!"}),
        ("%cd a\nx = ('%s'\n     % y)", "pass\nx = '%s' % y", {"cd"}),
        ("%%time\nx = 1", "x = 1", {"time"}),
        ("%%debug\nx = 1", "x = 1", {"debug"}),
        ("%%bash\nls (", "", {"bash"}),
        ("%%!\nls (", "", {"!"}),
        ("    x = 1\n    y = 2", "x = 1\ny = 2", set()),
        ("await x", "await x", set()),
        ("%a\n" * 60 + "x", "pass\n" * 60 + "x", {"a"}),
    ],
)
def test_lines_of_ipython_become_python(source: str, python: str, magics: set[str]) -> None:
    parsed = parse_cell(source)
    assert parsed is not None
    assert ast.unparse(parsed.tree) == python.strip()
    assert parsed.magics == magics


def test_lines_keep_their_numbers() -> None:
    parsed = parse_cell("%%time\n\n!a \\\n b\nx")
    assert parsed is not None
    assert [node.lineno for node in parsed.tree.body] == [4, 5]


@pytest.mark.parametrize(
    ("source", "line"),
    [("x\ny z\nw", 2), ("for x in y:\n", 1), ("a\n%b\nc d", 3), ("x\x00", 0), ("x" * 200_001, 0)],
)
def test_an_error_has_a_line_if_python_names_one(source: str, line: int) -> None:
    assert parse_cell(source) is None
    assert try_to_parse(source) in (line, line and line + 1)


@pytest.mark.parametrize("source", ["(" * 50_000, "-" * 50_000 + "1", "\ud800", "9" * 10_000])
def test_what_is_too_much_for_the_parser_is_an_error(source: str) -> None:
    assert parse_cell(source) is None


def test_nobody_is_warned_about_code_that_is_only_looked_at() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parse_cell("'\\d' is 1") is not None


@given(st.text(alphabet="%!?=x( \n'\"\\:\x00\ud800", max_size=60))
def test_nothing_raises(source: str) -> None:
    parse_cell(source)
