"""What may stand on the lines of the magics, and what is said where something else does."""

from __future__ import annotations

import pytest

from copilot_magic.errors import UsageError
from copilot_magic.notebook.arguments import COMMANDS, prompt_parser, split_words, take
from copilot_magic.notebook.magics import CopilotMagics


def test_words_are_split_as_in_a_shell() -> None:
    assert split_words("""-s "Be brief" -m 'a b' c#d""") == ["-s", "Be brief", "-m", "a b", "c#d"]


def test_an_empty_value_is_a_value() -> None:
    assert prompt_parser().parse_args(split_words('-p "" -m ""')).provider == ""


def test_an_open_quotation_mark_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="quotation mark"):
        split_words("-s You're brief")


def test_what_is_not_given_is_none_or_off() -> None:
    options = prompt_parser().parse_args([])
    assert options.temperature is options.max_tokens is options.model is options.replay is None
    assert not options.new
    assert not options.raw
    assert not options.dry_run


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--temp 1", "--temp"),
        ("-t hot", "'hot'"),
        ("--max-tokens 1.5", "'1.5'"),
        ("-o 'a b'", "'a b'"),
        ("-o for", "'for'"),
        ("-m", "-m"),
    ],
)
def test_unfit_options_are_usage_errors_that_name_them(line: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        prompt_parser().parse_args(split_words(line))
    assert "%%copilot?" in caught.value.hint


def test_take_fills_up_what_is_not_given() -> None:
    assert take("show", [], 0, 1) == [""]
    assert take("show", ["x"], 0, 1) == ["x"]


@pytest.mark.parametrize("arguments", [[], ["a", "b"]])
def test_take_says_what_a_command_takes(arguments: list[str]) -> None:
    with pytest.raises(UsageError, match="NAME"):
        take("use", arguments, 1, 1)


def test_every_command_is_there_and_explained() -> None:
    for name in COMMANDS:
        assert hasattr(CopilotMagics, f"_command_{name}")
        assert f" {name}" in (CopilotMagics.command.__doc__ or "")


def test_every_option_is_explained() -> None:
    explained = CopilotMagics.ask_cell.__doc__ or ""
    for option in prompt_parser()._option_string_actions:
        assert option in explained
