"""Output that is not an answer: printed lines, rendered Markdown and a progress bar."""

from __future__ import annotations

import sys
import time
import uuid
from typing import Any

from ..text import escape, printable
from .view import in_kernel

__all__ = ["ERASE_LINE", "ProgressBar", "publish", "say", "write"]

ERASE_LINE = "\r\x1b[2K"
"""Erase in Line (ECMA-48), from the start of the line on."""

UPDATE_INTERVAL = 0.1


def write(text: str) -> None:
    """Write `text` to the standard output; characters that it cannot encode become ``?``."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))


def say(text: str) -> None:
    """Print `text` as lines of its own, with control characters made visible."""
    write(f"{printable(text)}\n")


def publish(shell: Any, text: str) -> None:
    """Show Markdown rendered; IPython's own ``Markdown`` would run scripts that are in it.

    Args:
        shell: The IPython shell. In a terminal it prints the Markdown as it is.
        text: The Markdown.
    """
    from ..markdown.render import bundle

    # A terminal's publisher with a renderer for one of the types cannot do without metadata.
    shell.display_pub.publish(bundle(text), metadata={})


class ProgressBar:
    """Progress of long work: a bar in a notebook, one line in a terminal, nothing in a pipe.

    Args:
        shell: The IPython shell, or None outside of IPython.
        label: What is being done.
    """

    def __init__(self, shell: Any, label: str) -> None:
        self._shell = shell
        self._label = label
        self._shown_at = 0.0
        self._display_id = f"copilot-{uuid.uuid4().hex[:8]}"
        self._published = False

    def update(self, done: int, total: int) -> None:
        """Show `done` of `total` bytes."""
        now = time.monotonic()
        if done < total and now - self._shown_at < UPDATE_INTERVAL:
            return
        self._shown_at = now
        text = f"{self._label}: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB"
        if in_kernel(self._shell):
            bar = f'<progress value="{done}" max="{max(total, 1)}"></progress>'
            self._publish(f"{bar} {escape(text)}", text)
        elif sys.stdout.isatty():
            write(f"\r{printable(text)}")
            sys.stdout.flush()

    def note(self, text: str) -> None:
        """Show what is being done after the bytes."""
        self._shown_at = time.monotonic()
        if in_kernel(self._shell):
            self._publish(escape(text), text)
        elif sys.stdout.isatty():
            write(f"{ERASE_LINE}{printable(text)}")
            sys.stdout.flush()

    def close(self, result: str = "") -> None:
        """Show `result` in the place of the bar; without any, remove the bar."""
        if self._published:
            self._publish(f'<pre style="margin:0">{escape(result)}</pre>' if result else "", result)
            return
        if self._shown_at and sys.stdout.isatty():
            write(ERASE_LINE)
            sys.stdout.flush()
        if result:
            say(result)

    def _publish(self, html: str, text: str) -> None:
        self._shell.display_pub.publish(
            {"text/html": html, "text/plain": text},
            transient={"display_id": self._display_id},
            update=self._published,
        )
        self._published = True
