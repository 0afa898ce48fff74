"""A progress bar for long work: in the notebook as HTML, in a terminal as one line."""

from __future__ import annotations

import sys
import time
from typing import Any

from ..markdown.stream import escape

__all__ = ["Progress"]

UPDATE_INTERVAL = 0.1


class Progress:
    """Show how far a long work is, and leave one line when it is done.

    Args:
        shell: The IPython shell, or None outside of IPython.
        label: What is being done.
    """

    def __init__(self, shell: Any, label: str) -> None:
        self._label = label
        self._shown = 0.0
        self._handle: Any = None
        self._notebook = hasattr(shell, "kernel")

    def update(self, done: int, total: int) -> None:
        """Show `done` of `total` bytes."""
        now = time.monotonic()
        if done < total and now - self._shown < UPDATE_INTERVAL:
            return
        self._shown = now
        text = f"{self._label}: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB"
        if self._notebook:
            bar = f'<progress value="{done}" max="{max(total, 1)}"></progress>'
            self._display(f"{bar} {escape(text)}", text)
        elif sys.stdout.isatty():
            sys.stdout.write(f"\r{text}")
            sys.stdout.flush()

    def close(self) -> None:
        """Take the bar away."""
        if self._notebook and self._handle is not None:
            self._display("", "")
        elif self._shown and sys.stdout.isatty():
            sys.stdout.write("\r\x1b[2K")
            sys.stdout.flush()

    def _display(self, html: str, text: str) -> None:
        from IPython.display import display

        bundle = {"text/html": html, "text/plain": text}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)
