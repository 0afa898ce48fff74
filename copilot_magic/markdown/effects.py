"""What code in an answer would do besides computing, told from its syntax tree.

It is a hint for the reader, not a defence: code that hides what it does is not caught.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

from ..text import escape
from .calls import Calls
from .effect_names import CODE, EFFECTS, PROCESSES, WRITES, may_have, shell_effects
from .magics import (
    CELL_MAGIC,
    COMMAND_MAGICS,
    INSTALLERS,
    OTHER_LANGUAGES,
    PYTHON_MAGICS,
    SAVING,
    SHELLS,
)
from .work import TooMuchWork, Work

__all__ = ["EFFECTS_LINE", "CodeEffects", "effects_html", "is_python"]

MOST_CODE = 200_000
"""Characters of a code block that are looked at."""

PIECE = 8_000
"""Characters that are parsed at once, about. Parsing takes memory, and nesting takes stack."""

EFFECTS_LINE = re.compile('<div class="copilot-effects">⚠ ([^<]*)</div>')
"""The line that `effects_html` makes; in code, its brackets are escaped."""

_PYTHON = frozenset(["python", "py", "python3", "py3", "ipython", "ipython3", "pycon", ""])

# A backslash that begins an escape sequence. The parser would warn of unknown ones.
_NAMED = re.compile(r"\\N\{[^}\n]*\}")
_ESCAPE = re.compile(r"(\\[\\'\"\r\n])|\\")
_PROMPT = re.compile(r"[ \t]*(?:>>>|\.\.\.)(?: |$)")
# The start of a statement that is in no other.
_STATEMENT = re.compile(r"^(?=[^\s)\]}#])(?!(?:else|elif|except|finally)\b)", re.MULTILINE)
_LINE_MAGIC = re.compile(
    r"^([ \t]*)(?:([\w.,\[\]'\" \t]+?)[ \t]*=[ \t]*)?"
    r"(?:(!!?)(?!=)|%([a-zA-Z_]\w*)|((?:pip|conda)(?= install )))((?:[^\n\\]|\\.|\\\n)*)",
    re.MULTILINE,
)
# Cell magics that take no statement on their own line.
_WITHOUT_STATEMENT = frozenset(["capture", "memit", "pyinstrument", "scalene"])
_OPTIONS = re.compile(r"(?:\s*-\w+(?:\s*\d+)?(?=\s))*\s*")
_MOST_NESTED = 3
_STEPS = 0.5  # for a character that is parsed
_INDENT = re.compile(r"[ \t]*")


def is_python(language: str) -> bool:
    """Say whether the name on a fence means Python, or could."""
    return language.lower() in _PYTHON


def effects_html(effects: Iterable[str]) -> str:
    """Return the line that tells the effects of a code block; empty if there are none."""
    told = " · ".join(sorted(effects, key=EFFECTS.index))
    return f'<div class="copilot-effects">⚠ {escape(told)}</div>' if told else ""


class CodeEffects:
    """What a code block does, which may come in several pieces.

    Each piece is parsed at most once, and not before there is a word in it that may matter. So the
    cost is linear, and low for most code. No code makes this slow, or raise. Only Python is
    understood; without a language the code counts if all of it is Python.

    Args:
        language: The name on its fence.
        work: What looking at it may take; code for which that is not enough has no effects.
    """

    def __init__(self, language: str, work: Work) -> None:
        self._work = work
        self._must_parse = not language
        self._is_python = is_python(language)
        self._has_prompts = language.lower() == "pycon"
        self._cell = ""  # the cell magic that the code begins with
        self._is_begun = False
        self._waiting: list[str] = []  # pieces that were not parsed, because they seemed harmless
        self._room = MOST_CODE
        self._told: set[str] = set()
        self._depth = 0  # of code in strings
        self._calls = Calls(work, self._of_text, self._of_magic)

    def feed(self, code: str) -> list[str]:
        """Take the next piece of the code; return the effects that were not returned before."""
        code = code[: self._room]
        missing = [effect for effect in EFFECTS if effect not in self._told]
        if not (self._is_python and code and missing):
            return []
        self._room -= len(code)
        self._waiting.append(code)
        if self._cell in SHELLS or any(may_have(effect, code) for effect in missing):
            waiting, self._waiting = self._waiting, []
            found: set[str] = set()
            with suppress(TooMuchWork):
                for piece in _pieces("".join(waiting)):
                    found |= self._of_piece(piece)
            if self._is_python:
                self._told |= found
                return [effect for effect in missing if effect in found]
        return []

    def _of_piece(self, code: str) -> set[str]:
        if not self._is_begun:
            self._has_prompts = self._has_prompts or code.lstrip().startswith(">>> ")
        if self._has_prompts:
            lines = (line for line in code.splitlines() if _PROMPT.match(line))
            code = "\n".join(_PROMPT.sub("", line, count=1) for line in lines)
        line = ""
        if not self._is_begun and (magic := CELL_MAGIC.match(code)):
            self._cell, line, code = magic[1], magic[2], code[magic.end() :]
        self._is_begun = True
        return self._of_cell(line, code) if self._cell else self._of_python(code)

    def _of_cell(self, line: str, body: str) -> set[str]:
        """Return the effects of a cell magic, or of a piece of its body."""
        if self._cell in PYTHON_MAGICS:
            statement = line[_OPTIONS.match(line).end() :]  # type: ignore[union-attr]
            has_statement = self._cell not in _WITHOUT_STATEMENT
            return self._of_python(f"{statement}\n{body}" if has_statement else body)
        return self._of_magic(f"%{self._cell}", f"{line}\n{body}")

    def _of_magic(self, name: str, rest: str) -> set[str]:
        """Return the effects of a line magic, or with ``%`` before its name, of a cell magic."""
        is_cell, name = name.startswith("%"), name.removeprefix("%")
        if is_cell and name in SHELLS:
            return {PROCESSES} | shell_effects(rest.partition("\n")[2])
        if is_cell and name in OTHER_LANGUAGES:
            return {PROCESSES}
        if name in ("sx", "system"):
            return {PROCESSES} | shell_effects(rest)
        if name in INSTALLERS or name in COMMAND_MAGICS:
            return {PROCESSES} | shell_effects(f"{name} {rest}")
        if name in SAVING:
            return {WRITES}
        return {CODE} if name == "run" else set()

    def _of_text(self, code: str) -> set[str]:
        """Return the effects of Python in a string."""
        if self._depth >= _MOST_NESTED:
            return {CODE}
        self._depth += 1
        try:
            return self._of_python(code[:PIECE])
        finally:
            self._depth -= 1

    def _of_python(self, code: str) -> set[str]:
        """Return the effects of code that may hold IPython's syntax, errors, half a function."""
        code = _ESCAPE.sub(lambda m: m[1] or "/", _NAMED.sub("-", code))
        if tree := self._parsed(code):
            return self._calls.effects(tree)
        found: set[str] = set()

        def replaced(match: re.Match[str]) -> str:
            python, effects = self._of_magic_line(match)
            found.update(effects)
            return python

        code = _opened(_LINE_MAGIC.sub(replaced, code))
        for tree in self._trees(code):
            found |= self._calls.effects(tree)
        return found

    def _trees(self, code: str) -> Iterator[ast.Module]:
        """Parse the code, or else its statements, or else their lines."""
        tree = self._parsed(code)
        if tree or self._must_parse:
            self._is_python = tree is not None
            yield from [tree] if tree else []
            return
        starts = [0, *(match.start() for match in _STATEMENT.finditer(code)), len(code)]
        for start, end in itertools.pairwise(starts):
            statement = code[start:end]
            if tree := self._parsed(statement):
                yield tree
                continue
            for line in statement.splitlines():
                line = line.strip()
                if tree := self._parsed(f"{line} pass" if line.endswith(":") else line):
                    yield tree

    def _parsed(self, code: str) -> ast.Module | None:
        self._work.spend(len(code) * _STEPS)
        try:
            return ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None

    def _of_magic_line(self, match: re.Match[str]) -> tuple[str, set[str]]:
        """Return Python that takes the place of a line of IPython's syntax, and its effects."""
        indent, target, bang, magic, installer, rest = match.groups()
        if bang:
            effects = {PROCESSES} | shell_effects(rest)
        elif magic in PYTHON_MAGICS:
            return f"{indent}{rest[_OPTIONS.match(rest).end() :]}", set()  # type: ignore[union-attr]
        elif installer and self._must_parse:
            return match.group(), set()
        else:
            effects = self._of_magic(magic or installer, rest)
        return (f"{indent}{target} = 0" if target else f"{indent}0"), effects


def _pieces(code: str) -> Iterator[str]:
    """Yield the code in pieces, each with whole statements if possible."""
    code = code[:MOST_CODE]
    while len(code) > PIECE:
        end = max((m.start() for m in _STATEMENT.finditer(code, PIECE // 2, PIECE)), default=0)
        end = end or code.rfind("\n", 0, PIECE) + 1 or PIECE
        yield code[:end]
        code = code[end:]
    yield code


def _opened(code: str) -> str:
    """Return code that begins inside of blocks, with headers for them before it."""
    levels: list[str] = []
    for line in code.splitlines():
        indent = _INDENT.match(line).group()  # type: ignore[union-attr]
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not levels or len(indent) < len(levels[-1]):
            levels.append(indent)
        if not indent:
            break
    if not levels or not levels[0]:
        return code
    outer = ["", *(level for level in reversed(levels[1:]) if level)]
    return "".join(f"{indent}if 1:\n" for indent in outer) + code
