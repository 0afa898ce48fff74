"""The conversations of one kernel: all of them, the current one, and where they are kept."""

from __future__ import annotations

import threading
import time
from pathlib import PurePath
from typing import TYPE_CHECKING

from ..chat.conversation import Conversation
from ..errors import NameTakenError, UnknownConversationError, UsageError
from ..settings import Settings
from ..text import count_of, free_name
from .places import Places
from .storage import Storage
from .watching import News, Watchers

if TYPE_CHECKING:
    from ..store.restore import Restored
    from ..store.rows import Summary
    from ..store.store import Store

__all__ = ["Library"]


class Library:
    """The conversations of one kernel, in memory and in the conversation file.

    Args:
        settings: The conversation file, and the system message of new conversations.
        notebook: The notebook's path, or an empty string. Its last conversation is continued, and
            its name is the name of its first one.

    Attributes:
        storage: The conversation file.
        places: The order of the prompts that are on their way.
        watchers: Who is told what happens to the conversations.
    """

    def __init__(self, settings: Settings, notebook: str = "") -> None:
        self._private: set[str] = set()  # the turns that were asked while nothing was to be kept
        self.storage = Storage(settings.store, self._in_memory, self._private)
        self.watchers = Watchers()
        self.places = Places()
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
            self.storage = Storage(settings.store, self._in_memory, self._private)

    def close(self) -> None:
        """Close the conversation file; the conversations stay in memory."""
        self.storage.close()

    @property
    def current(self) -> Conversation:
        """Return the current conversation: the notebook's last one, or a new one."""
        with self._lock:
            if self._current is None:
                self._current = self._continued() or self.new()
            return self.up_to_date(self._current)

    def up_to_date(self, conversation: Conversation) -> Conversation:
        """Return `conversation` with what other kernels have asked in it.

        If it was forgotten in another kernel, that is a new one of the same name.
        """
        with self._lock:
            return conversation if self._refresh(conversation) else self._instead_of(conversation)

    def announcement(self) -> str:
        """Return, for a line before anything is sent, which conversation would be continued.

        It is empty if a new one would be started. Nothing changes, and no file is created.
        """
        if self._current is not None or not self.storage.exists():
            return ""
        found = self._latest()
        return "" if found is None else f"{found.name}: {_continues(found)}"

    def restore(self) -> Restored:
        """Bring back the last good copy of the conversation file, and write what it lacks.

        Raises:
            UsageError: Nothing is kept.
            StoreError: There is no copy, or the file cannot be used.
        """
        with self._lock:
            restored = self.storage.demand(lambda store: store.restore())
            if restored is None:
                raise UsageError("No conversations are kept", "Set store to a file")
            self.storage.catch_up()
            if self._current is not None and not self._current.turns:
                self._known.pop(self._current.conversation_id, None)
                self._current = None
            return restored

    def new(self, name: str = "", *, current: bool = True) -> Conversation:
        """Start a new conversation, and make it the current one unless `current` is False.

        Without a name it is named after the notebook, or the time.

        Raises:
            NameTakenError: There is a conversation of this name.
        """
        with self._lock:
            if name and self._find(name) is not None:
                raise _taken(name)
            new = self._add(Conversation(name or self._free_name()))
            self._current = new if current else self._current
            return new

    def use(self, name: str) -> Conversation:
        """Make the conversation of this name, or of this id, the current one.

        Raises:
            UnknownConversationError: There is none.
        """
        with self._lock:
            self._current = self.find(name)
            self.watchers.tell(News())
            return self._current

    def find(self, name: str) -> Conversation:
        """Return the conversation of this name or id.

        Raises:
            UnknownConversationError: There is none.
            StoreError: It is not among those that can be read.
        """
        if (found := self._find(name)) is None:
            raise self.storage.unread or _unknown(name)
        return found

    def find_or_add(self, name: str) -> Conversation:
        """Return the conversation of this name, made if new; the current one stays current."""
        with self._lock:
            if (known := self._named(name)) is not None:
                return self.up_to_date(known)
            return self._find(name) or self._add(Conversation(name))

    def preview(self, name: str = "") -> Conversation:
        """Return the conversation of this name, or an empty one that is kept nowhere."""
        found = self._find(name) if name else None
        return found or Conversation(name, system=self._settings.system)

    def rename(self, name: str, conversation: Conversation) -> None:
        """Give a conversation another name.

        Raises:
            NameTakenError: Another conversation has that name.
            StoreError: It could not be written; the conversation has its old name.
        """
        conversation_id = conversation.conversation_id
        with self._lock:
            if self._find(name) not in (None, conversation):
                raise _taken(name)
            self.storage.demand(lambda store: store.rename(conversation_id, name))
            conversation.name = name
            self.watchers.tell(News())

    def forget(self, name: str) -> list[str]:
        """Delete a conversation permanently, in memory and in the file; return notes on it.

        Raises:
            UnknownConversationError: There is none.
            StoreError: It could not be deleted in the file; it is still there.
        """
        with self._lock:
            conversation = self.find(name)
            self.storage.demand(lambda store: store.forget(conversation.conversation_id))
            self._known.pop(conversation.conversation_id, None)
            if conversation is self._current:
                self.new()
            self.watchers.tell(News())
            kept = self.storage.demand(lambda store: store.files_kept_aside()) or []
        return [f"It may still be in {file}, kept when the file was restored" for file in kept]

    def adopt(self, conversation: Conversation) -> list[str]:
        """Take in an imported conversation under a free name, and make it the current one.

        Raises:
            NameTakenError: It is here already.
        """
        with self._lock:
            conversation_id = conversation.conversation_id
            if self._find(conversation_id) is not None:
                raise NameTakenError("This conversation is here already", name=conversation_id)
            conversation.name = self._free_name(conversation.name)
            self._current = self._add(conversation)
        return self.storage.write(lambda store: _save(store, conversation, self._notebook))

    def summaries(self, search: str = "") -> list[Summary]:
        """Return what conversations there are, the last used first.

        Args:
            search: Only those with this text in their name, a prompt or an answer.
        """
        from .summaries import summaries

        with self._lock:
            worth = [each for each in self._in_memory() if each.turns or each is self._current]
        return summaries(self.storage, worth, search)

    def place_of(self, conversation: Conversation) -> str:
        """Return the notebook that will continue `conversation`; empty if it is not current."""
        return self._notebook if conversation is self._current else ""

    def take_notes(self, conversation: Conversation) -> list[str]:
        """Return what the next answer of `conversation` should mention."""
        note = self._notes.pop(conversation.conversation_id, None)
        return [*filter(None, [note]), *self.storage.take_notes()]

    def _add(self, conversation: Conversation) -> Conversation:
        conversation.system = conversation.system or self._settings.system
        self._known[conversation.conversation_id] = conversation
        self.watchers.tell(News())  # looking means waiting for the lock
        return conversation

    def _find(self, name: str) -> Conversation | None:
        with self._lock:
            if (known := self._named(name)) is not None and self._refresh(known):
                return known
            found = self.storage.read(lambda store: store.load(name), None)
            return None if found is None else self._take_in(found)

    def _named(self, name: str) -> Conversation | None:
        return next((c for c in self._in_memory() if name in (c.name, c.conversation_id)), None)

    def _take_in(self, found: Conversation) -> Conversation:
        """Return the conversation that was read, or the one in memory with what was read."""
        known = self._known.setdefault(found.conversation_id, found)
        if known is not found:
            self._refresh(known, look_again=True)
        return known

    def _refresh(self, conversation: Conversation, look_again: bool = False) -> bool:
        """Take over what other kernels have asked; return False if one has forgotten it."""
        try:
            newer = self.storage.read(lambda store: store.newer(conversation, look_again), None)
        except UnknownConversationError:
            return False
        if newer is not None:
            conversation.update(newer)
        return True

    def _free_name(self, wanted: str = "") -> str:
        """Return a name that no conversation of this kernel has; the file ensures its own."""
        taken = {known.name for known in self._in_memory()}
        return free_name(wanted or _usual_name(self._notebook), taken.__contains__)

    def _latest(self) -> Conversation | None:
        """Return the notebook's last conversation, if it has one with an answer."""
        if not self._notebook:
            return None
        found = self.storage.read(lambda store: store.latest(self._notebook), None)
        return found if found is not None and found.answered else None

    def _continued(self) -> Conversation | None:
        if (found := self._latest()) is None:
            return None
        self._notes[found.conversation_id] = _continues(found)
        return self._take_in(found)

    def _in_memory(self) -> list[Conversation]:
        """Return the conversations of this kernel: the file may lack some of them."""
        return list(self._known.values())

    def _instead_of(self, forgotten: Conversation) -> Conversation:
        """Return a new conversation in the place of one that was forgotten in another kernel."""
        with self._lock:
            self._known.pop(forgotten.conversation_id, None)
            new = self._add(Conversation(forgotten.name))
            self._notes[new.conversation_id] = _starts_anew(forgotten)
            if forgotten is self._current:
                self._current = new
            return new


def _usual_name(notebook: str) -> str:
    return PurePath(notebook).stem or time.strftime("%Y-%m-%d %H:%M")


def _starts_anew(forgotten: Conversation) -> str:
    return f"{forgotten.name} was forgotten in another kernel; this is a new conversation"


def _continues(conversation: Conversation) -> str:
    turns = count_of(len(conversation.answered), "turn")
    return f"continues an earlier conversation ({turns})"


def _save(store: Store, conversation: Conversation, notebook: str) -> None:
    conversation.name = store.save(conversation, notebook)


def _unknown(name: str) -> UnknownConversationError:
    return UnknownConversationError(f"There is no conversation {name!r}")


def _taken(name: str) -> NameTakenError:
    return NameTakenError(
        f"There is already a conversation {name!r}", "Choose another name", name=name
    )
