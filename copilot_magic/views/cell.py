"""The view of a notebook cell: an answer that is painted while it arrives.

In a notebook, the cost is in sending and rendering the same text again and again. So a block that
is settled stays where it was written, and the text after it goes to a new output below.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from ..chat.turn import Turn
from ..markdown.render import render
from ..markdown.stream import Stream
from ..text import escape, printable
from ..wire.chunks import Delta, Waiting
from .outputs import Outputs
from .terminal import PlainView
from .view import QUIET_START, Footer, WaitingLine

__all__ = ["MAX_INTERVAL", "MIN_INTERVAL", "CellView"]

MIN_INTERVAL = 0.05
"""Seconds between two paints that change little."""

MAX_INTERVAL = 0.09
"""Most seconds between two paints: text that has arrived is visible within 0.1 s."""

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
        remote_images: Load pictures that the answer links to.
        live: Show the answer while it arrives, not only when it has ended.
        min_interval: Seconds between two paints that change little.
        max_interval: Most seconds between two paints.
        quiet_start: Seconds before the waiting line appears.
    """

    def __init__(
        self,
        publish: Callable[..., None],
        asked: str,
        *,
        remote_images: bool = False,
        live: bool = True,
        min_interval: float = MIN_INTERVAL,
        max_interval: float = MAX_INTERVAL,
        quiet_start: float = QUIET_START,
    ) -> None:
        self._live = live
        self._remote_images = remote_images
        self._min_interval, self._max_interval = min_interval, max_interval
        self._outputs = Outputs(publish)
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
        self._rendered = 0
        self._reasoning: list[str] = []

    def start(self) -> None:
        """Start the thread, which shows the waiting line."""
        # With this context, the thread publishes for the cell that runs now, even when that cell
        # has ended.
        run = contextvars.copy_context().run
        self._thread = threading.Thread(
            target=run, args=(self._paint_all,), name="copilot-view", daemon=True
        )
        self._thread.start()

    def feed(self, event: Delta | Waiting) -> None:
        """Show an event of the stream with the next paint."""
        self._events.put(event)

    def detach(self) -> None:
        """Open the outputs that the rest of the answer may need: none can be opened later."""
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
            if event.reasoning:
                self._reasoning.append(event.reasoning)

    def _paint(self) -> float:
        """Paint what there is; return the seconds until the next paint."""
        if not self._text:
            line = self._line.text(thinking=bool(self._reasoning))
            self._outputs.tail(line and f'<div class="copilot-status">{escape(line)}</div>')
            return self._min_interval
        if self._reasoning and not self._rendered:
            self._outputs.header(self._thoughts())
        text = self._new_text()
        settled = "".join(self._stream.feed(text))
        tail = self._stream.tail
        if settled:
            self._outputs.settle(settled)
        self._outputs.tail(tail)
        share = min(max(len(tail) / LARGE_TAIL, len(text) / MUCH_TEXT), 1.0)
        return self._min_interval + share * (self._max_interval - self._min_interval)

    def _new_text(self) -> str:
        """Return the text that arrived since the last call."""
        text = "".join(self._text[self._rendered :])
        self._rendered = len(self._text)
        return text

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
        received = "".join(self._text)
        if turn.answer.startswith(received):
            # An interrupt can fall between the turn's receiving a piece and the view's.
            self._text.append(turn.answer[len(received) :])
        html = "".join([*self._stream.feed(self._new_text()), *self._stream.finish()])
        source = printable("".join(self._text))
        self._outputs.finish(self._thoughts(), html, footer.html, source)
