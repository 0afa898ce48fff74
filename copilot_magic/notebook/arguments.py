"""What may stand on the lines of ``%%copilot`` and ``%copilot``."""

from __future__ import annotations

import argparse
import keyword
import os
import shlex
from typing import NoReturn

from ..errors import UsageError

__all__ = ["COMMANDS", "Parser", "count", "prompt_parser", "split_words", "take"]

# Each command of `%copilot`, with the arguments it takes.
COMMANDS = {
    "status": "",
    "serve": "[PATH.gguf] [--port N]",
    "stop": "",
    "doctor": "",
    "new": "[NAME]",
    "use": "NAME",
    "list": "[TEXT]",
    "rename": "[OLD] NEW",
    "forget": "NAME",
    "show": "[NAME]",
    "export": "FILE",
    "import": "FILE.json",
    "continue": "",
    "retry": "",
    "models": "",
    "providers": "",
}


class Parser(argparse.ArgumentParser):
    """Raise `UsageError` where argparse would print and exit."""

    def __init__(self, prog: str, see: str) -> None:
        super().__init__(prog=prog, add_help=False, allow_abbrev=False)
        self._see = see

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong with the arguments."""
        raise UsageError(f"{self.prog}: {message}", f"{self._see} lists the options")


def number(text: str) -> float:
    """Return a number for argparse, which shows the message of what is raised."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"needs a number, not {text!r}") from None


def count(text: str) -> int:
    """Return a whole number from 1 on for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"needs a whole number from 1 on, not {text!r}")
    return int(text)


def variable(text: str) -> str:
    """Return a variable's name for argparse."""
    if not text.isidentifier() or keyword.iskeyword(text):
        raise argparse.ArgumentTypeError(f"needs a variable's name, not {text!r}")
    return text


def prompt_parser() -> argparse.ArgumentParser:
    """Return the parser of the first line of a ``%%copilot`` cell."""
    parser = Parser("%%copilot", "%%copilot?")
    parser.add_argument("-m", "--model")
    parser.add_argument("-p", "--provider")
    parser.add_argument("-c", "--conversation", metavar="NAME")
    parser.add_argument("--new", action="store_true")
    parser.add_argument("-s", "--system", metavar="TEXT")
    parser.add_argument("-t", "--temperature", type=number, metavar="X")
    parser.add_argument("--max-tokens", type=count, metavar="N")
    parser.add_argument("-o", "--out", type=variable, metavar="NAME")
    replayed = parser.add_mutually_exclusive_group()
    replayed.add_argument("--replay", action="store_true", default=None)
    replayed.add_argument("--fresh", dest="replay", action="store_false")
    parser.add_argument("--raw", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    return parser


def split_words(line: str) -> list[str]:
    """Return the words of a magic's line, quotes taken off.

    Raises:
        UsageError: A quotation mark is not closed.
    """
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    if os.name == "nt":
        lexer.escape = ""  # a backslash belongs to a path there
    try:
        return list(lexer)
    except ValueError:
        raise UsageError(
            "a quotation mark is not closed", "Put the whole value in double quotes"
        ) from None


def take(command: str, arguments: list[str], least: int = 0, most: int = 0) -> list[str]:
    """Return `most` arguments of a command, those not given empty.

    Raises:
        UsageError: There are fewer than `least`, or more than `most`.
    """
    if not least <= len(arguments) <= most:
        raise UsageError(
            f"%copilot {command} takes {COMMANDS[command] or 'no argument'}",
            "A name with spaces stands in double quotes" if most else "%copilot? explains it",
        )
    return arguments + [""] * (most - len(arguments))
