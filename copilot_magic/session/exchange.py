"""One prompt on its way: it is asked, its answer arrives, and its turn is closed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from ..chat.conversation import Conversation
from ..chat.prompt import Prompt
from ..chat.turn import Turn
from ..errors import CopilotError, UsageError
from ..settings import Settings
from ..text import count_of, one_line
from ..wire.chunks import Delta, Waiting
from ..wire.dialect import Dialect
from ..wire.request import request_key
from .asking import Asking
from .library import Library
from .replay import events_of, find_answer, keep_answer
from .watching import News

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["NAMED_BY", "Event", "Exchange"]

Event = Delta | Waiting

# Characters from which an answer is added to at intervals, of seconds: to copy all of it for each
# delta would take time that grows with the square of its length.
LONG = 200_000
LONG_INTERVAL = 0.1

# Seconds after which a prompt that waits looks whether the one before it has died, and on Windows
# whether it was interrupted.
LOOK_INTERVAL = 0.5

NAMED_BY = 50
"""Characters of a prompt that name it, to those who wait for it."""


class Exchange(Generator[Event, None, None]):
    """One prompt on its way to a server, and its answer as it arrives.

    Iterate over it to ask: nothing is sent before the first event is wanted. However iteration
    ends, the turn is closed and stored; close an exchange that is dropped half-way, so that the
    server stops writing. It has a client and settings of its own, so several may be on their way
    at once, each in a thread. In one conversation they are answered one after the other: while
    another one is on its way there, it yields `Waiting` events without an end, and then one
    without a reason.

    Args:
        prompt: What to ask.
        conversation: Where to ask it.
        settings: Where and how to ask; later changes of the session's settings do not matter.
        dialect: What the server is known to need.
        library: Where the conversation is kept.
        replaces: The turn to ask again; by default the one that the prompt's cell asked before.
        continues: The turn whose answer `prompt` continues, instead of a turn of its own.
        mask: Masks the secrets in all that is sent, or None.

    Attributes:
        settings: Where and how it is asked.
        turn: The prompt's turn: its answer so far, its status, its notes.
        conversation: The conversation that the turn belongs to.
        ended: The answer has ended, one way or another; its turn is being closed, or is.
        waits: It waits for another prompt of the conversation to end.
    """

    def __init__(
        self,
        prompt: Prompt,
        conversation: Conversation,
        *,
        settings: Settings,
        dialect: Dialect,
        library: Library,
        replaces: Turn | None = None,
        continues: Turn | None = None,
        mask: Callable[[str], str] | None = None,
    ) -> None:
        from ..client.client import ChatClient

        self.turn = continues or Turn.of(prompt)
        self.conversation = library.up_to_date(conversation)
        self.ended = False
        self.waits = False
        self.settings = settings
        self._prompt = prompt
        self._library = library
        self._storage = library.storage
        self._replaces = replaces
        self._continues = continues is not None
        self._stopped = False
        self._place = library.places.place(self.conversation.conversation_id, prompt.text)
        self._client = ChatClient(settings, dialect=dialect)
        self._asking = Asking(
            prompt,
            self.turn,
            self.conversation,
            client=self._client,
            dialect=dialect,
            continues=self._continues,
            mask=mask,
        )
        # Of the answer, what is not in the turn yet.
        self._pieces: list[str] = []
        self._joined = 0.0
        self._events = self._course()

    def stop(self) -> None:
        """Stop it, from any thread: the iteration ends, and what arrived is kept.

        The turn is then ``interrupted``. What has not begun yet is not asked, and has no turn in
        the conversation.
        """
        self._stopped = True
        self._client.stop()
        self._place.wake()

    def send(self, value: None) -> Event:
        """Return the next event; `next` and ``for`` do the same."""
        return next(self._events)

    def throw(
        self,
        kind: Any,
        value: BaseException | object = None,
        traceback: TracebackType | None = None,
    ) -> Event:
        """Raise an exception inside the iteration, as `close` does to end it."""
        return self._events.throw(kind if value is None else value)  # type: ignore[arg-type]

    # The course of one prompt

    def _course(self) -> Generator[Event, None, None]:
        failure: CopilotError | None = None
        try:
            yield from self._wait()
            if not self._stopped:
                yield from self._continue() if self._continues else self._ask()
        except CopilotError as error:
            failure = error
            raise
        finally:
            self._place.leave()
            if self.turn.status == "streaming":
                self.turn.status = "interrupted"  # before it had begun
            # Other settings may have named another file meanwhile.
            if self._storage is not self._library.storage:
                self._storage.close()
            self._tell(error=failure)

    def _wait(self) -> Generator[Event, None, None]:
        """Wait until the prompts of this conversation that came before have ended."""
        self._place.take()
        told = None
        while not self._stopped and (before := self._place.before()) is not None:
            self.waits = True
            if before is not told:
                told = before
                asked = one_line(before.prompt, NAMED_BY)
                yield Waiting(math.inf, f"Waiting for the answer to “{asked}”")
            self._place.sleep(LOOK_INTERVAL)
        self.waits = False
        if told is not None and not self._stopped:
            yield Waiting(0.0, "")

    def _ask(self) -> Generator[Event, None, None]:
        """Ask in a new turn, unless the answer is stored."""
        conversation, turn, prompt = self.conversation, self.turn, self._prompt
        if prompt.system is not None:
            conversation.set_system(prompt.system)
        replaced = self._replaces or conversation.find_cell(prompt.cell_id)
        if replaced not in conversation.turns:
            replaced = None  # another kernel has deleted or replaced it
        key = request_key(
            prompt,
            conversation.before(replaced),
            system=conversation.system,
            settings=self.settings,
        )
        stored = self._stored_answer(key)
        turn.replayed = stored is not None
        yield from self._receive(events_of(stored) if stored else self._asking.events(), replaced)
        if not turn.replayed and turn.status == "complete":
            turn.notes += keep_answer(key, turn, self.settings, self._storage)

    def _continue(self) -> Generator[Event, None, None]:
        """Ask for the rest of an answer that was cut off."""
        if self.turn not in self.conversation.turns:
            raise UsageError("The answer to continue was deleted in another kernel", "Ask again")
        yield from self._receive(self._asking.events())

    def _receive(
        self, events: Iterator[Event], replaced: Turn | None = None
    ) -> Generator[Event, None, None]:
        """Receive into the turn; close it as complete, interrupted or failed, and store it."""
        turn, conversation, watchers = self.turn, self.conversation, self._library.watchers
        started, spent = time.monotonic(), turn.elapsed
        turn.error, turn.finish_reason, turn.status = "", None, "streaming"
        try:
            if not self._continues:
                conversation.begin(turn, replaced)
            self._store_beginning(replaced)
            turn.notes[:0] = self._library.take_notes(conversation)
            self._tell()
            with closing(events):  # type: ignore[type-var]
                for event in events:
                    if isinstance(event, Delta):
                        if turn.first_token is None and (event.content or event.reasoning):
                            turn.first_token = time.monotonic() - started
                        self._take(event)
                    if watchers:
                        self._tell(event=event)
                    yield event
                    if self._stopped:
                        break
            turn.status = "interrupted" if self._stopped else "complete"
        except CopilotError as error:
            turn.status = "interrupted" if self._stopped else "failed"
            if not self._stopped:
                turn.error = error.message
                raise
        except BaseException:
            turn.status = "interrupted"
            raise
        finally:
            self.ended = True
            self._join()
            turn.elapsed = spent + time.monotonic() - started
            if replaced is not None and turn.answer and self._may_be_remembered(replaced):
                turn.notes.append("an old gpt4free server may still know the prompt this replaced")
            if outdated := conversation.end(turn, replaced):
                turn.notes.append(f"{count_of(outdated, 'later answer')} outdated")
            turn.notes += self._storage.write(lambda store: store.end_turn(conversation, turn))

    def _may_be_remembered(self, replaced: Turn) -> bool:
        """Say whether the server may know a replaced prompt that the new one does not repeat."""
        said = replaced.expanded or replaced.prompt
        repeats = self.turn.expanded.startswith(said)
        return not repeats and self._asking.may_be_remembered()

    def _tell(self, **news: Any) -> None:
        self._library.watchers.tell(News(self.conversation, self.turn, **news))

    def _take(self, delta: Delta) -> None:
        """Put what one event adds into the turn."""
        turn = self.turn
        if delta.content:
            self._pieces.append(delta.content)
            if len(turn.answer) < LONG or time.monotonic() - self._joined > LONG_INTERVAL:
                self._join()
        turn.reasoning += delta.reasoning
        turn.finish_reason = delta.finish_reason or turn.finish_reason
        turn.model = delta.model or turn.model
        turn.provider = delta.provider or turn.provider
        if delta.usage is not None:
            turn.usage = dict(delta.usage)
        if delta.continuation is not None:
            turn.continuation = dict(delta.continuation)
        turn.notes += delta.notes
        turn.notes += self._storage.grow(turn.id, turn.answer, turn.reasoning)

    def _join(self) -> None:
        """Add to the answer what arrived since the last time."""
        self.turn.answer += "".join(self._pieces)
        self._pieces.clear()
        self._joined = time.monotonic()

    def _store_beginning(self, replaced: Turn | None) -> None:
        conversation, turn = self.conversation, self.turn
        place = self._library.place_of(conversation)
        replaces = None if replaced is None else replaced.id

        def begin(store: Any) -> None:
            # Another kernel may have taken the name, or changed it: the file's name counts.
            conversation.name = store.begin_turn(conversation, turn, replaces, place)

        if self._storage.path is None:
            self._storage.keep_private(turn.id)
        turn.notes += self._storage.write(begin)

    def _stored_answer(self, key: str) -> Turn | None:
        wanted = self._prompt.replay
        if not (self.settings.replay if wanted is None else wanted):
            return None
        return find_answer(key, self.settings, self._storage)
