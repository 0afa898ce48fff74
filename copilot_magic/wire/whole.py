"""An answer in one piece instead of a stream: how to ask for it, and what its events add up to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..chat.completion import Completion
from .chunks import Delta

__all__ = ["completion_of", "in_one_piece"]


def in_one_piece(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request for the same answer in one piece."""
    whole = {**body, "stream": False}
    # Servers refuse it if nothing is to be streamed.
    whole.pop("stream_options", None)
    return whole


def completion_of(
    deltas: Iterable[Delta], clock: Callable[[], float] = time.monotonic
) -> Completion:
    """Return the answer that `deltas` add up to.

    Args:
        deltas: What each event adds; nothing is sent before the first is asked for.
        clock: The time in seconds; tests have their own.
    """
    begun = clock()
    content: list[str] = []
    reasoning: list[str] = []
    finish_reason = usage = None
    model = provider = ""
    for delta in deltas:
        content.append(delta.content)
        reasoning.append(delta.reasoning)
        finish_reason = delta.finish_reason or finish_reason
        usage = delta.usage or usage
        model = delta.model or model
        provider = delta.provider or provider
    return Completion(
        content="".join(content),
        reasoning="".join(reasoning),
        finish_reason=finish_reason,
        usage=usage,
        model=model,
        provider=provider,
        elapsed=clock() - begun,
    )
