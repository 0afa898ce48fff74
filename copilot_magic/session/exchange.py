"""One prompt on its way: it is asked, its answer arrives, and its turn is closed."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from ..chat.conversation import Conversation
from ..chat.prompt import Prompt
from ..chat.turn import Turn
from ..errors import ConnectError, ContextLengthError, CopilotError, PromptError, UsageError
from ..settings import Settings
from ..text import count_of, without_credentials
from ..wire.chunks import Delta, Waiting
from ..wire.dialect import Dialect
from ..wire.request import Request, make_request, model_of, providers_of, request_key
from .library import Library
from .replay import events_of, find_answer, keep_answer

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Event", "Exchange"]

Event = Delta | Waiting


class Exchange(Generator[Event, None, None]):
    """One prompt on its way to a server, and its answer as it arrives.

    Iterate over it to ask: nothing is sent before the first event is wanted. However iteration
    ends, the turn is closed and stored; close an exchange that is dropped half-way, so that the
    server stops writing. It has a client and settings of its own, so several may be on their way
    at once, each in a thread.

    Args:
        prompt: What to ask.
        conversation: Where to ask it.
        settings: Where and how to ask; later changes of the session's settings do not matter.
        dialect: What the server is known to need.
        library: Where the conversation is kept.
        replaces: The turn to ask again; by default the one that the prompt's cell asked before.
        continues: The turn whose answer `prompt` continues, instead of a turn of its own.

    Attributes:
        turn: The prompt's turn: its answer so far, its status, its notes.
        conversation: The conversation that the turn belongs to.
        ended: The answer has ended, one way or another; its turn is being closed, or is.
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
    ) -> None:
        from ..client.client import ChatClient

        self.turn = continues or Turn.of(prompt)
        self.conversation = library.up_to_date(conversation)
        self.ended = False
        self._prompt = prompt
        self._settings = settings
        self._dialect = dialect
        self._library = library
        self._storage = library.storage
        self._replaces = replaces
        self._continues = continues is not None
        self._client = ChatClient(settings, dialect=dialect)
        self._stopped = False
        self._events = self._course()

    def stop(self) -> None:
        """Stop it, from any thread: the iteration ends, and what arrived is kept.

        The turn is then ``interrupted``.
        """
        self._stopped = True
        self._client.stop()

    def send(self, value: None) -> Event:
        """Return the next event; `next` and ``for`` do the same."""
        return next(self._events)

    def throw(
        self,
        kind: Any,
        value: BaseException | object = None,
        traceback: TracebackType | None = None,
    ) -> Event:
        """Raise an exception where the iteration stands; `close` does so to end it."""
        return self._events.throw(kind if value is None else value)  # type: ignore[arg-type]

    # The course of one prompt

    def _course(self) -> Generator[Event, None, None]:
        try:
            yield from self._continue() if self._continues else self._ask()
        finally:
            # Other settings may have named another file meanwhile.
            if self._storage is not self._library.storage:
                self._storage.close()

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
            settings=self._settings,
        )
        stored = self._stored_answer(key)
        turn.replayed = stored is not None
        yield from self._receive(events_of(stored) if stored else self._answer(), replaced)
        if not turn.replayed and turn.status == "complete":
            turn.notes += keep_answer(key, turn, self._settings, self._storage)

    def _continue(self) -> Generator[Event, None, None]:
        """Ask for the rest of an answer that was cut off."""
        if self.turn not in self.conversation.turns:
            raise UsageError("the answer to continue was deleted in another kernel", "Ask again")
        yield from self._receive(self._answer())

    def _receive(
        self, events: Iterator[Event], replaced: Turn | None = None
    ) -> Generator[Event, None, None]:
        """Receive into the turn; close it as complete, interrupted or failed, and store it."""
        turn, conversation = self.turn, self.conversation
        started, spent = time.monotonic(), turn.elapsed
        turn.error, turn.finish_reason, turn.status = "", None, "streaming"
        try:
            if not self._continues:
                conversation.begin(turn, replaced)
            self._store_beginning(replaced)
            turn.notes[:0] = self._library.take_notes(conversation)
            with closing(events):  # type: ignore[type-var]
                for event in events:
                    if isinstance(event, Delta):
                        if turn.first_token is None and (event.content or event.reasoning):
                            turn.first_token = time.monotonic() - started
                        self._take(event)
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
            turn.elapsed = spent + time.monotonic() - started
            if outdated := conversation.end(turn, replaced):
                turn.notes.append(f"{count_of(outdated, 'later answer')} outdated")
            turn.notes += self._storage.write(lambda store: store.end_turn(conversation, turn))

    def _take(self, delta: Delta) -> None:
        """Put what one event adds into the turn."""
        turn = self.turn
        turn.answer += delta.content
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
        if not (self._settings.replay if wanted is None else wanted):
            return None
        return find_answer(key, self._settings, self._storage)

    # Who answers

    def _answer(self) -> Generator[Event, None, None]:
        """Ask each provider until one begins to answer."""
        turn = self.turn
        providers = providers_of(self._prompt.options, self._settings)
        if self._dialect.gpt4free is False:
            providers = providers[:1]  # there are none behind it, so all would be the same
        had = turn.received
        for number, provider in enumerate(providers, 1):
            try:
                yield from self._answer_of(provider)
                return
            except ConnectError:
                raise  # the server is not there, whichever provider is behind it
            except PromptError as error:
                if self._stopped or number == len(providers) or turn.received != had:
                    raise
                turn.notes.append(f"{provider or 'the default provider'} failed: {error.message}")
                yield Waiting(0.0, f"{error.message}; trying {providers[number]}")

    def _answer_of(self, provider: str) -> Generator[Event, None, None]:
        """Ask one provider; if the history is too long for it, once more with half of it."""
        turn, dialect = self.turn, self._dialect
        model = model_of(self._prompt.options, self._settings)
        had = turn.received
        request = self._request(provider)
        if request.undecided:
            self._client.recognise()
            request = self._request(provider)
        try:
            yield from self._stream(request, provider, model)
        except ContextLengthError:
            if self._stopped or turn.received != had or not self._earlier():
                raise
            dialect.halve(model, request.size)
            yield Waiting(0.0, "the history is too long for the model; sending half of it")
            request = self._request(provider)
            yield from self._stream(request, provider, model)
        if request.omitted:
            turn.notes.append(f"the oldest {count_of(request.omitted, 'turn')} not sent")
        if provider.lower().startswith("copilot"):
            dialect.has_threads = turn.continuation is not None

    def _stream(self, request: Request, provider: str, model: str) -> Generator[Event, None, None]:
        turn, server = self.turn, without_credentials(self._settings.base_url)
        # Half an answer belongs to whoever wrote it, until another one adds to it.
        recorded = not turn.received
        if recorded:
            turn.record_asked(server, provider, request.thread, model)
        with closing(self._client.stream(request.body)) as events:
            for event in events:
                if not recorded and isinstance(event, Delta):
                    recorded = True
                    turn.record_asked(server, provider, request.thread, model)
                yield event

    def _request(self, provider: str) -> Request:
        conversation = self.conversation
        return make_request(
            self._prompt,
            self._earlier(),
            system=conversation.system,
            conversation_id=conversation.conversation_id,
            settings=self._settings,
            provider=provider,
            dialect=self._dialect,
        )

    def _earlier(self) -> list[Turn]:
        """Return the turns that the server has to know; a continued one is among them."""
        earlier = self.conversation.before(self.turn)
        return [*earlier, self.turn] if self._continues else earlier
