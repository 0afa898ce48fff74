"""What may stand on the lines of the magics, and what is said if something else does."""

from __future__ import annotations

from dataclasses import fields

import pytest

from copilot_magic.chat.prompt import Options, Prompt
from copilot_magic.errors import UsageError
from copilot_magic.notebook.arguments import PromptLine, option_names, options_help


def test_an_empty_value_is_a_value() -> None:
    assert PromptLine.parse('-p "" -m ""').options == Options(model="", provider="")


def test_what_is_not_given_is_none_or_off() -> None:
    assert PromptLine.parse("") == PromptLine()
    assert PromptLine().options.given() == {}


def test_every_option_reaches_the_prompt_or_the_line() -> None:
    line = PromptLine.parse(
        '-m m -p p -t 0.5 --max-tokens 7 -s "Be brief" --fresh -c talk -o x --raw '
        "--as list[str] --code --image fig --image plots[0] --context 3 --error -b"
    )
    assert line.prompt("hi", "A") == Prompt(
        "hi", options=Options("m", "p", 0.5, 7), system="Be brief", cell_id="A", replay=False
    )
    assert (line.conversation, line.out, line.raw, line.new) == ("talk", "x", True, False)
    assert (line.as_, line.code, line.image) == ("list[str]", True, ("fig", "plots[0]"))
    assert (line.context, line.error, line.background) == (3, True, True)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--temp 1", "--temp"),
        ("-t hot", "'hot'"),
        ("-t nan", "'nan'"),
        ("--max-tokens 1.5", "'1.5'"),
        ("-o 'a b'", "'a b'"),
        ("-o for", "'for'"),
        ("-m", "-m"),
    ],
)
def test_options_that_cannot_be_used_are_usage_errors_that_name_them(line: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        PromptLine.parse(line)
    assert "%%copilot?" in caught.value.hint


def test_a_keyword_that_is_no_option_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no option 'colour'"):
        PromptLine.of({"colour": "red"})


def test_every_option_is_explained() -> None:
    explained = options_help()
    for name in option_names():
        assert name in explained


def test_what_goes_into_a_request_has_an_option_of_its_own_name() -> None:
    """So a new one is added in two places: `Options` and the parser. Exports rely on it."""
    for option in fields(Options):
        assert f"--{option.name.replace('_', '-')}" in option_names()


@pytest.mark.parametrize(
    ("line", "cell", "options", "text"),
    [
        ("", "hi\n", "", "hi"),
        ("--raw", "\nhi\n  there\n", "--raw", "hi\n  there"),
        ("hi there", "", "", "hi there"),
        ('What\'s a "mean"?', " \n", "", 'What\'s a "mean"?'),
        ("-m x hi there --raw", "", "-m x --raw", "hi there"),
    ],
)
def test_a_prompt_is_the_cells_body_or_what_stands_on_the_line(
    line: str, cell: str, options: str, text: str
) -> None:
    assert PromptLine.parse_cell(line, cell) == (PromptLine.parse(options), text)


@pytest.mark.parametrize(
    ("line", "cell", "said"),
    [("", " \n", "empty"), ("--raw", "", "empty"), ("hello", "hi\n", "hello"), ("--x", "", "--x")],
)
def test_a_cell_that_cannot_be_asked_says_why(line: str, cell: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        PromptLine.parse_cell(line, cell)


def test_a_misspelt_option_names_the_one_that_was_meant() -> None:
    with pytest.raises(UsageError, match="Did you mean --temperature"):
        PromptLine.parse("--temprature 0.5")
