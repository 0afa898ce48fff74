"""What each failure means for a batch."""

from __future__ import annotations

import pytest

from copilot_magic.batch.policy import Verdict, retry_delay, verdict
from copilot_magic.errors import (
    AuthenticationError,
    BadRequestError,
    ContextLengthError,
    CutError,
    EmptyAnswerError,
    ErrorEventError,
    FirstTokenTimeoutError,
    IdleTimeoutError,
    MalformedAnswerError,
    NameResolutionError,
    NotFoundError,
    PromptError,
    RateLimitError,
    RefusedError,
    ServerError,
    StatusError,
    TypedAnswerError,
    WorkerError,
)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ServerError("500", status=500), Verdict.AGAIN),
        (ServerError("no login", status=500, login=True), Verdict.STOP),
        (ErrorEventError("failed"), Verdict.AGAIN),
        (ErrorEventError("no login", login=True), Verdict.STOP),
        (CutError("cut"), Verdict.AGAIN),
        (EmptyAnswerError("empty"), Verdict.AGAIN),
        (MalformedAnswerError("HTML"), Verdict.AGAIN),
        (FirstTokenTimeoutError("slow"), Verdict.AGAIN),
        (IdleTimeoutError("silent"), Verdict.AGAIN),
        (WorkerError("killed"), Verdict.AGAIN),
        (RateLimitError("429", status=429), Verdict.SLOW_DOWN),
        (RateLimitError("429", status=429, retry_after=30.0), Verdict.SLOW_DOWN),
        (RateLimitError("tomorrow", status=429, retry_after=80_000.0), Verdict.STOP),
        (RateLimitError("no money", status=429, quota_exhausted=True), Verdict.STOP),
        (RefusedError("nobody there"), Verdict.UNREACHABLE),
        (NameResolutionError("no such host"), Verdict.UNREACHABLE),
        (AuthenticationError("bad key", status=401), Verdict.STOP),
        (NotFoundError("no such model", status=404), Verdict.STOP),
        (BadRequestError("bad field", status=400), Verdict.GIVE_UP),
        (BadRequestError("name a model", status=400, models=("a", "b")), Verdict.STOP),
        (ContextLengthError("too long", status=413), Verdict.GIVE_UP),
        (TypedAnswerError("no int"), Verdict.GIVE_UP),
        (StatusError("redirect", status=302), Verdict.GIVE_UP),
        (PromptError("other"), Verdict.GIVE_UP),
    ],
    ids=lambda value: repr(value) if isinstance(value, PromptError) else value.name,
)
def test_each_failure_has_its_verdict(error: PromptError, expected: Verdict) -> None:
    assert verdict(error) is expected


def test_the_server_may_say_how_long_to_wait() -> None:
    assert retry_delay(ServerError("503", status=503, retry_after=7.5), 1) == 7.5


def test_otherwise_the_waits_grow_and_differ() -> None:
    delays = [[retry_delay(CutError("cut"), tries) for _ in range(50)] for tries in (1, 2, 3, 20)]
    for expected, found in zip((1, 2, 4, 60), delays, strict=True):
        assert all(expected / 2 <= delay <= expected for delay in found)
        assert len(set(found)) > 25
