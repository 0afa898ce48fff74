"""The chat-completions protocol: request bodies, and what a chunk of the answer says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Delta", "Waiting"]


@dataclass(frozen=True)
class Delta:
    """Hold what one event of the stream adds.

    Attributes:
        content: Text of the answer.
        reasoning: Text the model thinks aloud, not part of the answer.
        finish_reason: Why the answer ended, on the chunk that ends it.
        usage: Token counts.
        conversation: gpt4free's object that continues this conversation.
        model: The model that answers, where the server says so.
        provider: The provider that answers, where the server says so.
        error: The server's message, where it failed.
    """

    content: str = ""
    reasoning: str = ""
    finish_reason: str | None = None
    usage: Mapping[str, Any] | None = None
    conversation: Mapping[str, Any] | None = None
    model: str | None = None
    provider: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Waiting:
    """Announce a wait before the next try; the view shows it, nothing is received meanwhile.

    Attributes:
        seconds: How long, at the most.
        reason: Why, in a few words: ``"429: too many requests"``.
    """

    seconds: float
    reason: str
