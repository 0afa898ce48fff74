"""The parsers of markdown-it, which count their steps.

Imports markdown-it, so import this module when the first text is parsed, not before. The steps
are taken from the `Work` in the parser's environment; without one they are not limited.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from markdown_it.common.utils import unescapeAll
from markdown_it.helpers import parseLinkDestination, parseLinkLabel, parseLinkTitle
from markdown_it.parser_block import ParserBlock
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_block import StateBlock, lheading, reference
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from .work import TooMuchWork, Work

__all__ = [
    "CountingBlockParser",
    "CountingInlineParser",
    "LinkHelpers",
    "References",
    "link_definition",
    "underlined_heading",
]

NESTED_IMAGES = 10
"""Most images in each other's alternative text; the parser calls itself for each."""

# The end of a line that may be the underline of a heading.
_UNDERLINE = re.compile(r"[=-][ \t]*(?:\n|\Z)")
# What has a meaning in the destination of a link, besides what ends it.
_IN_DESTINATION = re.compile(r"\\(?! )[\s\S]|[()\x00-\x20\x7f]")
_UNLIMITED = Work()


class References(dict[str, Any]):
    """Link definitions by their label; looking one up takes steps, because labels can be long.

    Args:
        work: What looking up may take.
        known: More definitions, which stay as they are.

    Attributes:
        defined_late: Whether a label was defined after it was looked up in vain.
        defining: Whether a definition is being read, not a link.
    """

    def __init__(self, work: Work, known: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self._work = work
        self._known = known or {}
        self._missed: set[str] = set()
        self.defined_late = False
        self.defining = False

    def child(self, work: Work) -> References:
        """Return definitions that have these, too, but whose own are not added to these."""
        return References(work, self)

    def __contains__(self, key: object) -> bool:
        """Say whether the label is defined."""
        found = super().__contains__(key) or key in self._known
        if not found and not self.defining:
            self._missed.add(str(key))
        return found

    def __getitem__(self, key: str) -> Any:
        """Return a definition."""
        return super().__getitem__(key) if super().__contains__(key) else self._known[key]

    def __setitem__(self, key: str, definition: Any) -> None:
        """Add a definition."""
        self.defined_late |= key in self._missed
        super().__setitem__(key, definition)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a definition, or the default."""
        self._work.spend(1 + len(key) / 20)
        found = key in self
        return self[key] if found else default


class _BlockState(StateBlock):
    def __init__(self, src: str, md: Any, env: Any, tokens: list[Token]) -> None:
        self.work: Work = env.get("work", _UNLIMITED)
        self.work.spend(10 + len(src) / 10)
        super().__init__(src, md, env, tokens)

    def push(self, ttype: str, tag: str, nesting: Literal[-1, 0, 1]) -> Token:
        self.work.spend(14 if ttype == "list_item_open" else 2)
        return super().push(ttype, tag, nesting)


class _InlineState(StateInline):
    def __init__(self, src: str, md: Any, env: Any, tokens: list[Token]) -> None:
        self.work: Work = env.get("work", _UNLIMITED)
        self.work.spend(6 + len(src) / 20)
        super().__init__(src, md, env, tokens)

    def push(self, ttype: str, tag: str, nesting: Literal[-1, 0, 1]) -> Token:
        # An address is parsed and encoded.
        self.work.spend(40 if ttype in ("link_open", "image") else 3)
        return super().push(ttype, tag, nesting)


class CountingBlockParser(ParserBlock):
    """markdown-it's parser of blocks, which counts the tokens it makes."""

    def tokenize(self, state: StateBlock, startLine: int, endLine: int) -> None:
        """Parse the blocks in another block, or of the text.

        Raises:
            TooMuchWork: They are nested too deeply; markdown-it itself would drop the text.
        """
        if state.level >= state.md.options["maxNesting"] and state.work is not _UNLIMITED:  # type: ignore[attr-defined]
            raise TooMuchWork
        super().tokenize(state, startLine, endLine)

    def parse(self, src: str, md: Any, env: Any, outTokens: list[Token]) -> list[Token] | None:
        """Parse the blocks of a text."""
        if not src:
            return None
        state = _BlockState(src, md, env, outTokens)
        self.tokenize(state, state.line, state.lineMax)
        return state.tokens


class CountingInlineParser(ParserInline):
    """markdown-it's parser of running text, which counts tokens and what it looks ahead."""

    def skipToken(self, state: StateInline) -> None:
        """Skip what begins here, in looking for the end of a link's label."""
        state.work.spend(1)  # type: ignore[attr-defined]
        super().skipToken(state)

    def parse(self, src: str, md: Any, env: Any, tokens: list[Token]) -> list[Token]:
        """Parse running text."""
        depth = env.get("depth", 0)
        if depth > NESTED_IMAGES:
            raise TooMuchWork
        env["depth"] = depth + 1
        state = _InlineState(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            state.work.spend(len(state.tokens) / 2)
            rule(state)
        env["depth"] = depth
        return state.tokens


class LinkHelpers:
    """markdown-it's functions that parse links: counted, and one of them made faster."""

    parseLinkTitle = staticmethod(parseLinkTitle)

    @staticmethod
    def parseLinkLabel(state: Any, start: int, disableNested: bool = False) -> int:
        """Return where the label of a link ends, -1 if it does not."""
        state.work.spend(12)
        return parseLinkLabel(state, start, disableNested)

    @staticmethod
    def parseLinkDestination(string: str, pos: int, maximum: int) -> Any:
        """Parse the destination of a link; markdown-it's own goes character by character."""
        if string[pos : pos + 1] == "<":
            return parseLinkDestination(string, pos, maximum)
        result = parseLinkDestination("", 0, 0)
        end, level = maximum, 0
        for sign in _IN_DESTINATION.finditer(string, pos, maximum):
            kind = sign.group()
            if kind == "(":
                level += 1
            elif kind == ")" and level:
                level -= 1
            elif len(kind) == 1:
                end = sign.start()
                break
            if level > 32:
                return result
        if end > pos and level == 0:
            result.ok, result.pos, result.str = True, end, unescapeAll(string[pos:end])
        return result


def link_definition(state: StateBlock, start: int, end_line: int, silent: bool) -> bool:
    """Read a link definition, but leave footnotes alone."""
    if state.src.startswith("[^", state.bMarks[start] + state.tShift[start]):
        return False
    references = state.env.get("references")
    if not isinstance(references, References):
        return reference(state, start, end_line, silent)
    references.defining = True
    try:
        return reference(state, start, end_line, silent)
    finally:
        references.defining = False


def underlined_heading(state: StateBlock, start: int, end_line: int, silent: bool) -> bool:
    """Read a heading that is underlined, without a search for one if no line is an underline.

    markdown-it's rule goes through the whole paragraph to find out.
    """
    begin = state.eMarks[start]
    end = state.src.find("\n\n", begin)
    if not _UNDERLINE.search(state.src, begin, end + 1 if end >= 0 else len(state.src)):
        return False
    return lheading(state, start, end_line, silent)
