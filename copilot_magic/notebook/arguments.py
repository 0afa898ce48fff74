"""The lines of ``%%copilot`` and ``%copilot``: options, words and their types."""

from __future__ import annotations

import argparse
import inspect
import keyword
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn

from ..chat.prompt import Options, Prompt
from ..errors import UsageError
from .words import split_words

__all__ = [
    "NOT_FOR_ASK",
    "Parser",
    "PromptLine",
    "add_trying",
    "option_names",
    "options_help",
    "whole_number",
]

ABOUT_ERROR = "Why did this happen, and what should I change?"
"""The prompt of a cell that sends the last exception along and says nothing."""


NOT_FOR_ASK = ("out", "dry_run", "map_", "into", "first")
"""The options that `ask` does not have: it returns its answer, and `map_prompts` is for many."""


class Parser(argparse.ArgumentParser):
    """A parser that raises `UsageError` instead of printing and exiting."""

    def __init__(self, prog: str, see: str) -> None:
        super().__init__(prog=prog, add_help=False, allow_abbrev=False)
        self._see = see

    def error(self, message: str) -> NoReturn:
        """Raise an error that says what is wrong, and names the option that was probably meant."""
        from difflib import get_close_matches

        unknown = re.search(r"unrecognized arguments: (--\S+)", message)
        close = get_close_matches(unknown[1], self._option_string_actions, 1) if unknown else []
        meant = f"Did you mean {close[0]}? " if close else ""
        raise UsageError(f"{self.prog}: {message}", f"{meant}{self._see} lists the options")


@dataclass(frozen=True)
class PromptLine:
    """The first line of a ``%%copilot`` cell, or the keyword arguments of `ask`.

    Attributes:
        options: What goes into the request.
        system: The conversation's system message from now on, or None.
        replay: Show a stored answer (True), never do (False), or as the settings say (None).
        conversation: The name of the conversation to ask in, for this prompt only, or None.
        new: Start a new conversation first.
        out: The variable to assign the answer to, or None.
        as_: The type of the answer: an annotation, or the source of one; or None.
        code: Put the code of the answer into the next cell.
        try_: How many answers to ask for at once, whose code is tried in a copy of this kernel
            before it is offered; 0 tries none. One that fails is repaired, if there is just one.
        image: Pictures to send along: objects, or the source of expressions.
        context: How many of the cells that ran before to send along.
        error: Send the last exception along.
        map_: The source of an expression: the prompt is asked about each of its rows; or None.
        into: What to assign the answers of those to, as it stands left of ``=``; or None.
        first: How many of the rows to ask about; None is all.
        background: Return at once; the answer arrives while other cells run.
        raw: Show plain text, no Markdown.
        dry_run: Show what would be sent, and send nothing.
    """

    options: Options = field(default_factory=Options)
    system: str | None = None
    replay: bool | None = None
    conversation: str | None = None
    new: bool = False
    out: str | None = None
    as_: Any = None
    code: bool = False
    try_: int = 0
    image: tuple[Any, ...] = ()
    context: int = 0
    error: bool = False
    map_: str | None = None
    into: str | None = None
    first: int | None = None
    background: bool = False
    raw: bool = False
    dry_run: bool = False

    @classmethod
    def parse(cls, line: str) -> PromptLine:
        """Return what `line` says.

        Raises:
            UsageError: An option is unknown, or its value cannot be used.
        """
        return cls.of(vars(_prompt_parser().parse_args(split_words(line))))

    @classmethod
    def parse_cell(cls, line: str, cell: str) -> tuple[PromptLine, str]:
        """Return the options of a ``%%copilot`` cell and its prompt.

        The prompt is the body of the cell. If there is none, it is the rest of the line; with
        ``--error`` alone, it asks for the reason.

        Raises:
            UsageError: An option is unknown or its value cannot be used, or there is no prompt.
        """
        if cell.strip():
            return cls.parse(line), cell.strip("\n")
        if line.strip() and not line.lstrip().startswith("-"):
            return cls(), line.strip()
        parser = _prompt_parser()
        known, others = parser.parse_known_args(split_words(line))
        if unknown := [word for word in others if word.startswith("-")]:
            parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        options = cls.of(vars(known))
        if not others and not options.error:
            raise UsageError("The prompt is empty", "Write it below the line with %%copilot")
        return options, " ".join(others) or ABOUT_ERROR

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> PromptLine:
        """Return the line that has these values, by the names of the options.

        Raises:
            UsageError: There is no option of such a name.
        """
        names = {option.name for option in fields(cls)} - {"options"}
        known = names | {option.name for option in fields(Options)}
        if unknown := sorted(set(values) - known):
            raise UsageError(f"There is no option {unknown[0]!r}", "help(ask) lists them")
        own = {name: value for name, value in values.items() if name in names}
        image = own.get("image")
        images = image if isinstance(image, (list, tuple)) else [image]
        if own.get("map_") is None and (own.get("into") or own.get("first")):
            raise UsageError("--into and --first need --map", "Say which rows: --map EXPR")
        own["code"] = bool(own.get("code") or own.get("try_"))
        own["image"] = tuple(each for each in images if each is not None)
        return cls(options=Options.of(values), **own)

    @classmethod
    def keywords(cls) -> list[inspect.Parameter]:
        """Return the options as keyword-only parameters, for the signature of `ask`."""
        own = [option for option in fields(cls) if option.name not in ("options", *NOT_FOR_ASK)]
        return [
            inspect.Parameter(
                option.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=option.default,
                annotation=option.type,
            )
            for option in (*fields(Options), *own)
        ]

    def prompt(self, text: str, cell_id: str | None) -> Prompt:
        """Return the prompt that asks `text` in this way."""
        return Prompt(
            text, options=self.options, system=self.system, cell_id=cell_id, replay=self.replay
        )


def _prompt_parser() -> argparse.ArgumentParser:
    parser = Parser("%%copilot", "%%copilot?")
    _add_whom(parser.add_argument_group("Who is asked, and how").add_argument)
    _add_along(parser.add_argument_group("What is sent along").add_argument)
    _add_results(parser.add_argument_group("What becomes of the answer"))
    _add_rows(parser.add_argument_group("Many rows").add_argument)
    _add_ways(parser.add_argument_group("When and whether"))
    return parser


_Add = Callable[..., argparse.Action]


def _add_whom(add: _Add) -> None:
    add("-m", "--model", metavar="NAME", help='for this prompt only; "" is the server\'s default')
    add("-p", "--provider", metavar="NAME", help="likewise, on a gpt4free server")
    add("-c", "--conversation", metavar="NAME", help="for this prompt only; made if it is new")
    add("--new", action="store_true", help="start a new conversation first, and stay in it")
    add("-s", "--system", metavar="TEXT", help="the system message of the conversation")
    add("-t", "--temperature", type=_number, metavar="X", help="the sampling temperature")
    add("--max-tokens", type=whole_number, metavar="N", help="the most tokens of the answer")


def _add_along(add: _Add) -> None:
    add("--image", action="append", metavar="EXPR", help="a figure or picture; repeatable")
    add(
        "--context",
        type=whole_number,
        default=0,
        metavar="N",
        help="the N cells run before, with their output",
    )
    add("--error", action="store_true", help="the last exception and its cell")


def _add_results(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("-o", "--out", type=_variable, metavar="NAME", help="assign it to a variable")
    add("--as", dest="as_", metavar="TYPE", help="make it a value: int, list[str], DataFrame, …")
    add("--code", action="store_true", help="put its code into the next cell")
    add_trying(group)
    add("--raw", action="store_true", help="show plain text, no Markdown")


def _add_rows(add: _Add) -> None:
    add("--map", dest="map_", metavar="EXPR", help="ask about each row: a list, a Series, a table")
    add("--into", metavar="TARGET", help='assign the answers: labels, df["label"]')
    add("--first", type=whole_number, metavar="N", help="only the first N rows, as a sample")


def _add_ways(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "-b",
        "--background",
        action="store_true",
        help="return at once; the answer arrives here while other cells run",
    )
    replay = group.add_mutually_exclusive_group()
    replay.add_argument(
        "--replay",
        action="store_true",
        default=None,
        help="show a stored answer to the same request, if there is one",
    )
    replay.add_argument(
        "--fresh", dest="replay", action="store_false", help="never show a stored answer"
    )
    group.add_argument(
        "--dry-run", action="store_true", help="show what would be sent, and send nothing"
    )


def add_trying(parser: argparse._ActionsContainer) -> None:
    """Add the option ``--try`` to a parser."""
    parser.add_argument(
        "--try",
        dest="try_",
        nargs="?",
        type=_candidates,
        const=1,
        default=0,
        metavar="N",
        help="run the code in a copy of this kernel first; N: pick from N answers",
    )


def options_help() -> str:
    """Return the options of a prompt by what they are about, with what each does."""
    groups = [group for group in _prompt_parser()._action_groups if group._group_actions]
    return "\n\n".join(
        "\n".join([f"{group.title}:", *map(_option_help, group._group_actions)]) for group in groups
    )


def _option_help(option: argparse.Action) -> str:
    value = f"[{option.metavar}]" if option.nargs == "?" else option.metavar or ""
    names = ", ".join(option.option_strings)
    return f"  {f'{names} {value}':<23}  {option.help}"


def option_names() -> list[str]:
    """Return the options of a prompt as they are written, short and long."""
    return sorted(name for action in _prompt_parser()._actions for name in action.option_strings)


def whole_number(text: str) -> int:
    """Return a whole number, 1 or more; argparse shows the message of what is raised."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number, 1 or more, not {text!r}")
    return int(text)


def _candidates(text: str) -> int:
    if text not in ("1", "2", "3", "4", "5"):
        raise argparse.ArgumentTypeError(f"must be a number from 1 to 5, not {text!r}")
    return int(text)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"must be a number, not {text!r}")
    return number


def _variable(text: str) -> str:
    if not text.isidentifier() or keyword.iskeyword(text):
        raise argparse.ArgumentTypeError(f"must be a variable's name, not {text!r}")
    return text
