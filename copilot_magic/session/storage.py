"""The conversation file as a session uses it: a prompt goes on, whatever the file does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from ..errors import StoreError

if TYPE_CHECKING:
    from ..store.store import Store

__all__ = ["Storage"]

T = TypeVar("T")


class Storage:
    """Best-effort access to one conversation file, which is opened at its first use.

    Reading and writing fail independently. What went wrong becomes a note, once, for the footer of
    the answer that it concerns.

    Args:
        path: The file; an empty string is the default place, None keeps nothing.
    """

    def __init__(self, path: str | None) -> None:
        self.path = path
        self._store: Store | None = None
        self._opened = False
        self._writes = True
        self._notes: list[str] = []
        self._lock = threading.Lock()

    def read(self, work: Callable[[Store], T], otherwise: T) -> T:
        """Return what `work` reads; `otherwise` if there is no file or it cannot be read."""
        store = self._open()
        if store is None:
            return otherwise
        try:
            return work(store)
        except StoreError as error:
            self._note(f"stored conversations cannot be read: {error}")
            return otherwise

    def write(self, work: Callable[[Store], object]) -> list[str]:
        """Do `work`; return the notes on it, none if all is well.

        After a failure nothing more is written.
        """
        store = self._open()
        if store is None or not self._writes:
            return []
        try:
            work(store)
        except StoreError as error:
            self._writes = False
            return [f"from here on this conversation is not kept: {error}"]
        return []

    def take_notes(self) -> list[str]:
        """Return the notes that no answer has shown yet."""
        with self._lock:
            notes, self._notes = self._notes, []
        return notes

    def close(self) -> None:
        """Close the file; it opens again at its next use."""
        store = self._store
        if store is not None:
            with suppress(StoreError):
                store.close()

    def _open(self) -> Store | None:
        if self.path is None:
            return None
        with self._lock:
            if not self._opened:
                from ..store.store import Store

                self._opened = True
                try:
                    self._store = Store.open(self.path)
                except StoreError as error:
                    self._notes.append(f"this conversation is not kept: {error}")
        return self._store

    def _note(self, note: str) -> None:
        with self._lock:
            if note not in self._notes:
                self._notes.append(note)
