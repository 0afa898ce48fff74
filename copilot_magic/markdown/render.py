"""A whole Markdown text as safe HTML, with its root element and style sheet.

What a model writes is not to be trusted: the page that shows it controls the kernel. Raw HTML
becomes text, links lead to the web or to mail only, images become links unless the user allows
them, and the only attributes that come from the text are checked addresses, the alternative text
of images and the number a list starts with.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from ..text import printable, well_formed
from .code import language_of
from .parser import markdown_parser
from .stream import Stream

if TYPE_CHECKING:
    from markdown_it.token import Token

    from .work import Work

__all__ = ["CodeBlock", "bundle", "code_blocks", "render", "root", "stylesheet"]


class CodeBlock(str):
    """A code block of an answer: its text as a string, without the last line end.

    Attributes:
        language: The name on its fence, such as ``python``; empty if there is none.
    """

    language: str

    def __new__(cls, code: str, language: str = "") -> CodeBlock:
        """Return a code block with this text."""
        block = super().__new__(cls, code)
        block.language = language
        return block

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        """Return what a copy is made of."""
        return self.code, self.language

    @property
    def code(self) -> str:
        """Return the text as a plain ``str``."""
        return str.__str__(self)


def render(text: str, *, remote_images: bool = False) -> str:
    """Return `text` as safe HTML, without the root element.

    Link definitions count for the whole text, including what is before them.

    Args:
        text: Markdown of any origin.
        remote_images: Show images from the web; otherwise they are links.
    """
    stream = Stream(remote_images=remote_images)
    html = "".join(stream.feed(text) + stream.finish())
    if stream.defines_late:
        stream = Stream(remote_images=remote_images, definitions=stream.definitions)
        html = "".join(stream.feed(text) + stream.finish())
    return html


def root(html: str, style: bool = True) -> str:
    """Wrap rendered HTML in the element that the styles need and that keeps MathJax out.

    Args:
        html: What `render` or `Stream` returned.
        style: Include the style sheet; an answer needs it only once.
    """
    head = f"<style>{stylesheet()}</style>" if style else ""
    # JupyterLab's MathJax looks for the first class to ignore, nbconvert's for the second.
    classes = "copilot-answer mathjax_ignore tex2jax_ignore"
    return f'<div class="{classes}" dir="ltr">{head}{html}</div>'


@cache
def stylesheet(package: str = "copilot_magic.markdown", file: str = "answer.css") -> str:
    """Return the rules of a style sheet in a package, without comments and spare white space."""
    from importlib.resources import files

    css = files(package).joinpath(file).read_text(encoding="utf-8")
    css = re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL))
    return re.sub(r" ?([{};,>]) ?|(?<=:) ", r"\1", css).replace(";}", "}").strip()


def bundle(text: str) -> dict[str, str]:
    """Return the MIME bundle that shows `text` in any front end."""
    return {
        "text/html": root(render(text)),
        "text/markdown": well_formed(text),
        "text/plain": printable(text),
    }


def code_blocks(text: str, work: Work | None = None) -> list[CodeBlock]:
    """Return the code blocks of a Markdown text, including those in lists and quotations.

    Args:
        text: Markdown of any origin.
        work: What looking for them may take; without limit by default.

    Raises:
        TooMuchWork: That is not enough.
    """
    text = well_formed(text).replace("\r\n", "\n").replace("\r", "\n")
    tokens: list[Token] = []
    parser = markdown_parser(False)
    parser.block.parse(text, parser, {} if work is None else {"work": work}, tokens)
    return [
        CodeBlock(token.content.removesuffix("\n"), language_of(token.info))
        for token in tokens
        if token.type in ("fence", "code_block")
    ]
