"""Views of a streaming answer: outputs of a notebook cell, a terminal's text, plain text.

A view consumes what a session yields and repaints at its own pace. In a notebook, what costs is
sending and rendering the same text again and again, so a block that is settled stays where it was
written, and what follows is written into a new output below it.
"""

from __future__ import annotations

import contextvars
import os
import re
import shutil
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol

from ..chat.conversation import Conversation, Turn
from ..markdown import stream as markdown
from ..settings import Settings
from ..wire.chunks import Delta, Waiting

if TYPE_CHECKING:
    from collections.abc import Generator

    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Footer", "NotebookView", "PlainView", "TerminalView", "View", "open_view", "show"]

# Seconds between two paints: received text is visible within 0.1 s, small changes sooner.
MIN_INTERVAL = 0.05
MAX_INTERVAL = 0.09
# From so many characters of HTML in the tail, or of new text, the longest interval is used.
LARGE_TAIL = 2_000
MUCH_TEXT = 80
# Outputs of one answer; JupyterLab folds a cell's outputs after 50, and the cell may have others.
MAX_OUTPUTS = 40
# Outputs of an answer that goes on after its cell has ended: none can be opened any more.
DETACHED_OUTPUTS = 24
# Fewest outputs that are worth being made one.
MIN_MERGED = 5
# Characters of an answer up to which it ends as one output.
SHORT_ANSWER = 4_000
# Seconds without a word after which the waiting is shown.
PATIENCE = 0.4

# Select Graphic Rendition and Erase in Line of ECMA-48.
BOLD, DIM, CODE, RESET = "\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[0m"
ERASE_LINE = "\r\x1b[2K"
# What a line may begin with while it is not clear whether it is a heading or a fence.
LINE_START = re.compile(r" {0,3}(#{1,6}|`{1,2}|~{1,2})?")
HEADING = re.compile(r" {0,3}#{1,6}\s")

STYLE = (
    # Notebook 7 pads each output; these are one text, and what is empty takes no room.
    ".jp-OutputArea-child:has(.copilot-part,>.jp-RenderedHTML:empty){padding-top:0}"
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
    if settings.is_local_model:
        name = "the local model"
    else:
        name = settings.provider or settings.model or "the server"
    in_kernel = hasattr(shell, "kernel")
    if raw:
        return PlainView(MIN_INTERVAL if in_kernel else 0.0)
    if shell is not None and in_kernel:
        from IPython.core.displaypub import CapturingDisplayPublisher

        publisher = shell.display_pub
        return NotebookView(
            publisher.publish,
            name,
            remote_images=settings.remote_images,
            # What is captured would keep every paint.
            live=not isinstance(publisher, CapturingDisplayPublisher),
        )
    return TerminalView(name) if sys.stdout.isatty() else PlainView()


def show(events: Generator[Delta | Waiting, None, None], view: View) -> None:
    """Let `view` consume `events`; the generator is closed in any case."""
    with closing(events):
        view.start()
        for event in events:
            view.feed(event)


@dataclass(frozen=True)
class Footer:
    """Hold what stands below an answer: facts, and marks that deserve a glance."""

    facts: list[str]
    marks: list[str]

    @classmethod
    def of(cls, turn: Turn, conversation: Conversation) -> Footer:
        """Return the footer of `turn`; it is empty where a turn failed without a word."""
        if turn.status == "failed" and not turn.answer:
            return cls([], [])
        facts = [turn.model, turn.provider, f"{turn.elapsed:.1f} s" if turn.elapsed else ""]
        tokens = (turn.usage or {}).get("completion_tokens")
        writing = turn.elapsed - (turn.first_token or 0.0)
        if isinstance(tokens, int) and tokens > 1 and writing > 0 and not turn.replayed:
            facts.append(f"{tokens / writing:.0f} tokens/s")
        facts.append(conversation.name)
        marks = []
        if turn.status == "interrupted":
            marks.append("interrupted" if turn.answer else "interrupted before the first word")
        elif turn.status == "failed":
            marks.append("cut off by an error")
        elif turn.finish_reason == "length":
            marks.append("cut off: length limit – %copilot continue")
        if turn.replayed:
            marks.append("replayed")
        if turn.stale:
            marks.append("rests on an older answer")
        return cls([fact for fact in facts if fact], [*marks, *turn.notes])

    def __str__(self) -> str:
        return " · ".join([*self.facts, *self.marks])

    @property
    def html(self) -> str:
        """Return it as HTML, or nothing where there is nothing to say."""
        parts = [markdown.escape(fact) for fact in self.facts]
        parts += [f'<span class="copilot-mark">{markdown.escape(m)}</span>' for m in self.marks]
        return f'<div class="copilot-footer">{" · ".join(parts)}</div>' if parts else ""


@dataclass
class _Part:
    """Hold what one output shows for good, and how often it was merged from others."""

    number: int
    html: str
    merged: int = 0


class _Outputs:
    """Keep the outputs of one answer: a header, one per settled part, the unfinished tail.

    A settled part stays in the output in which it was written. Where the outputs are used up, the
    last ones that were merged least become one; so a part is sent again seldom, and the messages
    stay small. The others still show what has been merged until their turn comes, hence the
    merged output brings a style that hides it in the very paint that shows it in its new place.

    The header has the style of all, and in the end the source of all: an exporter that takes no
    HTML finds the answer there, once.

    Args:
        publish: The shell's ``display_pub.publish``.
    """

    def __init__(self, publish: Callable[..., None]) -> None:
        self._publish = publish
        self._name = f"copilot-{uuid.uuid4().hex[:8]}"
        self._style = f"<style>{markdown.STYLE}{STYLE}</style>"
        self._shown: list[tuple[str, str]] = []
        self._parts: list[_Part] = []
        self._number = 0
        self._limit = MAX_OUTPUTS

    def open_all(self) -> None:
        """Open all outputs that will ever be there."""
        self._limit = max(DETACHED_OUTPUTS, len(self._shown) + MIN_MERGED)
        self._show(self._limit - 1, "")

    def header(self, html: str, source: str = "") -> None:
        """Show `html` above the answer."""
        self._show(0, self._style + _root(html), source)

    def settle(self, html: str) -> None:
        """Show a part of the answer that will not change, where the tail was."""
        self._parts.append(_Part(self._number, html))
        self._number += 1
        if len(self._parts) > self._limit - 2:
            self._merge()
        else:
            self._show_part(len(self._parts) - 1)

    def tail(self, html: str) -> None:
        """Show the unfinished rest."""
        position = len(self._parts) + 1
        if html:
            self._show(position, self._wrapped(self._number, html))
        elif position < len(self._shown):
            self._show(position, "")

    def finish(self, above: str, rest: str, below: str, source: str) -> None:
        """Show the whole answer: a short one in one output, of a long one what is left.

        Args:
            above: HTML for the header.
            rest: HTML of what was not settled yet.
            below: HTML for the end.
            source: The Markdown of the whole answer.
        """
        if len(source) > SHORT_ANSWER:
            position = len(self._parts) + 1
            self.header(above, source)
            self._show(position, self._wrapped(self._number, rest + below))
            self._blank(position + 1)
            return
        html = above + "".join(part.html for part in self._parts) + rest + below
        hide = f"<style>.{self._name}{{display:none}}</style>" if self._shown[1:] else ""
        if html or self._shown:
            self._show(0, self._style + hide + _root(html) if html else "", source)
        self._blank(1)

    def _merge(self) -> None:
        """Make one of the last parts, those that were merged least."""
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
        # The output after it is the tail's.
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
        """Show `html` in the output at `position`, which is opened where it is not there yet."""
        while position > len(self._shown):
            self._show(len(self._shown), "" if self._shown else self._style)
        known = position < len(self._shown)
        if known and self._shown[position] == (html, source):
            return
        # Published as it is: IPython's classes for displaying would take a text that is a file's
        # name or a URL for what to show.
        bundle = {"text/html": html, "text/plain": source}
        if source:
            bundle["text/markdown"] = source
        transient = {"display_id": f"{self._name}-{position}"}
        self._publish(bundle, transient=transient, update=known)
        self._shown[position : position + 1] = [(html, source)]


def _root(html: str) -> str:
    # An empty element would still have a margin.
    return markdown.root(html, style=False) if html else ""


class _Wait:
    """Say what is waited for before the first word of an answer."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._started = time.monotonic()
        self._retry: tuple[float, str] | None = None

    def take(self, event: Delta | Waiting) -> None:
        """Take in an announced wait, or that it is over."""
        if isinstance(event, Waiting):
            self._retry = (time.monotonic() + event.seconds, event.reason)
        else:
            self._retry = None

    def text(self, thoughts: str = "") -> str:
        """Return a line with the seconds, or nothing while it is too early for one.

        Args:
            thoughts: What the model has thought aloud so far.
        """
        now = time.monotonic()
        waited = now - self._started
        if self._retry is not None and self._retry[0] > now:
            return next_try(self._retry[1], self._retry[0] - now)
        if waited < PATIENCE:
            return ""
        what = "Thinking" if thoughts else f"Waiting for {self._name}"
        seconds = f" {waited:.0f} s" if waited >= 1 else ""
        return f"{what} …{seconds}"

    def until_next(self) -> float:
        """Return the seconds after which `text` says something else."""
        waited = time.monotonic() - self._started
        return PATIENCE - waited if waited < PATIENCE else 1.0 - waited % 1.0


def next_try(reason: str, seconds: float) -> str:
    """Return the line that announces a wait before the next try."""
    return f"{reason} – next try in {seconds:.0f} s"


_Event = Delta | Waiting | threading.Event


@dataclass(frozen=True)
class _End:
    """Hold what `View.finish` was given."""

    turn: Turn
    conversation: Conversation


class NotebookView:
    """Show an answer in the outputs of a cell, painted by a thread of its own.

    The thread paints at its own pace, so tokens that come faster are painted together, and text
    that was received is visible soon even where the server then falls silent.

    Args:
        publish: The shell's ``display_pub.publish``.
        name: Whom the user waits for.
        remote_images: Load pictures that the answer links to.
        live: Show the answer while it is being written, not only when it has ended.
    """

    def __init__(
        self,
        publish: Callable[..., None],
        name: str,
        *,
        remote_images: bool = False,
        live: bool = True,
    ) -> None:
        self._live = live
        self._remote_images = remote_images
        self._outputs = _Outputs(publish)
        self._wait = _Wait(name)
        # A KeyboardInterrupt can leave locks written in Python locked for ever, but not these two.
        self._events: SimpleQueue[_Event | _End] = SimpleQueue()
        self._ended = threading.Lock()
        self._ended.acquire()
        self._thread: threading.Thread | None = None
        self._shown = False
        self._stream = markdown.Stream(remote_images=remote_images)
        self._text: list[str] = []
        self._rendered = 0
        self._reasoning: list[str] = []

    def start(self) -> None:
        """Show that an answer is waited for."""
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
        while self._thread is not None and self._thread.is_alive() and not opened.wait(0.1):
            pass

    def finish(self, turn: Turn, conversation: Conversation) -> None:
        """Show the final state, and return when it is shown."""
        if self._thread is None:
            return
        self._events.put(_End(turn, conversation))
        self._ended.release()
        self._thread.join()
        if not self._shown:
            # A fault in showing an answer does not cost the answer.
            PlainView().feed(Delta(content=turn.answer))

    # The rest runs in the thread.

    def _paint_all(self) -> None:
        while (last := self._receive()) is None:
            if self._live:
                self._ended.acquire(timeout=self._paint())
        self._paint_last(last.turn, last.conversation)
        self._shown = True

    def _receive(self) -> _End | None:
        """Wait for something to paint and take in all there is; return what `finish` was given."""
        try:
            event = self._events.get(timeout=None if self._text else self._wait.until_next())
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
        self._wait.take(event)
        if isinstance(event, Delta):
            if event.content:
                self._text.append(event.content)
            if event.reasoning:
                self._reasoning.append(event.reasoning)

    def _paint(self) -> float:
        """Paint what there is and return for how long to leave it at that."""
        if not self._text:
            line = self._wait.text("".join(self._reasoning))
            self._outputs.tail(
                line and f'<div class="copilot-status">{markdown.escape(line)}</div>'
            )
            return MIN_INTERVAL
        if self._reasoning and not self._rendered:
            self._outputs.header(self._thoughts())
        text = self._new_text()
        settled = "".join(self._stream.feed(text))
        tail = self._stream.tail
        if settled:
            self._outputs.settle(settled)
        self._outputs.tail(tail)
        share = min(max(len(tail) / LARGE_TAIL, len(text) / MUCH_TEXT), 1.0)
        return MIN_INTERVAL + share * (MAX_INTERVAL - MIN_INTERVAL)

    def _new_text(self) -> str:
        """Return the text that was received since the last time."""
        text = "".join(self._text[self._rendered :])
        self._rendered = len(self._text)
        return text

    def _thoughts(self) -> str:
        """Return what the model thought aloud, folded away."""
        thoughts = "".join(self._reasoning)
        if not thoughts.strip():
            return ""
        html = markdown.render(thoughts, remote_images=self._remote_images)
        return f'<details class="copilot-reasoning"><summary>Reasoning</summary>{html}</details>'

    def _paint_last(self, turn: Turn, conversation: Conversation) -> None:
        received = "".join(self._text)
        if turn.answer.startswith(received):
            # An interrupt can come after the turn has got a piece and before the view has.
            self._text.append(turn.answer[len(received) :])
        html = "".join([*self._stream.feed(self._new_text()), *self._stream.finish()])
        below = Footer.of(turn, conversation).html
        source = markdown.plain("".join(self._text))
        self._outputs.finish(self._thoughts(), html, below, source)


class PlainView:
    """Write an answer to the standard output as it comes, without any styling.

    Args:
        interval: Seconds between two flushes, for an output that flushes itself in time: a kernel
            sends a message at each, and a Jupyter server drops messages that are too many.
    """

    def __init__(self, interval: float = 0.0) -> None:
        self._interval = interval
        self._flushed = float("-inf")
        self._at_line_start = True

    def start(self) -> None:
        """Show nothing: what is written here cannot be taken back."""

    def feed(self, event: Delta | Waiting) -> None:
        """Write the text of `event`."""
        if isinstance(event, Waiting):
            self._write_line(next_try(event.reason, event.seconds))
        else:
            self._write(markdown.plain(event.content))

    def detach(self) -> None:
        """Do nothing: text can be written after the cell has ended."""

    def finish(self, turn: Turn, conversation: Conversation) -> None:
        """End the line, and say where the answer is not simply complete."""
        self._write_line(" · ".join(Footer.of(turn, conversation).marks))

    def _write_line(self, text: str) -> None:
        """Write `text`, if any, on a line of its own."""
        if not self._at_line_start:
            self._write("\n")
        if text:
            self._write(f"{markdown.plain(text)}\n")

    def _write(self, text: str) -> None:
        if not text:
            return
        self._at_line_start = text.endswith("\n")
        self._emit(text)
        now = time.monotonic()
        if now - self._flushed >= self._interval:
            self._flushed = now
            sys.stdout.flush()

    def _emit(self, text: str) -> None:
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))


class TerminalView(PlainView):
    """Write an answer to a terminal: lightly styled, after a line that says what is waited for.

    Args:
        name: Whom the user waits for.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._wait = _Wait(name)
        self._colours = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._lines = _LineStyles()
        self._thought = False
        # Held while the wait is shown; a KeyboardInterrupt cannot leave it half-way.
        self._waiting = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Show that an answer is waited for, in a line that the answer will replace."""
        self._waiting.acquire()
        self._thread = threading.Thread(target=self._tick, name="copilot-view", daemon=True)
        self._thread.start()

    def feed(self, event: Delta | Waiting) -> None:
        """Write the text of `event`; what the model thinks aloud is dimmed."""
        if isinstance(event, Waiting):
            self._wait.take(event)
            return
        if event.reasoning:
            self._end_wait()
            self._thought = True
            self._write(self._styled(DIM, markdown.plain(event.reasoning)))
        if event.content:
            self._end_wait()
            if self._thought:
                self._thought = False
                self._write("\n\n")
            text = markdown.plain(event.content)
            self._write(self._lines.feed(text) if self._colours else text)

    def finish(self, turn: Turn, conversation: Conversation) -> None:
        """End the line and write the footer."""
        self._end_wait()
        self._write(self._lines.finish())
        self._write_line("")
        footer = markdown.plain(str(Footer.of(turn, conversation)))
        if footer:
            self._write(self._styled(DIM, footer) + "\n")

    def _tick(self) -> None:
        while not self._waiting.acquire(timeout=self._wait.until_next()):
            # A line that wraps could not be erased.
            line = markdown.plain(self._wait.text())[: shutil.get_terminal_size().columns - 1]
            self._emit(ERASE_LINE + line)
            sys.stdout.flush()
        self._emit(ERASE_LINE)

    def _end_wait(self) -> None:
        if self._thread is not None:
            if self._waiting.locked():
                self._waiting.release()
            self._thread.join()
            self._thread = None

    def _styled(self, style: str, text: str) -> str:
        return f"{style}{text}{RESET}" if self._colours else text


class _LineStyles:
    """Style Markdown for a terminal, line by line: headings bold, code blocks in a colour."""

    def __init__(self) -> None:
        self._start = ""
        self._fence = ""
        self._in_line = False
        self._reset = ""

    def feed(self, text: str) -> str:
        """Return `text` styled; the beginning of a line is held back until it is clear."""
        return "".join(self._line(piece) for piece in re.findall(r"[^\n]*\n|[^\n]+", text))

    def finish(self) -> str:
        """Return what was held back, and end the style."""
        rest, self._start = self._start, ""
        return rest + self._reset

    def _line(self, piece: str) -> str:
        if not self._in_line:
            self._start += piece
            if LINE_START.fullmatch(self._start):
                return ""
            style = self._style()
            self._reset = RESET if style else ""
            piece, self._start = style + self._start, ""
        self._in_line = not piece.endswith("\n")
        if self._in_line:
            return piece
        reset, self._reset = self._reset, ""
        return f"{piece[:-1]}{reset}\n"

    def _style(self) -> str:
        mark = self._start.strip()[:3]
        if mark in ("```", "~~~") and self._fence in ("", mark):
            self._fence = "" if self._fence else mark
            return DIM
        if self._fence:
            return CODE
        return BOLD if HEADING.match(self._start) else ""
