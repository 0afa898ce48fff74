"""What a failure means for a batch: ask again, wait, give up this row, or stop altogether."""

from __future__ import annotations

import random
from enum import Enum

from ..errors import (
    AnswerError,
    AuthenticationError,
    BadRequestError,
    ConnectError,
    ErrorEventError,
    FirstTokenTimeoutError,
    IdleTimeoutError,
    NotFoundError,
    PromptError,
    RateLimitError,
    ServerError,
    StatusError,
    TypedAnswerError,
    WorkerError,
)

__all__ = ["MAX_REFUSALS", "Verdict", "retry_delay", "verdict"]

MAX_REFUSALS = 10
"""How often a prompt may be refused as one too many (429) before it is given up."""

# Longest ``Retry-After``, in seconds, that a batch waits for.
_LONGEST_WAIT = 600.0
_LONGEST_DELAY = 60.0


class Verdict(Enum):
    """What to do about a prompt that failed."""

    AGAIN = "ask it again, if it has tries left"
    SLOW_DOWN = "all wait, then ask it again"
    UNREACHABLE = "all wait, then ask it again, if it has tries left; else stop"
    GIVE_UP = "leave it without an answer"
    STOP = "stop: every other prompt would fail in the same way"


def verdict(error: PromptError) -> Verdict:
    """Return what to do about a prompt that failed with `error`.

    A 500 is worth another try here: of thousands of answers some fail for reasons that pass.
    """
    if isinstance(error, RateLimitError):
        too_long = error.retry_after is not None and error.retry_after > _LONGEST_WAIT
        return Verdict.STOP if error.quota_exhausted or too_long else Verdict.SLOW_DOWN
    if isinstance(error, ConnectError):
        return Verdict.UNREACHABLE
    if isinstance(error, (AuthenticationError, NotFoundError)):
        return Verdict.STOP
    if isinstance(error, BadRequestError):
        return Verdict.STOP if error.models else Verdict.GIVE_UP
    if isinstance(error, (ServerError, ErrorEventError)):
        return Verdict.STOP if error.login else Verdict.AGAIN
    if isinstance(error, TypedAnswerError):
        return Verdict.GIVE_UP
    passing = (AnswerError, FirstTokenTimeoutError, IdleTimeoutError, WorkerError)
    if isinstance(error, passing):
        return Verdict.AGAIN
    return Verdict.GIVE_UP


def retry_delay(error: PromptError, tries: int) -> float:
    """Return the seconds to wait before a prompt is asked again, after `tries` failures."""
    asked = error.retry_after if isinstance(error, StatusError) else None
    if asked is not None:
        return min(asked, _LONGEST_WAIT)
    # Prompts that failed at the same moment must not all come back at the same moment.
    return random.uniform(0.5, 1.0) * min(2.0 ** (tries - 1), _LONGEST_DELAY)
