"""The watcher of a run: a progress bar, or nothing."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Watcher"]


class Watcher(Protocol):
    """Something that shows the progress of a run."""

    def advance(self, *, failed: bool = False, known: bool = False, tokens: int = 0) -> None:
        """Show that one more row has ended."""

    def waiting(self, seconds: float, reason: str) -> None:
        """Show that nothing goes out for a while."""
