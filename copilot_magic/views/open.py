"""The view that fits the front end: the one file of the views that knows IPython."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import closing
from functools import lru_cache
from typing import TYPE_CHECKING

from ..wire.chunks import Delta, Waiting
from .cell import CellView
from .outputs import Budget
from .terminal import PlainView, TerminalView
from .view import View, in_kernel

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["open_view", "show"]

FLUSH_INTERVAL = 0.05
"""Seconds between two flushes of plain text in a kernel, which sends a message at each."""


def open_view(
    shell: InteractiveShell | None,
    *,
    asked: str,
    remote_images: bool = False,
    raw: bool = False,
) -> View:
    """Return the view that fits the front end.

    Args:
        shell: The IPython shell, or None outside of IPython.
        asked: Whom the user is waiting for, such as ``Copilot`` or ``the local model``.
        remote_images: Load pictures that the answer links to.
        raw: Show plain text, not rendered Markdown.
    """
    if raw:
        return PlainView(FLUSH_INTERVAL if in_kernel(shell) else 0.0)
    if shell is not None and in_kernel(shell):
        from IPython.core.displaypub import CapturingDisplayPublisher

        publisher = shell.display_pub
        # A capture would keep every paint.
        live = not isinstance(publisher, CapturingDisplayPublisher)
        return CellView(
            publisher.publish,
            asked,
            budget=_budget_of(shell.execution_count) if live else None,
            remote_images=remote_images,
            live=live,
        )
    return TerminalView(asked) if sys.stdout.isatty() else PlainView()


@lru_cache(maxsize=1)
def _budget_of(execution_count: int) -> Budget:
    """Return what the answers of the cell that runs now share."""
    return Budget()


def show(events: Generator[Delta | Waiting, None, None], view: View) -> None:
    """Feed `events` to `view`; the generator is closed in any case."""
    with closing(events):
        view.start()
        for event in events:
            view.feed(event)
