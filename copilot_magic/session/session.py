"""A session: prompts asked, asked again and continued in the conversations of one kernel."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from ..chat.completion import Completion
from ..chat.conversation import Conversation
from ..chat.history import CONTINUE_PROMPT
from ..chat.prompt import Prompt
from ..chat.turn import Turn
from ..errors import UsageError
from ..settings import Settings
from ..wire.dialect import Dialect
from ..wire.request import make_request, providers_of
from .exchange import Exchange
from .library import Library
from .watching import News

if TYPE_CHECKING:
    from ..client.client import ChatClient

__all__ = ["Session"]


class Session:
    """Prompts in the conversations of one kernel, several at once if need be.

    Args:
        settings: Where and how to ask; by default what the environment says.
        notebook: The notebook's path, or an empty string: its last conversation is continued.

    Attributes:
        library: The conversations.
        find_secrets: Returns what masks the secrets that are known by now, for one prompt.
    """

    def __init__(self, settings: Settings | None = None, *, notebook: str = "") -> None:
        self._settings = settings or Settings.from_environment()
        self.library = Library(self._settings, notebook)
        self.find_secrets: Callable[[], Callable[[str], str]] | None = None
        self._client: ChatClient | None = None
        self._dialects: dict[str, Dialect] = {}
        self._exchanges: WeakSet[Exchange] = WeakSet()
        self._lock = threading.Lock()
        self._pid = os.getpid()

    @property
    def settings(self) -> Settings:
        """Return the settings; other ones take effect with the next prompt."""
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        if settings != self._settings:
            self._settings = settings
            self._client = None
            self.library.configure(settings)

    @property
    def client(self) -> ChatClient:
        """Return a client for the lists of models and providers; each prompt has its own."""
        if self._client is None:
            from ..client.client import ChatClient

            self._client = ChatClient(self._settings, dialect=self.dialect)
        return self._client

    @property
    def dialect(self) -> Dialect:
        """Return what is known about the server."""
        return self._dialect_of(self._settings)

    def ask(
        self,
        prompt: Prompt,
        conversation: Conversation | None = None,
        *,
        replaces: Turn | None = None,
        settings: Settings | None = None,
    ) -> Exchange:
        """Return the exchange that asks `prompt` as the next turn.

        Args:
            prompt: What to ask.
            conversation: Where to ask it; the current conversation by default.
            replaces: The turn to replace; by default the one that the prompt's cell asked before.
            settings: Where and how to ask; the settings of the session by default.
        """
        conversation = conversation or self.library.current
        return self._exchange(prompt, conversation, settings, replaces=replaces)

    def retry(self, conversation: Conversation | None = None) -> Exchange:
        """Return the exchange that asks the last prompt again, replacing its turn.

        Raises:
            UsageError: Nothing has been asked yet, or the last prompt is still being answered.
        """
        conversation = conversation or self.library.current
        if not conversation.turns:
            raise UsageError("Nothing has been asked yet", "Ask something first")
        last = _ended(conversation.turns[-1])
        return self._exchange(last.asked_again(), conversation, replaces=last)

    def continue_last(self, conversation: Conversation | None = None) -> Exchange:
        """Return the exchange that continues the last answer where it was cut off, in its turn.

        Raises:
            UsageError: The last answer is complete or still arriving, or there is none.
        """
        conversation = conversation or self.library.current
        last = _ended(conversation.turns[-1]) if conversation.turns else None
        if last is None or not last.answer:
            raise UsageError("There is no answer to continue", "Ask again instead")
        if not last.cut_off:
            raise UsageError("The last answer is complete", "Ask the next question in a new cell")
        prompt = Prompt(f"{CONTINUE_PROMPT}\n\n{last.answer[-200:]}", options=last.options)
        return self._exchange(prompt, conversation, continues=last)

    def drop(self, turn: Turn, conversation: Conversation) -> None:
        """Take `turn` out of the conversation, in memory and in the file.

        Raises:
            StoreError: The file cannot be used; the turn stays.
        """
        conversation_id = conversation.conversation_id
        self.library.storage.demand(lambda store: store.drop_turn(conversation_id, turn.id))
        conversation.drop(turn)
        self.library.watchers.tell(News(conversation))

    def adopt(self, turn: Turn, conversation: Conversation, answer: Completion) -> None:
        """Take another answer to the prompt of `turn`, which has ended, in place of its own."""
        turn.answer, turn.reasoning = answer.content, answer.reasoning
        turn.finish_reason = answer.finish_reason
        turn.usage = None if answer.usage is None else dict(answer.usage)
        turn.model, turn.provider = answer.model or turn.model, answer.provider or turn.provider
        turn.elapsed, turn.first_token, turn.continuation = answer.elapsed, None, None
        storage = self.library.storage
        turn.notes += storage.write(lambda store: store.end_turn(conversation, turn))
        self.library.watchers.tell(News(conversation, turn))

    def stop(self, turn: Turn) -> None:
        """Stop the exchange that answers `turn`, from any thread; what arrived is kept."""
        with self._lock:
            exchanges = list(self._exchanges)
        for exchange in exchanges:
            if exchange.turn is turn:
                exchange.stop()

    def preview(self, prompt: Prompt, conversation: Conversation | None = None) -> dict[str, Any]:
        """Return the request body that `ask` would post, and change nothing."""
        conversation = conversation or self.library.current
        if prompt.system is not None:
            conversation = conversation.with_system(prompt.system)
        return make_request(
            prompt,
            conversation.before(conversation.find_cell(prompt.cell_id)),
            system=conversation.system,
            conversation_id=conversation.conversation_id,
            settings=self._settings,
            provider=providers_of(prompt.options, self._settings)[0],
            dialect=self.dialect,
            mask=self._mask(),
        ).body

    def close(self) -> None:
        """Stop what is on its way and close the file; the conversations stay in memory."""
        if self._pid == os.getpid():  # not in a forked child, which shares the connections
            with self._lock:
                exchanges = list(self._exchanges)
            for exchange in exchanges:
                exchange.stop()
        self.library.close()

    def _dialect_of(self, settings: Settings) -> Dialect:
        return self._dialects.setdefault(settings.base_url, Dialect())

    def _exchange(
        self,
        prompt: Prompt,
        conversation: Conversation,
        settings: Settings | None = None,
        **turns: Any,
    ) -> Exchange:
        settings = settings or self._settings
        exchange = Exchange(
            prompt,
            conversation,
            settings=settings,
            dialect=self._dialect_of(settings),
            library=self.library,
            mask=self._mask(),
            **turns,
        )
        with self._lock:
            self._exchanges.add(exchange)
        return exchange

    def _mask(self) -> Callable[[str], str] | None:
        """Return what masks secrets, or None if none are to be masked."""
        if self.find_secrets is None or not self._settings.mask_secrets:
            return None
        return self.find_secrets()


def _ended(turn: Turn) -> Turn:
    """Return `turn`.

    Raises:
        UsageError: Its answer is still arriving.
    """
    if turn.status == "streaming":
        raise UsageError("The last prompt is still being answered", "Wait for it, or stop it")
    return turn
