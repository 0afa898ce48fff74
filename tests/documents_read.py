"""What the README and the notebooks say, taken apart for checks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from markdown_it import MarkdownIt

__all__ = ["DOCUMENTS", "ROOT", "Document", "anchors_of"]

ROOT = Path(__file__).parents[1]
DOCUMENTS = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("notebooks/*.ipynb")))


@dataclass(frozen=True)
class Document:
    """A README or a notebook.

    Attributes:
        path: Its file.
        links: The targets of links and pictures in its Markdown.
        spans: What stands in backticks.
        blocks: Blocks of code, and the code cells of a notebook; with their language.
        anchors: Its headings as the targets of links.
    """

    path: Path
    links: list[str]
    spans: list[str]
    blocks: list[tuple[str, str]]
    anchors: set[str]

    @classmethod
    def read(cls, path: Path) -> Document:
        """Take a file apart."""
        blocks: list[tuple[str, str]] = []
        texts = [path.read_text("utf-8")]
        if path.suffix == ".ipynb":
            cells = nbformat.read(path, as_version=4).cells
            texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
            blocks = [("cell", cell.source) for cell in cells if cell.cell_type == "code"]
        links: list[str] = []
        spans: list[str] = []
        tokens = [token for text in texts for token in _tokens(text)]
        for token in tokens:
            if token.type == "fence":
                blocks.append((token.info.strip(), token.content))
            elif token.type == "code_inline":
                spans.append(token.content)
            elif link := token.attrGet("href") or token.attrGet("src"):
                links.append(str(link))
        anchors = {anchor for text in texts for anchor in anchors_of(text)}
        return cls(path, links, spans, blocks, anchors)

    def magics(self) -> Iterator[tuple[str, str]]:
        """Yield each use of a magic: its name with its percent signs, and the rest of its line."""
        for text in (*self.spans, *(content for _, content in self.blocks)):
            for line in text.splitlines():
                if found := re.match(r"\s*(%%?copilot)(?!\w)\??[ \t]*(.*)", line):
                    yield found[1], found[2]


def anchors_of(text: str) -> Iterator[str]:
    """Yield the headings of a Markdown text as GitHub makes targets of them."""
    for line in re.findall(r"^#+ +(.+)$", text, re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-")


def _tokens(text: str) -> Iterator[Any]:
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        yield token
        yield from token.children or ()
