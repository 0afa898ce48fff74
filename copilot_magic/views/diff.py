"""Two versions of a cell as a diff: coloured in a notebook and in a terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from ..markdown.code import escape_code
from ..text import count_of, escape, one_line, printable
from .printing import say, write
from .terminal import BOLD, DIM, RESET, has_colours
from .view import in_kernel

__all__ = ["show_diff"]

# Lines up to which a cell is shown as a whole, and lines shown around each change of a longer one.
WHOLE = 60
CONTEXT = 3
# Lines of a diff that are shown; what follows is only counted.
SHOWN = 400
# Characters of a line that are shown.
SHOWN_LINE = 2_000
# Limits, since comparing takes quadratic time: lines of one text times lines
# of the other; lines of one change, word by word; and characters of such a line.
COMPARED = 250_000
COMPARED_LINES = 50
COMPARED_LINE = 200

_WORD = re.compile(r"\w+|\s+|.", re.DOTALL)
_COLOURS = {"-": "\x1b[31m", "+": "\x1b[32m", "@": DIM}
_CLASSES = {"-": "gd", "+": "gi", "@": "gu"}


@dataclass
class _Line:
    """A line of a diff.

    Attributes:
        sign: ``-``, ``+``, a blank, or ``@`` for a place where lines are left out.
        text: The line.
        marked: The stretches of it that changed, if the rest did not.
    """

    sign: str
    text: str
    marked: Sequence[tuple[int, int]] = ()

    @property
    def plain(self) -> str:
        return self.text if self.sign == "@" else f"{self.sign} {self.text}".rstrip()

    def pieces(self) -> Iterator[tuple[str, bool]]:
        """Return the line in pieces, each with whether it is marked."""
        yield ("" if self.sign == "@" else f"{self.sign} "), False
        done = 0
        for start, end in self.marked:
            yield self.text[done:start], False
            yield self.text[start:end], True
            done = end
        yield self.text[done:], False


def show_diff(shell: Any, before: str, after: str, notes: Sequence[str] = ()) -> None:
    """Show how a cell would change.

    Both texts may come from a model; nothing in them is run or rendered.

    Args:
        shell: The IPython shell, or None outside of IPython.
        before: The cell as it is.
        after: The cell as it would be.
        notes: Remarks, each shown as a small line below.
    """
    lines = _diff(_lines(before), _lines(after))
    notes = [one_line(note) for note in notes]
    if in_kernel(shell):
        shell.display_pub.publish(_bundle(lines, notes), metadata={})
    elif sys.stdout.isatty() and has_colours():
        write("".join(f"{_styled(line)}\n" for line in lines))
        write("".join(f"{DIM}{note}{RESET}\n" for note in notes))
    else:
        say("\n".join([*(line.plain for line in lines), *notes]))


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in printable(text).rstrip().split("\n")]


def _bundle(lines: Sequence[_Line], notes: Sequence[str]) -> dict[str, str]:
    from ..markdown.render import root

    code = "\n".join(map(_html, lines))
    # Not in the style sheet, because an untrusted notebook drops that.
    pre = f"<pre><code>{code}\n</code></pre>"
    html = f'<div class="highlight copilot-code" dir="ltr" style="margin-bottom:1em">{pre}</div>'
    html += "".join(
        f'<div><small class="copilot-mark">{escape(note)}</small></div>' for note in notes
    )
    return {
        "text/html": root(html),
        "text/plain": "\n".join([*(line.plain for line in lines), *notes]),
    }


def _html(line: _Line) -> str:
    html = "".join(
        f"<b><u>{escape_code(text)}</u></b>" if is_marked else escape_code(text)
        for text, is_marked in line.pieces()
    )
    name = _CLASSES.get(line.sign)
    return f'<span class="{name}">{html}</span>' if name else html


def _styled(line: _Line) -> str:
    colour = _COLOURS.get(line.sign, "")
    text = "".join(
        f"{BOLD}{piece}{RESET}{colour}" if is_marked else piece
        for piece, is_marked in line.pieces()
    )
    return f"{colour}{text}{RESET}" if colour else text


def _diff(before: list[str], after: list[str]) -> list[_Line]:
    """Return the lines of the diff, or one that says there is none."""
    if before == after:
        return [_Line("@", "no change")]
    lines = list(_all_lines(before, after))
    if max(len(before), len(after)) > WHOLE:
        lines = list(_around_changes(lines))
    if len(lines) > SHOWN:
        more = count_of(len(lines) - SHOWN, "more line")
        lines = [*lines[:SHOWN], _Line("@", f"… {more}")]
    for line in lines:
        if len(line.text) > SHOWN_LINE:
            line.text = f"{line.text[:SHOWN_LINE]}…"
    return lines


def _all_lines(before: list[str], after: list[str]) -> Iterator[_Line]:
    start, least = 0, min(len(before), len(after))
    while start < least and before[start] == after[start]:
        start += 1
    end = 0
    while end < least - start and before[-1 - end] == after[-1 - end]:
        end += 1
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    yield from (_Line(" ", line) for line in before[:start])
    if len(old) * len(new) > COMPARED:
        yield from _changed(old, new)
    else:
        for kind, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if kind == "equal":
                yield from (_Line(" ", line) for line in old[i:j])
            else:
                yield from _changed(old[i:j], new[k:m])
    yield from (_Line(" ", line) for line in before[len(before) - end :])


def _changed(old: list[str], new: list[str]) -> Iterator[_Line]:
    removed = [_Line("-", line) for line in old]
    added = [_Line("+", line) for line in new]
    if len(old) == len(new) <= COMPARED_LINES:
        for one, other in zip(removed, added, strict=True):
            _mark(one, other)
    yield from removed
    yield from added


def _mark(old: _Line, new: _Line) -> None:
    """Mark the words that differ in two lines that have at least half of their text in common."""
    if max(len(old.text), len(new.text)) > COMPARED_LINE:
        return
    words, others = _WORD.findall(old.text), _WORD.findall(new.text)
    matcher = SequenceMatcher(None, words, others, autojunk=False)
    opcodes = matcher.get_opcodes()
    common = sum(len("".join(words[i:j])) for kind, i, j, _, _ in opcodes if kind == "equal")
    if 2 * common < max(len(old.text), len(new.text)):
        return
    changes = [opcode[1:] for opcode in opcodes if opcode[0] != "equal"]
    old.marked = [(_length(words, i), _length(words, j)) for i, j, _, _ in changes]
    new.marked = [(_length(others, k), _length(others, m)) for _, _, k, m in changes]


def _length(words: list[str], count: int) -> int:
    return sum(map(len, words[:count]))


def _around_changes(lines: Sequence[_Line]) -> Iterator[_Line]:
    """Return the changes with some lines around each; a line says how many are left out."""
    near: set[int] = set()
    for number, line in enumerate(lines):
        if line.sign != " ":
            near.update(range(number - CONTEXT, number + CONTEXT + 1))
    left_out = 0
    for number, line in enumerate(lines):
        if number not in near:
            left_out += 1
            continue
        if left_out:
            yield _Line("@", f"… {count_of(left_out, 'line')}")
            left_out = 0
        yield line
    if left_out:
        yield _Line("@", f"… {count_of(left_out, 'line')}")
