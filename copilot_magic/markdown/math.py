r"""Formulas in Markdown: found by the parser, and handed to MathJax only if they are harmless.

Inline: ``$…$``, ``$$…$$``, ``\(…\)`` and ``\[…\]``. On lines of their own: ``$$``, ``\[`` and the
environments of LaTeX and amsmath.
"""

from __future__ import annotations

import html
import re
from itertools import accumulate
from typing import TYPE_CHECKING

from .code import escape_code

if TYPE_CHECKING:
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

__all__ = [
    "CLOSERS",
    "DOLLAR_FORMULA",
    "NESTING",
    "block_formula",
    "block_formula_html",
    "formula_html",
    "inline_formula",
]

FORMULA = 4_000
"""Length of the longest formula that MathJax gets, in characters."""

NESTING = 25
"""Deepest nesting of braces that MathJax gets: it calls itself for each, and 75 crash the page."""

ENVIRONMENTS = 50
"""Most environments in a formula, because they can be in each other; 120 crash the page."""

SWITCHES = 50
"""Most changes of size, style and colour in a formula. Each is an element around all that follows
it, and the time MathJax takes for them grows faster than their number."""

COPIES = 5
"""Most commands in a formula that write their argument twice: each other one in it doubles that."""

CELLS = 2_500
"""Most cells of a matrix: MathJax fills up every row to the length of the longest one."""

CLOSERS = {"$$": "$$", "\\[": "\\]", "\\(": "\\)"}
"""What ends a formula, by what begins it; a single dollar has rules of its own."""

DOLLAR_FORMULA = re.compile(
    r"\$(?![\s$]|\d[\d.,]*\s+[A-Za-z]{2})((?:[^$\\]|\\.)+)(?<!\s)\$(?![\d$])", re.DOTALL
)
"""A formula between single dollars. Pandoc's rules: no space just inside them and no digit after
them, so "$5 and $6" is not one."""

_BLOCK_OPENER = re.compile(
    r"\$\$(?!\$)|\\\[|\\begin\{(?:equation|align|alignat|gather|multline|flalign|eqnarray)\*?\}"
)
_BRACE = re.compile(r"\\.|([{}])", re.DOTALL)
_SWITCH = re.compile(
    r"\\(?:tiny|scriptsize|small|normalsize|large|huge|color"
    r"|(?:display|text|script|scriptscript)style)(?![A-Za-z])",
    re.IGNORECASE,
)
_LABEL = re.compile(r"\\label\s*\{[^{}]*\}")
# Commands that affect more than their own formula: the page or later formulas.
_UNSAFE_COMMAND = re.compile(
    r"(?<!\\)(?:\\\\)*\\(?:(?:re)?new(?!line)|provide|[gex]?def|let|future|Declare|require|href|url"
    r"|class|style|css|html|data|unicode|bbox|mmlToken|action|toggle|mathtip|texttip|begingroup"
    r"|endgroup|csname|include|input|catcode|special|usetag|mathtoolsset|setoption)",
    re.IGNORECASE,
)


def inline_formula(state: StateInline, silent: bool) -> bool:
    """Read a formula in running text (a rule of markdown-it)."""
    source, begin = state.src, state.pos
    if work := state.env.get("work"):
        work.spend(2)  # The parser tries this rule and the next ones wherever text ends.
    if source[begin] not in "$\\":
        return False
    opener = source[begin : begin + 2]
    if opener in CLOSERS:
        end = source.find(CLOSERS[opener], begin + 2)
        if end <= begin + 2:
            return False
        tex, end = source[begin + 2 : end], end + 2
    elif opener[0] == "$" and not (begin and source[begin - 1].isalnum()):
        match = DOLLAR_FORMULA.match(source, begin)
        if not match:
            return False
        tex, end = match.group(1), match.end()
    else:
        return False
    if not tex.strip():
        return False
    if not silent:
        token = state.push("math", "span", 0)
        token.content = tex
        token.markup = opener if opener in ("$$", "\\[") else "$"
    state.pos = end
    return True


def block_formula(state: StateBlock, start: int, end_line: int, silent: bool) -> bool:
    """Read a formula on lines of its own, which ends at a blank line at the latest (a rule).

    If the text ends inside the formula, it is an unclosed block if ``open`` is set in the parser's
    environment, because more text may follow. Otherwise it is no formula.
    """
    work = state.env.get("work")
    if work:
        work.spend(4)  # The parser tries this rule and the next ones at each line.
    if state.is_code_block(start):
        return False
    begin = state.bMarks[start] + state.tShift[start]
    opening = _BLOCK_OPENER.match(state.src, begin, state.eMarks[start])
    if not opening:
        return False
    opener = opening.group()
    closer = CLOSERS.get(opener) or opener.replace("begin", "end")
    position, line = opening.end(), start
    while True:
        found = state.src.find(closer, position, state.eMarks[line])
        if found >= 0:
            if state.src[found + len(closer) : state.eMarks[line]].strip():
                return False
            break
        line += 1
        if work:
            work.spend(1)
        if line >= end_line:
            if not state.env.get("open"):
                return False
            break
        is_outside = state.isEmpty(line) or state.sCount[line] < state.blkIndent
        if is_outside or position - begin > FORMULA:
            return False
        position = state.bMarks[line] + state.tShift[line]
    if silent:
        return True
    state.line = min(line + 1, end_line)
    lines = state.getLines(start, state.line, state.blkIndent, False).strip()
    token = state.push("math_block", "div", 0)
    token.map = [start, state.line]
    token.markup = opener
    token.meta = {"closed": found >= 0}
    token.content = lines if opener[1] == "b" else lines[2 : -2 if found >= 0 else None]
    return True


def formula_html(tex: str, opener: str) -> str:
    """Return a formula for MathJax to find; as code if it is unsafe or too much for MathJax."""
    if opener.startswith("\\b"):
        source = tex
    else:
        source = f"\\[{tex}\\]" if opener in ("$$", "\\[") else f"\\({tex}\\)"
    if len(tex) > FORMULA or _UNSAFE_COMMAND.search(tex) or _is_heavy(tex):
        return f"<code>{escape_code(source)}</code>"
    # Two equal labels anywhere on a page are an error in MathJax, and nothing refers to them.
    source = html.escape(_LABEL.sub("", source), quote=False)
    return f'<span class="copilot-math mathjax_process tex2jax_process">{source}</span>'


def _is_heavy(tex: str) -> bool:
    """Say whether MathJax could take seconds for a formula, or crash the page."""
    braces = "".join(_BRACE.findall(tex))
    if "%" in tex or "\\verb" in tex:
        braces = braces.replace("}", "")  # It may be in a comment, and close nothing.
    depth = accumulate(1 if brace == "{" else -1 for brace in braces)
    rows = 1 + tex.count("\\\\") + tex.count("\\cr")
    columns = 1 + max(row.count("&") for row in tex.split("\\\\"))
    return (
        max(depth, default=0) > NESTING
        or tex.count("\\begin") > ENVIRONMENTS
        or tex.count("\\pmb") > COPIES
        or len(_SWITCH.findall(tex)) > SWITCHES
        or rows * columns > CELLS
    )


def block_formula_html(token: Token) -> str:
    """Return the paragraph of a formula on lines of its own; an unclosed one is shown as code."""
    if token.meta["closed"]:
        return f"<p>{formula_html(token.content, token.markup)}</p>\n"
    return f"<p><code>{escape_code(token.content)}</code></p>\n"
