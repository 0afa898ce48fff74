"""The conversation file as a session uses it: prompts are answered even if it fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from ..chat.conversation import Conversation
from ..errors import StoreError

if TYPE_CHECKING:
    from ..store.store import Store

__all__ = ["Storage"]

T = TypeVar("T")


class Storage:
    """Best-effort access to one conversation file, which is opened at its first use.

    Each call tries the file again. When it begins to fail there is one note, for the footer of the
    answer that it concerns, and one when it works again; what was missed is written then.

    Args:
        path: The file; an empty string is the default place, None keeps nothing.
        conversations: Returns the conversations in memory: what the file may lack.
        private: The ids of the turns that were asked while nothing was to be kept, in any storage.
    """

    def __init__(
        self,
        path: str | None,
        conversations: Callable[[], Iterable[Conversation]] = tuple,
        private: set[str] | None = None,
    ) -> None:
        self.path = path
        self._private = set() if private is None else private
        self._conversations = conversations
        self._store: Store | None = None
        self._generation = 0
        self._unread: StoreError | None = None
        self._unwritten: StoreError | None = None
        self._notes: list[str] = []
        self._lock = threading.Lock()

    @property
    def file(self) -> str:
        """Return the whole path of the file; empty if there is none."""
        if self.path is None:
            return ""
        try:
            return self._opened(self.path).path
        except StoreError:
            return self.path

    def exists(self) -> bool:
        """Say whether there is a file yet."""
        return bool(self.file) and self._store is not None and self._store.exists()

    @property
    def unwritten(self) -> StoreError | None:
        """Return why the last write failed, or None."""
        return self._unwritten

    @property
    def unread(self) -> StoreError | None:
        """Return why stored conversations could not be read, or not all of them; or None."""
        return self._unread or (self._store.damage if self._store is not None else None)

    def read(self, work: Callable[[Store], T], otherwise: T) -> T:
        """Return what `work` reads; `otherwise` if there is no file or it cannot be read."""
        if self.path is None:
            return otherwise
        known = self.unread
        try:
            result = work(self._opened(self.path))
        except StoreError as error:
            self._unread = error
            result = otherwise
        else:
            self._unread = None
        problem = self.unread
        if problem is not None and known is None and self._unwritten is None:
            what = "stored conversations cannot be read"
            self._note(f"{what if self._unread else f'some {what}'}: {problem}")
        return result

    def write(self, work: Callable[[Store], object]) -> list[str]:
        """Do `work`, and write what was missed; return the notes on it, none if all is well."""
        if self.path is None:
            return []
        try:
            work(store := self._opened(self.path))
            return self._catch_up(store)
        except StoreError as error:
            return self._failed(error)

    def keep_private(self, turn_id: str) -> None:
        """Keep this turn out of every file: it was asked while nothing was to be kept."""
        self._private.add(turn_id)

    def grow(self, turn_id: str, answer: str, reasoning: str) -> list[str]:
        """Have the texts of a growing answer written, as `Store.grow_turn` does; return notes.

        It does not try again a file that fails: it is called with each token.
        """
        if self._store is None or self._unwritten is not None:
            return []
        try:
            self._store.grow_turn(turn_id, answer, reasoning)
        except StoreError as error:
            return self._failed(error)
        return []

    def demand(self, work: Callable[[Store], T]) -> T | None:
        """Return the result of `work`, on which the user counts; None if nothing is kept.

        Raises:
            StoreError: It could not be done.
        """
        return None if self.path is None else work(self._opened(self.path))

    def catch_up(self) -> None:
        """Write what the file lacks of the conversations in memory.

        Raises:
            StoreError: It could not be done.
        """
        if self.path is not None:
            store = self._opened(self.path)
            store.check()
            self._generation = store.generation
            self._write_missed(store)

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

    def _opened(self, path: str) -> Store:
        with self._lock:
            if self._store is None:
                from ..store.store import Store, resolved

                self._store = Store(resolved(path))
                self._store.omitted = self._private
            return self._store

    def _failed(self, error: StoreError) -> list[str]:
        """Return the note on a failed write, if it is the first one."""
        first, self._unwritten = self._unwritten is None, error
        if not first:
            return []
        with self._lock:  # it is clear that it cannot be read
            self._notes = [note for note in self._notes if str(error) not in note]
        return [f"from here on this conversation is not kept: {error}"]

    def _catch_up(self, store: Store) -> list[str]:
        """After a write that worked, write what was missed until then; return the notes on it."""
        failed, generation = self._unwritten is not None, self._generation
        self._generation = store.generation
        if not failed and generation in (0, store.generation):
            return []
        self._write_missed(store)
        if failed:
            return ["the conversation file works again; what was missed is in it now"]
        return ["the conversation file was gone; what this kernel knows is in the new one"]

    def _write_missed(self, store: Store) -> None:
        for conversation in list(self._conversations()):
            if conversation.turns:
                conversation.name = store.catch_up(conversation)
        self._unread = self._unwritten = None

    def _note(self, note: str) -> None:
        with self._lock:
            if note not in self._notes:
                self._notes.append(note)
