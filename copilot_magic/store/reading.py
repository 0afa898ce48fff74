"""The reading half of the store, which also reads what it can of a damaged file."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ..chat.conversation import Conversation
from ..chat.turn import Turn
from ..errors import StoreError, UnknownConversationError
from ..text import contains
from . import rows, turn_rows
from .database import Database
from .locks import is_alive
from .missed import Missed
from .notebook_file import is_another_file
from .rows import Summary
from .salvage import Salvaged, salvage
from .turn_values import StoredTurn

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Reading"]


class _Read(NamedTuple):
    """A conversation still without turns, all its stored turns, and when it was last used."""

    conversation: Conversation
    turns: list[StoredTurn]
    last_used: float | None


class Reading:
    """The reading half of a store.

    Attributes:
        path: The file.
        damage: Why not all of the file could be read; None as far as is known.
    """

    path: str
    damage: StoreError | None
    _database: Database
    _missed: Missed
    # When each conversation was last used, as far as this process knows: this shows others' writes.
    _seen: dict[str, float]
    _begun: dict[str, str]

    def load(self, name_or_id: str) -> Conversation | None:
        """Return the conversation with this name, or else this id, or None.

        A turn that never ended is ``streaming`` if its process still lives, else ``interrupted``.
        Of a damaged file, what can be read of it.
        """
        try:
            found = self._database.read(lambda connection: self._read(connection, name_or_id))
        except StoreError as error:

            def is_it(salvaged: Salvaged) -> bool:
                conversation = salvaged.conversation
                return name_or_id in (conversation.name, conversation.conversation_id)

            return self._salvaged(error, is_it)[0].conversation
        if found is None:
            return None
        conversation = found.conversation
        conversation.turns = self._standing(found.turns)
        conversation_id = conversation.conversation_id
        if found.last_used is not None:
            self._seen[conversation_id] = found.last_used
        return conversation

    def latest(self, notebook: str) -> Conversation | None:
        """Return the conversation that was last used in this notebook, or None.

        None, too, if another file has taken the notebook's place since.
        """
        try:
            found = self._database.read(lambda connection: rows.find_latest(connection, notebook))
        except StoreError as error:
            return self._latest_salvaged(error, notebook)
        return None if found is None else self.load(found)

    def list(self, search: str = "") -> list[Summary]:
        """Return the conversations, the last used first.

        Args:
            search: List only those that contain this text, in upper or lower case, in their name,
                a prompt or an answer.
        """
        try:
            return self._database.read(lambda connection: rows.summaries(connection, search))
        except StoreError as error:
            found = self._salvaged(error, lambda salvaged: _mentions(salvaged, search))
            found.sort(key=lambda salvaged: salvaged.last_used, reverse=True)
            return [_summary(salvaged) for salvaged in found]

    def answer_to(self, request_key: str) -> Turn | None:
        """Return the last complete turn that was kept as the answer to this request, or None."""
        return self._database.read(
            lambda connection: turn_rows.find_answer(connection, request_key)
        )

    def newer(self, conversation: Conversation, look_again: bool = False) -> Conversation | None:
        """Return `conversation` as other processes have left it, or None if they did not use it.

        It costs one look at an indexed value if they did not. Its turns are those given, wherever
        nothing has changed about them.

        Args:
            conversation: The conversation in memory.
            look_again: Read it even if no other process has used it since it was last read.

        Raises:
            UnknownConversationError: It was forgotten.
        """
        conversation_id = conversation.conversation_id
        seen = self._seen.get(conversation_id)

        def read(connection: sqlite3.Connection) -> _Read | None:
            found = rows.last_used(connection, conversation_id)
            if found is None and rows.is_forgotten(connection, conversation_id):
                message = f"The conversation {conversation.name!r} was forgotten in another kernel"
                raise UnknownConversationError(message)
            if found is None or (found == seen and not look_again):
                return None
            return self._read(connection, conversation_id)

        found = self._database.read(read)
        if found is None or found.last_used is None:
            return None
        if seen is not None and found.last_used < seen:
            # An older file was put in its place: it lacks what this process knows.
            self._missed.distrust(conversation_id)
            return None
        self._seen[conversation_id] = found.last_used
        newer = found.conversation
        newer.turns = self._merged(conversation, found.turns)
        return newer

    def _merged(
        self, conversation: Conversation, stored: builtins.list[StoredTurn]
    ) -> builtins.list[Turn]:
        """Return the turns that stand in the file, and those that only this process has.

        Of a turn that has not changed, or is arriving here, it is the one in memory.
        """
        turns = list(conversation.turns)
        missed = self._missed.turns(conversation.conversation_id)
        mine = {turn.id: turn for turn in turns}
        merged = []
        for turn in self._standing(stored):
            own = mine.get(turn.id, turn)
            same = (own.answer, own.status) == (turn.answer, turn.status)
            is_ours = turn.id in self._begun or turn.id in missed
            merged.append(own if is_ours or (same and own.stale >= turn.stale) else turn)
        taken = {turn.id for turn in merged}
        known = {found.turn.id for found in stored}
        for number, turn in enumerate(turns):
            begins = turn.status == "streaming" and turn.id not in known
            if turn.id not in taken and (begins or turn.id in missed or turn.id in self._begun):
                before = {earlier.id for earlier in turns[:number]}
                at = max((i + 1 for i, t in enumerate(merged) if t.id in before), default=0)
                merged.insert(at, turn)
        return merged

    def _read(self, connection: sqlite3.Connection, name_or_id: str) -> _Read | None:
        found = rows.read_conversation(connection, name_or_id)
        if found is None:
            return None
        used = rows.last_used(connection, found[0].conversation_id)
        return _Read(*found, used)

    def _standing(self, stored: builtins.list[StoredTurn]) -> builtins.list[Turn]:
        return turn_rows.standing_turns(stored, lambda writer: is_alive(self.path, writer))

    def _salvaged(
        self, error: StoreError, wanted: Callable[[Salvaged], bool]
    ) -> builtins.list[Salvaged]:
        """Return the conversations of a damaged file that can be read, with their turns.

        Raises:
            StoreError: The one given: the file is not damaged, or there are none.
        """
        if not error.damaged:
            raise error
        self.damage = error
        found = [salvaged for salvaged in salvage(self.path) if wanted(salvaged)]
        if not found:
            raise error
        for salvaged in found:
            salvaged.conversation.turns = self._standing(salvaged.turns)
        return found

    def _latest_salvaged(self, error: StoreError, notebook: str) -> Conversation:
        found = self._salvaged(error, lambda salvaged: notebook in salvaged.notebooks)
        latest = max(found, key=lambda salvaged: salvaged.notebooks[notebook])
        cells = {turn.cell_id for turn in latest.conversation.turns if turn.cell_id}
        if is_another_file(notebook, latest.notebooks[notebook], "", lambda: cells):
            raise error
        return latest.conversation


def _summary(salvaged: Salvaged) -> Summary:
    notebooks = sorted(salvaged.notebooks, key=salvaged.notebooks.__getitem__)
    summary = Summary.of(salvaged.conversation)
    return Summary(
        summary.name,
        summary.conversation_id,
        summary.turns,
        summary.started,
        salvaged.last_used,
        summary.first_prompt,
        notebooks[-1] if notebooks else "",
    )


def _mentions(salvaged: Salvaged, search: str) -> bool:
    said = [salvaged.conversation.name]
    for stored in salvaged.turns:
        said += [stored.turn.prompt, stored.turn.answer]
    return any(contains(text, search) for text in said)
