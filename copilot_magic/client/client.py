"""The HTTP client: it posts a prompt and yields the answer the moment its bytes arrive."""

from __future__ import annotations

import json
import random
from collections.abc import Generator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import (
    BadRequestError,
    CutError,
    FirstTokenTimeoutError,
    MalformedAnswerError,
    NotFoundError,
    PromptError,
    SettingError,
    StatusError,
)
from ..settings import Settings, is_loopback
from ..text import one_line, without_credentials
from ..wire.chunks import Delta, Waiting
from ..wire.dialect import Dialect, without_extensions, without_schema
from ..wire.ending import Ending
from ..wire.failures import CHECK_BASE_URL, duration
from ..wire.reasons import (
    lacks_schemas,
    names_model,
    needs_model,
    quota_exhausted,
    refuses_fields,
    refuses_schema,
)
from ..wire.sse import MAX_EVENT_BYTES
from .connection import STOPPED, Call
from .reading import read_body
from .receiving import receive
from .sending import send

if TYPE_CHECKING:
    from requests import Response

__all__ = ["ChatClient"]

# 500 is not one of them: gpt4free answers it to what will fail again, such as a missing login.
_TRY_AGAIN = frozenset({408, 429, 502, 503, 504})
_LONGEST_WAIT = 60.0


class ChatClient:
    """A client of one chat-completions server; several threads may use it at once.

    Each prompt has its own connection, which ends with it: a server stops generating when the
    client goes away, and no prompt meets a connection that went stale since the last one.

    Args:
        settings: Where and how to ask; by default what the environment says.
        dialect: What the server is known to need; the client adds what it learns.
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
        self._calls: set[Call] = set()
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
        with Call(self._calls) as call:
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

    def models(self) -> list[str]:
        """Return the names of the models that the server offers.

        Raises:
            PromptError: The server was not reached, or did not name them.
        """
        return _names(self._get("/models"))

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
        self._dialect.gpt4free = _are_providers(listed)
        return _names(listed)

    def recognise(self) -> None:
        """Ask the server briefly whether it is gpt4free, and note that in the dialect.

        Without an answer it stays unknown; what is wrong will be seen when it is asked a prompt.
        """
        if self._dialect.gpt4free is not None or self.stopped:
            return
        seconds = self._recognise_timeout
        patience = min(self._settings.connect_timeout, seconds)
        settings = replace(self._settings, connect_timeout=patience)
        brief = ChatClient(settings, dialect=self._dialect, list_timeout=seconds)
        brief._calls = self._calls  # they end when this client's do
        with suppress(PromptError):
            brief.providers()

    def close(self) -> None:
        """End each answer that is on its way, in any thread; the client can be used again."""
        for call in list(self._calls):
            call.stop()

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
            f"The server wants a model to be named; it has {some}",
            f"Set model to one of them, such as {names[0]!r}",
            status=refusal.status,
            models=tuple(names),
        )

    def _answer(self, call: Call, body: dict[str, Any]) -> Generator[Delta, None, None]:
        """Post `body` once and yield what the answer's events add."""
        settings = self._settings
        provider = body.get("provider") or ""
        ending = Ending(settings.first_token_timeout, settings.idle_timeout, self._after_the_end)
        with closing(self._send(call, "/chat/completions", body, ending)) as response:
            yield from receive(call, response, ending, provider=provider, dialect=self._dialect)

    def _get(self, path: str) -> Any:
        """Return the JSON that the server answers to a GET."""
        with Call(self._calls) as call:
            try:
                with closing(self._send(call, path)) as response:
                    return json.loads(
                        read_body(call, response, self._list_timeout, MAX_EVENT_BYTES)
                    )
            except FirstTokenTimeoutError:
                raise FirstTokenTimeoutError(
                    f"The server did not answer {path} within {duration(self._list_timeout)}",
                    CHECK_BASE_URL,
                    seconds=self._list_timeout,
                ) from None
            except (ValueError, RecursionError):
                raise MalformedAnswerError(
                    f"The server answered {path} with something other than JSON", CHECK_BASE_URL
                ) from None

    def _send(
        self,
        call: Call,
        path: str,
        body: Mapping[str, Any] | None = None,
        ending: Ending | None = None,
    ) -> Response:
        timeout = self._list_timeout if ending is None else self._settings.first_token_timeout
        return send(
            call,
            self._settings,
            path,
            body,
            timeout=timeout,
            time_left=None if ending is None else ending.time_left,
            failure_timeout=self._after_the_end,
        )


def _names(listed: Any) -> list[str]:
    """Return the names in a list of models or of providers, in whichever form it is."""
    if isinstance(listed, dict):
        listed = listed.get("data") or listed.get("models")
    names = []
    for item in listed if isinstance(listed, list) else []:
        # gpt4free lists its providers among the models, too.
        if isinstance(item, dict) and item.get("provider") is not True:
            item = item.get("id") or item.get("name")
        if isinstance(item, str) and item:
            names.append(one_line(item))
    return names


def _are_providers(listed: Any) -> bool:
    """Say whether this is gpt4free's list of providers; other servers have other objects there."""
    return isinstance(listed, list) and any(
        isinstance(item, dict) and item.get("object") == "provider" for item in listed
    )


def _wait_before_retry(error: StatusError, tries: int) -> float | None:
    """Return the seconds to wait before asking again, or None if that would not help."""
    if error.status not in _TRY_AGAIN or quota_exhausted(error.message):
        return None
    if error.retry_after is not None:
        return error.retry_after if error.retry_after <= _LONGEST_WAIT else None
    # Clients that were refused at the same moment must not all come back at the same moment.
    return random.uniform(0.5, 1.0) * min(2.0**tries, _LONGEST_WAIT)
