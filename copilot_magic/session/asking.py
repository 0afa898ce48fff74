"""Who answers a prompt: provider after provider, with as much of the history as fits."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import TYPE_CHECKING

from ..chat.conversation import Conversation
from ..chat.prompt import Prompt
from ..chat.turn import Turn
from ..errors import ConnectError, ContextLengthError, PromptError
from ..text import count_of, without_credentials
from ..wire.chunks import Delta, Waiting
from ..wire.dialect import Dialect
from ..wire.request import Request, make_request, model_of, providers_of

if TYPE_CHECKING:
    from ..client.client import ChatClient

__all__ = ["Asking"]

_DEFAULT = "the default provider"


class Asking:
    """The request for one turn, made to one provider after another until one begins to answer.

    Args:
        prompt: What to ask.
        turn: The prompt's turn; who is asked is recorded in it.
        conversation: The conversation that the turn belongs to.
        client: The client to ask with.
        dialect: What the server is known to need.
        continues: The turn has a part of its answer already, and `prompt` asks for the rest.
        mask: Masks the secrets in all that is sent, or None.
    """

    def __init__(
        self,
        prompt: Prompt,
        turn: Turn,
        conversation: Conversation,
        *,
        client: ChatClient,
        dialect: Dialect,
        continues: bool,
        mask: Callable[[str], str] | None = None,
    ) -> None:
        self._prompt = prompt
        self._turn = turn
        self._conversation = conversation
        self._client = client
        self._dialect = dialect
        self._continues = continues
        self._mask = mask
        self._model = model_of(prompt.options, client.settings)

    def events(self) -> Generator[Delta | Waiting, None, None]:
        """Ask each provider until one begins to answer, and yield what it answers.

        Raises:
            PromptError: There was no answer, or not all of it.
        """
        turn = self._turn
        providers = providers_of(self._prompt.options, self._client.settings)
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
                if self._client.stopped or number == len(providers) or turn.received != had:
                    raise
                turn.notes.append(f"{provider or _DEFAULT} failed: {error.message}")
                yield Waiting(0.0, f"{error.message}; trying {providers[number] or _DEFAULT}")

    def may_be_remembered(self) -> bool:
        """Say whether the server may know a turn that this one replaced.

        gpt4free up to 0.4.0 does, by the conversation's id; the protocol does not tell it from
        somewhat later ones.
        """
        copilot = self._turn.asked_provider.lower().startswith("copilot")
        return bool(copilot and self._dialect.gpt4free and not self._dialect.has_threads)

    def _answer_of(self, provider: str) -> Generator[Delta | Waiting, None, None]:
        """Ask one provider; if the history is too long for it, once more with half of it."""
        turn, dialect = self._turn, self._dialect
        had = turn.received
        request = self._request(provider)
        if request.undecided:
            self._client.recognise()
            request = self._request(provider)
        try:
            yield from self._stream(request, provider)
        except ContextLengthError:
            if self._client.stopped or turn.received != had or not self._earlier():
                raise
            dialect.halve(self._model, request.size)
            yield Waiting(0.0, "the history is too long for the model; sending half of it")
            request = self._request(provider)
            yield from self._stream(request, provider)
        if request.omitted:
            turn.notes.append(f"the oldest {count_of(request.omitted, 'turn')} not sent")
        if provider.lower().startswith("copilot"):
            dialect.has_threads = turn.continuation is not None

    def _stream(self, request: Request, provider: str) -> Generator[Delta | Waiting, None, None]:
        turn, server = self._turn, without_credentials(self._client.settings.base_url)
        # Half an answer belongs to whoever wrote it, until another one adds to it.
        recorded = not turn.received
        if recorded:
            turn.record_asked(server, provider, request.thread, self._model)
        with closing(self._client.stream(request.body)) as events:
            for event in events:
                if not recorded and isinstance(event, Delta):
                    recorded = True
                    turn.record_asked(server, provider, request.thread, self._model)
                yield event

    def _request(self, provider: str) -> Request:
        conversation = self._conversation
        return make_request(
            self._prompt,
            self._earlier(),
            system=conversation.system,
            conversation_id=conversation.conversation_id,
            settings=self._client.settings,
            provider=provider,
            dialect=self._dialect,
            mask=self._mask,
        )

    def _earlier(self) -> list[Turn]:
        """Return the turns that the server has to know; a continued one is among them."""
        earlier = self._conversation.before(self._turn)
        return [*earlier, self._turn] if self._continues else earlier
