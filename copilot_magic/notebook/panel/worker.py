"""The thread of a chat panel: it takes what the user does, and sends what the panel shows.

Nothing else changes what a panel knows, so it needs no locks, and the kernel's own thread, in which
a front end's messages arrive, never waits.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any

from ...chat.conversation import Conversation
from ...chat.prompt import Prompt
from ...chat.turn import Turn
from ...errors import CopilotError, UsageError
from ...session.exchange import Exchange
from ...session.session import Session
from ...session.watching import News
from ...wire.chunks import Waiting
from ..shell import Notebook
from .choices import conversations_message, models_message
from .growing import Message
from .queue import PromptQueue, error_lines, fault_line
from .showing import Showing

__all__ = ["PanelWorker"]

GRACE = 5.0
"""Seconds without any view after which the panel's work ends."""


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
        self._grace = grace
        self._showing = Showing(notebook.session, conversation or self._library.current, send, save)
        self._inbox: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._starting = threading.Lock()
        self._runs = False
        self._wanted = 0  # how many messages of the front end are in the inbox
        self._views: set[str] = set()
        self._gone_at: float | None = None  # when the work ends, since the last view went away
        self._dirty: set[str] = set()  # the turns about which there is news in the inbox
        self._handled: deque[str] = deque(maxlen=200)
        self._queue = PromptQueue(notebook, self._inbox.put, self._showing)

    # These are called in the kernel's thread, or in any other.

    def put(self, work: Callable[[], None]) -> None:
        """Do `work` in the panel's thread, which starts if need be."""
        with self._starting:
            self._wanted += 1
            self._inbox.put(lambda: self._do_wanted(work))
            if self._runs:
                return
            self._runs = True
        # With this context, the saved pages go to the cell that shows the panel.
        run = contextvars.copy_context().run
        threading.Thread(target=run, args=(self._work,), name="copilot-panel", daemon=True).start()

    def end(self) -> None:
        """End the thread, and what it asked."""
        self._inbox.put(None)

    def stop(self) -> None:
        """Stop the answers that are arriving, at once."""
        for turn in list(self._showing.conversation.turns):
            if turn.status == "streaming":
                self._notebook.session.stop(turn)

    def turn(self, turn_id: object) -> Turn | None:
        """Return the turn of this id in the conversation that is shown, or None."""
        return next((t for t in list(self._showing.conversation.turns) if t.id == turn_id), None)

    def pages_without_view(self, saved: list[str]) -> list[str]:
        """Return the pages to save while no view has said hello; later on, those `saved` last."""
        with self._starting:
            if self._runs:  # its thread saves them
                return saved
            self._showing.conversation = self._current()
            return self._showing.pages()

    def handle(self, message: Message, prompt: Prompt | None = None) -> None:
        """Take a message from the front end.

        Args:
            message: The message: its ``kind``, its ``id``, and what that kind has.
            prompt: What to ask, if it asks something.
        """
        self.put(lambda: self._handle(message, prompt))

    def refuse(self, message: Message, error: CopilotError) -> None:
        """Say that what a message wants cannot be done."""
        self.put(lambda: self._showing.refuse(str(message.get("id", "")), error_lines(error)))

    def _hear(self, news: News) -> None:
        """Take the news; of a turn that is arriving, one piece in the inbox is enough."""
        turn = news.turn
        if turn is not None and news.event is not None and not isinstance(news.event, Waiting):
            if turn.id in self._dirty:
                return
            self._dirty.add(turn.id)
        self._inbox.put(lambda: self._take(news))

    # All that follows runs in the panel's thread.

    def _work(self) -> None:
        self._gone_at = None
        self._library.watchers.add(self._hear)
        try:
            while self._do_next():
                pass
        finally:
            self._library.watchers.remove(self._hear)
            self._queue.stop()

    def _do_next(self) -> bool:
        """Wait for the next thing to do, and do it; return False if the work has ended."""
        work: Callable[[], None] | None
        try:
            work = self._inbox.get(timeout=self._until_next())
        except Empty:
            work = self._showing.go_on
        try:
            if work is not None:
                work()
                self._showing.go_on()
        except CopilotError as error:
            self._notice(error_lines(error))
        except Exception as error:  # noqa: BLE001  (the user hears of it, and the panel goes on)
            self._notice([fault_line(error)])
            time.sleep(1)  # it may fail again at once
        if work is not None and (self._gone_at is None or time.monotonic() < self._gone_at):
            return True
        with self._starting:
            self._runs = work is not None and self._wanted > 0
        return self._runs

    def _do_wanted(self, work: Callable[[], None]) -> None:
        with self._starting:
            self._wanted -= 1
        work()

    def _until_next(self) -> float | None:
        """Return the seconds until there is something to do; None if nothing is."""
        due = [at for at in (self._gone_at, self._showing.next_at) if at is not None]
        return max(min(due) - time.monotonic(), 0.0) if due else None

    def _notice(self, lines: list[str]) -> None:
        self._showing.send({"kind": "notice", "lines": lines})

    # What the front end wants

    def _handle(self, message: Message, prompt: Prompt | None) -> None:
        kind, name = message.get("kind"), str(message.get("id", ""))
        self._showing.send({"kind": "ack", "id": name})
        if kind == "hello":
            self._hello(str(message.get("view", "")))
        elif kind == "here":
            self._views.add(str(message.get("view", "")))
            self._gone_at = None
        elif kind == "bye":
            self._views.discard(str(message.get("view", "")))
            if not self._views:
                self._gone_at = time.monotonic() + self._grace
        elif name not in self._handled:
            self._handled.append(name)
            try:
                self._do(kind, message, name, prompt)
            except CopilotError as error:
                self._showing.refuse(name, error_lines(error))

    def _do(self, kind: Any, message: Message, name: str, prompt: Prompt | None) -> None:
        conversation, session = self._showing.conversation, self._notebook.session
        if kind == "ask" and prompt is not None:
            replaced = self.turn(message.get("replaces"))
            asked = replace(prompt, options=replace(prompt.options, model=self._showing.model))
            self._queue.ask(
                conversation, name, lambda: session.ask(asked, conversation, replaces=replaced)
            )
        elif kind == "retry":
            self._queue.ask(conversation, name, lambda: self._retry(conversation))
        elif kind == "undo":
            _undo(session, conversation)
        elif kind == "new":
            if self._own is None:
                self._library.new()
            else:
                self._own = self._library.new(current=False)
            self._look()
        elif kind == "use":
            self._use(str(message.get("conversation", "")))
        elif kind == "search":
            found = conversations_message(self._library, str(message.get("text", "")))
            self._showing.send(found)
        elif kind == "models":
            threading.Thread(target=self._list_models, daemon=True).start()
        elif kind == "model":
            chosen = message.get("model")
            self._showing.model = None if chosen is None else str(chosen)
            self._look()

    def _retry(self, conversation: Conversation) -> Exchange:
        last = _last_of(conversation)
        prompt = last.asked_again()
        if self._showing.model is not None:
            prompt = replace(prompt, options=replace(prompt.options, model=self._showing.model))
        return self._notebook.session.ask(prompt, conversation, replaces=last)

    def _use(self, conversation_id: str) -> None:
        if self._own is None:
            self._library.use(conversation_id)
        else:
            self._own = self._library.find(conversation_id)
        self._look()

    def _list_models(self) -> None:
        """Fetch the list of models, in a thread of its own."""
        message = models_message(self._notebook.session)
        self._inbox.put(lambda: self._showing.send(message))

    # What the front end shows

    def _hello(self, view: str) -> None:
        # Views of a page that was closed or loaded again say no goodbye, so all are counted anew.
        self._views = {view}
        self._showing.send({"kind": "roll"})
        self._gone_at = None
        self._showing.conversation = self._current()
        self._showing.welcome(view)

    def _current(self) -> Conversation:
        if self._own is None:
            return self._library.current
        self._own = self._library.up_to_date(self._own)
        return self._own

    def _take(self, news: News) -> None:
        """Show what has happened."""
        showing, turn = self._showing, news.turn
        if turn is not None:
            self._dirty.discard(turn.id)
        if turn is None:
            self._look()
        elif news.conversation is showing.conversation:
            if news.event is not None:
                showing.mark(turn, news.event)
                return
            if news.error is not None:
                self._take_error(turn, error_lines(news.error))
            showing.compare()
        if news.event is None:
            self._queue.go_on()

    def _look(self) -> None:
        """Show the conversation that is to be shown now, as it is now."""
        conversation = self._current()
        if conversation is self._showing.conversation:
            self._showing.compare()
        else:
            self._showing.show(conversation)

    def _take_error(self, turn: Turn, lines: list[str]) -> None:
        """Show an error with its turn; if there is none, the prompt goes back to its box."""
        if turn in self._showing.conversation.turns:
            self._showing.errors[turn.id] = lines
        elif turn.id in self._showing.asked:
            self._showing.refuse(self._showing.asked.pop(turn.id), lines)


def _last_of(conversation: Conversation) -> Turn:
    turns = list(conversation.turns)
    if not turns:
        raise UsageError("Nothing has been asked yet", "Ask something first")
    return turns[-1]


def _undo(session: Session, conversation: Conversation) -> None:
    last = _last_of(conversation)
    if last.status == "streaming":
        raise UsageError("The last prompt is still being answered", "Stop it first")
    session.drop(last, conversation)
