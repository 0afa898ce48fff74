"""The writing half of the store: turns as they begin, grow and end, and those that it missed."""

from __future__ import annotations

import time
from collections.abc import Container, Mapping
from typing import TYPE_CHECKING, NamedTuple

from ..chat.conversation import Conversation
from ..chat.turn import Turn
from . import rows, turn_rows
from .copies import Copier
from .database import Database, store_error
from .growth import Growth, Key, Text
from .locks import own_number
from .missed import Missed
from .rows import Before

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Writing"]


class _Written(NamedTuple):
    """What was there before a write, when it was, and which generation of the file got it."""

    before: Before
    now: float
    generation: int


class Writing:
    """The half of a store that writes turns.

    Attributes:
        path: The file.
        omitted: The ids of the turns that are not written, although the file lacks them.
    """

    path: str
    omitted: Container[str]
    _database: Database
    _growth: Growth
    _copier: Copier
    _missed: Missed
    # When each conversation was last used, as far as this process knows: this shows others' writes.
    _seen: dict[str, float]
    # The conversation of each turn that has begun and not ended.
    _begun: dict[str, str]

    @property
    def generation(self) -> int:
        """Return a number that grows whenever another file is found at the path."""
        return self._database.generation

    def save(self, conversation: Conversation, notebook: str = "") -> str:
        """Create or update `conversation`, and add those of its turns that the file lacks.

        One that was forgotten is written again.

        Args:
            conversation: What to save.
            notebook: The notebook that continues it after its kernel was restarted.

        Returns:
            The conversation's name in the file, which differs if another one has its name, or if
            another kernel renamed it.
        """

        def write(connection: sqlite3.Connection) -> _Written | None:
            rows.take_back(connection, conversation.conversation_id)
            return self._write_missing(connection, conversation, notebook, missed, time.time())

        missed = self._missed.turns(conversation.conversation_id)
        return self._settle(conversation, missed, self._database.write(write))

    def catch_up(self, conversation: Conversation) -> str:
        """Write what the file lacks of `conversation`, unless it was forgotten; return its name."""
        conversation_id = conversation.conversation_id
        missed = self._missed.turns(conversation_id)
        used = max((turn.started for turn in list(conversation.turns)), default=time.time())

        def write(connection: sqlite3.Connection) -> _Written | None:
            stored = rows.last_used(connection, conversation_id)
            if stored is not None and self._missed.is_whole(conversation_id, self.generation):
                return None
            return self._write_missing(connection, conversation, "", missed, stored or used)

        return self._settle(conversation, missed, self._database.write(write))

    def begin_turn(
        self,
        conversation: Conversation,
        turn: Turn,
        replaces: str | None = None,
        notebook: str = "",
    ) -> str:
        """Write that `turn` has begun, or is being continued, and all that the file lacks.

        Nothing is written of a conversation that was forgotten.

        Args:
            conversation: Where the turn is; created or updated as by `save`.
            turn: The turn.
            replaces: The id of the turn in whose place it is. The file keeps that one as
                superseded.
            notebook: The notebook that continues the conversation after its kernel was restarted.

        Returns:
            The conversation's name in the file, as `save` does.
        """
        conversation_id = conversation.conversation_id
        turns = list(conversation.turns)
        missed = self._missed.turns(conversation_id)
        try:
            writer = _writer(self.path)

            def write(connection: sqlite3.Connection) -> _Written | None:
                self._growth.drop((conversation_id, turn.id))
                now = time.time()
                stored = rows.last_used(connection, conversation_id)
                if stored is None or not self._missed.is_whole(conversation_id, self.generation):
                    lacking = {**missed, turn.id: replaces or missed.get(turn.id)}
                    return self._write_missing(connection, conversation, notebook, lacking, now)
                before = rows.put_conversation(connection, conversation, notebook, now)
                position = None
                if replaces is not None:
                    position = turn_rows.position_of(connection, conversation_id, replaces)
                    turn_rows.supersede(connection, conversation_id, replaces, by=turn.id)
                turn_rows.put_turn(connection, conversation_id, turn, writer, position)
                turn_rows.mark_stale(connection, conversation_id, turns)
                return before and _Written(before, now, self.generation)

            written = self._database.write(write)
        except BaseException:
            self._missed.add(conversation_id, turn.id, replaces)
            raise
        if written is not None:
            self._begun[turn.id] = conversation_id
        return self._settle(conversation, missed, written)

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
        """Write the end of `turn`, which turns are outdated by now, and all that the file lacks.

        A turn that is no longer in `conversation` gives its place back to the one it replaced. A
        turn that was deleted meanwhile stays deleted.
        """
        conversation_id = conversation.conversation_id
        begun = turn.id in self._begun
        turns = list(conversation.turns)
        missed = self._missed.turns(conversation_id)
        try:
            writer = _writer(self.path)

            def write(connection: sqlite3.Connection) -> _Written | None:
                self._growth.drop((conversation_id, turn.id))
                now = time.time()
                stored = rows.last_used(connection, conversation_id)
                is_whole = self._missed.is_whole(conversation_id, self.generation)
                if begun and stored is not None and is_whole:
                    rows.use(connection, conversation_id, now)
                    written = _Written(Before(conversation.name, stored), now, self.generation)
                else:
                    lacking = {**missed, turn.id: missed.get(turn.id)}
                    found = self._write_missing(connection, conversation, "", lacking, now)
                    if found is None:
                        return None
                    written = found
                if turn_rows.position_of(connection, conversation_id, turn.id) is not None:
                    turn_rows.put_turn(connection, conversation_id, turn, writer)
                    if turn not in turns:
                        turn_rows.reinstate_replaced(connection, conversation_id, turn.id)
                    turn_rows.mark_stale(connection, conversation_id, turns)
                return written

            written = self._database.write(write)
        except BaseException:
            self._missed.add(conversation_id, turn.id)
            raise
        self._settle(conversation, missed, written)
        self._begun.pop(turn.id, None)
        self._copier.start_if_due()

    def _write_missing(
        self,
        connection: sqlite3.Connection,
        conversation: Conversation,
        notebook: str,
        missed: dict[str, str | None],
        now: float,
    ) -> _Written | None:
        """Write what the file lacks of a conversation; None if it was forgotten."""
        before = rows.put_conversation(connection, conversation, notebook, now)
        if before is None:
            return None
        conversation_id = conversation.conversation_id
        turns = [turn for turn in list(conversation.turns) if turn.id not in self.omitted]
        writer = _writer(self.path)
        turn_rows.put_missing_turns(connection, conversation_id, turns, writer, missed)
        turn_rows.mark_stale(connection, conversation_id, turns)
        return _Written(before, now, self.generation)

    def _settle(
        self, conversation: Conversation, missed: dict[str, str | None], written: _Written | None
    ) -> str:
        """Record what was written, and return the conversation's name in the file."""
        if written is None:
            return conversation.name
        conversation_id, (before, now, generation) = conversation.conversation_id, written
        self._missed.settle(conversation_id, generation, missed)
        if before.last_used in (None, self._seen.get(conversation_id)):
            self._seen[conversation_id] = now
        else:
            # Others have used it meanwhile: `newer` has to look.
            self._seen.pop(conversation_id, None)
        return before.name


def _writer(path: str) -> int:
    """Return the number that says, in the file, which process writes a turn."""
    try:
        return own_number(path)
    except OSError as error:
        raise store_error(path, error) from error
