"""The outputs of a cell that show one answer between them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..markdown.render import root, stylesheet
from .whole import fit

__all__ = ["MAX_OUTPUTS", "Budget", "Outputs"]

MAX_OUTPUTS = 40
"""Most outputs of one cell: JupyterLab folds it after 50, and it may have others than answers."""

# Outputs of an answer that continues after its cell has ended, when none can be opened any more.
DETACHED_OUTPUTS = 24
# Fewest outputs that are worth merging, and the fewest that a long answer gets in any case.
MIN_MERGED = 5
MIN_OUTPUTS = 4
# Characters of HTML at which the text continues in another output: of the first output, of every
# other, and of any if the answers before have used up the outputs of the cell.
FIRST_STEP = 1_200
STEP = 600
LAST_STEP = 8_000

_TAG = re.compile("<[^>]*>")
_FORMULA = "mathjax_process"
# What the style sheet of an answer is about.
_STYLED = re.compile('class="(?:copilot|highlight)|dir="rtl"')


class Budget:
    """How many outputs the answers of one cell may still open between them."""

    def __init__(self) -> None:
        self.room = MAX_OUTPUTS

    @property
    def step(self) -> int:
        """Return the characters of HTML at which an answer that begins now opens an output."""
        if self.room <= 0:
            return LAST_STEP
        return min(int(STEP * (MAX_OUTPUTS / self.room) ** 2), LAST_STEP)


@dataclass
class _Part:
    """The final content of one output, and how many times it was merged from others."""

    number: int
    html: str
    merged: int = 0


class Outputs:
    """The outputs of one answer: settled parts, and the one that is being written.

    A part grows, and is sent again at each paint, until it is worth an output. After that it stays
    as it is, and the text continues in the next output. A short answer is one output. When the
    outputs run out, the last parts that were merged least become one, so a part is rarely sent
    again and messages stay small. The outputs that were merged keep their content until they are
    reused. So that nothing is seen twice, the merged output brings a style that hides that content,
    in the same paint.

    The first output carries the stylesheet. The last one carries the source of the whole answer: an
    exporter that takes no HTML finds the answer there, once.

    A screen reader is told of each part once: when it is settled.

    Args:
        publish: The shell's ``display_pub.publish``.
        budget: What the answers of the cell share.
    """

    def __init__(self, publish: Callable[..., None], budget: Budget | None = None) -> None:
        self._publish = publish
        self._budget = budget or Budget()
        self._step = self._budget.step
        # The prefix of our display ids and CSS classes, since other answers are on the page.
        self._name = f"copilot-{uuid.uuid4().hex[:8]}"
        # The HTML and the source that each output shows now.
        self._shown: list[tuple[str, str]] = []
        self._above = ""
        self._parts: list[_Part] = []
        self._written: list[str] = []  # what is settled of the part being written
        self._painted = ""  # that part as it was shown last
        self._next_number = 0
        self._limit: int | None = None

    def open_all(self) -> None:
        """Open every output that this answer may use: none can be opened later."""
        # Further answers of the cell will want some, too.
        wanted = min(DETACHED_OUTPUTS, max(self._budget.room // 2, 0))
        self._limit = max(wanted, len(self._shown) + MIN_MERGED)
        self._show(self._limit - 1, "")

    def status(self, html: str) -> None:
        """Show `html` while there is no answer yet."""
        if html or self._shown:
            self._show(0, html and self._style() + _root(html))

    def above(self, html: str) -> None:
        """Show `html` above the answer, from the next paint on."""
        self._above = html
        if len(html) >= FIRST_STEP:
            self._close()

    def paint(self, settled: str, tail: str) -> None:
        """Show the answer so far.

        Args:
            settled: HTML of what was settled since the last paint; it will not change.
            tail: HTML of the unfinished rest.
        """
        if settled:
            self._written.append(settled)
            html = "".join(self._written)
            step = self._step if self._parts else max(self._step, FIRST_STEP)
            # The tail that was shown with it may be more than what is settled now. It must not
            # vanish until the next output shows it.
            keeps_all = len(_TAG.sub("", html)) >= len(_TAG.sub("", self._painted))
            if len(html) >= step and (keeps_all or len(html) >= 4 * step):
                self._close()
            elif _FORMULA in settled and keeps_all and self._may_have(len(self._parts) + 2):
                self._close()  # Typesetting it again at each paint would flicker.
        if tail or self._written:
            self._painted = "".join(self._written) + tail
            position = len(self._parts)
            self._show(position, self._html(position, self._next_number, self._painted))

    def finish(self, above: str, rest: str, below: str, source: str, whole: str = "") -> None:
        """Show the whole answer where its parts are.

        Args:
            above: HTML for the start.
            rest: HTML of what has not been settled yet.
            below: HTML for the end.
            source: The Markdown of the whole answer.
            whole: HTML of the whole answer, if that may not be what its parts add up to. Outputs
                that it changes are sent again.
        """
        resent = {0} if above != self._above else set()
        self._above = above
        parts = [*self._parts, _Part(self._next_number, "".join(self._written) + rest)]
        new = [part.html for part in parts]
        if whole:
            new = fit(new, whole)
            resent |= {i for i, html in enumerate(new) if html and html != parts[i].html}
        last = max((i for i, html in enumerate(new) if html), default=0)
        if not (above or below or new[last]):
            self._blank(0)
            return
        for position in sorted(resent | {last}):
            # The outputs whose text this one shows from now on.
            end = next((i for i in range(position + 1, len(new)) if new[i]), len(new))
            hide = _hiding(self._name, [part.number for part in parts[position + 1 : end]])
            html = new[position] + (below if position == last else "")
            read = "polite" if end == len(parts) and parts[-1].html else "off"
            html = self._html(position, parts[position].number, html, read)
            self._show(position, hide + html, source if position == last else "")
            self._blank(position + 1, end)
        self._blank(last + 1)

    def _close(self) -> None:
        """Settle the part being written; the text continues in the next output."""
        self._parts.append(_Part(self._next_number, "".join(self._written)))
        self._next_number += 1
        self._written, self._painted = [], ""
        if self._may_have(len(self._parts) + 1):
            position = len(self._parts) - 1
            part = self._parts[position]
            self._show(position, self._html(position, part.number, part.html, "polite"))
        else:
            self._merge()

    def _may_have(self, count: int) -> bool:
        """Say whether the answer may have as many outputs."""
        if self._limit is not None:
            return count <= self._limit
        return count - len(self._shown) <= max(self._budget.room, 0) or count <= MIN_OUTPUTS

    def _merge(self) -> None:
        """Merge the last parts that were merged least."""
        start, merged = len(self._parts), 0
        first = max(len(self._shown) // 2, 1)
        while len(self._parts) - start < MIN_MERGED and start > first:
            while start > first and self._parts[start - 1].merged <= merged:
                start -= 1
            merged += 1
        parts = self._parts[start:]
        html = "".join(part.html for part in parts)
        self._parts[start:] = [_Part(parts[0].number, html, merged)]
        hide = _hiding(self._name, [part.number for part in parts[1:]])
        self._show(start, hide + self._html(start, parts[0].number, html, "off"))
        # The output at start + 1 will be the next part's.
        self._blank(start + 2)

    def _blank(self, start: int, end: int | None = None) -> None:
        for position in range(start, min(end or len(self._shown), len(self._shown))):
            self._show(position, "")

    def _html(self, position: int, number: int, html: str, read: str = "") -> str:
        """Return the HTML of an output.

        Args:
            position: Which output it is.
            number: The number of its part.
            html: The HTML of the part.
            read: How a screen reader tells of it (a value of ``aria-live``); by default it waits,
                because the part is still being written.
        """
        names = f"copilot-part {self._name} {self._name}-{number}"
        state = f'aria-live="{read}"' if read else 'aria-busy="true"'
        above = "" if position else self._above
        part = f'<div class="{names}" {state}>{_root(above + html)}</div>'
        return part if position else self._style(bool(read) or bool(_STYLED.search(html))) + part

    def _style(self, whole: bool = False) -> str:
        """Return the styles; plain text needs few, and is sent often."""
        answer = stylesheet() if whole else ""
        return f"<style>{answer}{stylesheet('copilot_magic.views', 'cell.css')}</style>"

    def _show(self, position: int, html: str, source: str = "") -> None:
        """Show `html` in the output at `position`, and open that output if it is new."""
        while position > len(self._shown):
            self._show(len(self._shown), "" if self._shown else self._style(True))
        known = position < len(self._shown)
        if known and self._shown[position] == (html, source):
            return
        if not known:
            self._budget.room -= 1
        # Published as it is: IPython's display classes read a text that is a file's name or a URL
        # as something to load.
        bundle = {"text/html": html, "text/plain": source}
        if source:
            bundle["text/markdown"] = source
        transient = {"display_id": f"{self._name}-{position}"}
        self._publish(bundle, transient=transient, update=known)
        self._shown[position : position + 1] = [(html, source)]


def _hiding(name: str, numbers: Sequence[int]) -> str:
    """Return a style that hides parts which another output shows now."""
    if not numbers:
        return ""
    return f"<style>{','.join(f'.{name}-{n}' for n in numbers)}{{display:none}}</style>"


def _root(html: str) -> str:
    # An empty element would still have a margin.
    return root(html, style=False) if html else ""
