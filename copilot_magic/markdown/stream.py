"""Markdown to HTML that is safe to put into a notebook page, whole or while it is being written.

What a model writes is not to be trusted: the page it is shown in controls the kernel. So raw HTML
is text, links go to the web or to mail only, images are links unless the user allows them, and no
attribute is the text's own except a checked address, an image's alternative text and the number a
list starts with.

`Stream` takes the text in pieces and hands out each block as soon as nothing that follows can
change it. It decides line by line, so how the text was cut cannot matter, and `render` is the same
code. A block that grows too long to wait for its end is settled in parts: its beginning is handed
out, and the rest is opened anew by lines that put the parser into the same place.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from unicodedata import bidirectional

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_core import StateCore
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token
    from pygments.lexer import Lexer

__all__ = [
    "STYLE",
    "CodeBlock",
    "Stream",
    "bundle",
    "code_blocks",
    "escape",
    "plain",
    "render",
    "root",
]

PART = 2_000
"""Characters from which a block is settled in parts; a paragraph from twice as many."""

LINE = 1_000
"""Characters from which a line is wrapped, if there is a space to wrap it at."""

WORD = 8_000
"""Characters from which a line is wrapped in any case; also a line of code."""

DATA_IMAGE = 2_000_000
"""Longest picture, in characters of Base64, that may stand in the text itself."""

FORMULA = 4_000
"""Longest formula handed to MathJax, in characters."""

NESTING = 50
"""Deepest nesting of blocks that is read: the parser needs some Python frames for each."""


@dataclass(frozen=True)
class CodeBlock:
    """Hold one code block of an answer.

    Attributes:
        language: As its fence names it, such as ``python``; empty if it does not.
        code: Its text, without the last line end.
    """

    language: str
    code: str


def render(text: str, *, remote_images: bool = False) -> str:
    """Return `text` as safe HTML, without the root element.

    Args:
        text: Markdown of any origin.
        remote_images: Show pictures from the web; otherwise they are links.
    """
    stream = Stream(remote_images=remote_images)
    return "".join(stream.feed(text) + stream.finish())


def root(html: str, style: bool = True) -> str:
    """Wrap rendered HTML in the element that the styles need and that keeps MathJax out.

    Args:
        html: What `render` or `Stream` returned.
        style: Include `STYLE`; once in an answer is enough.
    """
    head = f"<style>{STYLE}</style>" if style else ""
    # JupyterLab's MathJax looks for the first class, nbconvert's for the second.
    classes = "copilot-answer mathjax_ignore tex2jax_ignore"
    return f'<div class="{classes}" dir="ltr">{head}{html}</div>'


def bundle(text: str, *, remote_images: bool = False) -> dict[str, str]:
    """Return the MIME bundle that shows `text` in any front end."""
    return {
        "text/html": root(render(text, remote_images=remote_images)),
        "text/markdown": _mended(text),
        "text/plain": plain(text),
    }


def code_blocks(text: str) -> list[CodeBlock]:
    """Return the code blocks of a Markdown text, those in lists and quotations too."""
    tokens: list[Token] = []
    parser = _parser(False)
    parser.block.parse(_LINE_END.sub("\n", _mended(text)), parser, {}, tokens)
    return [
        CodeBlock(_language(token.info), token.content.removesuffix("\n"))
        for token in tokens
        if token.type in ("fence", "code_block")
    ]


# --- Text that is only text ---------------------------------------------------------------------

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_END = re.compile("\r\n?")
# Right-to-left scripts: Hebrew to Arabic Extended-A, their presentation forms, the planes' ones.
_RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)


def escape(text: str) -> str:
    """Return `text` as HTML that shows it, for names, titles and messages of any origin."""
    return html.escape(plain(text))


def plain(text: str) -> str:
    """Return `text` harmless in a terminal: control characters become visible signs."""
    return _CONTROL.sub(_visible, _LINE_END.sub("\n", _mended(text)))


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)  # Unicode's pictures of the control characters
    return "\u2421" if code == 0x7F else f"<U+{code:04X}>"


def _mended(text: str) -> str:
    """Return `text` in a form that can be encoded: halves of surrogate pairs joined or replaced."""
    if _SURROGATE.search(text):
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


# --- The parser ---------------------------------------------------------------------------------

_SAFE_LINK = re.compile(r"https?://[^/?#@\\\s]+(?:[/?#]|$)|mailto:[^/\s]", re.IGNORECASE)
_RASTER = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+$")
_DIRECTED = frozenset(["p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "th", "td"])
_TASK = re.compile(r"\[([ xX])\][ \t]+")


@lru_cache(maxsize=2)
def _parser(remote_images: bool) -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "xhtmlOut": False, "maxNesting": NESTING})
    parser.enable(["table", "strikethrough"])
    parser.block.ruler.before(
        "fence",
        "math_block",
        _math_block,
        {"alt": ["paragraph", "reference", "blockquote", "list"]},
    )
    parser.inline.ruler.before("escape", "math", _math)
    parser.inline.ruler.before("link", "bare_address", _bare_address)
    parser.core.ruler.after("block", "unfinished", _show_unfinished)
    parser.core.ruler.push("harden", lambda state: _harden(state, remote_images))
    # Any destination is read as a link here, so that _harden can show the unsafe ones as text.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    for name, rule in _RENDER_RULES.items():
        parser.add_render_rule(name, rule)
    return parser


def _harden(state: StateCore, remote_images: bool) -> None:
    """Leave in the tokens only the attributes that are known to be harmless."""
    directed = bool(_RIGHT_TO_LEFT.search(state.src))
    for index, token in enumerate(state.tokens):
        attrs: dict[str, str | int | float] = {}
        if token.type in ("ordered_list_open", "th_open", "td_open"):
            # The parser made them: `start` from digits, `style` as one of three alignments.
            attrs = dict(token.attrs)
        elif token.type == "inline":
            _tick_box(state.tokens, index)
            token.children = _safe_links(token.children or [], remote_images)
        if directed and token.nesting == 1 and token.tag in _DIRECTED:
            # Not "auto", by which a list ignores what has a direction in it.
            attrs["dir"] = _direction(next((t for t in state.tokens[index:] if t.content), token))
            attrs.setdefault("style", "text-align:start")
        token.attrs = attrs


def _direction(token: Token) -> str:
    """Return the direction of a text: that of its first letter."""
    for character in token.content:
        if (kind := bidirectional(character)) in ("L", "R", "AL"):
            return "ltr" if kind == "L" else "rtl"
    return "ltr"


def _tick_box(tokens: list[Token], index: int) -> None:
    """Show ``[x]`` at the beginning of a list item as a sign: a real check box is a form's."""
    if index < 2 or tokens[index - 2].type != "list_item_open":
        return
    children = tokens[index].children
    if children and (box := _TASK.match(children[0].content)) and children[0].type == "text":
        sign = "☐" if box.group(1) == " " else "☑"
        children[0].content = f"{sign} {children[0].content[box.end() :]}"


def _safe_links(children: list[Token], remote_images: bool) -> list[Token]:
    """Return inline tokens in which links and images are safe, or text with the address behind."""
    from markdown_it.token import Token

    safe: list[Token] = []
    opened: list[tuple[str, bool, int]] = []  # address, whether it is a link, where it begins
    for child in children:
        if child.type == "link_open":
            address = str(child.attrs["href"])
            good = bool(_SAFE_LINK.match(address))
            opened.append((address, good, len(safe)))
            if good:
                safe.append(_link(address))
        elif child.type == "link_close":
            address, good, begin = opened.pop()
            label = "".join(part.content for part in safe[begin:])
            if good:
                safe.append(child)
            elif address and address != label:
                safe.append(Token("text", "", 0, content=f" ({address})"))
        elif child.type == "image":
            in_link = any(good for _, good, _ in opened)
            safe.extend(_safe_image(child, remote_images, in_link))
        else:
            safe.append(child)
    return safe


def _link(address: str) -> Token:
    from markdown_it.token import Token

    attrs: dict[str, str | int | float] = {
        "href": address,
        "target": "_blank",
        "rel": "noopener noreferrer",
    }
    return Token("link_open", "a", 1, attrs=attrs)


def _safe_image(image: Token, remote_images: bool, in_link: bool) -> list[Token]:
    from markdown_it.token import Token

    address = str(image.attrs["src"])
    alt = _text_of(image.children or [])
    web = _SAFE_LINK.match(address) and not address.lower().startswith("mailto:")
    if _RASTER.match(address) or (web and remote_images):
        attrs: dict[str, str | int | float] = {
            "src": address,
            "alt": alt,
            "referrerpolicy": "no-referrer",
            "loading": "lazy",
        }
        return [Token("picture", "img", 0, attrs=attrs)]
    text = Token("text", "", 0, content=f"🖼 {alt}".rstrip())
    if in_link or address.startswith("data:") or not address:
        return [text]
    if web:
        return [_link(address), text, Token("link_close", "a", -1)]
    text.content += f" ({address})"
    return [text]


def _text_of(tokens: Sequence[Token]) -> str:
    return "".join(
        _text_of(token.children or []) if token.type == "image" else token.content or " "
        for token in tokens
        if token.nesting == 0
    )


_ADDRESS = re.compile(r"[^\s<>\"'`*|\\，。、；：！？）】」》]+")
_SCHEME = re.compile(r"(?<![A-Za-z0-9])https?$", re.IGNORECASE)


def _bare_address(state: StateInline, silent: bool) -> bool:
    """Read ``https://…`` in running text as a link."""
    begin = state.pos
    if state.linkLevel or not state.src.startswith("://", begin):
        return False
    scheme = _SCHEME.search(state.src[max(0, begin - 6) : begin])
    rest = _ADDRESS.match(state.src, begin + 3)
    if not scheme or not rest:
        return False
    address = rest.group().rstrip(".,;:!?_~$")
    while address.endswith((")", "]")) and not (
        address.count("(") >= address.count(")") and address.count("[") >= address.count("]")
    ):
        address = address[:-1].rstrip(".,;:!?_~$")
    if not address or (not silent and not state.pending.endswith(scheme.group())):
        return False
    if not silent:
        address = f"{scheme.group()}://{address}"
        state.pending = state.pending[: -len(scheme.group())]
        state.push("link_open", "a", 1).attrs = {"href": state.md.normalizeLink(address)}
        state.push("text", "", 0).content = address
        state.push("link_close", "a", -1)
        begin -= len(scheme.group())
        state.pos = begin + len(address)
    else:
        state.pos = begin + 3 + len(address)
    return True


# --- Formulas -----------------------------------------------------------------------------------

_CLOSERS = {"$$": "$$", "\\[": "\\]", "\\(": "\\)"}
# As Pandoc has it: no space inside the dollars and no digit behind, so "$5 and $6" is no formula.
_DOLLARS = re.compile(
    r"\$(?![\s$]|\d[\d.,]*\s+[A-Za-z]{2})((?:[^$\\]|\\.)+)(?<!\s)\$(?![\d$])", re.DOTALL
)
_MATH_OPEN = re.compile(
    r"\$\$(?!\$)|\\\[|\\begin\{(?:equation|align|alignat|gather|multline|flalign|eqnarray)\*?\}"
)
_LABEL = re.compile(r"\\label\s*\{[^{}]*\}")
# What acts outside its own formula, on the page or on later formulas.
_ACTING = re.compile(
    r"(?<!\\)(?:\\\\)*\\(?:(?:re)?new(?!line)|provide|[gex]?def|let|future|Declare|require|href|url"
    r"|class|style|css|html|data|unicode|bbox|mmlToken|action|toggle|mathtip|texttip|begingroup"
    r"|endgroup|csname|include|input|catcode|special|usetag|mathtoolsset|setoption)",
    re.IGNORECASE,
)


def _math(state: StateInline, silent: bool) -> bool:
    r"""Read ``$…$``, ``$$…$$``, ``\(…\)`` and ``\[…\]`` in running text as formulas."""
    source, begin = state.src, state.pos
    if source[begin] not in "$\\":
        return False
    opener = source[begin : begin + 2]
    if opener in _CLOSERS:
        end = source.find(_CLOSERS[opener], begin + 2)
        if end <= begin + 2:
            return False
        tex, end = source[begin + 2 : end], end + 2
    elif opener[0] == "$" and not (begin and source[begin - 1].isalnum()):
        match = _DOLLARS.match(source, begin)
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


def _math_block(state: StateBlock, start: int, end_line: int, silent: bool) -> bool:
    """Read a formula that has its lines to itself, up to the first blank line at the most.

    With ``open`` in the environment more text may follow, and a formula that the text breaks off
    in is a block that is not at its end; otherwise it is no formula.
    """
    if state.is_code_block(start):
        return False
    begin = state.bMarks[start] + state.tShift[start]
    opening = _MATH_OPEN.match(state.src, begin, state.eMarks[start])
    if not opening:
        return False
    opener = opening.group()
    closer = _CLOSERS.get(opener) or opener.replace("begin", "end")
    position, line = opening.end(), start
    while True:
        found = state.src.find(closer, position, state.eMarks[line])
        if found >= 0:
            if state.src[found + len(closer) : state.eMarks[line]].strip():
                return False
            break
        line += 1
        if line >= end_line:
            if not state.env.get("open"):
                return False
            break
        if (
            state.isEmpty(line)
            or state.sCount[line] < state.blkIndent
            or position - begin > FORMULA
        ):
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


def _formula(tex: str, opener: str) -> str:
    r"""Return a formula as MathJax is to find it, or as code where it would act on the page."""
    if opener.startswith("\\b"):
        source = tex
    else:
        source = f"\\[{tex}\\]" if opener in ("$$", "\\[") else f"\\({tex}\\)"
    if len(tex) > FORMULA or _ACTING.search(tex):
        return f"<code>{_escaped(source)}</code>"
    # A label that two formulas have is an error in the whole page, and nothing refers to it.
    source = html.escape(_LABEL.sub("", source), quote=False)
    return f'<span class="copilot-math mathjax_process tex2jax_process">{source}</span>'


# --- Code ---------------------------------------------------------------------------------------

_LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,30}")
_MARGIN = re.compile(r"[^\s})\]]")
_MARGIN_FOLLOWS = re.compile(r"\n[^\s})\]]")


def _language(info: str) -> str:
    """Return the language a fence names, such as ``python`` of ``python title="x"``."""
    found = _LANGUAGE.search(info.strip().partition(" ")[0].removeprefix("{").removeprefix("."))
    return found.group() if found else ""


def _escaped(code: str) -> str:
    return html.escape(_CONTROL.sub(_visible, code), quote=False)


@lru_cache(maxsize=64)
def _lexer(language: str) -> Lexer | None:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False) if language else None
    except ClassNotFound:
        return None


def _css_class(kind: Any) -> str:
    """Return Pygments' class of a token, or nothing for what has the colour of plain code."""
    from pygments.token import STANDARD_TYPES

    while kind not in STANDARD_TYPES:
        kind = kind.parent
    name = STANDARD_TYPES[kind]
    return "" if name in ("n", "p", "w", "x", "err") else name


def _tokens(code: str, language: str) -> list[tuple[str, str]]:
    """Return the code cut into pieces, each with the class of its colour."""
    lexer = _lexer(language.lower())
    if lexer is None:
        return [("", code)]
    lines = code if code.endswith("\n") else f"{code}\n"
    pieces = [(_css_class(kind), value) for kind, value in lexer.get_tokens(lines)]
    # A lexer may drop what it takes for noise; the code is shown as it is.
    return pieces if "".join(value for _, value in pieces) == lines else [("", code)]


def _highlighted(code: str, language: str) -> str:
    runs: list[tuple[str, str]] = []  # Neighbours of one colour are one element.
    for name, value in _tokens(code, language):
        if runs and (name == runs[-1][0] or value.isspace()):
            runs[-1] = (runs[-1][0], runs[-1][1] + value)
        else:
            runs.append((name, value))
    return "".join(
        f'<span class="{name}">{_escaped(value)}</span>' if name else _escaped(value)
        for name, value in runs
    )


def _line_ends(code: str, language: str) -> tuple[int, int]:
    """Return the ends of two lines outside of strings and comments, 0 where there is none.

    Highlighting can begin anew behind both: better behind the first, the last one that a line
    follows which is neither indented nor closes anything; else behind the last one of all.
    """
    statement = last = position = 0
    for name, value in _tokens(code, language):
        end = position + value.rfind("\n") + 1
        if "\n" in value and (name[:1] not in ("s", "c") or name in ("c1", "ch", "cp")):
            last = min(end, len(code))
            if _MARGIN.match(code, last):
                statement = last
        position += len(value)
    return statement, last


@dataclass
class _Shown:
    """Hold what of a code block that is being written has been highlighted before."""

    size: int = 0
    html: str = ""

    def update(self, code: str, language: str) -> str:
        """Return the HTML of the code, which begins as it did the time before."""
        rest = code[self.size :]
        if len(rest) > 500 and _MARGIN_FOLLOWS.search(rest):
            end, _ = _line_ends(rest, language)
            self.html += _highlighted(rest[:end], language)
            self.size += end
            rest = rest[end:]
        return self.html + _highlighted(rest, language)


def _code_html(token: Token, shown: _Shown | None) -> str:
    language = _language(token.info) if token.type == "fence" else ""
    classes = f"highlight copilot-code {token.attrs.get('class', '')}".rstrip()
    named = language and "copilot-cont" not in classes
    label = f'<div class="copilot-language">{html.escape(language)}</div>' if named else ""
    code = (shown.update if shown else _highlighted)(token.content, language)
    # Here too, as an untrusted notebook shows none of the styles.
    margin = "" if "copilot-more" in classes else ' style="margin-bottom:1em"'
    pre = f"<pre><code>{code}</code></pre>"
    return f'<div class="{classes}" dir="ltr"{margin}>{label}{pre}</div>\n'


_RENDER_RULES: dict[str, Callable[..., str]] = {
    "fence": lambda self, tokens, index, options, env: _code_html(tokens[index], env.get("shown")),
    "code_block": lambda self, tokens, index, options, env: _code_html(tokens[index], None),
    "math": lambda self, tokens, index, options, env: _formula(
        tokens[index].content, tokens[index].markup
    ),
    "math_block": lambda self, tokens, index, options, env: (
        f"<p>{_formula(tokens[index].content, tokens[index].markup)}</p>\n"
        if tokens[index].meta["closed"]
        else f"<p><code>{_escaped(tokens[index].content)}</code></p>\n"
    ),
    "table_open": lambda self, tokens, index, options, env: (
        f'<div class="copilot-table">{self.renderToken(tokens, index, options, env)}'
    ),
    "table_close": lambda self, tokens, index, options, env: "</table></div>\n",
}


# --- Looks --------------------------------------------------------------------------------------

STYLE = (
    # JupyterLab's own rules colour the usual classes of `.highlight`. Where there are none, these
    # do: each colour, with 17 % luminance, reads about as well on white as on black.
    ".copilot-answer .copilot-code{position:relative;border-radius:3px;"
    "border:1px solid var(--jp-border-color2,#8885);"
    "background:var(--jp-cell-editor-background,#8881)}"
    ".copilot-answer .copilot-code pre{margin:0;padding:.5em .75em;overflow-x:auto;background:none}"
    ".copilot-answer .copilot-language+pre{padding-top:1.2em}"
    ".copilot-answer .copilot-code code{white-space:pre;background:none;color:inherit}"
    ".copilot-answer .copilot-language{position:absolute;top:0;right:0;padding:0 .6em;"
    "font-size:80%;opacity:.6;pointer-events:none;user-select:none;-webkit-user-select:none}"
    ".copilot-answer .copilot-table{overflow-x:auto;margin-bottom:1em}"
    ".copilot-answer .copilot-table table{margin:0}"
    ".copilot-answer .copilot-table :is(th,td){text-align:start}"
    ".copilot-answer .copilot-more{margin-bottom:0;border-bottom:0;border-end-start-radius:0;"
    "border-end-end-radius:0}"
    ".copilot-answer .copilot-cont{margin-top:0;border-top:0;border-start-start-radius:0;"
    "border-start-end-radius:0}"
    ".copilot-answer li.copilot-cont{list-style:none}"
    ".copilot-answer .copilot-code.copilot-more pre{padding-bottom:0}"
    ".copilot-answer .copilot-code.copilot-cont pre{padding-top:0}"
    ".copilot-answer [dir=rtl]:is(ul,ol){padding-left:0;padding-right:2em}"
    ".copilot-answer :is(.k,.kc,.kd,.kn,.kr,.kt,.ow)"
    "{color:var(--jp-mirror-editor-keyword-color,#a34fb5)}"
    ".copilot-answer :is(.nf,.fm,.nc){color:var(--jp-mirror-editor-def-color,#3374d4)}"
    ".copilot-answer :is(.nb,.bp,.nt){color:var(--jp-mirror-editor-builtin-color,#237f6b)}"
    ".copilot-answer :is(.nd,.na){color:var(--jp-mirror-editor-meta-color,#8a6d1b)}"
    ".copilot-answer :is(.s,.s1,.s2,.sa,.sb,.sd,.se,.si)"
    "{color:var(--jp-mirror-editor-string-color,#b4562b)}"
    ".copilot-answer :is(.m,.mi,.mf,.mh){color:var(--jp-mirror-editor-number-color,#3f7d3f)}"
    ".copilot-answer :is(.c,.c1,.cm,.ch){color:var(--jp-mirror-editor-comment-color,#767676)}"
    ".copilot-answer .gi{color:var(--jp-success-color1,#2f8132)}"
    ".copilot-answer .gd{color:var(--jp-error-color1,#cc4444)}"
)
"""Rules for rendered answers, to stand once in each; without them an answer still reads well."""


# --- Streaming ----------------------------------------------------------------------------------

# A line that may begin a block, or that ends one by being blank.
_MAY_BEGIN = re.compile(r"[ \t]*$| {0,3}[#>*+\-=_`~|$\\:0-9]")
_BREAK = re.compile(r".*(?:\s|[、。！？，；：\u3041-\u30ff\u4e00-\u9fff])", re.DOTALL)
_OPEN_DATA = re.compile(r"\(data:image/[a-z]+;base64,[A-Za-z0-9+/=]*$")
_ITEM = re.compile(r" {0,3}(?:[-+*]|\d{1,9}[.)]) {1,4}(?=\S)")
_QUOTE = re.compile(r" {0,3}> ?")
_LISTS = ("bullet_list_open", "ordered_list_open")
# Lines that go on with the block before them: reading all of it again at each would be quadratic.
_IN_LIST = re.compile(r"[ \t]*$|  |\t|[-+*] |\d{1,9}[.)] ")
_SAME = {
    "bullet_list_open": _IN_LIST,
    "ordered_list_open": _IN_LIST,
    "blockquote_open": re.compile(r" {0,3}>"),
    "table_open": re.compile(r" {0,3}\|"),
    "code_block": re.compile(r"[ \t]*$|    |\t"),
}


@dataclass
class _Opened:
    """Hold a block that was settled in part and goes on.

    Attributes:
        type: Of its token.
        start: The number that an ordered list goes on with.
        loose: It is a list with space between its items.
    """

    type: str
    start: int | None = None
    loose: bool = False


@dataclass
class _Cut:
    """Hold where a long block is cut, and what opens the rest of it anew.

    Attributes:
        line: The first line of the rest.
        opening: Lines to put before the rest, in the place of `replaced` lines of it.
        replaced: How many lines of the rest the opening stands for.
        opened: The blocks that go on, from the outermost.
    """

    line: int
    opening: list[str]
    replaced: int
    opened: list[_Opened]


class Stream:
    """Turn Markdown into HTML while it is being written.

    What was settled once is final, and all of it joined is what `render` makes of the whole text.
    A link definition (``[name]: address``) counts for the text behind it only.
    """

    def __init__(self, *, remote_images: bool = False) -> None:
        self._parser = _parser(remote_images)
        self._references: dict[str, Any] = {}
        self._lines: list[str] = []  # whole, with line ends, and not settled
        self._size = 0  # of these lines, in characters
        self._enough = PART  # the size from which they are worth cutting
        self._fence: re.Pattern[str] | None = None  # what ends the code block they are
        self._same: re.Pattern[str] | None = None  # what goes on with their last block
        self._shown = _Shown()  # of this code block, in earlier tails
        self._opened: list[_Opened] = []  # what their beginning goes on with
        self._pieces: list[str] = []  # of the line being written
        self._length = 0  # of these pieces, in characters
        self._limit = LINE  # the length from which to see whether to wrap them
        self._carriage_return = False  # the text so far ends in one: a line feed may follow

    def feed(self, text: str) -> list[str]:
        """Take the next piece of the text; return the HTML of what it settled."""
        if self._carriage_return:
            text = f"\r{text}"
        self._carriage_return = text.endswith("\r")
        if "\r" in text:
            text = _LINE_END.sub("\n", text[:-1] if self._carriage_return else text)
        *ends, rest = text.split("\n")
        settled: list[str] = []
        for end in ends:
            self._pieces.append(end)
            settled += self._take_pieces(whole=True)
        self._pieces.append(rest)
        self._length += len(rest)
        if self._length > self._limit:
            settled += self._take_pieces(whole=False)
        return [html for html in settled if html]

    def finish(self) -> list[str]:
        """Settle the rest, as the text has come to its end."""
        settled: list[str] = []
        if self._length or self._carriage_return:
            settled += self._take_pieces(whole=True)
        settled.append(self._settle(len(self._lines)))
        self._carriage_return = False
        return [html for html in settled if html]

    @property
    def tail(self) -> str:
        """Return the HTML of what is not settled, shown as what it is going to be."""
        line = "".join(self._pieces)
        if len(line) > WORD:  # a picture on its way
            line = line[: line.rfind("(data:") + 1]
        if (_FENCE_BEGUN if self._fence else _UNSURE).fullmatch(line):
            line = ""
        text = "".join(self._lines) + line
        env = {"references": dict(self._references), "open": True, "tail": True}
        if self._fence:
            env["shown"] = self._shown
        return self._html(text, env, []) if text.strip() else ""

    def _take_pieces(self, whole: bool) -> list[str]:
        """Take the line being written, or as much of it as is too long to wait for its end."""
        line = "".join(self._pieces)
        settled: list[str] = []
        while cut := self._wrap_at(line):
            settled += self._take(f"{line[:cut]}\n")
            line = line[cut:]
        if whole:
            settled += self._take(f"{line}\n")
            line = ""
        self._pieces, self._length = [line], len(line)
        self._limit = next(limit for limit in (LINE, WORD, DATA_IMAGE) if len(line) <= limit)
        return settled

    def _wrap_at(self, line: str) -> int:
        """Return where the line is to be wrapped, 0 for not (or not yet)."""
        if len(line) <= LINE:
            return 0
        if not self._fence and (found := _BREAK.match(line, 0, LINE)):
            return found.end()
        limit = WORD
        if len(line) > limit and _OPEN_DATA.search(line[:limit]):
            limit = DATA_IMAGE
        return limit if len(line) > limit else 0

    def _take(self, line: str) -> list[str]:
        """Take one whole line; return what it settled."""
        after_blank = bool(self._lines) and not self._lines[-1].strip()
        self._lines.append(line)
        self._size += len(line)
        settled: list[str] = []
        if self._fence:
            if self._fence.match(line):
                settled.append(self._settle(len(self._lines)))
        elif self._same and self._same.match(line):
            pass  # Only more of the same: nothing is closed.
        elif after_blank or _MAY_BEGIN.match(line):
            settled.append(self._settle_closed(blank=not line.strip()))
        if self._size >= self._enough:
            settled.append(self._settle_part())
        return settled

    def _blocks(self) -> list[Token]:
        tokens: list[Token] = []
        self._parser.block.parse("".join(self._lines), self._parser, {"open": True}, tokens)
        self._resume(tokens)
        return tokens

    def _settle_closed(self, blank: bool) -> str:
        """Settle the blocks that no further line can change: all but the last, or all."""
        last = next((t for t in reversed(self._blocks()) if t.level == 0 and t.nesting >= 0), None)
        if last is None or last.map is None:
            return self._settle(len(self._lines)) if blank else ""
        begin, end = last.map
        if last.type == "fence":
            closed = last.content.count("\n") == end - begin - 2
        elif last.type == "math_block":
            closed = last.meta["closed"]
        else:
            closed = last.type in ("heading_open", "hr")
        ends = blank and last.type not in (*_LISTS, "code_block", "fence", "math_block")
        html = self._settle(len(self._lines) if ends else end if closed else begin)
        if self._lines:
            self._same = _SAME.get(last.type)
        if last.type == "fence" and not closed:
            self._fence = re.compile(f" {{0,3}}{last.markup}{last.markup[0]}*[ \t]*$")
        return html

    def _settle(self, count: int, going_on: Sequence[_Opened] = ()) -> str:
        """Return the HTML of the first lines, which are final, and forget them."""
        text = "".join(self._lines[:count])
        html = self._html(text, {"references": self._references}, going_on) if text.strip() else ""
        if count:
            del self._lines[:count]
            self._size = sum(map(len, self._lines))
            self._enough, self._fence, self._same, self._opened = PART, None, None, []
            self._shown = _Shown()
        return html

    def _settle_part(self) -> str:
        """Settle the beginning of a block that is long, where there is a place to cut it."""
        cut = self._find_cut()
        html = ""
        if cut:
            fence, same = self._fence, self._same
            html = self._settle(cut.line, cut.opened)
            self._lines[: cut.replaced] = cut.opening
            self._size = sum(map(len, self._lines))
            self._fence, self._same, self._opened = fence, same, cut.opened
        # Growing by a quarter before the next try keeps the cost of trying linear.
        self._enough = max(PART, self._size * 5 // 4)
        return html

    def _find_cut(self) -> _Cut | None:
        """Return the outermost place to cut that leaves little behind it, else the innermost."""
        tokens = self._blocks()
        prefix = ""  # what the lines of the blocks gone into begin with
        opened: list[_Opened] = []
        best: _Cut | None = None
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
            line = self._lines[begin]
            if not _continues(line, prefix):
                break
            rest = line[len(prefix) :]
            if len(children) > 1:
                if last.type == "list_item_open" and opened[-1].start is not None:
                    opened[-1].start += len(children) - 1
                best = _Cut(begin, [prefix + rest], 1, list(opened))
                if sum(map(len, self._lines[begin:])) < PART // 2:
                    break
            if last.type in _LISTS:
                start = None if last.type == _LISTS[0] else int(last.attrs.get("start", 1))
                loose = "loose" in last.meta or any(
                    t.type == "paragraph_open" and t.level == level + 2 and not t.hidden
                    for t in tokens[index:]
                )
                opened.append(_Opened(last.type, start, loose))
                continue
            opened.append(_Opened(last.type))
            container = {"list_item_open": _ITEM, "blockquote_open": _QUOTE}.get(last.type)
            if container is None:
                return self._cut_leaf(last, prefix, opened) or best
            marker = container.match(rest)
            if not marker:
                break
            prefix += marker.group()
        return best

    def _cut_leaf(self, leaf: Token, prefix: str, opened: list[_Opened]) -> _Cut | None:
        """Return where to cut a block that holds no other blocks, if it is long enough for it."""
        begin, end = leaf.map or [0, 0]
        lines = self._lines
        size = sum(map(len, lines[begin:end]))
        if size < PART:
            return None
        again = prefix + lines[begin][len(prefix) :]
        if leaf.type == "fence" and leaf.content.count("\n") == end - begin - 1:
            at, other = _line_ends(leaf.content, _language(leaf.info))
            if at < PART // 2:
                at = other if size >= 2 * PART else 0
            if size >= 4 * PART:
                at = at or len(leaf.content)
            count = leaf.content[:at].count("\n")
            return _Cut(begin + 1 + count, [again], 0, opened) if count else None
        if leaf.type == "table_open" and end - begin > 3:
            return _Cut(end - 1, [again, lines[begin + 1]], 0, opened)
        if leaf.type == "code_block":
            last = max(n for n in range(begin, end) if lines[n].strip())
            if last == begin or not _continues(lines[last], prefix):
                return None
            return _Cut(last, [prefix + lines[last][len(prefix) :]], 1, opened)
        if leaf.type == "paragraph_open" and end - begin > 1 and size >= 2 * PART:
            # Not in the midst of an emphasis, a link or a formula, if that can be helped.
            for last in range(end - 1, max(begin, end - 30), -1):
                text = "".join(lines[begin:last]).rstrip()
                if _completed(text) == text:
                    break
            else:
                if size < 4 * PART:
                    return None
                last = end - 1
            rest = lines[last]
            rest = rest[len(prefix) :] if _continues(rest, prefix) else rest
            return _Cut(last, [prefix + rest.lstrip()], 1, opened)
        return None

    def _html(self, text: str, env: dict[str, Any], going_on: Sequence[_Opened]) -> str:
        tokens = self._parser.parse(_mended(text), env)
        self._resume(tokens)
        for level, block in enumerate(going_on):
            last = next((t for t in reversed(tokens) if t.level == level and t.nesting >= 0), None)
            if last and last.type == block.type:
                last.attrJoin("class", "copilot-more")
        return _CONTROL.sub("", self._parser.renderer.render(tokens, self._parser.options, env))

    def _resume(self, tokens: list[Token]) -> None:
        """Mark the blocks that go on from a settled part."""
        for index, (token, block) in enumerate(zip(tokens, self._opened, strict=False)):
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


def _continues(line: str, prefix: str) -> bool:
    """Say whether the line lies in the blocks whose first line began with the prefix."""
    return line.startswith(prefix) or (
        len(line) >= len(prefix)
        and all(
            have == (">" if want == ">" else " ") for have, want in zip(line, prefix, strict=False)
        )
    )


# --- What is not finished -----------------------------------------------------------------------

# The beginning of a line that may still become one thing or another.
_UNSURE = re.compile(
    r"[ \t]*(?:>[ \t]?){0,9}(?:(?:[-+*]|\d{1,9}[.)])[ \t]+){0,9}"
    r"(?:[-+*=_#|:~`.$\\!\[ \t]*|\d{1,9}[.)]?[ \t]*|\[[ xX]?\]?[ \t]*|`{3,}[^`]*|~{3,}.*"
    r"|\|[-:| \t]*)"
)
_FENCE_BEGUN = re.compile(r" {0,3}[`~]+[ \t]*")
_TABLE_BEGUN = re.compile(r"(?:^|\n)[ \t]*\|[^\n]*$")
_MARK = re.compile(r"\\.|`+|\$\$?|\*+|_+|~~|!?\[|\]", re.DOTALL)
_DESTINATION = re.compile(
    r"\((?:[^()\s\\]|\\.|\([^()\s]*\)|[ \t\n]+(?:\"[^\"]*\"|'[^']*'))*(?:\([^()\s]*\Z)?"
)
_LINK_BEGUN = re.compile(r"!\[|\[(?=[^\W\d]|[*_`!🖼])")  # rather than [1] or [0, 1]
_FORMULA_BEGUN = re.compile(r"(?=[^$]{1,200}\Z)(?:\\|[^\s\d].*?[\\^_{}=])", re.DOTALL)


def _show_unfinished(state: StateCore) -> None:
    """Complete the last run of text where the text breaks off, so that it looks as it will."""
    if not state.env.get("tail"):
        return
    for index in range(len(state.tokens) - 1, -1, -1):
        token = state.tokens[index]
        if token.type == "inline":
            content = token.content
            if state.tokens[index - 1].type == "paragraph_open":
                content = _TABLE_BEGUN.sub("", content)
            token.content = _completed(content)
            if not token.content:
                state.tokens[index - 1].hidden = state.tokens[index + 1].hidden = True
        if token.nesting >= 0:
            break


def _completed(text: str) -> str:
    """Return the text with its open emphasis, code, links and formulas closed."""
    text = text.rstrip()
    runs: list[str] = []  # of emphasis that are open
    brackets: list[int] = []
    position = 0
    while mark := _MARK.search(text, position):
        begin, position, sign = mark.start(), mark.end(), mark.group()
        if sign in _CLOSERS or sign == "$" or sign[0] == "`":
            end = _end_of_literal(text, begin, sign)
            if end is None:
                text = text[:begin] + _as_code(text[position:] if sign[0] == "`" else text[begin:])
                break
            position = end
        elif sign[0] in "*_~":
            left = text[begin - 1 : begin] or " "
            right = text[position : position + 1] or " "
            if not left.isspace():
                while sign and runs and runs[-1][0] == sign[0]:
                    opener = runs.pop()
                    if len(opener) > len(sign):
                        runs.append(opener[len(sign) :])
                    sign = sign[len(opener) :]
            if sign and not right.isspace() and not left.isalnum():
                runs.append(sign)
            elif sign and position == len(text):
                text = text[: len(text) - len(sign)]
        elif sign.endswith("["):
            brackets.append(begin)
        elif sign == "]" and brackets:
            opening = brackets.pop()
            destination = _DESTINATION.match(text, position)
            end = destination.end() if destination else position
            if end == len(text) and (destination or _LINK_BEGUN.match(text, opening)):
                text = _without_bracket(text[:begin], opening)
                break
            if destination and text[end] == ")":
                position = end + 1
    for opening in reversed(brackets):
        if _LINK_BEGUN.match(text, opening):
            text = _without_bracket(text, opening)
    return text.rstrip() + "".join(reversed(runs))


def _without_bracket(text: str, opening: int) -> str:
    """Return the text without the bracket that opens the label of a link or an image there."""
    if text[opening] == "!":
        return f"{text[:opening]}🖼 {text[opening + 2 :]}"
    return text[:opening] + text[opening + 1 :]


def _end_of_literal(text: str, begin: int, sign: str) -> int | None:
    """Return where the code or formula that begins here ends, None if it has not ended yet."""
    after = begin + len(sign)
    if sign[0] == "`":
        closer = re.compile(f"(?<!`){sign}(?!`)").search(text, after)
        return closer.end() if closer else None
    if sign != "$":
        end = text.find(_CLOSERS[sign], after)
        return end + 2 if end >= 0 else None
    if formula := _DOLLARS.match(text, begin):
        return formula.end()
    rest = text[after:]
    begun = _FORMULA_BEGUN.match(rest) and not text[begin - 1 : begin].isalnum()
    return None if begun else after


def _as_code(text: str) -> str:
    """Return Markdown that shows `text` as code."""
    text = text.rstrip("`")
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence}{text}{fence}" if text.strip() else ""
