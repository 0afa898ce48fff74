"""The blocks of a text that are not settled yet, taken line by line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..text import well_formed, without_controls
from .code import GrowingCode
from .cut import LISTS, PART, OpenBlock, find_cut, mark_cut_off, mark_resumed
from .parser import markdown_parser
from .work import KEPT, TooMuchWork, Work, plain_html

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markdown_it.token import Token

    from .effects import CodeEffects

__all__ = ["Blocks"]

# A line that may begin a block, or that ends one because it is blank.
_MAY_BEGIN = re.compile(
    r"[ \t]*$| {0,3}(?:>|#{1,6}(?:[ \t]|$)|(?:[-+*]|\d{1,9}[.)])(?:[ \t]|$)|```|~~~"
    r"|(?:[-*_][ \t]*){3,}$|[-=]+[ \t]*$|[|:-][-:| \t]*$|</?details>|\$\$|\\\[|\\begin\{)"
)
_IN_LIST = re.compile(r"[ \t]*$|  |\t|[-+*] |\d{1,9}[.)] ")
# Lines that continue the block before them. Parsing all of it again at each would be quadratic.
_CONTINUES = {
    "bullet_list_open": _IN_LIST,
    "ordered_list_open": _IN_LIST,
    "blockquote_open": re.compile(r" {0,3}>"),
    "details_open": re.compile(r"(?! {0,3}</details>)"),
    "table_open": re.compile(r" {0,3}\|"),
    "code_block": re.compile(r"[ \t]*$|    |\t"),
}

# Blocks that a blank line does not end.
_GO_ON = (*LISTS, "code_block", "details_open", "fence", "math_block")

# Steps that a text may take: for each character, and saved up at most. Ordinary text takes 1 to 7
# for a character, and no more than are saved can be taken between two paints.
_STEPS = 7.5
_SAVED_STEPS = 25_000
# Steps of a tail: each is allowed this many on average, and one may use what others have saved.
_TAIL_STEPS = 4_500
_SAVED_TAIL_STEPS = 40_000
# Steps for telling what code does, apart from those because they must not cost it its colours.
# Ordinary code takes 1 for a character.
_EFFECTS_STEPS = 1.5
_SAVED_EFFECTS_STEPS = 40_000
# Length of the HTML, in relation to the text, and how much longer it may be.
_GROWTH = 16
_SAVED_GROWTH = 50_000


def _is_blank(text: str) -> bool:
    """Say whether `text` is blank in CommonMark's sense: a form feed is not."""
    return not text.strip(" \t\n")


class Blocks:
    """The blocks that further lines can still change, held as their lines.

    Attributes:
        work: What settling may take.
        tail_work: What showing tails may take.
        effects_work: What telling what code does may take.
        references: The link definitions so far.
    """

    def __init__(self, remote_images: bool, definitions: Mapping[str, Any] | None = None) -> None:
        from .counted import References

        self._parser = markdown_parser(remote_images)
        self._lines: list[str] = []  # with line ends
        self._size = 0  # of the lines, in characters
        self.work = Work(_SAVED_STEPS)
        self._growth = Work(_SAVED_GROWTH, float("inf"))
        self.references = References(self.work, definitions)
        self.tail_work = Work(_SAVED_TAIL_STEPS)
        self.effects_work = Work(_SAVED_EFFECTS_STEPS)
        self._start_afresh()

    def _start_afresh(self) -> None:
        """Forget what was known about the lines: they begin with another block now."""
        self._enough = PART  # the size at which to look for a cut
        self._closing_fence: re.Pattern[str] | None = None  # if the lines are a code block
        self._continues: re.Pattern[str] | None = None  # a line that continues their last block
        self._code = GrowingCode()  # as the tails so far have shown it
        self._opened: Sequence[OpenBlock] = ()  # blocks that a settled part began
        self._effects: CodeEffects | None = None  # of the code in that part, if it goes on
        self._repeated = 0  # lines at the start that the settled part has, too
        self._plain_tail = False  # because it took too much work

    @property
    def in_code(self) -> bool:
        """Say whether the next line is in a fenced code block, or closes it."""
        return self._closing_fence is not None

    def take(self, line: str) -> list[str]:
        """Take one whole line; return the HTML that it settles."""
        self.work.earn(_STEPS * len(line))
        self._growth.earn(_GROWTH * len(line))
        self.effects_work.earn(_EFFECTS_STEPS * len(line))
        if not self._lines and _is_blank(line):
            return []
        after_blank = bool(self._lines) and _is_blank(self._lines[-1])
        self._lines.append(line)
        self._size += len(line)
        settled: list[str] = []
        try:
            if self._closing_fence:
                if self._closing_fence.match(line):
                    settled.append(self._settle(len(self._lines)))
            elif self._continues and self._continues.match(line):
                pass  # It closes nothing.
            elif (after_blank or _MAY_BEGIN.match(line)) and self.work.left > KEPT:
                settled.append(self._settle_closed(is_blank=_is_blank(line)))
            if self._size >= self._enough:
                settled.append(self._settle_part())
        except TooMuchWork:
            settled.append(self._settle_plainly())
        return settled

    def settle_all(self) -> str:
        """Return the HTML of all blocks, because no more lines follow."""
        return self._settle(len(self._lines))

    def tail(self, line: str) -> str:
        """Return the HTML of all blocks, shown as what they will probably become.

        Args:
            line: The start of the next line.
        """
        text = "".join(self._lines) + line
        if _is_blank(text):
            return ""
        work = self.tail_work
        work.earn(_TAIL_STEPS)
        if not self._plain_tail:
            references = self.references.child(work)
            env = {"references": references, "work": work, "open": True, "tail": True}
            if self._closing_fence:
                env["code"] = self._code
            try:
                return self._html(text, env, [])
            except TooMuchWork:
                self._plain_tail = True
        return self._plain(line)

    def _settle_closed(self, is_blank: bool) -> str:
        """Settle the blocks that no further line can change: all but the last, or all.

        Args:
            is_blank: Whether the last line is blank.
        """
        last = next((t for t in reversed(self._parsed()) if t.level == 0 and t.nesting >= 0), None)
        if last is None or last.map is None:
            return self._settle(len(self._lines)) if is_blank else ""
        begin, end = last.map
        if last.type == "fence":
            closed = last.content.count("\n") == end - begin - 2
        elif last.type in ("math_block", "details_open"):
            closed = last.meta["closed"]
        else:
            closed = last.type in ("heading_open", "hr")
        ends = is_blank and last.type not in _GO_ON
        html = self._settle(len(self._lines) if ends else end if closed else begin)
        if self._lines:
            self._continues = _CONTINUES.get(last.type)
        if last.type == "fence" and not closed:
            self._closing_fence = re.compile(f" {{0,3}}{last.markup}{last.markup[0]}*[ \t]*$")
        return html

    def _settle_part(self) -> str:
        """Settle the beginning of a long block, if there is a place to cut it."""
        html = ""
        if cut := find_cut(self._parsed(), self._lines, self.work):
            closing_fence, continues = self._closing_fence, self._continues
            if continues is _CONTINUES["details_open"]:
                continues = None  # It is too long to be folded.
            html = self._settle(cut.line, cut.opened)
            self._lines[: cut.replaced] = cut.opening
            self._size = sum(map(len, self._lines))
            self._closing_fence, self._continues = closing_fence, continues
            self._opened = cut.opened
            self._repeated = len(cut.opening) - cut.replaced
        # Growing by a third before the next try keeps the cost of all tries linear.
        self._enough = max(PART, self._size * 4 // 3)
        return html

    def _settle_plainly(self) -> str:
        """Return all blocks as plain text, because they took too much work."""
        html = self._plain()
        self._forget(len(self._lines))
        return html

    def _settle(self, count: int, cut_off: Sequence[OpenBlock] = ()) -> str:
        """Return the final HTML of the first lines, and forget them."""
        text = "".join(self._lines[:count])
        html = ""
        env: dict[str, Any] = {}
        if not _is_blank(text):
            env |= {"references": self.references, "work": self.work}
            env |= {"effects": self._effects, "effects_work": self.effects_work}
            try:
                html = self._html(text, env, cut_off)
                self._growth.spend(len(html))
            except TooMuchWork:
                html = self._plain("", count)
        if count:
            self._forget(count)
        self._effects = env.get("effects") if cut_off else None
        return html

    def _forget(self, count: int) -> None:
        del self._lines[:count]
        self._size = sum(map(len, self._lines))
        self._start_afresh()

    def _parsed(self) -> list[Token]:
        """Return the block structure of the lines."""
        tokens: list[Token] = []
        env = {"open": True, "work": self.work}
        self._parser.block.parse("".join(self._lines), self._parser, env, tokens)
        mark_resumed(tokens, self._opened)
        return tokens

    def _html(self, text: str, env: dict[str, Any], cut_off: Sequence[OpenBlock]) -> str:
        tokens = self._parser.parse(well_formed(text), env)
        mark_resumed(tokens, self._opened)
        mark_cut_off(tokens, cut_off)
        return without_controls(self._parser.renderer.render(tokens, self._parser.options, env))

    def _plain(self, line: str = "", count: int | None = None) -> str:
        """Return the lines as they are written, without those that a settled part shows."""
        return plain_html(without_controls("".join(self._lines[self._repeated : count]) + line))
