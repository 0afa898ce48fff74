"""How an answer ends: whole, cut, empty or fallen silent; and how long its next piece may take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from ..errors import (
    CutError,
    EmptyAnswerError,
    FirstTokenTimeoutError,
    IdleTimeoutError,
    PromptError,
)
from .chunks import Delta
from .failures import duration, not_a_completion, retry_hint

__all__ = ["Ending", "no_first_token"]

# How often what has arrived by a deadline is read after it. It is in the socket's buffer if the
# machine was asleep, for example; a stream of keep-alives would never end, though.
_OVERDUE_READS = 100


class Ending:
    """The state of an arriving answer: what decides how it ends, and how long to wait for more.

    Args:
        first_token_timeout: Seconds until the first token, from the first call of `time_left` on.
        idle_timeout: Seconds that the answer may pause.
        after_the_end: Seconds to wait for what follows the finish reason: ``[DONE]``, the usage.
        clock: The time in seconds; tests have their own.
        whole: The answer is asked for, and handed over, in one piece.

    Attributes:
        begun: A token arrived, of the answer or of its reasoning.
        answered: Some of the answer arrived that is not white space.
        thought: Some of the reasoning arrived that is not white space.
        finish_reason: Why the answer ended, as the server said.
        in_one_piece: The body is one piece of JSON, not a stream.
        body_ended: The body has ended, one way or another.
        broken: Why the body could not be read to its end, or is no answer; None if it ended as
            HTTP says that a body ends.
    """

    def __init__(
        self,
        first_token_timeout: float,
        idle_timeout: float,
        after_the_end: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        whole: bool = False,
    ) -> None:
        self.begun = self.answered = self.thought = False
        self.in_one_piece = self.body_ended = False
        self.finish_reason: str | None = None
        self.broken: PromptError | None = None
        self._first_token_timeout = first_token_timeout
        self._idle_timeout = idle_timeout
        self._after_the_end = after_the_end
        self._clock = clock
        self._whole = whole
        self._longest_silence = math.inf
        self._patience = first_token_timeout
        self._fresh = True  # the clock is to be restarted when `time_left` is asked next
        self._deadline = 0.0
        self._overdue = 0

    @property
    def kept(self) -> bool:
        """Say whether part of the answer was handed over, so that it is kept."""
        return self.begun and not self._whole

    def responded(self) -> None:
        """Record that the response's headers arrived, which may come before the answer is there.

        A server that was asked for an answer in one piece has it when it sends them. What follows
        need only keep arriving; some servers send white space until the answer is there, though,
        which they may do for as long as they might have been silent.
        """
        if self._whole:
            self._longest_silence = self._idle_timeout
            self._fresh = True

    def note(self, delta: Delta) -> None:
        """Record what one event adds."""
        if delta.content or delta.reasoning:
            self._fresh = True
            if not self.begun:
                self.begun = True
                self._patience = self._idle_timeout
            if not self.answered:
                self.answered = bool(delta.content.strip())
                self.thought = self.thought or bool(delta.reasoning.strip())
        if delta.finish_reason:
            self.finish_reason = delta.finish_reason
            self._fresh = True
            self._patience = min(self._idle_timeout, self._after_the_end)

    def time_left(self) -> float:
        """Return the seconds that the next piece may take, always more than 0.

        After a token, the clock starts when we next wait, so a slow consumer costs nothing. A
        keep-alive does not restart it. What has arrived by the deadline may still be read.

        Raises:
            TimeoutError: The time is up, although something keeps arriving.
        """
        now = self._clock()
        if self._fresh:
            self._fresh = False
            self._overdue = 0
            self._deadline = now + self._patience
            return min(self._patience, self._longest_silence)
        left = self._deadline - now
        if left > 0:
            return min(left, self._longest_silence)
        self._overdue += 1
        if self._overdue > _OVERDUE_READS:
            raise TimeoutError
        return 0.001

    def fell_silent(self) -> None:
        """Record that the next piece did not arrive in time."""
        in_time = self._longest_silence < math.inf and self._clock() < self._deadline
        if not self.begun and not in_time:
            self.broken = no_first_token(self._first_token_timeout)
            return
        self.broken = IdleTimeoutError(
            f"The answer stopped for {duration(self._idle_timeout)}",
            retry_hint(self.kept),
            seconds=self._idle_timeout,
            begun=self.kept,
        )

    def cut(self, reason: str = "") -> None:
        """Record that the body broke off; by default because the connection broke."""
        self.broken = self.cut_error(reason)

    def error(self, done: bool) -> PromptError | None:
        """Return the error for an answer that is not whole, or None if it is.

        Args:
            done: The server said ``[DONE]``.
        """
        whole = self.in_one_piece and self.answered
        if not (done or whole or self.finish_reason is not None) and self.broken is not None:
            return self.broken
        if self.answered or self.thought:
            return None
        if self.in_one_piece and self.finish_reason is None:
            return not_a_completion("JSON of another kind")
        if self.finish_reason in ("tool_calls", "function_call"):
            what = "The model asked for a tool instead of answering, and it has none here"
        else:
            why = f" ({self.finish_reason})" if self.finish_reason not in (None, "stop") else ""
            what = f"The answer was empty{why}"
        return EmptyAnswerError(what, "Ask again, or ask another model or provider")

    def notes(self, done: bool) -> tuple[str, ...]:
        """Return what a reader should know about an answer for which `error` returns None.

        Args:
            done: The server said ``[DONE]``.
        """
        notes = []
        if not (done or self.in_one_piece or self.finish_reason is not None):
            notes.append("the server did not say that this is all of the answer")
        if not self.answered:
            notes.append("the model only thought aloud and gave no answer")
        return tuple(notes)

    def cut_error(self, reason: str = "") -> CutError:
        """Return the error for a body that broke off; by default because the connection broke."""
        reason = reason or "The connection broke before the end of the answer"
        return CutError(reason, retry_hint(self.kept), begun=self.kept)


def no_first_token(seconds: float) -> FirstTokenTimeoutError:
    """Return the error for an answer that did not begin within `seconds`."""
    return FirstTokenTimeoutError(
        f"No answer began within {duration(seconds)}",
        "Log in, if the server waits for that in its browser, or raise first_token_timeout",
        seconds=seconds,
    )
