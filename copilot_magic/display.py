"""Views of a streaming answer: outputs of a notebook cell, a terminal's text, plain text.

A view consumes what a session yields and repaints at its own pace. In a notebook, what costs is
sending and rendering the same text again and again, so a block that is settled stays where it was
written, and what follows is written into a new output below it.
"""

from __future__ import annotations

import contextvars
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol

from . import markdown
from .conversation import Conversation, Turn
from .protocol import Delta, Waiting
from .settings import Settings

if TYPE_CHECKING:
    from collections.abc import Generator

    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["NotebookView", "PlainView", "TerminalView", "View", "footer", "open_view", "show"]

# Seconds between two paints: received text is visible within 0.1 s, small changes sooner.
MIN_INTERVAL = 0.05
MAX_INTERVAL = 0.09
# Characters of HTML in a paint from which on the longest interval is used.
LARGE_PAINT = 2_000
# Outputs of one answer; JupyterLab folds a cell's outputs after 50, and the cell may have others.
MAX_OUTPUTS = 40
# Outputs of an answer that goes on after its cell has ended: none can be opened any more.
DETACHED_OUTPUTS = 12
# Fewest outputs that are worth being made one.
MIN_MERGED = 5
# Characters of an answer up to which it ends as one output.
SHORT_ANSWER = 4_000
# Seconds without a word after which the waiting is shown.
PATIENCE = 0.4

STYLE = (
    ".copilot-status,.copilot-footer{color:var(--jp-ui-font-color2,#777);font-size:.85em}"
    ".copilot-footer{margin-top:.6em}"
    ".copilot-mark{color:var(--jp-warn-color0,#b26b00)}"
    ".copilot-reasoning{color:var(--jp-ui-font-color2,#777);margin-bottom:.6em}"
    ".copilot-reasoning summary{cursor:pointer}"
)


class View(Protocol):
    """Show one answer: `start`, then `feed` with every event, then `finish`, once."""

    def start(self) -> None:
        """Show that an answer is waited for."""

    def feed(self, event: Delta | Waiting) -> None:
        """Take in what the stream brought."""

    def detach(self) -> None:
        """Prepare to go on after the cell has ended; to be called before it does."""

    def finish(self, turn: Turn, conversation: Conversation) -> None:
        """Show the final state: the whole answer, whatever it came to, and a footer."""


def open_view(shell: InteractiveShell | None, *, raw: bool = False, settings: Settings) -> View:
    """Return the view that fits what is in front of the user.

    Args:
        shell: The IPython shell, or None outside of IPython.
        raw: Show plain text, no Markdown.
        settings: Those of the prompt: whom the user waits for, and whether pictures are loaded.
    """
    name = settings.provider or settings.model or "the server"
    if shell is not None and hasattr(shell, "kernel") and not raw:
        return NotebookView(shell.display_pub.publish, name, remote_images=settings.remote_images)
    if not raw and sys.stdout.isatty():
        return TerminalView(name)
    return PlainView(MIN_INTERVAL if hasattr(shell, "kernel") else 0.0)


def show(events: Generator[Delta | Waiting, None, None], view: View) -> None:
    """Let `view` consume `events`; the generator is closed in any case."""
    with closing(events):
        view.start()
        for event in events:
            view.feed(event)


@dataclass(frozen=True)
class _Footer:
    """What stands below an answer: facts, and marks that deserve a glance."""

    facts: list[str]
    marks: list[str]

    def __str__(self) -> str:
        return " · ".join([*self.facts, *self.marks])

    @property
    def html(self) -> str:
        parts = [markdown.escape(fact) for fact in self.facts]
        parts += [f'<span class="copilot-mark">{markdown.escape(m)}</span>' for m in self.marks]
        return f'<div class="copilot-footer">{" · ".join(parts)}</div>' if parts else ""


def footer(turn: Turn, conversation: Conversation) -> _Footer:
    """Return what the footer says of `turn`."""
    facts = [name for name in (turn.model, turn.provider) if name]
    if turn.elapsed:
        facts.append(f"{turn.elapsed:.1f} s")
    tokens = (turn.usage or {}).get("completion_tokens")
    writing = turn.elapsed - (turn.first_token or 0.0)
    if isinstance(tokens, int) and tokens > 1 and writing > 0 and not turn.replayed:
        facts.append(f"{tokens / writing:.0f} tokens/s")
    if conversation.name:
        facts.append(conversation.name)
    marks = []
    if turn.status == "interrupted":
        marks.append("interrupted" if turn.answer else "interrupted before the first word")
    elif turn.status == "failed" and turn.answer:
        marks.append("cut off by an error: %copilot continue")
    elif turn.finish_reason == "length":
        marks.append("cut off: length limit - %copilot continue")
    if turn.replayed:
        marks.append("replayed")
    if turn.stale:
        marks.append("rests on an older answer")
    return _Footer(facts, [*marks, *turn.notes])


@dataclass
class _Part:
    """Hold what one output shows for good, and how often it was merged from others."""

    number: int
    html: str
    source: str
    merged: int = 0


class _Outputs:
    """Keep the outputs of one answer: the header, one per settled part, the unfinished tail.

    A settled part stays in the output in which it was written. Where the outputs are used up, the
    last ones that were merged least become one; so a part is sent again seldom, and the messages
    stay small. The others still show what has been merged until their turn comes, hence the
    merged output brings a style that hides it in the very paint that shows it in its new place.
    """

    def __init__(self, publish: Callable[..., None]) -> None:
        self._publish = publish
        self._name = f"copilot-{uuid.uuid4().hex[:8]}"
        self._shown: list[Mapping[str, str]] = []
        self._parts: list[_Part] = []
        self._limit = MAX_OUTPUTS
        self._header = f"<style>{markdown.STYLE}{STYLE}</style>"
        self._number = 0

    def open_all(self) -> None:
        """Open all outputs now that will ever be there."""
        self._limit = max(DETACHED_OUTPUTS, len(self._shown) + MIN_MERGED)
        for position in range(len(self._shown), self._limit):
            self._show(position, _bundle(""))

    def header(self, html: str) -> None:
        """Show `html` above the answer, where the style is."""
        self._show(0, _bundle(self._header + self._root(html) if html else self._header))

    def settle(self, html: str, source: str) -> None:
        """Show a part of the answer that will not change, where the tail was."""
        self._parts.append(_Part(self._number, html, source))
        self._number += 1
        if len(self._parts) > self._limit - 2:
            self._merge()
        else:
            self._show_part(len(self._parts) - 1)

    def tail(self, html: str) -> None:
        """Show the unfinished rest."""
        position = len(self._parts) + 1
        if html:
            self._show(position, _bundle(self._wrapped(self._number, html)))
        elif position < len(self._shown):
            self._show(position, _bundle(""))

    def finish(self, reasoning: str, rest: tuple[str, str], footer: str) -> None:
        """Show the whole answer: one output for a short one, else one more for what is left."""
        html, source = rest
        whole = "".join(part.source for part in self._parts) + source
        if len(whole) <= SHORT_ANSWER:
            hidden = f"<style>.{self._name}{{display:none}}</style>" if self._shown[1:] else ""
            body = reasoning + "".join(part.html for part in self._parts) + html + footer
            first = self._header + hidden + self._root(body) if body else ""
            self._show(0, _bundle(first, whole))
            self._blank(1)
            return
        position = len(self._parts) + 1
        self.header(reasoning)
        self._show(position, _bundle(self._wrapped(self._number, html + footer), source))
        self._blank(position + 1)

    def _merge(self) -> None:
        start, level = len(self._parts), 0
        kept = self._limit // 2
        while len(self._parts) - start < MIN_MERGED:
            while start > kept and self._parts[start - 1].merged <= level:
                start -= 1
            if start == kept:
                break
            level += 1
        parts = self._parts[start:]
        html = "".join(part.html for part in parts)
        source = "".join(part.source for part in parts)
        self._parts[start:] = [_Part(parts[0].number, html, source, level + 1)]
        hidden = ",".join(f".{self._name}-{part.number}" for part in parts[1:])
        self._show_part(start, f"<style>{hidden}{{display:none}}</style>")
        self._blank(start + 3)

    def _show_part(self, index: int, style: str = "") -> None:
        part = self._parts[index]
        self._show(index + 1, _bundle(style + self._wrapped(part.number, part.html), part.source))

    def _blank(self, start: int) -> None:
        for position in range(start, len(self._shown)):
            self._show(position, _bundle(""))

    def _wrapped(self, number: int, html: str) -> str:
        return f'<div class="{self._name} {self._name}-{number}">{self._root(html)}</div>'

    def _root(self, html: str) -> str:
        return markdown.root(html, style=False)

    def _show(self, position: int, bundle: Mapping[str, str]) -> None:
        while position > len(self._shown):
            self._show(len(self._shown), _bundle(self._header if not self._shown else ""))
        known = position < len(self._shown)
        if known and self._shown[position] == bundle:
            return
        # Published as it is: IPython's display classes would look at what a text is, and a text
        # that is a file's name or a URL is not fetched.
        transient = {"display_id": f"{self._name}-{position}"}
        self._publish(dict(bundle), transient=transient, update=known)
        if known:
            self._shown[position] = bundle
        else:
            self._shown.append(bundle)


def _bundle(html: str, source: str = "") -> dict[str, str]:
    bundle = {"text/html": html, "text/plain": source}
    return {**bundle, "text/markdown": source} if source else bundle


class NotebookView:
    """Show an answer in the outputs of a cell, painted by a thread of its own.

    The thread paints at its own pace, so tokens that come faster are painted together, and text
    that was received is visible soon even where the server then falls silent.

    Args:
        publish: The shell's ``display_pub.publish``.
        name: Whom the user waits for.
        remote_images: Load pictures that the answer links to.
    """

    def __init__(
        self, publish: Callable[..., None], name: str, *, remote_images: bool = False
    ) -> None:
        self._name = name
        self._remote_images = remote_images
        self._outputs = _Outputs(publish)
        # A KeyboardInterrupt can leave locks written in Python locked for ever, but not these two.
        self._events: SimpleQueue[Delta | Waiting | threading.Event | None] = SimpleQueue()
        self._ended = threading.Lock()
        self._ended.acquire()
        self._thread: threading.Thread | None = None
        self._last: tuple[Turn, Conversation] | None = None
        self._started = 0.0
        self._wait: tuple[float, str] | None = None
        self._stream = markdown.Stream(remote_images=remote_images)
        self._text: list[str] = []
        self._fed = 0
        self._reasoning: list[str] = []

    def start(self) -> None:
        """Show that an answer is waited for."""
        self._started = time.monotonic()
        # The thread publishes for the cell that runs now, also when that has ended.
        run = contextvars.copy_context().run
        self._thread = threading.Thread(
            target=run, args=(self._paint_all,), name="copilot-view", daemon=True
        )
        self._thread.start()

    def feed(self, event: Delta | Waiting) -> None:
        """Take in what the stream brought."""
        self._events.put(event)

    def detach(self) -> None:
        """Open the outputs that the rest of the answer may need; none can be opened later."""
        opened = threading.Event()
        self._events.put(opened)
        opened.wait()

    def finish(self, turn: Turn, conversation: Conversation) -> None:
        """Show the final state, and return when it is shown."""
        if self._thread is None:
            return
        self._last = (turn, conversation)
        self._events.put(None)
        self._ended.release()
        self._thread.join()

    # The rest runs in the thread.

    def _paint_all(self) -> None:
        while self._receive():
            self._ended.acquire(timeout=self._paint())
        if self._last is not None:
            self._paint_last(*self._last)

    def _receive(self) -> bool:
        """Wait for something to paint, take in all there is; return whether more will come."""
        try:
            event = self._events.get(timeout=self._until_next_second())
            while event is not None:
                self._take(event)
                event = self._events.get_nowait()
        except Empty:
            return True
        return False

    def _until_next_second(self) -> float | None:
        if self._text:
            return None
        waited = time.monotonic() - self._started
        return PATIENCE - waited if waited < PATIENCE else 1.0 - waited % 1.0

    def _take(self, event: Delta | Waiting | threading.Event) -> None:
        if isinstance(event, Delta):
            if event.content:
                self._text.append(event.content)
            if event.reasoning:
                self._reasoning.append(event.reasoning)
            self._wait = None
        elif isinstance(event, Waiting):
            self._wait = (time.monotonic() + event.seconds, event.reason)
        else:
            self._outputs.open_all()
            event.set()

    def _paint(self) -> float:
        """Paint what there is and return for how long to leave it at that."""
        if not self._text:
            self._outputs.tail(self._status())
            return MIN_INTERVAL
        if not self._fed and self._reasoning:
            self._outputs.header(self._reasoning_html())
        text = "".join(self._text[self._fed :])
        self._fed = len(self._text)
        settled = "".join(self._stream.feed(text))
        if settled:
            self._outputs.settle(settled, text)
        tail = self._stream.tail
        self._outputs.tail(tail)
        share = min(len(tail) / LARGE_PAINT, 1.0)
        return MIN_INTERVAL + share * (MAX_INTERVAL - MIN_INTERVAL)

    def _status(self) -> str:
        now = time.monotonic()
        waited = now - self._started
        if waited < PATIENCE:
            return ""
        what = f"{'Thinking' if self._reasoning else f'Waiting for {self._name}'} …"
        seconds = f" {waited:.0f} s" if waited >= 1 else ""
        if self._wait is not None and self._wait[0] > now:
            what, seconds = _next_try(self._wait[1], self._wait[0] - now), ""
        return f'<div class="copilot-status">{markdown.escape(what)}{seconds}</div>'

    def _reasoning_html(self) -> str:
        if not self._reasoning:
            return ""
        html = markdown.render("".join(self._reasoning), remote_images=False)
        return f'<details class="copilot-reasoning"><summary>Reasoning</summary>{html}</details>'

    def _paint_last(self, turn: Turn, conversation: Conversation) -> None:
        shown = "".join(self._text)
        if turn.answer.startswith(shown):
            # An interrupt can come between the turn's getting a piece and the view's.
            self._text.append(turn.answer[len(shown) :])
        text = "".join(self._text[self._fed :])
        html = "".join([*self._stream.feed(text), *self._stream.finish()])
        said = footer(turn, conversation)
        below = said.html if turn.answer or turn.status != "failed" else ""
        self._outputs.finish(self._reasoning_html(), (html, text), below)


class PlainView:
    """Write an answer to the standard output as it comes, without any styling.

    Args:
        interval: Seconds between two flushes, for an output that flushes itself in time: a kernel
            sends a message at each, and a Jupyter server drops messages that are too many.
    """

    def __init__(self, interval: float = 0.0) -> None:
        self._interval = interval
        self._flushed = 0.0
        self._at_line_start = True

    def start(self) -> None:
        """Show nothing: what is written here cannot be taken back."""

    def feed(self, event: Delta | Waiting) -> None:
        """Write the text of `event`."""
        if isinstance(event, Waiting):
            self._line(_next_try(event.reason, event.seconds))
        elif event.content:
            self._write(markdown.plain(event.content))

    def detach(self) -> None:
        """Do nothing: text can be written after the cell has ended."""

    def finish(self, turn: Turn, conversation: Conversation) -> None:
        """End the line, and write the marks where the answer is not simply complete."""
        self._line(" · ".join(footer(turn, conversation).marks))

    def _line(self, text: str) -> None:
        if not self._at_line_start:
            self._write("\n")
        if text:
            self._write(f"{markdown.plain(text)}\n")

    def _write(self, text: str) -> None:
        if not text:
            return
        self._at_line_start = text.endswith("\n")
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
        now = time.monotonic()
        if now - self._flushed >= self._interval:
            self._flushed = now
            sys.stdout.flush()


class TerminalView(PlainView):
    """Write an answer to a terminal, which shows below what line it is waited for.

    Args:
        name: Whom the user waits for.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._colours = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def feed(self, event: Delta | Waiting) -> None:
        """Write the text of `event`, what the model thinks aloud dimmed."""
        if isinstance(event, Delta) and event.reasoning:
            self._write(self._dim(markdown.plain(event.reasoning)))
        super().feed(event)

    def finish(self, turn: Turn, conversation: Conversation) -> None:
        """End the line and write the footer."""
        said = footer(turn, conversation)
        self._line("")
        if turn.answer or turn.status != "failed":
            self._write(self._dim(markdown.plain(str(said))) + "\n")

    def _dim(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[0m" if self._colours else text


def _next_try(reason: str, seconds: float) -> str:
    return f"{reason} – next try in {max(seconds, 0):.0f} s"
