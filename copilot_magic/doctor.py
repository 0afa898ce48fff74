"""Find out, step by step, why a prompt gets no answer, and say which command mends it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from typing import NamedTuple

from .chat.conversation import new_id
from .client.client import ChatClient, shown
from .errors import (
    AuthenticationError,
    BadRequestError,
    ConnectError,
    CopilotError,
    FirstTokenTimeoutError,
    MalformedAnswerError,
    NotFoundError,
    PromptError,
    UsageError,
)
from .settings import Settings
from .wire.chunks import Delta, request_body

__all__ = ["Check", "diagnose"]

# Long enough to come in several pieces; after some of them the rest is not waited for.
_PROMPT = "Count from one to twenty in words."
_ENOUGH = 20
# Seconds between two deltas that cannot have come in one piece.
_APART = 0.001


class Check(NamedTuple):
    """Hold what one step found.

    Attributes:
        name: What was looked at.
        ok: It is as it should be.
        message: What was found.
        mend: What to do about it, where it is not.
    """

    name: str
    ok: bool
    message: str
    mend: str = ""


def diagnose(settings: Settings) -> Iterator[Check]:
    """Yield what each step finds; what fails is the last, since the others rest on it.

    The last step asks a short question, which the server may charge for.
    """
    with ChatClient(settings) as client:
        for step in (_server, _providers, _model, _answer):
            for check in step(client):
                yield check
                if not check.ok:
                    return


def _failed(name: str, error: CopilotError) -> Check:
    return Check(name, False, error.message, error.hint)


def _server(client: ChatClient) -> Iterator[Check]:
    """Look at address, server, path and key by asking for the list of models."""
    where = shown(client.settings.base_url)
    listed = "it has no list of models"
    try:
        count = len(client.models())
        listed = f"it lists {count} model{'s' * (count != 1)}"
    except UsageError as error:
        yield _failed("address", error)
        return
    except ConnectError as error:
        yield _failed("server", error)
        return
    except AuthenticationError as error:
        yield Check("server", True, f"somebody answers at {where}")
        yield _failed("API key", error)
        return
    except NotFoundError as error:
        # Not every server has a list; but where the address lacks /v1, that is why.
        if "/v1" in error.hint:
            yield Check("server", True, f"somebody answers at {where}")
            yield _failed("path", error)
            return
    except FirstTokenTimeoutError:
        listed = "it takes its time to list its models"
    except (BadRequestError, MalformedAnswerError):
        pass
    except CopilotError as error:
        yield _failed("server", error)
        return
    yield Check("server", True, f"somebody answers at {where}; {listed}")
    yield Check("API key", True, "accepted" if client.settings.api_key() else "none is needed")


def _providers(client: ChatClient) -> Iterator[Check]:
    settings = client.settings
    known = _known(client.providers)
    if not known:
        yield Check("provider", True, "not a gpt4free server, so there is none to choose")
        return
    for provider in settings.asked_providers:
        if not provider:
            yield Check("provider", True, "the server's default")
        elif provider.startswith(("http://", "https://")):
            yield Check("provider", True, "an address that gpt4free asks in its turn")
        elif provider in known:
            yield Check("provider", True, provider)
        else:
            mend = _mend("provider", provider, known)
            yield Check("provider", False, f"the server knows no {provider}", mend)


def _model(client: ChatClient) -> Iterator[Check]:
    model = client.settings.model
    known = _known(client.models)
    if not model:
        yield Check("model", True, "the server's default")
    elif not known or model in known:
        yield Check("model", True, model)
    elif _known(client.providers):
        yield Check("model", True, f"{model} is not in the server's list; the provider may know it")
    else:
        yield Check("model", False, f"the server has no {model}", _mend("model", model, known))


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
        yield _failed("answer", error)
        return
    yield Check("answer", True, f"it began after {arrivals[0] - begun:.1f} seconds")
    pieces = 1 + sum(later - earlier > _APART for earlier, later in pairwise(arrivals))
    if pieces > 1:
        yield Check("streaming", True, f"{len(arrivals)} deltas came in {pieces} pieces")
    else:
        yield Check(
            "streaming",
            False,
            "the answer came in one piece",
            "The provider, or a proxy, holds it back; another may not: `%copilot providers`",
        )


def _known(names: Callable[[], list[str]]) -> list[str]:
    try:
        return names()
    except PromptError:
        return []


def _mend(setting: str, wanted: str, known: list[str]) -> str:
    """Return the command that chooses the known name that is most like the wanted one."""
    from difflib import get_close_matches

    closest = (get_close_matches(wanted, known, n=1, cutoff=0.0) or known)[0]
    return f"`%config CopilotMagics.{setting} = {closest!r}`, or another of `%copilot {setting}s`"
