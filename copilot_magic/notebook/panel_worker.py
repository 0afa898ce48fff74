"""The thread of a chat panel: it takes what the user does, and sends what the panel shows.

Nothing else changes what a panel knows, so it needs no locks, and the kernel's own thread, in which
a front end's messages arrive, never waits.
"""

from __future__ import annotations

import contextvars
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any

from ..chat.conversation import Conversation
from ..chat.prompt import Prompt
from ..chat.turn import Turn
from ..errors import CopilotError, UsageError
from ..session.exchange import Exchange
from ..session.watching import News
from ..text import one_line
from ..wire.chunks import Waiting
from .asking import asked_name, keep_answer
from .hints import next_step
from .panel_view import PIECE, LiveTurn, Message, pieces, rendered_blocks, saved_pages, turn_state
from .shell import Notebook

__all__ = ["PanelWorker", "error_lines"]

INTERVAL = 0.06
"""Least seconds between two messages with a part of an answer."""

RATE = 400_000
"""Most bytes a second: a Jupyter server drops messages when a megabyte a second arrives."""

GRACE = 5.0
"""Seconds without any view after which the panel's work ends."""

SAVE_AFTER = 0.5
"""Seconds after a change until what is saved with the notebook changes, too."""

LISTED = 50
"""Conversations that the picker lists at most; a search finds the others."""


def error_lines(error: CopilotError) -> list[str]:
    """Return what happened, and below it what to do about it."""
    return [error.message, *next_step(error).split("\n")]


class PanelWorker:
    """What a chat panel does, in a thread that runs while the panel is on display.

    Args:
        notebook: The notebook that the panel belongs to.
        conversation: What to show; None is whatever conversation is the current one.
        send: Sends a message to the front end, from any thread.
        save: Takes the pages of HTML that are to be saved with the notebook.
        grace: Seconds without any view after which the work ends.
    """

    def __init__(
        self,
        notebook: Notebook,
        conversation: Conversation | None,
        send: Callable[[Message], None],
        save: Callable[[list[str]], None],
        *,
        grace: float = GRACE,
    ) -> None:
        self._notebook = notebook
        self._library = notebook.session.library
        self._own = conversation
        self._conversation = conversation or self._library.current
        self._transmit = send
        self._save = save
        self._grace = grace
        self._inbox: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._number = 0  # of the last message
        self._views: set[str] = set()
        self._gone_at: float | None = None  # when the last view went away
        self._shown: dict[str, Message] = {}  # the turns in their order, as they were sent
        self._head: Message = {}
        self._live: dict[str, LiveTurn] = {}
        self._dirty: set[str] = set()  # the turns about which there is news in the inbox
        self._errors: dict[str, list[str]] = {}
        self._backlog: deque[Iterator[Message]] = deque()
        self._send_at = 0.0
        self._save_at: float | None = None
        self._html: dict[str, tuple[int, str]] = {}  # of answers, as they are saved
        self._model: str | None = None
        self._handled: deque[str] = deque(maxlen=200)
        self._asked: dict[str, str] = {}  # the front end's id of a prompt, by its turn
        self._held: deque[tuple[Conversation, str, Callable[[], Exchange]]] = deque()

    # These are called in the kernel's thread, or in any other.

    def put(self, work: Callable[[], None]) -> None:
        """Do `work` in the panel's thread."""
        self._inbox.put(work)

    def start(self) -> None:
        """Start the thread, if it does not run."""
        if self._thread is None or not self._thread.is_alive():
            # With this context, what is saved goes to the cell that shows the panel.
            run = contextvars.copy_context().run
            self._thread = threading.Thread(
                target=run, args=(self._work,), name="copilot-panel", daemon=True
            )
            self._thread.start()

    def end(self) -> None:
        """End the thread, and what it asked."""
        self._inbox.put(None)

    def stop(self) -> None:
        """Stop the answers that are arriving, at once."""
        for turn in list(self._conversation.turns):
            if turn.status == "streaming":
                self._notebook.session.stop(turn)

    def turn(self, turn_id: object) -> Turn | None:
        """Return the turn of this id in the conversation that is shown, or None."""
        return next((t for t in list(self._conversation.turns) if t.id == turn_id), None)

    def handle(self, message: Message, prompt: Prompt | None = None) -> None:
        """Take a message from the front end.

        Args:
            message: The message: its ``kind``, its ``id``, and what that kind has.
            prompt: What to ask, if it asks something.
        """
        self.put(lambda: self._handle(message, prompt))

    def refuse(self, message: Message, error: CopilotError) -> None:
        """Say that what a message wants cannot be done."""
        self.put(lambda: self._refuse(str(message.get("id", "")), error))

    def _hear(self, news: News) -> None:
        """Take the news; of a turn that is arriving, one piece in the inbox is enough."""
        turn = news.turn
        if turn is not None and news.event is not None and not isinstance(news.event, Waiting):
            if turn.id in self._dirty:
                return
            self._dirty.add(turn.id)
        self.put(lambda: self._take(news))

    # All that follows runs in the panel's thread.

    def _work(self) -> None:
        self._library.watchers.add(self._hear)
        try:
            while True:
                try:
                    work = self._inbox.get(timeout=self._until_next())
                except Empty:
                    if self._gone_at is not None and time.monotonic() >= self._gone_at:
                        break
                else:
                    if work is None:
                        break
                    self._guarded(work)
                self._guarded(self._continue)
        finally:
            self._library.watchers.remove(self._hear)
            self._gone_at = None
            self.stop()
            self._held.clear()

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do `work`; whatever is wrong with one thing, the panel goes on."""
        try:
            work()
        except CopilotError as error:
            self._notice(error_lines(error))
        except Exception as error:  # noqa: BLE001  (the user hears of it; the thread lives on)
            self._notice([one_line(f"The panel has failed: {type(error).__name__}: {error}")])

    def _until_next(self) -> float | None:
        times = [self._gone_at, self._save_at]
        if self._backlog or any(live.is_dirty for live in self._live.values()):
            times.append(self._send_at)
        due = [at for at in times if at is not None]
        return max(min(due) - time.monotonic(), 0.0) if due else None

    def _send(self, message: Message, **more: Any) -> None:
        """Send a message; its number tells the front end whether one was lost."""
        self._number += 1
        self._transmit({**message, **more, "n": self._number})

    def _notice(self, lines: list[str]) -> None:
        self._send({"kind": "notice", "lines": lines})

    def _continue(self) -> None:
        """Send the next part of what is to be sent in parts, and save what is to be saved."""
        now = time.monotonic()
        if self._save_at is not None and now >= self._save_at:
            self._save_at = None
            self._save(self._saved())
        if now < self._send_at:
            return
        for live in list(self._live.values()):
            if live.is_dirty:
                self._dirty.discard(live.turn.id)
                message = live.change()
                if message:
                    self._send_part(message)
                if live.is_sent:
                    self._end(live)
        if self._backlog:
            message = next(self._backlog[0], {})
            if message:
                self._send_part(message)
            else:
                self._backlog.popleft()

    def _send_part(self, message: Message) -> None:
        self._send(message)
        size = len(json.dumps(message))
        self._send_at = max(self._send_at, time.monotonic()) + max(INTERVAL, size / RATE)

    # What the front end wants

    def _handle(self, message: Message, prompt: Prompt | None) -> None:
        kind, name = message.get("kind"), str(message.get("id", ""))
        if kind == "hello":
            self._hello(str(message.get("view", "")))
        elif kind == "bye":
            self._views.discard(str(message.get("view", "")))
            if not self._views:
                self._gone_at = time.monotonic() + self._grace
        elif name not in self._handled:
            self._handled.append(name)
            try:
                self._do(kind, message, name, prompt)
            except CopilotError as error:
                self._refuse(name, error)
        self._send({"kind": "ack", "id": name})

    def _do(self, kind: Any, message: Message, name: str, prompt: Prompt | None) -> None:
        conversation, session = self._conversation, self._notebook.session
        if kind == "ask" and prompt is not None:
            replaced = self.turn(message.get("replaces"))
            asked = replace(prompt, options=replace(prompt.options, model=self._model))
            self._ask(name, lambda: session.ask(asked, conversation, replaces=replaced))
        elif kind == "retry":
            self._ask(name, lambda: self._retry(conversation))
        elif kind == "undo":
            self._undo()
        elif kind == "new":
            if self._own is None:
                self._library.new()
            else:
                self._own = self._library.add()
            self._look()
        elif kind == "use":
            self._use(str(message.get("conversation", "")))
        elif kind == "search":
            self._search(str(message.get("text", "")))
        elif kind == "models":
            threading.Thread(target=self._list_models, daemon=True).start()
        elif kind == "model":
            chosen = message.get("model")
            self._model = None if chosen is None else str(chosen)
            self._look()

    def _refuse(self, name: str, error: CopilotError) -> None:
        self._send({"kind": "refused", "id": name, "lines": error_lines(error)})

    def _ask(self, name: str, make: Callable[[], Exchange]) -> None:
        """Ask, or wait until the answer before it has ended."""
        self._held.append((self._conversation, name, make))
        self._ask_held()

    def _ask_held(self) -> None:
        for held in list(self._held):
            conversation, name, make = held
            if any(turn.status == "streaming" for turn in list(conversation.turns)):
                continue
            self._held.remove(held)
            try:
                exchange = make()
            except CopilotError as error:
                self._refuse(name, error)
                continue
            self._asked[exchange.turn.id] = name
            threading.Thread(
                target=self._drain, args=(exchange,), name="copilot-panel-answer", daemon=True
            ).start()
            return  # the others wait for this one

    def _drain(self, exchange: Exchange) -> None:
        """Have it answered, in a thread of its own; what arrives is heard as news."""
        try:
            with closing(exchange):
                deque(exchange, maxlen=0)
        except CopilotError:
            pass  # the news have it
        except Exception as error:  # noqa: BLE001  (nobody else would hear of it)
            lines = [one_line(f"The panel has failed: {type(error).__name__}: {error}")]
            self.put(lambda: self._notice(lines))
        finally:
            keep_answer(self._notebook, exchange)

    def _retry(self, conversation: Conversation) -> Exchange:
        last = _last_of(conversation)
        prompt = last.asked_again()
        if self._model is not None:
            prompt = replace(prompt, options=replace(prompt.options, model=self._model))
        return self._notebook.session.ask(prompt, conversation, replaces=last)

    def _undo(self) -> None:
        last = _last_of(self._conversation)
        if last.status == "streaming":
            raise UsageError("the last prompt is still being answered", "Stop it first")
        self._notebook.session.drop(last, self._conversation)

    def _use(self, conversation_id: str) -> None:
        if self._own is None:
            self._library.use(conversation_id)
        else:
            self._own = self._library.find(conversation_id)
        self._look()

    def _search(self, text: str) -> None:
        found = [
            {
                "value": summary.conversation_id,
                "label": summary.name,
                "detail": _detail(summary.turns, summary.last_used, summary.first_prompt),
            }
            for summary in self._library.summaries(text)[:LISTED]
        ]
        self._send({"kind": "options", "of": "conversation", "options": found, "text": text})

    def _list_models(self) -> None:
        """Fetch the list of models, in a thread of its own."""
        session = self._notebook.session
        problem = ""
        names: list[str] = []
        try:
            names = session.client.models()
        except CopilotError as error:
            problem = error.message
        default = session.settings.model
        first = {
            "value": None,
            "label": default or "Server's default",
            "detail": "set in this notebook" if default else "",
        }
        found = [first, *({"value": name, "label": name, "detail": ""} for name in names)]
        message = {"kind": "options", "of": "model", "options": found, "problem": problem}
        self.put(lambda: self._send(message))

    # What the front end shows

    def _hello(self, view: str) -> None:
        """Send everything to a view that has nothing, or that has lost something."""
        self._views.add(view)
        self._gone_at = None
        self._conversation = self._current()
        # Of an answer that is arriving, all views get the same.
        self._reset("" if self._live or self._is_arriving() else view)

    def _current(self) -> Conversation:
        if self._own is None:
            return self._library.current
        self._own = self._library.up_to_date(self._own)
        return self._own

    def _is_arriving(self) -> bool:
        return any(turn.status == "streaming" for turn in list(self._conversation.turns))

    def _reset(self, view: str = "") -> None:
        """Send everything, the last turns first."""
        self._backlog = deque(rest for rest in self._backlog if view)
        turns = list(self._conversation.turns)
        self._head = self._header()
        self._send({"kind": "reset", **self._head}, to=view)
        self._shown = {}
        self._live = {
            live.turn.id: live
            for live in self._live.values()
            if live.turn in turns and live.turn.status == "streaming"
        }
        for turn in turns:
            self._shown[turn.id] = self._state(turn)
        batches = self._batches(turns, view)
        self._send_part(next(batches))
        self._backlog.append(batches)
        self._save_at = time.monotonic() + SAVE_AFTER

    def _batches(self, turns: list[Turn], view: str) -> Iterator[Message]:
        """Yield the messages that bring the turns, the last ones first."""
        batch: list[Message] = []
        size = 0
        for turn in reversed(turns):
            if turn.id not in self._shown or self._conversation.turns.count(turn) == 0:
                continue
            whole, more = self._whole(turn)
            size += len(json.dumps(whole))
            batch.insert(0, whole)
            if more or size > PIECE or len(batch) == 10:
                yield {"kind": "turns", "turns": batch, "after": "", "to": view}
                batch, size = [], 0
            for html in more:
                yield {"kind": "grow", "id": turn.id, "answer": {"html": html}, "to": view}
        yield {"kind": "turns", "turns": batch, "after": "", "to": view, "done": True}

    def _whole(self, turn: Turn) -> tuple[Message, list[str]]:
        """Return a turn as a message, and the rest of its answer if that is too long for one."""
        state = dict(self._shown.setdefault(turn.id, self._state(turn)))
        if turn.id in self._asked:
            state["asked"] = self._asked[turn.id]
        if turn.status == "streaming":
            state["waiting"] = f"Waiting for {self._asked_name(turn)}"
            self._make_live(turn)  # all of its answer comes after this message
            return state, []
        remote = self._notebook.session.settings.remote_images
        html = pieces(rendered_blocks(turn.answer, remote_images=remote))
        reasoning = pieces(rendered_blocks(turn.reasoning, remote_images=remote))
        state["answer"], state["reasoning"] = "".join(html[:1]), "".join(reasoning[:1])
        return state, html[1:]

    def _asked_name(self, turn: Turn) -> str:
        return asked_name(turn.options, self._notebook.session)

    def _state(self, turn: Turn) -> Message:
        return turn_state(turn, self._errors.get(turn.id, ()))

    def _make_live(self, turn: Turn) -> None:
        live = self._live.get(turn.id)
        if live is None:
            remote = self._notebook.session.settings.remote_images
            self._live[turn.id] = LiveTurn(turn, remote_images=remote)
        else:
            live.restart()

    def _header(self) -> Message:
        conversation = self._conversation
        return {
            "name": conversation.name,
            "conversation": conversation.conversation_id,
            "model": self._model,
            "default_model": self._notebook.session.settings.model,
        }

    def _take(self, news: News) -> None:
        """Show what has happened."""
        turn = news.turn
        if turn is not None and news.conversation is not self._conversation:
            self._ask_held()
            return
        if turn is None or news.event is None:
            self._look(news)
            return
        live = self._live.get(turn.id)
        if live is None:
            self._dirty.discard(turn.id)
        elif isinstance(news.event, Waiting):
            self._send(
                {
                    "kind": "waiting",
                    "id": turn.id,
                    "reason": one_line(news.event.reason),
                    "seconds": news.event.seconds,
                }
            )
        else:
            live.is_dirty = True

    def _look(self, news: News | None = None) -> None:
        """Compare the conversation with what was sent, and send what differs."""
        conversation = self._current() if news is None or news.turn is None else self._conversation
        if conversation is not self._conversation:
            self._conversation = conversation
            self._live.clear()
            self._reset()
            return
        if (head := self._header()) != self._head:
            self._head = head
            self._send({"kind": "head", **head})
        if news is not None and news.turn is not None and news.error is not None:
            self._take_error(news.turn, error_lines(news.error))
        self._compare(list(conversation.turns))
        self._ask_held()

    def _take_error(self, turn: Turn, lines: list[str]) -> None:
        if turn in self._conversation.turns:
            self._errors[turn.id] = lines
        elif turn.id in self._asked:
            self._send({"kind": "refused", "id": self._asked.pop(turn.id), "lines": lines})

    def _compare(self, turns: list[Turn]) -> None:
        ids = [turn.id for turn in turns]
        before = list(self._shown)
        kept = [turn_id for turn_id in before if turn_id in set(ids)]
        added = ids[len(before) :]
        is_longer = ids[: len(before)] == before
        in_order = kept == [turn_id for turn_id in ids if turn_id in self._shown]
        changed = is_longer and not added and all(map(self._is_as_sent, turns))
        if changed:
            return
        if not in_order or (self._backlog and not is_longer):
            self._reset()
            return
        for turn_id in before:
            if turn_id not in ids:
                self._live.pop(turn_id, None)
                self._send({"kind": "remove", "id": turn_id})
        was_shown, self._shown = self._shown, {}
        last: str | None = ""
        for turn in turns:
            if turn.id in was_shown:
                self._shown[turn.id] = was_shown[turn.id]
                self._update(turn)
            else:
                self._add(turn, last)
            last = turn.id
        self._save_at = time.monotonic() + SAVE_AFTER

    def _is_as_sent(self, turn: Turn) -> bool:
        return self._shown.get(turn.id) == self._state(turn)

    def _update(self, turn: Turn) -> None:
        """Send what has changed of a turn that is shown."""
        live = self._live.get(turn.id)
        if live is not None and not live.has_ended:
            if turn.status != "streaming":
                live.finish(self._errors.get(turn.id, []))
            return
        if live is not None or self._is_as_sent(turn):
            return
        sent, state = self._shown[turn.id], self._state(turn)
        self._shown[turn.id] = state
        if sent.get("source") == state.get("source"):
            self._send({"kind": "end", **state})
            return
        self._send({"kind": "remove", "id": turn.id})
        ids = list(self._shown)
        at = ids.index(turn.id)
        self._add(turn, ids[at - 1] if at else "")

    def _add(self, turn: Turn, after: str | None) -> None:
        self._shown[turn.id] = self._state(turn)
        whole, more = self._whole(turn)
        self._send({"kind": "turns", "turns": [whole], "after": after})
        if more:
            parts = [{"kind": "grow", "id": turn.id, "answer": {"html": html}} for html in more]
            self._backlog.append(iter(parts))

    def _end(self, live: LiveTurn) -> None:
        """Send the last state of an answer that was sent whole."""
        turn = live.turn
        del self._live[turn.id]
        self._send(live.final_state())
        self._shown[turn.id] = self._state(turn)
        self._save_at = time.monotonic() + SAVE_AFTER

    def _saved(self) -> list[str]:
        """Return the pages that show the conversation in a notebook without a kernel."""
        turns = list(self._conversation.turns)
        known, self._html = self._html, {}
        remote = self._notebook.session.settings.remote_images
        shown: list[Message] = []
        for turn in turns:
            length, html = known.get(turn.id, (-1, ""))
            if length != turn.received:
                html = "".join(rendered_blocks(turn.answer, remote_images=remote))
            self._html[turn.id] = (turn.received, html)
            shown.append({**self._state(turn), "html": html})
        return saved_pages(shown, self._conversation.name)


def _detail(turns: int, last_used: float, first_prompt: str) -> str:
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(last_used))
    count = "1 turn" if turns == 1 else f"{turns} turns"
    return f"{count} · {day} · {one_line(first_prompt, 60)}"


def _last_of(conversation: Conversation) -> Turn:
    turns = list(conversation.turns)
    if not turns:
        raise UsageError("nothing has been asked yet", "Ask something first")
    return turns[-1]
