"""The Markdown parser: CommonMark with tables, strikethrough, formulas and bare links.

The rules share these entries of the parser's environment:
    references: the link definitions so far (markdown-it's own name)
    open: more text may follow, so an unclosed formula is a block
    tail: show unfinished text as what it will become
    code: the `GrowingCode` of the code block that is being written
    work: the `Work` that the text may take
    effects: the `CodeEffects` of a code block that is settled in parts
    effects_work: the `Work` that telling what code does may take
    depth: how many images there are around the running text that is parsed
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING
from unicodedata import bidirectional

from .code import code_block_html
from .links import bare_address, safe_links
from .math import block_formula, block_formula_html, formula_html, inline_formula
from .tags import balance, details, footnote, tag
from .unfinished import show_unfinished

if TYPE_CHECKING:
    from collections.abc import Callable

    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore
    from markdown_it.token import Token

__all__ = ["NESTING", "markdown_parser"]

NESTING = 50
"""Deepest nesting of blocks; the parser needs some Python frames for each level."""

# Hebrew to Arabic Extended-A, their presentation forms, and the scripts of the higher planes.
_RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_DIRECTED = frozenset(["p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "th", "td"])
_TASK = re.compile(r"\[([ xX])\][ \t]+")


@lru_cache(maxsize=2)
def markdown_parser(remote_images: bool, /) -> MarkdownIt:
    """Return the parser; images from the web stay images only if `remote_images` is true.

    The argument is positional because the cache would keep a second parser for its keyword.
    """
    from markdown_it import MarkdownIt

    from .counted import (
        CountingBlockParser,
        CountingInlineParser,
        LinkHelpers,
        link_definition,
        underlined_heading,
    )

    parser = MarkdownIt("zero")
    parser.block, parser.inline = CountingBlockParser(), CountingInlineParser()
    parser.helpers = LinkHelpers  # type: ignore[assignment]
    parser.configure("commonmark", {"html": False, "xhtmlOut": False, "maxNesting": NESTING})
    parser.enable(["table", "strikethrough"])
    parser.disable(["html_block", "html_inline"])
    parser.block.ruler.at("lheading", underlined_heading)
    parser.block.ruler.at("reference", link_definition)
    parser.block.ruler.before(
        "fence",
        "math_block",
        block_formula,
        {"alt": ["paragraph", "reference", "blockquote", "list"]},
    )
    parser.block.ruler.before(
        "fence", "details", details, {"alt": ["paragraph", "reference", "blockquote"]}
    )
    parser.inline.ruler.before("escape", "math", inline_formula)
    parser.inline.ruler.before("link", "bare_address", bare_address)
    parser.inline.ruler.before("link", "footnote", footnote)
    parser.inline.ruler.before("autolink", "tag", tag)
    parser.core.ruler.after("block", "unfinished", show_unfinished)
    parser.core.ruler.push("sanitize", lambda state: _sanitize(state, remote_images))
    # Accept every address as a link here; `safe_links` shows the unsafe ones as text.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    for name, rule in _RENDER_RULES.items():
        parser.add_render_rule(name, rule)
    # The parser compiles its rules at first use, and a second thread would see half of them.
    parser.render("x")
    return parser


def _sanitize(state: StateCore, remote_images: bool) -> None:
    """Drop every attribute that is not known to be harmless."""
    directions = _directions(state.tokens) if _RIGHT_TO_LEFT.search(state.src) else []
    indices = (index for index, token in enumerate(state.tokens) if token.type == "inline")
    unfinished = max(indices, default=-1) if state.env.get("tail") else -1
    for index, token in enumerate(state.tokens):
        attrs: dict[str, str | int | float] = {}
        if token.type in ("ordered_list_open", "th_open", "td_open"):
            # Made by the parser: `start` from digits, `style` as one of three alignments.
            attrs = dict(token.attrs)
        elif token.type == "inline":
            _show_task(state.tokens, index)
            children = balance(token.children or [], is_open=index == unfinished)
            token.children = safe_links(children, remote_images)
        if directions and token.nesting == 1 and token.tag in _DIRECTED:
            # Not `dir="auto"`: for a list it ignores items that have a `dir` of their own.
            attrs["dir"] = directions[index]
            attrs.setdefault("style", "text-align:start")
        token.attrs = attrs


def _directions(tokens: list[Token]) -> list[str]:
    """Return the direction of each token: that of the next text."""
    direction, directions = "ltr", []
    for token in reversed(tokens):
        if token.content:
            direction = _direction(token)
        directions.append(direction)
    return directions[::-1]


def _direction(token: Token) -> str:
    """Return the direction of a token's text, which is that of its first letter."""
    for character in token.content:
        if (kind := bidirectional(character)) in ("L", "R", "AL"):
            return "ltr" if kind == "L" else "rtl"
    return "ltr"


def _show_task(tokens: list[Token], index: int) -> None:
    """Replace ``[x]`` at the start of a list item by a sign; a checkbox would be a form field."""
    if index < 2 or tokens[index - 2].type != "list_item_open":
        return
    children = tokens[index].children
    if children and (box := _TASK.match(children[0].content)) and children[0].type == "text":
        sign = "☐" if box.group(1) == " " else "☑"
        children[0].content = f"{sign} {children[0].content[box.end() :]}"


_RENDER_RULES: dict[str, Callable[..., str]] = {
    "fence": lambda self, tokens, index, options, env: code_block_html(tokens[index], env),
    "code_block": lambda self, tokens, index, options, env: code_block_html(tokens[index], env),
    "math": lambda self, tokens, index, options, env: formula_html(
        tokens[index].content, tokens[index].markup
    ),
    "math_block": lambda self, tokens, index, options, env: block_formula_html(tokens[index]),
    "table_open": lambda self, tokens, index, options, env: (
        f'<div class="copilot-table">{self.renderToken(tokens, index, options, env)}'
    ),
    "table_close": lambda self, tokens, index, options, env: "</table></div>\n",
}
