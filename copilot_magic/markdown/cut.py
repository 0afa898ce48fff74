"""Where a block that is too long to wait for its end is cut in two.

The first part is settled. The second begins with lines that open the same blocks again, and both
are marked, so the style sheet can show them as one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .code import language_of, split_points
from .parser import NESTING
from .unfinished import complete

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token

    from .work import Work

__all__ = ["LISTS", "PART", "Cut", "OpenBlock", "find_cut", "mark_cut_off", "mark_resumed"]

PART = 2_000
"""Length from which a block is settled in parts, in characters; a paragraph from twice as many."""

TRIED = 40_000
"""Characters that are looked at for a place to cut a paragraph, over all tries."""

LISTS = ("bullet_list_open", "ordered_list_open")

_ITEM = re.compile(r" {0,3}(?:[-+*]|\d{1,9}[.)]) {1,4}(?=\S)")
_QUOTE = re.compile(r" {0,3}> ?")
_MARKERS = {"list_item_open": _ITEM, "blockquote_open": _QUOTE}


@dataclass(frozen=True)
class OpenBlock:
    """A block that a cut goes through.

    Attributes:
        type: The type of its token.
        start: The number an ordered list continues with.
        loose: Whether it is a list with space between its items.
    """

    type: str
    start: int | None = None
    loose: bool = False


@dataclass(frozen=True)
class Cut:
    """A place to cut a long block, and what opens the rest of it again.

    Attributes:
        line: The first line of the rest.
        opening: Lines that replace the first `replaced` lines of the rest.
        replaced: How many lines of the rest the opening stands for.
        opened: The blocks that the cut goes through, the outermost first.
    """

    line: int
    opening: list[str]
    replaced: int
    opened: list[OpenBlock]


def find_cut(tokens: Sequence[Token], lines: Sequence[str], work: Work) -> Cut | None:
    """Return the outermost place to cut that leaves little after it, else the innermost.

    Args:
        tokens: The blocks of the lines.
        lines: Whole lines with their line ends.
        work: What looking at code may take.
    """
    prefix = ""  # what the lines inside the open blocks begin with
    opened: list[OpenBlock] = []
    best: Cut | None = None
    first = 0
    for level in range(NESTING):
        children = [
            index
            for index in range(first, len(tokens))
            if tokens[index].level == level and tokens[index].nesting >= 0
        ]
        if not children or tokens[children[-1]].map is None:
            break
        index = children[-1]
        last = tokens[index]
        first = index + 1
        begin = (last.map or [0])[0]
        line = lines[begin]
        if not _continues(line, prefix):
            break
        rest = line[len(prefix) :]
        if len(children) > 1:
            if last.type == "list_item_open" and (start := opened[-1].start) is not None:
                opened[-1] = replace(opened[-1], start=start + len(children) - 1)
            best = Cut(begin, [prefix + rest], 1, list(opened))
            if _size(lines[begin:]) < PART // 2:
                break
        if last.type in LISTS:
            opened.append(_open_list(tokens[index:]))
            continue
        opened.append(OpenBlock(last.type))
        if last.type not in _MARKERS:
            return _cut_leaf(last, lines, prefix, opened, work) or best
        marker = _MARKERS[last.type].match(rest)
        if not marker:
            break
        prefix += marker.group()
    return best


def mark_cut_off(tokens: Sequence[Token], opened: Sequence[OpenBlock]) -> None:
    """Mark the last blocks, which are continued in the next part."""
    for level, block in enumerate(opened):
        last = next((t for t in reversed(tokens) if t.level == level and t.nesting >= 0), None)
        if last and last.type == block.type:
            last.attrJoin("class", "copilot-more")


def mark_resumed(tokens: Sequence[Token], opened: Sequence[OpenBlock]) -> None:
    """Mark the first blocks, which continue a settled part, and give them their numbers."""
    for index, (token, block) in enumerate(zip(tokens, opened, strict=False)):
        if token.type != block.type:
            break
        token.attrJoin("class", "copilot-cont")
        if block.start is not None:
            token.attrSet("start", block.start)
        if block.loose:
            token.meta["loose"] = True
            for inner in tokens[index + 1 :]:
                if inner.level <= token.level:
                    break
                if inner.level == token.level + 2 and inner.tag == "p":
                    inner.hidden = False


def _size(lines: Sequence[str]) -> int:
    return sum(map(len, lines))


def _continues(line: str, prefix: str) -> bool:
    """Say whether the line continues the blocks whose first line began with the prefix."""
    return line.startswith(prefix) or (
        len(line) >= len(prefix)
        and all(
            have == (">" if want == ">" else " ") for have, want in zip(line, prefix, strict=False)
        )
    )


def _open_list(tokens: Sequence[Token]) -> OpenBlock:
    """Return the list that the tokens begin with, as a block that a cut goes through."""
    opening = tokens[0]
    start = None if opening.type == "bullet_list_open" else int(opening.attrs.get("start", 1))
    is_loose = "loose" in opening.meta or any(
        token.type == "paragraph_open" and token.level == opening.level + 2 and not token.hidden
        for token in tokens
    )
    return OpenBlock(opening.type, start, is_loose)


def _cut_leaf(
    leaf: Token, lines: Sequence[str], prefix: str, opened: list[OpenBlock], work: Work
) -> Cut | None:
    """Return where to cut a block that holds no other blocks, if it is long enough."""
    begin, end = leaf.map or [0, 0]
    size = _size(lines[begin:end])
    if size < PART:
        return None
    again = prefix + lines[begin][len(prefix) :]
    if leaf.type == "fence" and leaf.content.count("\n") == end - begin - 1:
        count = _code_lines(leaf, size, work)
        return Cut(begin + 1 + count, [again], 0, opened) if count else None
    if leaf.type == "table_open" and end - begin > 3:
        return Cut(end - 1, [again, lines[begin + 1]], 0, opened)
    if leaf.type == "code_block":
        last = max(n for n in range(begin, end) if lines[n].strip())
        if last == begin or not _continues(lines[last], prefix):
            return None
        return Cut(last, [prefix + lines[last][len(prefix) :]], 1, opened)
    if leaf.type == "paragraph_open" and end - begin > 1 and size >= 2 * PART:
        last = _paragraph_line(lines, begin, end)
        if not last and size < 4 * PART:
            return None
        last = last or end - 1
        rest = lines[last]
        rest = rest[len(prefix) :] if _continues(rest, prefix) else rest
        return Cut(last, [prefix + rest.lstrip()], 1, opened)
    return None


def _code_lines(fence: Token, size: int, work: Work) -> int:
    """Return how many lines of an unclosed code block to settle, 0 for none."""
    at, other = split_points(fence.content, language_of(fence.info), work)
    if at < PART // 2:
        at = other
    if size >= 4 * PART:
        at = at or len(fence.content)
    return fence.content[:at].count("\n")


def _paragraph_line(lines: Sequence[str], begin: int, end: int) -> int:
    """Return a late line to cut a paragraph before, outside of emphasis, links and formulas.

    Only the last lines are tried, fewer of a long paragraph; 0 means that none of them will do.
    """
    tries = max(3, min(30, TRIED // _size(lines[begin:end])))
    for last in range(end - 1, max(begin, end - tries), -1):
        text = "".join(lines[begin:last]).rstrip()
        if complete(text) == text:
            return last
    return 0
