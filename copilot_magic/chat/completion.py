"""A whole answer to one prompt outside any conversation, as batches ask them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Completion"]


@dataclass(frozen=True)
class Completion:
    """An answer as the server gave it, in one piece.

    Attributes:
        content: The text of the answer.
        reasoning: What the model thought aloud.
        finish_reason: As the server said: ``stop``, ``length``, …, or None.
        usage: Token counts as the server sent them, or None.
        model: The model that answered, or an empty string.
        provider: The provider that answered, or an empty string.
        elapsed: Seconds from sending the request to the end of the answer.
    """

    content: str
    reasoning: str = ""
    finish_reason: str | None = None
    usage: Mapping[str, Any] | None = None
    model: str = ""
    provider: str = ""
    elapsed: float = 0.0
