"""The body of a request: made in one place, for the wire, the preview and the replay key."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ..chat.history import full_history, outgoing
from ..chat.prompt import Message, Options, Prompt
from ..chat.turn import Turn
from ..settings import Settings
from ..text import without_credentials
from .dialect import Dialect

__all__ = [
    "Request",
    "has_pictures",
    "make_request",
    "model_of",
    "providers_of",
    "request_body",
    "request_key",
]

# Fields that say who asks and how the answer travels, not what is asked.
_DELIVERY = frozenset({"conversation", "conversation_id", "stream", "stream_options"})


@dataclass(frozen=True)
class Request:
    """One request to one provider.

    Attributes:
        body: What is posted.
        thread: The server's thread that it continues, or the id of a new one.
        omitted: How many of the oldest turns were left out.
        size: Characters of text in the messages.
        undecided: It would be another one if the server were known to be gpt4free.
    """

    body: dict[str, Any]
    thread: str
    omitted: int
    size: int
    undecided: bool = False


def make_request(
    prompt: Prompt,
    turns: Sequence[Turn],
    *,
    system: str,
    conversation_id: str,
    settings: Settings,
    provider: str,
    dialect: Dialect,
    mask: Callable[[str], str] | None = None,
) -> Request:
    """Return the request that asks `prompt` after `turns`, as the server needs it.

    Args:
        prompt: What to ask.
        turns: The earlier turns of the conversation.
        system: The conversation's system message, or an empty string.
        conversation_id: The conversation's id.
        settings: The server, and the model if the prompt names none.
        provider: The provider to ask.
        dialect: What the server is known to need.
        mask: Masks secrets, also those of earlier turns; None sends every text as it is.
    """
    model = model_of(prompt.options, settings)
    out = outgoing(
        turns,
        prompt.content,
        system=system,
        server=without_credentials(settings.base_url),
        provider=provider,
        gpt4free=dialect.gpt4free,
        has_threads=dialect.has_threads,
        budget=dialect.budget(model),
    )
    body = request_body(
        messages=out.messages if mask is None else [_masked(m, mask) for m in out.messages],
        conversation_id=conversation_id,
        continuation=out.continuation,
        **{**_given(prompt.options, settings), "provider": provider},
        **_response_format(prompt),
    )
    return Request(dialect.adapt(body), out.thread, out.omitted, out.size, out.undecided)


def _masked(message: Message, mask: Callable[[str], str]) -> Message:
    """Return a message without secrets in its texts; pictures stay as they are."""
    content = message["content"]
    if isinstance(content, str):
        return {**message, "content": mask(content)}
    parts = [
        {**part, "text": mask(part["text"])} if part.get("type") == "text" else part
        for part in content
    ]
    return {**message, "content": parts}


def request_body(
    *,
    model: str,
    provider: str,
    messages: list[Message],
    conversation_id: str,
    continuation: Mapping[str, Any] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Return the body that gpt4free's reference client posts, plus the options that were given.

    Args:
        continuation: The ``conversation`` object of the server's last answer.
        **options: Further fields, such as ``temperature``.
    """
    body: dict[str, Any] = {
        "model": model,
        "provider": provider,
        "stream": True,
        "messages": messages,
        "conversation_id": conversation_id,
    }
    if continuation is not None:
        body["conversation"] = continuation
    return body | options


def request_key(prompt: Prompt, turns: Sequence[Turn], *, system: str, settings: Settings) -> str:
    """Return the SHA-256, in hexadecimal, of what is asked: all the words, model and options.

    Equal requests have equal keys in any process. Which conversation they belong to, and how much
    of the history the server has to be told, does not count.
    """
    body = request_body(
        messages=full_history(turns, prompt.content, system),
        conversation_id="",
        **{
            **_given(prompt.options, settings),
            "provider": providers_of(prompt.options, settings)[0],
        },
        **_response_format(prompt),
    )
    import hashlib

    asked = {name: value for name, value in body.items() if name not in _DELIVERY}
    canonical = json.dumps(asked, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def has_pictures(body: Mapping[str, Any]) -> bool:
    """Say whether there are pictures in a request, the earlier turns' included."""
    contents = [message.get("content") for message in body.get("messages", ())]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return any(part.get("type") == "image_url" for part in parts)


def _response_format(prompt: Prompt) -> dict[str, Any]:
    if prompt.schema is None:
        return {}
    return {"response_format": {"type": "json_schema", "json_schema": dict(prompt.schema)}}


def _given(options: Options, settings: Settings) -> dict[str, Any]:
    """Return the options that are given, by the prompt itself or by the settings."""
    of_settings = {option.name: getattr(settings, option.name) for option in fields(options)}
    return Options(**of_settings).given() | options.given()


def model_of(options: Options, settings: Settings) -> str:
    """Return the model to ask: the prompt's own, or that of the settings."""
    return settings.model if options.model is None else options.model


def providers_of(options: Options, settings: Settings) -> tuple[str, ...]:
    """Return the providers to ask, in their order: the prompt's own, or those of the settings."""
    return settings.asked_providers if options.provider is None else (options.provider,)
