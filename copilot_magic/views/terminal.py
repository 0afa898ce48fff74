"""Views that write text: to a terminal, to a pipe, or to a cell that asked for plain text."""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
import time
from dataclasses import replace

from ..chat.turn import Turn
from ..text import printable
from ..wire.chunks import Delta, Waiting
from .printing import ERASE_LINE, write
from .view import QUIET_START, Footer, WaitingLine, effects_mark, next_try

__all__ = ["BOLD", "DIM", "RESET", "LineStyles", "PlainView", "TerminalView", "has_colours"]

# Select Graphic Rendition (ECMA-48).
BOLD, DIM, CODE, RESET = "\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[0m"
# The start of a line while it could still become a heading or a fence.
LINE_START = re.compile(r" {0,3}(#{1,6}|`{1,2}|~{1,2})?")
HEADING = re.compile(r" {0,3}#{1,6}\s")


def has_colours() -> bool:
    """Say whether the terminal shows colours and the user wants them."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class PlainView:
    """An answer written to the standard output as it arrives, without any styling.

    Args:
        interval: Seconds between two flushes, if the output also flushes itself in time: a kernel
            sends a message at each flush, and a Jupyter server drops messages if there are too
            many.
    """

    def __init__(self, interval: float = 0.0) -> None:
        self._interval = interval
        self._flushed_at = float("-inf")
        self._at_line_start = True

    def start(self) -> None:
        """Show nothing: what is written here cannot be erased."""

    def feed(self, event: Delta | Waiting) -> None:
        """Write the text of `event`."""
        if isinstance(event, Delta):
            self._write(printable(event.content))
        elif event.reason:
            self._write_line(next_try(event.reason, event.seconds))

    def detach(self) -> None:
        """Do nothing: text can be written after the cell has ended."""

    def finish(self, turn: Turn, footer: Footer) -> None:
        """End the line and write the marks, without the facts; reasoning only if it is all."""
        if turn.status == "complete" and not turn.answer:
            self._write(printable(turn.reasoning))
        self._write_line(" · ".join(_with_effects(footer, turn).marks))

    def _write_line(self, text: str) -> None:
        """Write `text`, if any, on a line of its own."""
        if not self._at_line_start:
            self._write("\n")
        if text:
            self._write(f"{printable(text)}\n")

    def _write(self, text: str) -> None:
        if not text:
            return
        self._at_line_start = text.endswith("\n")
        write(text)
        now = time.monotonic()
        if now - self._flushed_at >= self._interval:
            self._flushed_at = now
            sys.stdout.flush()


class TerminalView(PlainView):
    """An answer written to a terminal, lightly styled; it replaces a waiting line.

    Args:
        asked: Whom the user is waiting for.
        quiet_start: Seconds before the waiting line appears.
    """

    def __init__(self, asked: str, *, quiet_start: float = QUIET_START) -> None:
        super().__init__()
        self._line = WaitingLine(asked, quiet_start)
        self._colours = has_colours()
        self._styles = LineStyles()
        self._thinking = False
        # Locked while the waiting line is shown. A KeyboardInterrupt cannot leave this lock
        # half-locked, as it could one that is written in Python.
        self._waiting = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Show a waiting line, which the answer will replace."""
        self._waiting.acquire()
        self._thread = threading.Thread(target=self._tick, name="copilot-view", daemon=True)
        self._thread.start()

    def feed(self, event: Delta | Waiting) -> None:
        """Write the text of `event`; reasoning is dimmed."""
        if isinstance(event, Waiting):
            self._line.update(event)
            return
        if event.reasoning:
            self._end_wait()
            self._thinking = True
            self._write(self._styled(DIM, printable(event.reasoning)))
        if event.content:
            self._end_wait()
            if self._thinking:
                self._thinking = False
                self._write("\n\n")
            text = printable(event.content)
            self._write(self._styles.feed(text) if self._colours else text)

    def finish(self, turn: Turn, footer: Footer) -> None:
        """End the line and write the footer."""
        self._end_wait()
        self._write(self._styles.finish())
        self._write_line("")
        if line := printable(str(_with_effects(footer, turn))):
            self._write(self._styled(DIM, line) + "\n")

    def _tick(self) -> None:
        while not self._waiting.acquire(timeout=self._line.until_next()):
            # A line that wraps could not be erased.
            line = printable(self._line.text())[: shutil.get_terminal_size().columns - 1]
            write(ERASE_LINE + line)
            sys.stdout.flush()
        write(ERASE_LINE)

    def _end_wait(self) -> None:
        if self._thread is not None:
            if self._waiting.locked():
                self._waiting.release()
            self._thread.join()
            self._thread = None

    def _styled(self, style: str, text: str) -> str:
        return f"{style}{text}{RESET}" if self._colours else text


def _with_effects(footer: Footer, turn: Turn) -> Footer:
    """Return the footer with a mark for what the code would do, which is not said above it."""
    mark = effects_mark(turn.answer)
    return replace(footer, marks=[*footer.marks, mark]) if mark else footer


class LineStyles:
    """Terminal styles for Markdown, line by line: headings bold, code blocks in a colour."""

    def __init__(self) -> None:
        self._start = ""
        self._fence = ""
        self._in_line = False
        self._reset = ""

    def feed(self, text: str) -> str:
        """Return `text` styled; the start of a line is held back until its kind is clear."""
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
