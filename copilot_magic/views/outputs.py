"""The outputs of a cell that show one answer between them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from ..markdown.render import root, stylesheet

__all__ = ["MAX_OUTPUTS", "Outputs"]

MAX_OUTPUTS = 40
"""Most outputs of one answer: JupyterLab folds a cell after 50, and the cell may have others."""

# Outputs of an answer that continues after its cell has ended, when none can be opened any more.
DETACHED_OUTPUTS = 24
# Fewest outputs that are worth merging.
MIN_MERGED = 5
# Characters of the longest answer that ends as one output.
SHORT_ANSWER = 4_000


@dataclass
class _Part:
    """The final content of one output, and how many times it was merged from others."""

    number: int
    html: str
    merged: int = 0


class Outputs:
    """The outputs of one answer: a header, one for each settled part, and the unfinished tail.

    A settled part stays in the output it was written to. When the outputs run out, the last ones
    that were merged least become one, so a part is rarely sent again and messages stay small. The
    outputs that were merged keep their content until they are reused. So that nothing is seen
    twice, the merged output brings a style that hides that content, in the same paint.

    The header carries the stylesheet, and at the end the source of the whole answer: an exporter
    that takes no HTML finds the answer there, once.

    Args:
        publish: The shell's ``display_pub.publish``.
    """

    def __init__(self, publish: Callable[..., None]) -> None:
        self._publish = publish
        # The prefix of our display ids and CSS classes, since other answers are on the page.
        self._name = f"copilot-{uuid.uuid4().hex[:8]}"
        self._style = (
            f"<style>{stylesheet()}{stylesheet('copilot_magic.views', 'cell.css')}</style>"
        )
        # The HTML and the source that each output shows now.
        self._shown: list[tuple[str, str]] = []
        self._parts: list[_Part] = []
        self._next_number = 0
        self._limit = MAX_OUTPUTS

    def open_all(self) -> None:
        """Open every output that this answer may use: none can be opened later."""
        self._limit = max(DETACHED_OUTPUTS, len(self._shown) + MIN_MERGED)
        self._show(self._limit - 1, "")

    def header(self, html: str, source: str = "") -> None:
        """Show `html` above the answer."""
        self._show(0, self._style + _root(html), source)

    def settle(self, html: str) -> None:
        """Show a part of the answer that will not change, in place of the tail."""
        self._parts.append(_Part(self._next_number, html))
        self._next_number += 1
        if len(self._parts) > self._limit - 2:  # one for the header, one for the tail
            self._merge()
        else:
            self._show_part(len(self._parts) - 1)

    def tail(self, html: str) -> None:
        """Show the unfinished rest."""
        position = len(self._parts) + 1
        if html:
            self._show(position, self._wrapped(self._next_number, html))
        elif position < len(self._shown):
            self._show(position, "")

    def finish(self, above: str, rest: str, below: str, source: str) -> None:
        """Show the whole answer: in one output if it is short, else where its parts are already.

        Args:
            above: HTML for the header.
            rest: HTML of what has not been settled yet.
            below: HTML for the end.
            source: The Markdown of the whole answer.
        """
        if len(source) > SHORT_ANSWER:
            position = len(self._parts) + 1
            self.header(above, source)
            self._show(position, self._wrapped(self._next_number, rest + below))
            self._blank(position + 1)
            return
        html = above + "".join(part.html for part in self._parts) + rest + below
        hide = f"<style>.{self._name}{{display:none}}</style>" if self._shown[1:] else ""
        if html or self._shown:
            self._show(0, self._style + hide + _root(html) if html else "", source)
        self._blank(1)

    def _merge(self) -> None:
        """Merge the last parts that were merged least."""
        start, merged = len(self._parts), 0
        first = self._limit // 2
        while len(self._parts) - start < MIN_MERGED and start > first:
            while start > first and self._parts[start - 1].merged <= merged:
                start -= 1
            merged += 1
        parts = self._parts[start:]
        html = "".join(part.html for part in parts)
        self._parts[start:] = [_Part(parts[0].number, html, merged)]
        hidden = ",".join(f".{self._name}-{part.number}" for part in parts[1:])
        self._show_part(start, f"<style>{hidden}{{display:none}}</style>")
        # The output at start + 2 will be the tail's.
        self._blank(start + 3)

    def _show_part(self, index: int, style: str = "") -> None:
        part = self._parts[index]
        self._show(index + 1, style + self._wrapped(part.number, part.html))

    def _blank(self, start: int) -> None:
        for position in range(start, len(self._shown)):
            self._show(position, "")

    def _wrapped(self, number: int, html: str) -> str:
        names = f"copilot-part {self._name} {self._name}-{number}"
        return f'<div class="{names}">{_root(html)}</div>'

    def _show(self, position: int, html: str, source: str = "") -> None:
        """Show `html` in the output at `position`, and open that output if it is new."""
        while position > len(self._shown):
            self._show(len(self._shown), "" if self._shown else self._style)
        known = position < len(self._shown)
        if known and self._shown[position] == (html, source):
            return
        # Published as it is: IPython's display classes read a text that is a file's name or a URL
        # as something to load.
        bundle = {"text/html": html, "text/plain": source}
        if source:
            bundle["text/markdown"] = source
        transient = {"display_id": f"{self._name}-{position}"}
        self._publish(bundle, transient=transient, update=known)
        self._shown[position : position + 1] = [(html, source)]


def _root(html: str) -> str:
    # An empty element would still have a margin.
    return root(html, style=False) if html else ""
