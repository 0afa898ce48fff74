"""The view of a notebook cell: an answer that is painted while it arrives.

In a notebook, the cost is in sending and rendering the same text again and again. So what is worth
an output of its own stays as it is, and the text after it goes to a new output below.
"""

from __future__ import annotations

import contextvars
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue

from ..chat.turn import Turn
from ..markdown.render import render
from ..markdown.stream import Stream
from ..text import escape, printable
from ..wire.chunks import Delta, Waiting
from .outputs import Budget, Outputs
from .terminal import PlainView
from .view import QUIET_START, Footer, WaitingLine
from .whole import joined

__all__ = ["DEFINITION", "MIN_INTERVAL", "RENDERED", "CellView"]

MIN_INTERVAL = 0.05
"""Seconds between two paints that change little."""

MAX_INTERVAL = 0.09
"""Most seconds between two paints: text that has arrived is visible within 0.1 s."""

RENDERED = 1_000_000
"""Characters of an answer that are rendered; what follows is shown as plain text."""

SHOWN = 5_000_000
"""Characters of an answer that are shown: a page with much more text is of no use."""

# Characters of plain text that a paint sends at most: a Jupyter server drops what comes faster than
# 1 MB a second.
PLAIN_PIECE = 50_000

# A link definition, which counts for the text before it, too, if all of it is rendered at once.
DEFINITION = re.compile(r"^[ \t>]*(?:[-+*] |\d+[.)] )?[ \t]*\[[^\]\n]+\]:", re.MULTILINE)

# A paint counts as large, and gets the longest interval, from this many characters on: of HTML in
# the tail, or of new text.
LARGE_TAIL = 2_000
MUCH_TEXT = 80


@dataclass(frozen=True)
class _End:
    """What the painting thread needs to paint the final state."""

    turn: Turn
    footer: Footer


_Event = Delta | Waiting | threading.Event


class CellView:
    """An answer in the outputs of a cell, painted by a thread of its own.

    The thread paints at its own pace. So tokens that arrive faster share a paint, and text that
    has arrived is visible soon even if the server then falls silent.

    Args:
        publish: The shell's ``display_pub.publish``.
        asked: Whom the user is waiting for.
        budget: What the answers of one cell share.
        remote_images: Load pictures that the answer links to.
        live: Show the answer while it arrives, not only when it has ended.
        min_interval: Seconds between two paints that change little.
        max_interval: Most seconds between two paints.
        quiet_start: Seconds before the waiting line appears.
        rendered: Characters that are rendered; what follows is shown as plain text.
        shown: Characters that are shown at all.
    """

    def __init__(
        self,
        publish: Callable[..., None],
        asked: str,
        *,
        budget: Budget | None = None,
        remote_images: bool = False,
        live: bool = True,
        min_interval: float = MIN_INTERVAL,
        max_interval: float = MAX_INTERVAL,
        quiet_start: float = QUIET_START,
        rendered: int = RENDERED,
        shown: int = SHOWN,
    ) -> None:
        self._live = live
        self._remote_images = remote_images
        self._min_interval, self._max_interval = min_interval, max_interval
        self._limit, self._shown_limit = rendered, shown
        self._outputs = Outputs(publish, budget)
        self._line = WaitingLine(asked, quiet_start)
        # A KeyboardInterrupt can leave a lock that is written in Python locked for good, such as
        # that of queue.Queue or threading.Event, but neither of these two.
        self._events: SimpleQueue[_Event | _End] = SimpleQueue()
        self._ended = threading.Lock()
        self._ended.acquire()
        self._thread: threading.Thread | None = None
        self._shown = False
        self._stream = Stream(remote_images=remote_images)
        self._text: list[str] = []
        self._painted = 0  # how many pieces of it
        self._received = 0  # how many characters, of which those of plain text are not kept
        self._rendered = 0  # how many characters of it
        self._plain: PlainText | None = None  # what follows them
        self._kept = ""  # the text that was rendered, if there is plain text
        self._has_parts = False  # of blocks that were settled before their end
        self._reasoning: list[str] = []
        self._told = ""  # what a screen reader has read of the wait

    def start(self) -> None:
        """Start the thread, which shows the waiting line."""
        # With this context, the thread publishes for the cell that runs now, even when that cell
        # has ended.
        run = contextvars.copy_context().run
        self._line.start()
        self._thread = threading.Thread(
            target=run, args=(self._paint_all,), name="copilot-view", daemon=True
        )
        self._thread.start()

    def feed(self, event: Delta | Waiting) -> None:
        """Show an event of the stream with the next paint."""
        self._events.put(event)

    def detach(self) -> None:
        """Open the outputs that the rest of the answer may need: none can be opened later."""
        if not self._live:
            return  # a capture shows nothing later
        if self._thread is None:
            self._outputs.open_all()
            return
        opened = threading.Event()
        self._events.put(opened)
        while self._thread is not None and self._thread.is_alive() and not opened.wait(0.1):
            pass

    def finish(self, turn: Turn, footer: Footer) -> None:
        """Show the final state; return when it is shown."""
        if self._thread is None:
            return
        self._events.put(_End(turn, footer))
        self._ended.release()
        self._thread.join()
        if not self._shown:
            # A fault in showing an answer must not cost the user the answer.
            PlainView().feed(Delta(content=turn.answer))

    # The methods below run in the thread.

    def _paint_all(self) -> None:
        while (end := self._receive()) is None:
            if self._live:
                self._ended.acquire(timeout=self._paint())
        self._paint_end(end.turn, end.footer)
        self._shown = True

    def _receive(self) -> _End | None:
        """Wait for something to paint, then take all there is; return the end if it is there."""
        try:
            event = self._events.get(timeout=None if self._text else self._line.until_next())
            while not isinstance(event, _End):
                self._take(event)
                event = self._events.get_nowait()
        except Empty:
            return None
        return event

    def _take(self, event: _Event) -> None:
        if isinstance(event, threading.Event):
            self._outputs.open_all()
            event.set()
            return
        self._line.update(event)
        if isinstance(event, Delta):
            if event.content:
                self._text.append(event.content)
                self._received += len(event.content)
            if event.reasoning:
                self._reasoning.append(event.reasoning)

    def _paint(self) -> float:
        """Paint what there is; return the seconds until the next paint."""
        if not self._text:
            self._outputs.status(self._status())
            return self._min_interval
        if self._reasoning and not self._painted:
            self._outputs.above(self._thoughts())
        text = self._new_text()
        settled = self._render(text)
        if self._plain is not None:
            self._outputs.paint(settled, "")
            self._plain.write()
            return self._max_interval
        tail = self._stream.tail
        self._outputs.paint(settled, tail)
        share = min(max(len(tail) / LARGE_TAIL, len(text) / MUCH_TEXT), 1.0)
        return self._min_interval + share * (self._max_interval - self._min_interval)

    def _new_text(self) -> str:
        """Return the text that arrived since the last call."""
        text = "".join(self._text[self._painted :])
        self._painted = len(self._text)
        return text

    def _render(self, text: str) -> str:
        """Return the HTML that `text` settles; what is too much to render is plain text."""
        settled: list[str] = []
        if self._plain is None:
            room = self._limit - self._rendered
            if len(text) > room:
                # Between two lines, if there is a line end nearby.
                room = text.rfind("\n", max(room - 10_000, 0), room) + 1 or room
                self._plain = PlainText(self._shown_limit - self._rendered - room)
            settled += self._stream.feed(text[:room])
            self._rendered += len(text[:room])
            text = text[room:]
            if self._plain is not None:
                settled += self._stream.finish()
                self._kept = "".join(self._text)[: self._rendered]
        if self._plain is not None:
            self._plain.add(text)
            # It may be a hundred times as much as what is rendered.
            self._text, self._painted = [self._kept], 1
        self._has_parts = self._has_parts or any("copilot-more" in html for html in settled)
        return "".join(settled)

    def _status(self) -> str:
        """Return the waiting line; a screen reader reads it once, not each second again."""
        line = self._line.text(thinking=bool(self._reasoning))
        if not line:
            return ""
        words = re.sub(r"\d+ s$", "", line).rstrip()
        quiet = ' aria-live="off"' if words == self._told else ""
        self._told = words
        return f'<div class="copilot-status" role="status"{quiet}>{escape(line)}</div>'

    def _thoughts(self) -> str:
        """Return the reasoning, folded."""
        thoughts = "".join(self._reasoning)
        if not thoughts.strip():
            return ""
        html = render(thoughts, remote_images=self._remote_images)
        # Open if there is nothing else to see.
        start = '<details class="copilot-reasoning"' + ("" if any(self._text) else " open")
        return f"{start}><summary>Reasoning</summary>{html}</details>"

    def _paint_end(self, turn: Turn, footer: Footer) -> None:
        if turn.answer.startswith(self._kept or "".join(self._text)):
            # An interrupt can fall between the turn's receiving a piece and the view's.
            self._text.append(turn.answer[self._received :])
        rest = self._render(self._new_text())
        source = "".join(self._text)
        if self._plain is None:
            rest += "".join(self._stream.finish())
        else:
            footer = replace(footer, marks=[*footer.marks, *self._plain.finish(self._rendered)])
        whole = ""
        if self._has_parts or "copilot-more" in rest or DEFINITION.search(source):
            whole = joined(render(source, remote_images=self._remote_images))
        self._outputs.finish(self._thoughts(), rest, footer.html, printable(source), whole)


class PlainText:
    """The rest of a very long answer, printed below it piece by piece.

    Args:
        limit: Characters to print at most.
    """

    def __init__(self, limit: int) -> None:
        self._view = PlainView()
        self._limit = limit
        self._waiting: list[str] = []
        self._taken = 0

    def add(self, text: str) -> None:
        """Take text to print."""
        room = max(self._limit - self._taken, 0)
        self._taken += len(text)
        if text := text[:room]:
            self._waiting.append(text)

    def write(self) -> None:
        """Print some of the text."""
        text = "".join(self._waiting)
        self._waiting = [text[PLAIN_PIECE:]] if len(text) > PLAIN_PIECE else []
        self._view.feed(Delta(content=text[:PLAIN_PIECE]))

    def finish(self, rendered: int) -> list[str]:
        """Print the rest of the text; return what the footer should mention.

        Args:
            rendered: How many characters came before.
        """
        while self._waiting:
            self.write()
            time.sleep(MAX_INTERVAL)
        marks = [f"plain text from character {rendered + 1:,} on"]
        if self._taken > self._limit:
            marks.append(f"the last {self._taken - self._limit:,} characters are kept, not shown")
        return marks
