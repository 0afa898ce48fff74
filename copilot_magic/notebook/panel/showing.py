"""What the front end of a chat panel has been sent, and what it is to be sent next."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from ...chat.conversation import Conversation
from ...chat.turn import Turn
from ...session.session import Session
from ...text import one_line
from ...wire.chunks import Waiting
from ..showing import asked_name
from .growing import PIECE, Message, pieces, rendered_blocks
from .saved import saved_pages
from .turns import LiveTurn, turn_state

__all__ = ["Showing"]

INTERVAL = 0.06
"""Least seconds between two messages with a part of an answer."""

RATE = 400_000
"""Most bytes a second: a Jupyter server drops messages when a megabyte a second arrives."""

SAVE_AFTER = 0.5
"""Seconds after a change until what is saved with the notebook changes, too."""

BATCH = 10
"""Turns that one message brings at most."""


class Showing:
    """One conversation as a front end has it; all of this happens in the panel's thread.

    Args:
        session: Where the conversation belongs.
        conversation: What to show.
        transmit: Sends a message to the front end.
        save: Takes the pages of HTML that are to be saved with the notebook.

    Attributes:
        conversation: What is shown.
        model: The model that is asked; None is the one of the settings.
        asked: The front end's id of a prompt, by the id of its turn.
        errors: The lines of an error, by the id of its turn.
    """

    def __init__(
        self,
        session: Session,
        conversation: Conversation,
        transmit: Callable[[Message], None],
        save: Callable[[list[str]], None],
    ) -> None:
        self.conversation = conversation
        self.model: str | None = None
        self.asked: dict[str, str] = {}
        self.errors: dict[str, Sequence[str]] = {}
        self._session = session
        self._transmit = transmit
        self._save = save
        self._number = 0  # of the last message
        self._head: Message = {}
        self._sent: dict[str, Message] = {}  # the turns in their order, as they were sent
        self._live: dict[str, LiveTurn] = {}
        self._backlog: deque[Iterator[Message]] = deque()
        self._send_at = 0.0
        self._save_at: float | None = None
        self._html: dict[str, tuple[int, str]] = {}  # of the answers, as they are saved

    def send(self, message: Message) -> None:
        """Send a message; its number tells the front end whether one was lost."""
        self._number += 1
        self._transmit({**message, "n": self._number})

    def refuse(self, name: str, lines: Sequence[str]) -> None:
        """Say why the front end's message of this id was not done."""
        self.send({"kind": "refused", "id": name, "lines": list(lines)})

    @property
    def next_at(self) -> float | None:
        """Return when there is something to do next, on the monotonic clock; None if nothing is."""
        due = [] if self._save_at is None else [self._save_at]
        if self._backlog or any(live.is_dirty for live in self._live.values()):
            due.append(self._send_at)
        return min(due, default=None)

    def go_on(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        if self._save_at is not None and now >= self._save_at:
            self._save_at = None
            self._save(self.pages())
        if now < self._send_at:
            return
        for turn_id in [name for name, live in self._live.items() if live.is_dirty]:
            live = self._live[turn_id]
            if message := live.change():
                self._send_part(message)
            if live.is_sent:
                self._end(live)
        if self._backlog:
            if message := next(self._backlog[0], {}):
                self._send_part(message)
            else:
                self._backlog.popleft()

    def show(self, conversation: Conversation) -> None:
        """Show another conversation."""
        self.conversation = conversation
        self._live.clear()
        self.reset()

    def welcome(self, view: str) -> None:
        """Send everything to a view that has nothing, or that has lost something."""
        # Of an answer that is arriving, all views get the same.
        arriving = any(turn.status == "streaming" for turn in list(self.conversation.turns))
        self.reset("" if arriving or self._live else view)

    def reset(self, view: str = "") -> None:
        """Send everything to one view, or to all, the last turns first."""
        turns = list(self.conversation.turns)
        self._live = {name: live for name, live in self._live.items() if live.turn in turns}
        self._head = self._header()
        self._sent = {turn.id: self._state(turn) for turn in turns}
        self.send({"kind": "reset", "to": view, **self._head})
        if not view:
            self._backlog.clear()
        batches = self._batches(turns, view)
        self._send_part(next(batches))
        self._backlog.append(batches)
        self._save_at = time.monotonic() + SAVE_AFTER

    def mark(self, turn: Turn, event: object) -> None:
        """Note that something arrived for `turn`."""
        live = self._live.get(turn.id)
        if live is None:
            return
        if isinstance(event, Waiting):
            reason = one_line(event.reason)
            wait = {"kind": "waiting", "reason": reason, "seconds": event.seconds}
            self.send({**wait, "id": turn.id})
        else:
            live.is_dirty = True

    def compare(self) -> None:
        """Compare the conversation with what was sent, and send what differs."""
        if (head := self._header()) != self._head:
            self._head = head
            self.send({"kind": "head", **head})
        turns = list(self.conversation.turns)
        ids, before = [turn.id for turn in turns], list(self._sent)
        if ids == before and all(map(self._is_as_sent, turns)):
            return
        is_longer = ids[: len(before)] == before
        left = [turn_id for turn_id in before if turn_id in ids]
        if left != [turn_id for turn_id in ids if turn_id in self._sent] or (
            self._backlog and not is_longer
        ):
            self.reset()
            return
        for turn_id in before:
            if turn_id not in ids:
                self._remove(turn_id)
        sent, self._sent = self._sent, {}
        last = ""
        for turn in turns:
            if turn.id in sent:
                self._sent[turn.id] = sent[turn.id]
                self._update(turn, last)
            else:
                self._add(turn, last)
            last = turn.id
        self._save_at = time.monotonic() + SAVE_AFTER

    def _header(self) -> Message:
        return {
            "name": self.conversation.name,
            "conversation": self.conversation.conversation_id,
            "model": self.model,
            "default_model": self._session.settings.model,
        }

    def _state(self, turn: Turn) -> Message:
        return turn_state(turn, self.errors.get(turn.id, ()))

    def _is_as_sent(self, turn: Turn) -> bool:
        return self._sent.get(turn.id) == self._state(turn)

    def _remove(self, turn_id: str) -> None:
        self._live.pop(turn_id, None)
        self.send({"kind": "remove", "id": turn_id})

    def _add(self, turn: Turn, after: str) -> None:
        """Send a turn that goes after another, or at the top."""
        self._sent[turn.id] = self._state(turn)
        whole, rest = self._whole(turn)
        self.send({"kind": "turns", "turns": [whole], "after": after})
        if rest:
            self._backlog.append(iter(rest))

    def _update(self, turn: Turn, after: str) -> None:
        """Send what has changed of a turn that was sent."""
        if (live := self._live.get(turn.id)) is not None:
            if turn.status != "streaming" and not live.has_ended:
                live.finish(self.errors.get(turn.id, ()))
            return
        before, state = self._sent[turn.id], self._state(turn)
        if state == before:
            return
        self._sent[turn.id] = state
        if turn.status != "streaming" and before.get("source") == state["source"]:
            self.send({"kind": "end", **state})
        else:
            self._remove(turn.id)
            self._add(turn, after)

    def _end(self, live: LiveTurn) -> None:
        """Send the last state of an answer that was sent whole."""
        del self._live[live.turn.id]
        self._sent[live.turn.id] = self._state(live.turn)
        self.send(live.final_state())
        self._save_at = time.monotonic() + SAVE_AFTER

    def _send_part(self, message: Message) -> None:
        """Send a part of something large, and let the next one wait for its turn."""
        self.send(message)
        pause = max(INTERVAL, len(json.dumps(message)) / RATE)
        self._send_at = max(self._send_at, time.monotonic()) + pause

    def _batches(self, turns: Sequence[Turn], view: str) -> Iterator[Message]:
        """Yield the messages that bring the turns, the last ones first."""
        batch: list[Message] = []
        size = 0
        for turn in reversed(turns):
            if turn.id not in self._sent:
                continue
            whole, rest = self._whole(turn)
            batch.insert(0, whole)
            size += len(json.dumps(whole))
            if rest or size > PIECE or len(batch) == BATCH:
                yield {"kind": "turns", "turns": batch, "after": "", "to": view}
                batch, size = [], 0
            for part in rest:
                yield {**part, "to": view}
        yield {"kind": "turns", "turns": batch, "after": "", "to": view, "done": True}

    def _whole(self, turn: Turn) -> tuple[Message, list[Message]]:
        """Return the message for a turn, and those with the rest of an answer too long for one."""
        state = dict(self._sent[turn.id])
        if turn.id in self.asked:
            state["asked"] = self.asked[turn.id]
        remote = self._session.settings.remote_images
        if turn.status == "streaming":
            state["waiting"] = f"Waiting for {asked_name(turn.options, self._session)}"
            # All of its answer comes after this message.
            live = self._live.setdefault(turn.id, LiveTurn(turn, remote_images=remote))
            live.restart()
            return state, []
        self._live.pop(turn.id, None)
        parts = [
            (name, html)
            for name, text in (("reasoning", turn.reasoning), ("answer", turn.answer))
            for html in pieces(rendered_blocks(text, remote_images=remote))
        ]
        first: dict[str, str] = {}
        while parts and parts[0][0] not in first and sum(map(len, first.values())) < PIECE:
            name, html = parts.pop(0)
            first[name] = html
        rest = [{"kind": "grow", "id": turn.id, name: {"html": html}} for name, html in parts]
        return {**state, **first}, rest

    def pages(self) -> list[str]:
        """Return the pages that show the conversation in a notebook without a kernel."""
        known, self._html = self._html, {}
        remote = self._session.settings.remote_images
        shown: list[Message] = []
        for turn in list(self.conversation.turns):
            length, html = known.get(turn.id, (-1, ""))
            if length != len(turn.answer):
                html = "".join(rendered_blocks(turn.answer, remote_images=remote))
            self._html[turn.id] = (len(turn.answer), html)
            shown.append({**self._state(turn), "html": html})
        return saved_pages(shown, self.conversation.name)
