"""News of the conversations, for views besides that of the cell that asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..chat.conversation import Conversation
from ..chat.turn import Turn
from ..errors import CopilotError
from ..wire.chunks import Delta, Waiting

__all__ = ["News", "Watcher", "Watchers"]


@dataclass(frozen=True)
class News:
    """Something has happened to the conversations.

    Attributes:
        conversation: The conversation that it happened to; None if it may be any.
        turn: The turn that began, goes on or ended; None if it is about none.
        event: What arrived of its answer: it is on its way.
        error: Why it failed, if it did.
    """

    conversation: Conversation | None = None
    turn: Turn | None = None
    event: Delta | Waiting | None = None
    error: CopilotError | None = None


Watcher = Callable[[News], None]
"""Takes news in the thread in which it happened; it must neither wait nor raise."""


class Watchers:
    """Those who are told the news."""

    def __init__(self) -> None:
        self._watchers: tuple[Watcher, ...] = ()

    def __bool__(self) -> bool:
        """Say whether there is anyone to tell; news that nobody hears need not be made."""
        return bool(self._watchers)

    def add(self, watcher: Watcher) -> None:
        """Tell `watcher` from now on."""
        self._watchers = (*self._watchers, watcher)

    def remove(self, watcher: Watcher) -> None:
        """Tell `watcher` no longer."""
        self._watchers = tuple(other for other in self._watchers if other != watcher)

    def tell(self, news: News) -> None:
        """Tell all of them."""
        for watcher in self._watchers:
            watcher(news)
