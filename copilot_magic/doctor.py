"""The doctor: why a prompt gets no answer, found out step by step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from difflib import get_close_matches
from itertools import pairwise
from typing import NamedTuple

from .chat.turn import new_id
from .client.client import ChatClient
from .errors import (
    AnswerError,
    AuthenticationError,
    BadRequestError,
    ConnectError,
    ContextLengthError,
    CopilotError,
    FirstTokenTimeoutError,
    MalformedAnswerError,
    NotFoundError,
    PromptError,
    SettingError,
    UsageError,
)
from .settings import Settings
from .text import count_of, without_credentials
from .wire.chunks import Delta
from .wire.dialect import Dialect
from .wire.failures import retry_hint
from .wire.request import request_body

__all__ = ["Check", "diagnose"]

# Long enough to come in several pieces; after some of them the rest is not waited for.
_PROMPT = "Count from one to twenty in words."
_ENOUGH = 20
# Seconds between two deltas that cannot have come in one piece.
_APART = 0.001


class Check(NamedTuple):
    """What one step found.

    Attributes:
        name: What was looked at.
        message: What was found.
        problem: What is wrong, or None; its hint tells how to fix it.
    """

    name: str
    message: str
    problem: CopilotError | None = None


def diagnose(settings: Settings, dialect: Dialect | None = None) -> Iterator[Check]:
    """Yield what each step finds, up to the first problem: the later steps depend on it.

    The last step asks a short question, which the server may charge for.

    Args:
        settings: Whom to ask, and how.
        dialect: What the server is known to need; what the steps learn is added.
    """
    with ChatClient(settings, dialect=dialect) as client:
        for step in (_server, _providers, _model, _answer):
            for check in step(client):
                yield check
                if check.problem is not None:
                    return


def _failed(name: str, error: CopilotError) -> Check:
    return Check(name, error.message, error)


def _server(client: ChatClient) -> Iterator[Check]:
    """Check address, server, path and key by asking for the list of models."""
    reachable = f"reachable: {without_credentials(client.settings.base_url)}"
    listed = "it has no list of models"
    try:
        listed = f"it lists {count_of(len(client.models()), 'model')}"
    except UsageError as error:
        about_key = isinstance(error, SettingError) and error.setting == "get_api_key"
        yield _failed("API key" if about_key else "address", error)
        return
    except ConnectError as error:
        yield _failed("server", error)
        return
    except AuthenticationError as error:
        if error.local_model:
            yield _failed("server", error)
            return
        yield Check("server", reachable)
        yield _failed("API key", error)
        return
    except NotFoundError as error:
        # Not every server has a list. But an address that lacks /v1 is the likelier reason.
        if error.missing == "path" and error.suggestion:
            yield Check("server", reachable)
            yield _failed("path", error)
            return
    except FirstTokenTimeoutError:
        listed = "it is slow to list its models"
    except (BadRequestError, MalformedAnswerError):
        pass
    except CopilotError as error:
        yield _failed("server", error)
        return
    yield Check("server", f"{reachable}; {listed}")
    yield Check("API key", "sent with each request" if client.settings.api_key() else "none is set")


def _providers(client: ChatClient) -> Iterator[Check]:
    settings = client.settings
    known = _names(client.providers)
    if not known:
        yield Check("provider", "not a gpt4free server, so there is none to choose")
        return
    for provider in settings.asked_providers:
        if not provider:
            yield Check("provider", "the server's default")
        elif provider.startswith(("http://", "https://")):
            yield Check("provider", "an address, which gpt4free asks itself")
        elif provider in known:
            yield Check("provider", provider)
        else:
            yield _failed("provider", _unknown("provider", provider, known))


def _model(client: ChatClient) -> Iterator[Check]:
    model = client.settings.model
    known = _names(client.models)
    if not model:
        yield Check("model", "the server's default")
    elif not known or model in known:
        yield Check("model", model)
    elif _names(client.providers):
        yield Check("model", f"{model} is not in the server's list; the provider may know it")
    else:
        yield _failed("model", _unknown("model", model, known))


def _answer(client: ChatClient) -> Iterator[Check]:
    settings = client.settings
    body = request_body(
        model=settings.model,
        provider=settings.asked_providers[0],
        messages=[{"role": "user", "content": _PROMPT}],
        conversation_id=new_id(),
    )
    begun = time.monotonic()
    arrivals: list[float] = []
    try:
        with closing(client.stream(body)) as events:
            for event in events:
                if isinstance(event, Delta) and (event.content or event.reasoning):
                    arrivals.append(time.monotonic())
                    if len(arrivals) == _ENOUGH:
                        break
    except CopilotError as error:
        # What these advise is for a turn of a conversation, which this question is not.
        if isinstance(error, ContextLengthError) or error.hint in map(retry_hint, (False, True)):
            error.hint = "Try again; if that fails too, look into the server's log"
        yield _failed("answer", error)
        return
    yield Check("answer", f"it began after {arrivals[0] - begun:.1f} seconds")
    pieces = 1 + sum(later - earlier > _APART for earlier, later in pairwise(arrivals))
    if pieces > 1:
        yield Check("streaming", f"the answer came in {pieces} pieces")
        return
    what = "The server, or a proxy on the way to it, holds answers back until they are whole"
    if _names(client.providers):
        what = "Try another provider: this one, or a proxy on the way, holds the answer back"
    yield _failed("streaming", AnswerError("The answer came in one piece", what, begun=True))


def _names(ask: Callable[[], list[str]]) -> list[str]:
    try:
        return ask()
    except PromptError:
        return []


def _unknown(setting: str, wanted: str, known: list[str]) -> NotFoundError:
    """Return the error for a name that the server does not know; it suggests the closest one."""
    closest = (get_close_matches(wanted, known, n=1, cutoff=0.0) or known)[0]
    return NotFoundError(
        f"The server has no {setting} {wanted}",
        f"Set {setting} to {closest!r}, for example",
        missing=setting,
        suggestion=closest,
    )
