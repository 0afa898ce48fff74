"""The store: conversations kept in one file, written while their answers arrive."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..chat.conversation import Conversation
from ..chat.turn import Turn
from ..errors import NameTakenError
from ..text import well_formed
from . import rows, turn_rows
from .database import MIGRATIONS, Database, Migrations, default_path, store_error
from .growth import GROWTH_INTERVAL, Growth, Key, Text
from .locks import LOCK_TIMEOUT, is_alive, own_number
from .rows import Summary

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Store"]


class Store:
    """Conversations in one file that many processes and threads may use at once.

    It takes and returns values: it changes no conversation or turn that it is given, and keeps
    none. Every method raises StoreError if the file cannot be used. The file is intact then, and
    the method may be called again.

    Args:
        path: The file, created at the first use.
        growth_interval: Seconds between two writes of a growing answer: the most that a killed
            process loses.
        lock_timeout: Seconds to go on trying while others write.
        migrations: What makes the tables of a new file, and brings an older one up to date.

    Attributes:
        path: The file.
    """

    def __init__(
        self,
        path: str,
        *,
        growth_interval: float = GROWTH_INTERVAL,
        lock_timeout: float = LOCK_TIMEOUT,
        migrations: Migrations = MIGRATIONS,
    ) -> None:
        self.path = path
        self._database = Database(path, lock_timeout=lock_timeout, migrations=migrations)
        self._growth = Growth(self._write_grown, growth_interval)
        # The conversation of each turn that has begun and not ended.
        self._begun: dict[str, str] = {}

    @classmethod
    def open(
        cls,
        path: str = "",
        *,
        growth_interval: float = GROWTH_INTERVAL,
        lock_timeout: float = LOCK_TIMEOUT,
        migrations: Migrations = MIGRATIONS,
    ) -> Store:
        """Open the file at `path`, created if new; by default one in the user's data directory."""
        store = cls(
            os.path.realpath(Path(path).expanduser()) if path else default_path(),
            growth_interval=growth_interval,
            lock_timeout=lock_timeout,
            migrations=migrations,
        )
        store._database.write(lambda connection: None)
        return store

    def close(self) -> None:
        """Write what has grown and close the file; the next call of a method opens it again."""
        try:
            self._growth.close()
        finally:
            self._database.close()

    # Writing

    def save(self, conversation: Conversation, notebook: str = "") -> str:
        """Create or update `conversation`, and add those of its turns that the file lacks.

        Args:
            conversation: What to save.
            notebook: The notebook that continues it after its kernel was restarted.

        Returns:
            The conversation's name in the file, which differs if another one has its name, or if
            another kernel renamed it.
        """
        writer = _writer(self.path)
        turns = list(conversation.turns)

        def write(connection: sqlite3.Connection) -> str:
            name = rows.put_conversation(connection, conversation, notebook)
            turn_rows.put_missing_turns(connection, conversation.conversation_id, turns, writer)
            return name

        return self._database.write(write)

    def begin_turn(
        self,
        conversation: Conversation,
        turn: Turn,
        replaces: str | None = None,
        notebook: str = "",
    ) -> str:
        """Write that `turn` has begun, or is being continued.

        Args:
            conversation: Where the turn is; created or updated as by `save`.
            turn: The turn.
            replaces: The id of the turn in whose place it is. The file keeps that one as
                superseded.
            notebook: The notebook that continues the conversation after its kernel was restarted.

        Returns:
            The conversation's name in the file, as `save` does.
        """
        writer = _writer(self.path)
        conversation_id = conversation.conversation_id
        turns = list(conversation.turns)

        def write(connection: sqlite3.Connection) -> str:
            self._growth.drop((conversation_id, turn.id))
            name = rows.put_conversation(connection, conversation, notebook)
            position = None
            if replaces is not None:
                position = turn_rows.position_of(connection, conversation_id, replaces)
                turn_rows.supersede(connection, conversation_id, replaces, by=turn.id)
            turn_rows.put_turn(connection, conversation_id, turn, writer, position)
            turn_rows.mark_stale(connection, conversation_id, turns)
            return name

        name = self._database.write(write)
        self._begun[turn.id] = conversation_id
        return name

    def grow_turn(self, turn_id: str, answer: str, reasoning: str) -> None:
        """Have the texts that a turn has grown to written within the growth interval.

        It costs next to nothing, so call it whenever the turn has grown. A thread writes the texts,
        so that happens in time even if the server falls silent. Nothing is written of a turn whose
        beginning could not be written, before its end.

        Raises:
            StoreError: The last such write failed.
        """
        conversation_id = self._begun.get(turn_id)
        if conversation_id is not None:
            self._growth.put((conversation_id, turn_id), (answer, reasoning))

    def _write_grown(self) -> Mapping[Key, Text]:
        def write(connection: sqlite3.Connection) -> Mapping[Key, Text]:
            grown = self._growth.pending()
            for key, text in grown.items():
                turn_rows.grow(connection, *key, *text)
            return grown

        return self._database.write(write)

    def end_turn(self, conversation: Conversation, turn: Turn) -> None:
        """Write the end of `turn`, and which turns are outdated by now.

        A turn that is no longer in `conversation` gives its place back to the one it replaced. A
        turn whose beginning could not be written is written whole. A turn that was deleted
        meanwhile stays deleted.
        """
        conversation_id = conversation.conversation_id
        begun = turn.id in self._begun
        writer = _writer(self.path)
        turns = list(conversation.turns)

        def write(connection: sqlite3.Connection) -> None:
            self._growth.drop((conversation_id, turn.id))
            if not begun:
                rows.put_conversation(connection, conversation, "")
            elif turn_rows.position_of(connection, conversation_id, turn.id) is None:
                return
            turn_rows.put_turn(connection, conversation_id, turn, writer)
            if turn not in turns:
                turn_rows.reinstate_replaced(connection, conversation_id, turn.id)
            turn_rows.mark_stale(connection, conversation_id, turns)

        self._database.write(write)
        self._begun.pop(turn.id, None)

    def keep_answer(self, request_key: str, turn_id: str) -> None:
        """Let `answer_to` find the stored turn as the answer to this request."""
        self._database.write(
            lambda connection: turn_rows.keep_answer(connection, request_key, turn_id)
        )

    def rename(self, old: str, new: str) -> bool:
        """Rename the conversation with the name or id `old`; return False if there is none.

        Raises:
            NameTakenError: Another conversation has the name `new`.
        """
        name = well_formed(new)

        def write(connection: sqlite3.Connection) -> bool:
            conversation_id = rows.find(connection, old)
            if not rows.rename(connection, conversation_id, name):
                message = f"There is already a conversation {name!r}"
                raise NameTakenError(message, "Choose another name", name=name)
            return conversation_id is not None

        return self._database.write(write)

    def forget(self, name: str) -> bool:
        """Delete the conversation with this name or id permanently; return False if there is none.

        Its turns are overwritten with zeros, superseded ones and answers kept for replay included,
        and the log that SQLite keeps beside the file is emptied.
        """

        def write(connection: sqlite3.Connection) -> bool:
            conversation_id = rows.find(connection, name)
            if conversation_id is not None:
                rows.delete_conversation(connection, conversation_id)
            return conversation_id is not None

        found = self._database.write(write)
        if found:
            self._database.empty_log()
        return found

    # Reading

    def load(self, name_or_id: str) -> Conversation | None:
        """Return the conversation with this name, or else this id, or None.

        A turn that never ended is ``streaming`` if its process still lives, else ``interrupted``.
        """
        found = self._database.read(
            lambda connection: rows.read_conversation(connection, name_or_id)
        )
        if found is None:
            return None
        conversation, stored = found
        conversation.turns = turn_rows.standing_turns(
            stored, lambda writer: is_alive(self.path, writer)
        )
        return conversation

    def latest(self, notebook: str) -> Conversation | None:
        """Return the conversation that was last used in this notebook, or None."""
        found = self._database.read(lambda connection: rows.find_latest(connection, notebook))
        return None if found is None else self.load(found)

    def list(self, search: str = "") -> list[Summary]:
        """Return the conversations, the last used first.

        Args:
            search: List only those that contain this text, in upper or lower case, in their name,
                a prompt or an answer.
        """
        return self._database.read(lambda connection: rows.summaries(connection, search))

    def answer_to(self, request_key: str) -> Turn | None:
        """Return the last complete turn that was kept as the answer to this request, or None."""
        return self._database.read(
            lambda connection: turn_rows.find_answer(connection, request_key)
        )


def _writer(path: str) -> int:
    """Return the number that says, in the file, which process writes a turn."""
    try:
        return own_number(path)
    except OSError as error:
        raise store_error(path, error) from error
