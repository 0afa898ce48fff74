"""The conversations of one kernel: which there are, which one is current, where they are kept."""

from __future__ import annotations

import threading
import time
from pathlib import PurePath
from typing import TYPE_CHECKING

from ..chat.conversation import Conversation
from ..errors import NameTakenError, UnknownConversationError
from ..settings import Settings
from ..text import contains, count_of, free_name
from .storage import Storage

if TYPE_CHECKING:
    from ..store.rows import Summary
    from ..store.store import Store

__all__ = ["Library"]


class Library:
    """The conversations of one kernel, in memory and in the conversation file.

    Args:
        settings: The conversation file, and the system message of new conversations.
        notebook: The notebook's path, or an empty string. Its last conversation is continued, and
            its name is the name of its first one.
    """

    def __init__(self, settings: Settings, notebook: str = "") -> None:
        self.storage = Storage(settings.store)
        self._settings = settings
        self._notebook = notebook
        self._current: Conversation | None = None
        self._known: dict[str, Conversation] = {}
        self._notes: dict[str, str] = {}
        self._lock = threading.RLock()

    def configure(self, settings: Settings) -> None:
        """Take other settings; another conversation file is for prompts from now on."""
        self._settings = settings
        if settings.store != self.storage.path:
            self.storage.close()
            self.storage = Storage(settings.store)

    def close(self) -> None:
        """Close the conversation file; the conversations stay in memory."""
        self.storage.close()

    @property
    def current(self) -> Conversation:
        """Return the current conversation: the notebook's last one, or a new one."""
        with self._lock:
            if self._current is None:
                self._current = self._continued() or self.new()
            return self._current

    def new(self, name: str = "") -> Conversation:
        """Start a new conversation and make it the current one.

        Args:
            name: Its name; without one it is named after the notebook, or the time.

        Raises:
            NameTakenError: There is a conversation of this name.
        """
        with self._lock:
            if name and self._find(name) is not None:
                raise _taken(name)
            self._current = self._add(Conversation(name or self._free_name()))
            return self._current

    def use(self, name: str) -> Conversation:
        """Make the conversation of this name, or of this id, the current one.

        Raises:
            UnknownConversationError: There is none.
        """
        with self._lock:
            self._current = self.find(name)
            return self._current

    def find(self, name: str) -> Conversation:
        """Return the conversation of this name or id.

        Raises:
            UnknownConversationError: There is none.
        """
        found = self._find(name)
        if found is None:
            raise UnknownConversationError(f"there is no conversation {name!r}")
        return found

    def find_or_add(self, name: str) -> Conversation:
        """Return the conversation of this name, made if new; the current one stays current."""
        with self._lock:
            return self._find(name) or self._add(Conversation(name))

    def preview(self, name: str = "") -> Conversation:
        """Return the conversation of this name, or an empty one that is kept nowhere."""
        found = self._find(name) if name else None
        return found or Conversation(name, system=self._settings.system)

    def rename(self, name: str, conversation: Conversation) -> list[str]:
        """Give a conversation another name; return notes on how that was stored.

        Raises:
            NameTakenError: Another conversation has that name.
        """
        with self._lock:
            if self._find(name) not in (None, conversation):
                raise _taken(name)
            conversation.name = name
        conversation_id = conversation.conversation_id
        return self.storage.write(lambda store: store.rename(conversation_id, name))

    def forget(self, name: str) -> list[str]:
        """Delete a conversation permanently, in memory and in the file; return notes on it.

        Raises:
            UnknownConversationError: There is none.
        """
        with self._lock:
            conversation = self.find(name)
            self._known.pop(conversation.conversation_id, None)
            notes = self.storage.write(lambda store: store.forget(conversation.conversation_id))
            if conversation is self._current:
                self.new()
        return notes

    def adopt(self, conversation: Conversation) -> list[str]:
        """Take in an imported conversation under a free name, and make it the current one.

        Raises:
            NameTakenError: It is here already.
        """
        with self._lock:
            conversation_id = conversation.conversation_id
            if self._find(conversation_id) is not None:
                raise NameTakenError("this conversation is here already", name=conversation_id)
            conversation.name = self._free_name(conversation.name)
            self._current = self._add(conversation)
        return self.storage.write(lambda store: _save(store, conversation, self._notebook))

    def summaries(self, search: str = "") -> list[Summary]:
        """Return what conversations there are, the last used first.

        Args:
            search: Only those with this text in their name, a prompt or an answer.
        """
        from ..store.rows import Summary

        nothing: list[Summary] = []
        stored = self.storage.read(lambda store: store.list(search), nothing)
        kept = {summary.conversation_id for summary in stored}
        with self._lock:
            unstored = [
                Summary.of(conversation)
                for conversation in self._known.values()
                if conversation.conversation_id not in kept
                and (conversation.turns or conversation is self._current)
                and _mentions(conversation, search)
            ]
        return [*reversed(unstored), *stored]

    def place_of(self, conversation: Conversation) -> str:
        """Return the notebook that will continue `conversation`: none if it is not current."""
        return self._notebook if conversation is self._current else ""

    def take_notes(self, conversation: Conversation) -> list[str]:
        """Return what the next answer of `conversation` should mention."""
        note = self._notes.pop(conversation.conversation_id, "")
        return [*([note] if note else []), *self.storage.take_notes()]

    def _add(self, conversation: Conversation) -> Conversation:
        conversation.system = conversation.system or self._settings.system
        self._known[conversation.conversation_id] = conversation
        return conversation

    def _find(self, name: str) -> Conversation | None:
        with self._lock:
            for known in self._known.values():
                if name in (known.name, known.conversation_id):
                    return known
            found = self.storage.read(lambda store: store.load(name), None)
            if found is None:
                return None
            return self._known.setdefault(found.conversation_id, found)

    def _free_name(self, wanted: str = "") -> str:
        """Return a name that no conversation of this kernel has; the file ensures its own."""
        wanted = wanted or PurePath(self._notebook).stem or time.strftime("%Y-%m-%d %H:%M")
        taken = {conversation.name for conversation in self._known.values()}
        return free_name(wanted, taken.__contains__)

    def _continued(self) -> Conversation | None:
        """Return the notebook's last conversation, if it has one with an answer."""
        if not self._notebook:
            return None
        found = self.storage.read(lambda store: store.latest(self._notebook), None)
        if found is None or not found.answered:
            return None
        turns = count_of(len(found.answered), "turn")
        self._notes[found.conversation_id] = f"continues an earlier conversation ({turns})"
        return self._known.setdefault(found.conversation_id, found)


def _save(store: Store, conversation: Conversation, notebook: str) -> None:
    conversation.name = store.save(conversation, notebook)


def _taken(name: str) -> NameTakenError:
    return NameTakenError(
        f"there is a conversation {name!r} already", "Choose another name", name=name
    )


def _mentions(conversation: Conversation, search: str) -> bool:
    said = [conversation.name]
    for turn in conversation.turns:
        said += [turn.prompt, turn.answer]
    return any(contains(text, search) for text in said)
