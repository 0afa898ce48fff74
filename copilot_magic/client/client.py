"""The HTTP client: it posts a prompt and yields the answer the moment its bytes arrive."""

from __future__ import annotations

import random
from collections.abc import Generator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

from ..chat.completion import Completion
from ..errors import (
    BadRequestError,
    CutError,
    MalformedAnswerError,
    NotFoundError,
    PromptError,
    SettingError,
    StatusError,
)
from ..settings import Settings, is_loopback
from ..text import without_credentials
from ..wire.chunks import Delta, Waiting
from ..wire.dialect import Dialect, without_extensions, without_schema
from ..wire.ending import Ending
from ..wire.reasons import (
    lacks_schemas,
    names_model,
    needs_model,
    quota_exhausted,
    refuses_fields,
    refuses_schema,
)
from ..wire.whole import completion_of, in_one_piece
from .connection import STOPPED, Call, Connections
from .listing import are_providers, get_list, names_in
from .receiving import receive
from .sending import send

__all__ = ["ChatClient"]

# 500 is not one of them: gpt4free answers it to what will fail again, such as a missing login.
_TRY_AGAIN = frozenset({408, 429, 502, 503, 504})
_LONGEST_WAIT = 60.0


class ChatClient:
    """A client of one chat-completions server; several threads may use it at once.

    Each prompt has its own connection, which ends with it, unless connections are to be kept: a
    server stops generating when the client goes away.

    Args:
        settings: Where and how to ask; by default what the environment says.
        dialect: What the server is known to need; the client adds what it learns.
        keep_connections: How many connections to the server may stay open between prompts. The
            environment's proxies and certificates are those of the first one then.
        list_timeout: Seconds to wait for the list of models or of providers.
        recognise_timeout: Seconds that `recognise` may take to connect, to be answered, and to
            read the answer.
        after_the_end: Seconds to wait for what follows the finish reason (``[DONE]``, the usage),
            and for the message of a failed request.

    Attributes:
        stopped: `stop` was called.

    Raises:
        SettingError: A timeout is not more than 0 seconds.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        dialect: Dialect | None = None,
        keep_connections: int = 0,
        list_timeout: float = 10.0,
        recognise_timeout: float = 1.0,
        after_the_end: float = 5.0,
    ) -> None:
        self._settings = settings = settings or Settings.from_environment()
        for name in ("connect_timeout", "first_token_timeout", "idle_timeout"):
            if not getattr(settings, name) > 0:
                raise SettingError(
                    f"{name} must be more than 0 seconds",
                    "Set it to 60, for example",
                    setting=name,
                    suggestion=60,
                )
        self._dialect = Dialect() if dialect is None else dialect
        self._list_timeout = list_timeout
        self._recognise_timeout = recognise_timeout
        self._after_the_end = after_the_end
        self._connections = Connections(keep_connections)
        self.stopped = False

    @property
    def settings(self) -> Settings:
        """Return the settings that this client asks with."""
        return self._settings

    def stream(self, body: Mapping[str, Any]) -> Generator[Delta | Waiting, None, None]:
        """Post `body` and yield the answer as it arrives.

        Closing the generator, at whatever point, closes the connection at once.

        Args:
            body: The request, as `wire.request.make_request` makes it.

        Yields:
            What each event adds, and an announcement before each wait for another try. There is
            another try only if nothing was received and the status says that it may help.

        Raises:
            PromptError: There was no answer, or not all of it; what arrived was yielded before.
            UsageError: The settings do not allow asking.
        """
        tries = 0
        with Call(self._connections) as call:
            if self.stopped:
                raise CutError(STOPPED)
            while True:
                sent = self._dialect.adapt(body)
                try:
                    yield from self._answer(call, sent)
                    return
                except StatusError as error:
                    if other := self._learn(error, body, sent):
                        body = other
                        continue
                    wait = _wait_before_retry(error, tries)
                    if wait is None or tries >= self._settings.retries:
                        raise
                    reason = error.message
                tries += 1
                yield Waiting(wait, reason)
                call.sleep(wait)

    def complete(self, body: Mapping[str, Any]) -> Completion:
        """Post `body` for an answer in one piece, and return it; there is no second try.

        It is sent again only if the client has just learned what the server needs.
        `first_token_timeout` limits the wait for the response's headers, and `idle_timeout` each
        silence after them. A server that streams its answer all the same is read, too.

        Args:
            body: The request, as `wire.request.make_request` makes it.

        Raises:
            PromptError: There was no answer, or not all of it; then nothing of it is kept.
            UsageError: The settings do not allow asking.
        """
        body = in_one_piece(body)
        with Call(self._connections) as call:
            if self.stopped:
                raise CutError(STOPPED)
            while True:
                sent = self._dialect.adapt(body)
                try:
                    return completion_of(self._answer(call, sent, whole=True))
                except StatusError as error:
                    other = self._learn(error, body, sent)
                    if other is None:
                        raise
                    body = other

    def models(self) -> list[str]:
        """Return the names of the models that the server offers.

        Raises:
            PromptError: The server was not reached, or did not name them.
        """
        return names_in(self._get("/models"))

    def providers(self) -> list[str]:
        """Return the names of gpt4free's providers; other servers have none.

        Raises:
            PromptError: The server was not reached.
        """
        try:
            listed = self._get("/providers")
        except (NotFoundError, BadRequestError, MalformedAnswerError):
            self._dialect.gpt4free = False
            return []
        self._dialect.gpt4free = are_providers(listed)
        return names_in(listed)

    def recognise(self) -> None:
        """Ask the server briefly whether it is gpt4free, and note that in the dialect.

        Without an answer it stays unknown; a prompt will find out what is wrong.
        """
        if self._dialect.gpt4free is not None or self.stopped:
            return
        seconds = self._recognise_timeout
        patience = min(self._settings.connect_timeout, seconds)
        settings = replace(self._settings, connect_timeout=patience)
        brief = ChatClient(settings, dialect=self._dialect, list_timeout=seconds)
        brief._connections = self._connections  # they end when this client's do
        with suppress(PromptError):
            brief.providers()

    def close(self) -> None:
        """End each answer that is on its way, in any thread, and close idle connections.

        The client can be used again.
        """
        self._connections.close()

    def stop(self) -> None:
        """End each answer that is on its way, and every later one before anything is sent."""
        # In this order: a call that begins meanwhile either sees the flag or is among the calls.
        self.stopped = True
        self.close()

    def __enter__(self) -> ChatClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({without_credentials(self._settings.base_url)!r})"

    def _learn(
        self, refusal: StatusError, body: Mapping[str, Any], sent: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """Learn from a refusal what the server needs.

        Args:
            refusal: What it said.
            body: What to ask.
            sent: That as it was sent, adapted to what was known then.

        Returns:
            What to ask instead, which is adapted before it is sent; None if that would not help.
        """
        status, message = refusal.status, refusal.message
        if refuses_fields(status, message) and without_extensions(sent) != sent:
            self._dialect.strict = True
            self._dialect.gpt4free = False
            return body
        if "response_format" in sent and refuses_schema(status, message):
            # The prompt says the same in words.
            if lacks_schemas(status, message):
                self._dialect.refuse_schemas(sent.get("model") if names_model(message) else None)
            return without_schema(body)
        if needs_model(status, message) and not sent.get("model"):
            self._dialect.model = self._dialect.model or self._model_after(refusal)
            return body
        return None

    def _model_after(self, refusal: StatusError) -> str:
        """Return the model to name: the only one of the server, or the first on this machine.

        Raises:
            StatusError: There is none, or several to choose from.
        """
        try:
            names = self.models()
        except PromptError:
            names = []
        if not names:
            raise refusal
        if len(names) == 1 or is_loopback(self._settings.base_url):
            return names[0]
        some = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        raise BadRequestError(
            f"The server needs the name of a model; it has {some}",
            f"Set model to one of them, such as {names[0]!r}",
            status=refusal.status,
            models=tuple(names),
        )

    def _answer(
        self, call: Call, body: dict[str, Any], *, whole: bool = False
    ) -> Generator[Delta, None, None]:
        """Post `body` once and yield what the answer's events add."""
        settings, patience = self._settings, self._after_the_end
        timeout = settings.first_token_timeout
        ending = Ending(timeout, settings.idle_timeout, patience, whole=whole)
        response = send(
            call,
            settings,
            "/chat/completions",
            body,
            timeout=timeout,
            time_left=ending.time_left,
            failure_timeout=patience,
        )
        with closing(response):
            ending.responded()
            provider = body.get("provider") or ""
            yield from receive(call, response, ending, provider=provider, dialect=self._dialect)

    def _get(self, path: str) -> Any:
        """Return the JSON that the server answers to a GET."""
        with Call(self._connections) as call:
            return get_list(
                call,
                self._settings,
                path,
                timeout=self._list_timeout,
                failure_timeout=self._after_the_end,
            )


def _wait_before_retry(error: StatusError, tries: int) -> float | None:
    """Return the seconds to wait before asking again, or None if that would not help."""
    if error.status not in _TRY_AGAIN or quota_exhausted(error.message):
        return None
    if error.retry_after is not None:
        return error.retry_after if error.retry_after <= _LONGEST_WAIT else None
    # Clients that were refused at the same moment must not all come back at the same moment.
    return random.uniform(0.5, 1.0) * min(2.0**tries, _LONGEST_WAIT)
