"""The words of a magic's line: as in a shell, with expressions whole."""

from __future__ import annotations

import os
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_magic.errors import UsageError
from copilot_magic.notebook.words import split_words


def test_words_are_split_as_in_a_shell() -> None:
    assert split_words("""-s "Be brief" -m 'a b' c#d""") == ["-s", "Be brief", "-m", "a b", "c#d"]


@pytest.mark.skipif(os.name == "nt", reason="a backslash belongs to a path on Windows")
@given(st.text(alphabet="ab '\"\\-=", max_size=20))
def test_without_brackets_it_is_what_a_shell_does(line: str) -> None:
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        expected = list(lexer)
    except ValueError as error:
        if "escape" not in str(error):
            with pytest.raises(UsageError):
                split_words(line)
        return
    assert split_words(line) == expected


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--as Literal['good', 'bad'] -o x", ["--as", "Literal['good', 'bad']", "-o", "x"]),
        ("--as \"Literal['a','b']\"", ["--as", "Literal['a','b']"]),
        ('--map df["my review"] --raw', ["--map", 'df["my review"]', "--raw"]),
        ("--as dict[str, list[int]]", ["--as", "dict[str, list[int]]"]),
        ("--image plots[0] --image (a or b)", ["--image", "plots[0]", "--image", "(a or b)"]),
        ("--image f(\")\", ']')", ["--image", "f(\")\", ']')"]),
        ("-s 'a (b'", ["-s", "a (b"]),
        ("use Talk (2)", ["use", "Talk", "(2)"]),
    ],
)
def test_an_expression_keeps_its_quotation_marks_and_blanks(line: str, words: list[str]) -> None:
    assert split_words(line) == words


def test_a_bracket_that_is_not_closed_is_a_character() -> None:
    assert split_words("list a (b c") == ["list", "a", "(b", "c"]
    assert split_words(":-( 'x y'") == [":-(", "x y"]


def test_an_open_quotation_mark_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="quotation mark"):
        split_words("-s You're brief")
