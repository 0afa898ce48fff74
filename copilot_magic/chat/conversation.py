"""The turns of one conversation, and what changes when one of them is asked again."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import Any

from .turn import Turn, new_id

__all__ = ["Conversation"]


@dataclass(eq=False)
class Conversation:
    """The turns of one conversation; several threads may ask in it at once.

    Attributes:
        name: What the user calls it.
        conversation_id: A UUID (version 4) that never changes, sent with every request.
        system: The system message, or an empty string.
        turns: In the order of the notebook, which need not be the order of asking.
    """

    name: str = "default"
    conversation_id: str = field(default_factory=new_id)
    system: str = ""
    turns: list[Turn] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False)

    @property
    def answered(self) -> list[Turn]:
        """Return the turns that got an answer, or part of one."""
        return [turn for turn in list(self.turns) if turn.answer]

    @property
    def last_answered(self) -> Turn | None:
        """Return the last turn with an answer, or part of one; None without any."""
        return next((turn for turn in reversed(list(self.turns)) if turn.answer), None)

    def before(self, turn: Turn | None = None) -> list[Turn]:
        """Return the turns before `turn`, or all of them.

        Answers that are still arriving are left out: what is there of them would pass for all.
        """
        with self._lock:
            end = self.turns.index(turn) if turn in self.turns else len(self.turns)
            return [earlier for earlier in self.turns[:end] if earlier.status != "streaming"]

    def find_cell(self, cell_id: str | None) -> Turn | None:
        """Return the last turn that the cell asked, or None."""
        if cell_id is None:
            return None
        with self._lock:
            return next((t for t in reversed(self.turns) if t.cell_id == cell_id), None)

    def begin(self, turn: Turn, replaces: Turn | None = None) -> None:
        """Add `turn`: at the end, or in the place of the turn that it replaces.

        A server's thread that the replaced turn was part of is not continued: it remembers that
        turn.
        """
        with self._lock:
            if replaces is None:
                self.turns.append(turn)
            else:
                self.turns[self.turns.index(replaces)] = turn
                self._forget_thread(replaces.thread)

    def end(self, turn: Turn, replaced: Turn | None = None) -> int:
        """Record that `turn` has ended; return how many answers that makes outdated.

        If it received no answer, the turn it replaced gets its place back. Else the answers below
        it are outdated, unless it brought the same answer again. Its ``conversation`` object is
        from now on the only one that continues its thread.
        """
        with self._lock:
            if turn.continuation is not None:
                self._forget_thread(turn.thread, but=turn)
            if replaced is None or turn not in self.turns:
                return 0
            at = self.turns.index(turn)
            if not turn.answer and not (turn.reasoning and turn.status == "complete"):
                self.turns[at] = replaced
            elif (turn.content, turn.answer) != (replaced.content, replaced.answer):
                outdated = [later for later in self.turns[at + 1 :] if not later.stale]
                for later in outdated:
                    later.stale = True
                return sum(bool(later.answer) for later in outdated)
            return 0

    def drop(self, turn: Turn) -> None:
        """Take `turn` out; a server's thread that remembers it is not continued."""
        with self._lock:
            self.turns.remove(turn)
            self._forget_thread(turn.thread)

    def update(self, newer: Conversation) -> None:
        """Take over the turns of another process; the servers' threads lack them.

        Turns that are on their way in this process stay what they are.
        """
        with self._lock:
            arriving = {turn.id: turn for turn in self.turns if turn.status == "streaming"}
            turns = [arriving.pop(turn.id, turn) for turn in newer.turns]
            self.turns[:] = [*turns, *arriving.values()]
            self.name, self.system = newer.name, newer.system
            self.forget_threads()

    def set_system(self, system: str) -> None:
        """Change the system message; the servers' threads hold another one, so forget them."""
        with self._lock:
            if system != self.system:
                self.system = system
                self.forget_threads()

    def forget_threads(self) -> None:
        """Forget the servers' threads, so that the next request sends the full history."""
        for turn in self.turns:
            turn.continuation = None

    def with_system(self, system: str) -> Conversation:
        """Return a copy with this system message, to preview what would be sent."""
        if system == self.system:
            return self
        with self._lock:
            turns = [replace(turn, continuation=None) for turn in self.turns]
            return Conversation(self.name, self.conversation_id, system, turns)

    def _forget_thread(self, thread: str, but: Turn | None = None) -> None:
        for turn in self.turns:
            if turn.thread == thread and turn is not but:
                turn.continuation = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the lock behind: it belongs to this process."""
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]
