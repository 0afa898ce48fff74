"""Code blocks as HTML: what the code would do, its colours, and where these can be split.

The classes are those of Pygments, which JupyterLab's themes style.
"""

from __future__ import annotations

import html
import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from ..text import visible_controls
from .effects import CodeEffects, effects_html
from .work import KEPT, TooMuchWork, Work

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from markdown_it.token import Token
    from pygments.lexer import Lexer

__all__ = ["GrowingCode", "code_block_html", "escape_code", "language_of", "split_points"]

_LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,30}")
# The start of a line that neither is indented nor closes a bracket.
_STATEMENT = re.compile(r"[^\s})\]]")
_LATER_STATEMENT = re.compile(r"\n[^\s})\]]")

# Code that takes Pygments' patterns very long: endless lines, white space, words without a sign.
_UNUSUAL = re.compile(r"[^\n]{300}|\s{100}|[\w\s$.<>@?\[\]]{300}")

# Languages whose patterns take very long even so.
_SLOW = frozenset({"mcschema", "devicetree", "dts"})


def language_of(info: str) -> str:
    """Return the language a fence names, such as ``python`` for ``python title="x"``."""
    found = _LANGUAGE.search(info.strip().partition(" ")[0].removeprefix("{").removeprefix("."))
    return found.group() if found else ""


def escape_code(code: str) -> str:
    """Return code as HTML text in which control characters are visible.

    Quotes stay as they are: the result is not for attributes.
    """
    return html.escape(visible_controls(code), quote=False)


def code_block_html(token: Token, env: MutableMapping[str, Any]) -> str:
    """Return the element that shows a code block.

    Args:
        token: A ``fence`` or a ``code_block``.
        env: The parser's environment. If there is too little ``work``, the code is plain.
    """
    growing: GrowingCode | None = env.get("code")
    work = env.get("work") or Work()
    language = language_of(token.info) if token.type == "fence" else ""
    # Text has long lines, such as a prompt in an export; code keeps its lines.
    wraps = " copilot-wrap" if language == "text" else ""
    classes = f"highlight copilot-code{wraps} {token.attrs.get('class', '')}".rstrip()
    is_labelled = language and "copilot-cont" not in classes
    label = f'<div class="copilot-language">{html.escape(language)}</div>' if is_labelled else ""
    code = (growing.highlighted if growing else _highlighted)(token.content, language, work)
    # Not in the style sheet, because an untrusted notebook drops that.
    margin = "" if "copilot-more" in classes else ' style="margin-bottom:1em"'
    pre = f"<pre><code>{code}</code></pre>"
    effects = effects_html(_new_effects(token, language, env))
    return f'<div class="{classes}" dir="ltr"{margin}>{label}{effects}{pre}</div>\n'


def _new_effects(token: Token, language: str, env: MutableMapping[str, Any]) -> list[str]:
    """Return the effects of a code block, or those that a part of one adds."""
    if env.get("tail"):
        return []  # More of the code will come.
    names = str(token.attrs.get("class", ""))
    effects: CodeEffects | None = env.get("effects") if "copilot-cont" in names else None
    if effects is None:
        effects = CodeEffects(language, env.get("effects_work") or Work())
    env["effects"] = effects if "copilot-more" in names else None
    return effects.feed(token.content)


class GrowingCode:
    """A code block that is still being written: its beginning is highlighted only once."""

    def __init__(self) -> None:
        self._size = 0  # of the beginning, in characters
        self._html = ""  # of the beginning

    def highlighted(self, code: str, language: str, work: Work) -> str:
        """Return the HTML of the code, which must begin with the code of the call before."""
        rest = code[self._size :]
        if len(rest) > 1_000 or (len(rest) > 500 and _LATER_STATEMENT.search(rest)):
            end, other = split_points(rest, language, work)
            # If there is no good place, a bad one will do: the code is highlighted again later.
            end = end or other or len(rest)
            self._html += _highlighted(rest[:end], language, work)
            self._size += end
            rest = rest[end:]
        return self._html + _highlighted(rest, language, work)


def split_points(code: str, language: str, work: Work) -> tuple[int, int]:
    """Return two places after which highlighting can start afresh, 0 for none.

    Both are at the end of a line, outside of strings and comments. The first one is better: the
    line after it is not indented and closes no bracket. The second is the last such place at all.
    """
    statement = last = position = 0
    for name, value in _pieces(code, language, work):
        end = position + value.rfind("\n") + 1
        # Classes with `s` are strings, with `c` comments; these three comments end with their line.
        if "\n" in value and (name[:1] not in ("s", "c") or name in ("c1", "ch", "cp")):
            last = min(end, len(code))
            if _STATEMENT.match(code, last):
                statement = last
        position += len(value)
    return statement, last


def _highlighted(code: str, language: str, work: Work) -> str:
    runs: list[tuple[str, str]] = []  # neighbours of one colour share an element
    for name, value in _pieces(code, language, work):
        if runs and (name == runs[-1][0] or value.isspace()):
            runs[-1] = (runs[-1][0], runs[-1][1] + value)
        else:
            runs.append((name, value))
    return "".join(
        f'<span class="{name}">{escape_code(value)}</span>' if name else escape_code(value)
        for name, value in runs
    )


def _pieces(code: str, language: str, work: Work) -> list[tuple[str, str]]:
    """Return the code in pieces, each with its Pygments class, empty for plain code."""
    lexer = _lexer(language.lower())
    if lexer is None or _UNUSUAL.search(code):
        return [("", code)]
    lines = code if code.endswith("\n") else f"{code}\n"
    pieces = []
    try:
        work.spend(len(code) / 4, KEPT)
        for kind, value in lexer.get_tokens(lines):
            work.spend(4, KEPT)
            pieces.append((_css_class(kind), value))
    except TooMuchWork:
        return [("", code)]
    # Some lexers drop characters; the code must be shown as it is.
    return pieces if "".join(value for _, value in pieces) == lines else [("", code)]


@lru_cache(maxsize=64)
def _lexer(language: str) -> Lexer | None:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    if language in _SLOW:
        return None
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False) if language else None
    except ClassNotFound:
        return None


@cache
def _css_class(kind: Any) -> str:
    """Return the Pygments class of a token type, or nothing if it has the colour of plain code."""
    from pygments.token import STANDARD_TYPES

    while kind not in STANDARD_TYPES:
        kind = kind.parent
    name = STANDARD_TYPES[kind]
    return "" if name in ("n", "p", "w", "x", "err") else name
