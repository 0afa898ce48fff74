"""A session: the conversations of one kernel, asked through one client, kept in one store."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from ..chat.conversation import CONTINUE_PROMPT, Conversation, Turn
from ..errors import (
    ConnectError,
    ContextLengthError,
    CopilotError,
    PromptError,
    StoreError,
    UsageError,
)
from ..settings import Settings
from ..wire.chunks import Delta, Waiting, request_body

if TYPE_CHECKING:
    from ..client.client import ChatClient
    from ..store.store import ReplayFile, Store, Summary

__all__ = ["Events", "Session"]

Events = Generator[Delta | Waiting, None, None]

# Characters of history sent at the most: some 25,000 tokens, fit for all but small models.
HISTORY_BUDGET = 100_000


class Session:
    """Ask, go on and ask again in the conversations of one kernel.

    Args:
        settings: Where and how to ask; by default what the environment says.
        notebook: The notebook's path, where the front end tells it: its last conversation is
            resumed, and its name is the name of its first one.

    Attributes:
        turn: The turn that is being asked, or was asked last.
    """

    def __init__(self, settings: Settings | None = None, *, notebook: str = "") -> None:
        self.turn: Turn | None = None
        self._settings = settings or Settings.from_environment()
        self._notebook = notebook
        self._client: ChatClient | None = None
        self._store: Store | None = None
        self._store_tried = False
        self._conversation: Conversation | None = None
        self._known: dict[str, Conversation] = {}
        self._threadless: set[str] = set()
        self._budgets: dict[tuple[str, str], int] = {}
        self._notes: list[str] = []

    # Settings and what hangs on them

    @property
    def settings(self) -> Settings:
        """Return the settings; setting other ones takes effect with the next prompt."""
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        if settings == self._settings:
            return
        if self._client is not None:
            self._client.close()
            self._client = None
        if settings.store != self._settings.store:
            self._close_store()
        self._settings = settings

    @property
    def client(self) -> ChatClient:
        """Return the client that asks the server of the settings."""
        if self._client is None:
            from ..client.client import ChatClient

            self._client = ChatClient(self._settings)
        return self._client

    @property
    def store(self) -> Store | None:
        """Return the store, or None where nothing is kept or the file cannot be used."""
        if not self._store_tried and self._settings.store is not None:
            from ..store.store import Store

            self._store_tried = True
            try:
                self._store = Store.open(self._settings.store)
            except StoreError as error:
                self._notes.append(f"this conversation is not kept: {error}")
        return self._store

    def close(self) -> None:
        """Close the client and the store; the conversations stay in memory."""
        if self._client is not None:
            self._client.close()
            self._client = None
        self._close_store()

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
        self._store = None
        self._store_tried = False

    def _keep(self, write: Callable[[Store], object]) -> None:
        """Write to the store; one that fails is given up with one note, and the prompt goes on."""
        store = self.store
        if store is None:
            return
        try:
            write(store)
        except StoreError as error:
            self._store = None
            with suppress(StoreError):
                store.close()
            self._notes.append(f"from here on this conversation is not kept: {error}")

    # Conversations

    @property
    def conversation(self) -> Conversation:
        """Return the current conversation: the notebook's last one, or a new one."""
        if self._conversation is None:
            self._conversation = self._resumed() or self.new()
        return self._conversation

    def new(self, name: str = "") -> Conversation:
        """Start a new conversation and stay in it.

        Args:
            name: Its name; without one it is called after the notebook, or the time.

        Raises:
            UsageError: There is a conversation of this name.
        """
        if name and self._find(name) is not None:
            raise UsageError(f"there is a conversation {name!r}", f"%copilot use {name}")
        self._conversation = self._add(Conversation(name or self._free_name()))
        return self._conversation

    def use(self, name: str) -> Conversation:
        """Make the conversation of this name, or of this id, the current one.

        Raises:
            UsageError: There is none.
        """
        self._conversation = self.find(name)
        return self._conversation

    def find(self, name: str) -> Conversation:
        """Return the conversation of this name or id.

        Raises:
            UsageError: There is none.
        """
        found = self._find(name)
        if found is None:
            raise UsageError(f"there is no conversation {name!r}", "%copilot list shows them")
        return found

    def named(self, name: str) -> Conversation:
        """Return the conversation of this name, made if new, without making it the current one."""
        return self._find(name) or self._add(Conversation(name))

    def peek(self, name: str) -> Conversation:
        """Return the conversation of this name, or an empty one that nobody keeps."""
        return self._find(name) or Conversation(name, system=self._settings.system)

    def rename(self, name: str, conversation: Conversation | None = None) -> None:
        """Give a conversation, the current one by default, another name.

        Raises:
            UsageError: The name is taken.
        """
        conversation = conversation or self.conversation
        if self._find(name) not in (None, conversation):
            raise UsageError(f"there is a conversation {name!r}", "Choose another name")
        conversation.name = name
        self._keep(lambda store: store.rename(conversation.conversation_id, name))

    def forget(self, name: str) -> None:
        """Delete a conversation for ever, in memory and in the store.

        Raises:
            UsageError: There is none.
        """
        conversation = self.find(name)
        self._known.pop(conversation.conversation_id, None)
        self._keep(lambda store: store.forget(conversation.conversation_id))
        if conversation is self._conversation:
            self._conversation = None
            self.new()

    def adopt(self, conversation: Conversation) -> Conversation:
        """Take in an imported conversation, under a free name, and stay in it.

        Raises:
            UsageError: It is here already.
        """
        if self._find(conversation.conversation_id) is not None:
            raise UsageError(
                "this conversation is here already", f"%copilot use {conversation.conversation_id}"
            )
        conversation.name = self._free_name(conversation.name)
        self._conversation = self._add(conversation)
        self._keep(lambda store: store.save_conversation(conversation, self._notebook))
        return conversation

    def summaries(self, search: str = "") -> list[Summary]:
        """Return what conversations there are, the last used first.

        Args:
            search: Only those with this text in their name, a prompt or an answer.
        """
        from ..store.store import Summary

        found: list[Summary] = []
        self._keep(lambda store: found.extend(store.list(search)))
        stored = {summary.conversation_id for summary in found}
        unstored = [
            Summary.of(conversation)
            for conversation in self._known.values()
            if conversation.conversation_id not in stored
            and (conversation.turns or conversation is self._conversation)
            and _mentions(conversation, search)
        ]
        return [*reversed(unstored), *found]

    def _add(self, conversation: Conversation) -> Conversation:
        conversation.system = conversation.system or self._settings.system
        self._known[conversation.conversation_id] = conversation
        return conversation

    def _find(self, name: str) -> Conversation | None:
        for known in self._known.values():
            if name in (known.name, known.conversation_id):
                return known
        loaded: list[Conversation | None] = [None]
        self._keep(lambda store: loaded.append(store.load(name)))
        found = loaded[-1]
        if found is not None:
            known_already = self._known.get(found.conversation_id)
            return known_already or self._known.setdefault(found.conversation_id, found)
        return None

    def _free_name(self, wanted: str = "") -> str:
        """Return a name that no conversation of this kernel has; the store sees to its own."""
        wanted = wanted or PurePath(self._notebook).stem or time.strftime("%Y-%m-%d %H:%M")
        taken = {conversation.name for conversation in self._known.values()}
        name, number = wanted, 2
        while name in taken:
            name, number = f"{wanted} {number}", number + 1
        return name

    def _place(self, conversation: Conversation) -> str:
        """Return the notebook that is to resume `conversation`: none for one asked in passing."""
        return self._notebook if conversation is self._conversation else ""

    def _resumed(self) -> Conversation | None:
        if not self._notebook:
            return None
        latest: list[Conversation | None] = [None]
        self._keep(lambda store: latest.append(store.latest(self._notebook)))
        found = latest[-1]
        if found is None or not found.answered:
            return None
        count = len(found.answered)
        self._notes.append(f"resumed after {count} turn{'s' * (count != 1)}")
        return self._known.setdefault(found.conversation_id, found)

    # Prompts

    def ask(
        self,
        prompt: str,
        *,
        conversation: Conversation | None = None,
        system: str | None = None,
        options: Mapping[str, Any] | None = None,
        cell_id: str | None = None,
        replaces: Turn | None = None,
        replay: bool | None = None,
    ) -> Events:
        """Ask `prompt` as the next turn, and yield the answer as it arrives.

        The turn is closed and stored however the generator ends; close it when it is dropped
        half-way, so that the server stops writing.

        Args:
            prompt: What to ask.
            conversation: Where to ask it; the current conversation by default.
            system: The conversation's system message from now on.
            options: ``model``, ``provider``, ``temperature`` and ``max_tokens`` for this prompt.
            cell_id: The cell that asks; the turn that it asked before is replaced.
            replaces: The turn to replace, whichever cell asked it.
            replay: Show the stored answer to exactly this request if there is one; None is what
                the settings say.

        Raises:
            PromptError: There was no answer, or not all of it.
        """
        conversation = conversation or self.conversation
        if system is not None and system != conversation.system:
            conversation.system = system
            conversation.leave_threads()
        if replaces is None:
            at = conversation.find_cell(cell_id)
        else:
            at = conversation.turns.index(replaces)
        turn = Turn(prompt, cell_id=cell_id, options=dict(options or {}))
        before = len(conversation.turns) if at is None else at
        key = self._request_key(conversation, turn, before)
        events = self._replayed(turn, key, replay)
        place = self._place(conversation)
        replaced = conversation.begin(turn, at)
        self._keep(lambda store: store.begin_turn(conversation, turn, replaced, place))
        yield from self._receive(conversation, turn, prompt, before, events, replaced)
        if not turn.replayed:
            self._keep_answer(key, turn)

    def retry(self, conversation: Conversation | None = None) -> Events:
        """Ask the last prompt again, replacing its turn.

        Raises:
            UsageError: Nothing has been asked yet.
            PromptError: As for `ask`.
        """
        conversation = conversation or self.conversation
        if not conversation.turns:
            raise UsageError("nothing has been asked yet", "%%copilot asks what is below it")
        last = conversation.turns[-1]
        return self.ask(
            last.prompt,
            conversation=conversation,
            options=last.options,
            cell_id=last.cell_id,
            replaces=last,
            replay=False,
        )

    def go_on(self, conversation: Conversation | None = None) -> Events:
        """Go on with the last answer where it was cut off, in the same turn.

        Raises:
            UsageError: The last answer is whole, or there is none.
            PromptError: As for `ask`.
        """
        conversation = conversation or self.conversation
        last = conversation.turns[-1] if conversation.turns else None
        if last is None or not last.answer:
            raise UsageError("there is no answer to continue", "%copilot retry asks again")
        if not last.cut_off:
            raise UsageError("the last answer is complete", "Ask on in the next cell")
        prompt = f"{CONTINUE_PROMPT}\n\n{last.answer[-200:]}"
        self._keep(
            lambda store: store.begin_turn(conversation, last, None, self._place(conversation))
        )
        return self._receive(conversation, last, prompt, len(conversation.turns))

    def preview(
        self,
        prompt: str,
        *,
        conversation: Conversation | None = None,
        system: str | None = None,
        options: Mapping[str, Any] | None = None,
        cell_id: str | None = None,
    ) -> dict[str, Any]:
        """Return the request body that `ask` would post, and change nothing."""
        told = conversation or self.conversation
        if system is not None and system != told.system:
            told = replace(
                told, system=system, turns=[replace(turn, conversation=None) for turn in told.turns]
            )
        return self._body(told, prompt, told.find_cell(cell_id), options or {})[0]

    def _body(
        self,
        conversation: Conversation,
        prompt: str,
        before: int | None,
        options: Mapping[str, Any],
        provider: str | None = None,
    ) -> tuple[dict[str, Any], str, int, int]:
        """Return a request body, its thread, the turns left out, and its size in characters."""
        settings = self._settings
        provider = self._providers(options)[0] if provider is None else provider
        model = _model(options, settings)
        out = conversation.outgoing(
            prompt,
            server=settings.base_url,
            provider=provider,
            before=before,
            threadless=settings.base_url in self._threadless,
            budget=self._budgets.get((settings.base_url, model), HISTORY_BUDGET),
        )
        body = request_body(
            model=model,
            provider=provider,
            messages=out.messages,
            conversation_id=conversation.conversation_id,
            conversation=out.conversation,
            temperature=options.get("temperature"),
            max_tokens=options.get("max_tokens"),
        )
        return body, out.thread, out.omitted, out.size

    def _providers(self, options: Mapping[str, Any]) -> list[str]:
        asked = options.get("provider")
        if asked is not None:
            return [asked]
        return list(self._settings.asked_providers)

    def _receive(
        self,
        conversation: Conversation,
        turn: Turn,
        prompt: str,
        before: int,
        events: Events | None = None,
        replaced: Turn | None = None,
    ) -> Events:
        """Receive into `turn`, close it as complete, interrupted or failed, and store it."""
        self.turn = turn
        begun, spent = time.monotonic(), turn.elapsed
        turn.status, turn.error, turn.finish_reason = "streaming", "", None
        try:
            with closing(events or self._asked(conversation, turn, prompt, before)) as asked:
                for event in asked:
                    if isinstance(event, Delta):
                        if turn.first_token is None and (event.content or event.reasoning):
                            turn.first_token = time.monotonic() - begun
                        _take_in(turn, event)
                        self._keep(lambda store: store.grow_turn(turn))
                    yield event
            turn.status = "complete"
        except CopilotError as error:
            turn.status, turn.error = "failed", str(error)
            raise
        except BaseException:
            turn.status = "interrupted"
            raise
        finally:
            turn.elapsed = spent + time.monotonic() - begun
            conversation.end(turn, replaced)
            self._note(turn)
            self._keep(lambda store: store.end_turn(turn, conversation))
            self._note(turn)

    def _note(self, turn: Turn) -> None:
        turn.notes += self._notes
        self._notes = []

    def _asked(
        self,
        conversation: Conversation,
        turn: Turn,
        prompt: str,
        before: int,
    ) -> Events:
        """Ask each provider until one begins to answer."""
        providers = self._providers(turn.options)
        had = _received(turn)
        for number, provider in enumerate(providers, 1):
            try:
                yield from self._answer_of(provider, conversation, turn, prompt, before)
            except ConnectError:
                raise  # the server is not there, whichever provider is behind it
            except PromptError as error:
                if number == len(providers) or _received(turn) != had:
                    raise
                turn.notes.append(f"{provider or 'the default provider'} failed: {error.message}")
                yield Waiting(0.0, f"{error.message}; trying {providers[number]}")
            else:
                return

    def _answer_of(
        self,
        provider: str,
        conversation: Conversation,
        turn: Turn,
        prompt: str,
        before: int,
    ) -> Events:
        """Ask one provider, once more with half the history where that was too long."""
        server, model = self._settings.base_url, _model(turn.options, self._settings)
        had = _received(turn)
        for attempt in (1, 2):
            body, thread, omitted, size = self._body(
                conversation, prompt, before, turn.options, provider
            )
            asked = not had
            if asked:
                _move(turn, server, provider, thread, model)
            try:
                with closing(self.client.stream(body)) as events:
                    for event in events:
                        if not asked and isinstance(event, Delta):
                            # What is gone on with belongs to who wrote it, until there is more.
                            asked = True
                            _move(turn, server, provider, thread, model)
                        yield event
            except ContextLengthError:
                if attempt == 2 or _received(turn) != had or before == 0:
                    raise
                self._budgets[server, model] = size // 2
                yield Waiting(0.0, "the history is too long for the model; sending half of it")
                continue
            break
        if omitted:
            turn.notes.append(f"the oldest {omitted} turn{'s' * (omitted > 1)} not sent")
        if provider.lower().startswith("copilot"):
            # Servers either always send the object with a whole answer of Copilot's, or never.
            known = self._threadless
            (known.add if turn.conversation is None else known.discard)(server)

    # Replay

    def _request_key(self, conversation: Conversation, turn: Turn, before: int) -> str:
        """Return the key of exactly this request: all its words, whatever the server is told."""
        from ..transcript import request_key

        body = request_body(
            model=_model(turn.options, self._settings),
            provider=self._providers(turn.options)[0],
            messages=conversation.full_history(turn.prompt, before),
            conversation_id="",
            temperature=turn.options.get("temperature"),
            max_tokens=turn.options.get("max_tokens"),
        )
        return request_key(body)

    def _replay_file(self) -> ReplayFile | None:
        if not isinstance(self._settings.replay, str):
            return None
        from ..store.store import ReplayFile

        return ReplayFile(self._settings.replay)

    def _replayed(self, turn: Turn, key: str, replay: bool | None) -> Events | None:
        """Return the stored answer to the request as events, or None."""
        if not (bool(self._settings.replay) if replay is None else replay):
            return None
        file = self._replay_file()
        stored: list[Turn | None] = [file.answer_to(key) if file else None]
        if stored[-1] is None:
            self._keep(lambda store: stored.append(store.answer_to(key)))
        if stored[-1] is None:
            return None
        turn.replayed = True
        return _told_again(stored[-1])

    def _keep_answer(self, key: str, turn: Turn) -> None:
        self._keep(lambda store: store.keep_answer(key, turn))
        file = self._replay_file()
        if file is not None:
            try:
                file.keep(key, turn)
            except StoreError as error:
                self._notes.append(f"the answer is not kept for replay: {error}")


def _move(turn: Turn, server: str, provider: str, thread: str, model: str) -> None:
    """Let `turn` be one of this server's and provider's, to whom no other one's object is sent."""
    if (turn.server, turn.asked_provider) != (server, provider):
        turn.conversation = None
    turn.server, turn.asked_provider, turn.thread = server, provider, thread
    turn.model, turn.provider = model, provider


def _take_in(turn: Turn, delta: Delta) -> None:
    turn.answer += delta.content
    turn.reasoning += delta.reasoning
    turn.finish_reason = delta.finish_reason or turn.finish_reason
    turn.model = delta.model or turn.model
    turn.provider = delta.provider or turn.provider
    if delta.usage is not None:
        turn.usage = dict(delta.usage)
    if delta.conversation is not None:
        turn.conversation = dict(delta.conversation)


def _received(turn: Turn) -> int:
    return len(turn.answer) + len(turn.reasoning)


def _told_again(stored: Turn) -> Events:
    if stored.reasoning:
        yield Delta(reasoning=stored.reasoning)
    yield Delta(content=stored.answer)
    yield Delta(
        finish_reason=stored.finish_reason,
        usage=stored.usage,
        model=stored.model or None,
        provider=stored.provider or None,
    )


def _model(options: Mapping[str, Any], settings: Settings) -> str:
    asked = options.get("model")
    return settings.model if asked is None else str(asked)


def _mentions(conversation: Conversation, search: str) -> bool:
    texts = [conversation.name, *(t.prompt for t in conversation.turns)]
    texts += [t.answer for t in conversation.turns]
    return any(search.lower() in text.lower() for text in texts)
