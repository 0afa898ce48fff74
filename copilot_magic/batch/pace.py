"""When the next prompt of a batch may go out: the limits that hold over all its workers."""

from __future__ import annotations

import math
import random
import time
from collections import deque
from collections.abc import Callable

__all__ = ["Pace", "Ticket"]

_MINUTE = 60.0

# Tokens that an answer is expected to take, until the first answers are there.
_FIRST_GUESS = 500

# Seconds to wait after a refusal that does not say how long; twice as long after each further one.
_FIRST_WAIT = 1.0
_LONGEST_WAIT = 60.0
_DOUBLINGS = 6


class Ticket:
    """A prompt on its way, or one of the last minute.

    Attributes:
        number: How many have begun before it.
        begun: When it began, by the clock of its `Pace`.
        prompt: The tokens of what is asked, as estimated.
        tokens: The tokens it took; as long as it is on its way, an estimate.
        on_its_way: Whether it has not ended yet.
    """

    __slots__ = ("begun", "in_window", "number", "on_its_way", "prompt", "tokens")

    def __init__(self, number: int, begun: float, prompt: int, tokens: int) -> None:
        self.number = number
        self.begun = begun
        self.prompt = prompt
        self.tokens = tokens
        self.on_its_way = True
        self.in_window = False


class Pace:
    """When the next prompt may go out, for all workers of a batch together.

    It only counts and never sleeps: ask `delay`, wait for so long or until a prompt ends, and ask
    again; then `begin`, and later `end` or `refuse`. One thread uses it.

    Args:
        max_in_flight: The most prompts that are on their way at once.
        requests_per_minute: The most prompts that begin within a minute; they are evenly spaced.
        tokens_per_minute: The most tokens, prompts' and answers', within a minute. A prompt that
            is larger than this goes out alone.
        max_tokens_total: The most tokens altogether.
        max_tokens: The most tokens of an answer, if the prompts say so. So much is reserved for
            each; otherwise it is the mean of the answers so far.
        clock: Returns seconds that never go back.
        jitter: Returns a random number from 0 to 1.

    Attributes:
        allowed: How many prompts may be on their way at once now: fewer after a refusal.
        used: The tokens of all prompts that have ended.
        reserved: The tokens that are reserved for prompts on their way.
        in_flight: How many prompts are on their way.
    """

    def __init__(
        self,
        *,
        max_in_flight: int,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        max_tokens_total: int | None = None,
        max_tokens: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._max_in_flight = max_in_flight
        self._spacing = _MINUTE / requests_per_minute if requests_per_minute else 0.0
        self._tokens_per_minute = math.inf if tokens_per_minute is None else tokens_per_minute
        self._max_tokens_total = math.inf if max_tokens_total is None else max_tokens_total
        self._max_tokens = max_tokens
        self._clock = clock
        self._jitter = jitter
        self.allowed = max_in_flight
        self.in_flight = self.used = self.reserved = 0
        self._begun = 0
        self._next_request = self._paused_until = -math.inf
        # What has begun in the last minute, and the tokens of that and of all on their way.
        self._window: deque[Ticket] = deque()
        self._recent = 0
        self._answers = self._answer_tokens = 0
        # What begins from this number on tells how the server bears what is allowed now.
        self._first_after_refusal = 0
        self._refusals = self._successes = 0

    def delay(self, tokens: int) -> float:
        """Return the seconds until a prompt of about `tokens` may go out.

        It is 0.0 if it may go out now, and infinite if only the end of one that is on its way can
        allow it, or if nothing can: see `exhausted`.
        """
        if self.in_flight >= self.allowed or self._is_over_total(tokens):
            return math.inf
        now = self._clock()
        soonest = max(self._paused_until, self._next_request)
        return max(0.0, soonest - now, self._wait_for_tokens(tokens, now))

    def exhausted(self, tokens: int) -> bool:
        """Say whether `max_tokens_total` will never allow a prompt of about `tokens`.

        As long as others are on their way, their answers may turn out shorter than estimated.
        """
        if self.in_flight:
            return self.used + tokens > self._max_tokens_total
        return self._is_over_total(tokens)

    def spent(self) -> int:
        """Return the tokens used so far, with those reserved for prompts on their way."""
        return self.used + self.reserved

    def estimate(self, tokens: int) -> int:
        """Return about how many tokens a prompt of about `tokens` takes with its answer."""
        if self._max_tokens is not None:
            return tokens + self._max_tokens
        if self._answers:
            return tokens + math.ceil(self._answer_tokens / self._answers)
        return tokens + _FIRST_GUESS

    def paused(self) -> float:
        """Return for how many seconds nothing may go out after `refuse` or `pause`."""
        return max(0.0, self._paused_until - self._clock())

    def begin(self, tokens: int) -> Ticket:
        """Record that a prompt of about `tokens` goes out, and reserve what it may take."""
        now = self._clock()
        ticket = Ticket(self._begun, now, tokens, self.estimate(tokens))
        self._begun += 1
        self.in_flight += 1
        self.reserved += ticket.tokens
        self._next_request = now + self._spacing
        if self._tokens_per_minute < math.inf:
            ticket.in_window = True
            self._window.append(ticket)
            self._recent += ticket.tokens
        return ticket

    def end(self, ticket: Ticket, used: int | None, *, failed: bool = False) -> None:
        """Record that a prompt has ended.

        Args:
            ticket: What `begin` returned for it.
            used: The tokens it took with its answer; None leaves it at the estimate.
            failed: Whether there was no answer.
        """
        self._settle(ticket, used)
        if failed:
            return
        if used is not None:
            self._answers += 1
            self._answer_tokens += max(0, used - ticket.prompt)
        if ticket.number >= self._first_after_refusal:
            self._refusals = 0
            self._grow()

    def refuse(self, ticket: Ticket, retry_after: float | None = None) -> None:
        """End a prompt that the server refused because there were too many (HTTP 429).

        Everybody pauses, and from then on at most half as many as were on their way may be so at
        once. Refusals of prompts that had begun before an earlier refusal count as that one.

        Args:
            ticket: What `begin` returned for it.
            retry_after: The seconds that the server asked to wait, if it did.
        """
        were_in_flight = self.in_flight
        self._settle(ticket, 0)
        wait = 0.0
        if ticket.number >= self._first_after_refusal:
            self._first_after_refusal = self._begun
            self.allowed = max(1, were_in_flight // 2)
            self._successes = 0
            wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(self._refusals, _DOUBLINGS))
            wait *= 0.5 + self._jitter() / 2
            self._refusals += 1
        if retry_after is not None and 0 < retry_after < math.inf:
            wait = retry_after
        self.pause(wait)

    def pause(self, seconds: float) -> None:
        """Let nothing go out for so long; a longer pause that is in force already stays."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def _settle(self, ticket: Ticket, used: int | None) -> None:
        """End a prompt, and replace the estimate by what it took."""
        if not ticket.on_its_way:
            raise ValueError("this prompt has ended already")
        took = ticket.tokens if used is None else max(0, used)
        self.in_flight -= 1
        self.reserved -= ticket.tokens
        self.used += took
        if self._tokens_per_minute < math.inf:
            # What began more than a minute ago counts only as long as it is on its way.
            self._recent += (took if ticket.in_window else 0) - ticket.tokens
        ticket.tokens, ticket.on_its_way = took, False

    def _grow(self) -> None:
        """Allow one prompt more at once, after as many successes as are allowed now."""
        self._successes += 1
        if self._successes >= self.allowed:
            self.allowed = min(self.allowed + 1, self._max_in_flight)
            self._successes = 0

    def _is_over_total(self, tokens: int) -> bool:
        """Say whether the total does not allow a prompt, given what is reserved now."""
        knows_answers = self._answers or self._max_tokens is not None
        # A guess must not prevent the very first prompt.
        needed = self.estimate(tokens) if self.in_flight or knows_answers else tokens
        return self.spent() + needed > self._max_tokens_total

    def _wait_for_tokens(self, tokens: int, now: float) -> float:
        """Return the seconds until the minute has room for a prompt; infinite as for `delay`."""
        if self._tokens_per_minute == math.inf:
            return 0.0
        self._leave_behind(now)
        left, room = self._recent, self._tokens_per_minute - self.estimate(tokens)
        if left <= max(0, room):
            return 0.0
        for ticket in self._window:
            if not ticket.on_its_way:
                left -= ticket.tokens
                if left <= max(0, room):
                    return ticket.begun + _MINUTE - now
        return math.inf

    def _leave_behind(self, now: float) -> None:
        """Take what began more than a minute ago out of the window."""
        while self._window and self._window[0].begun + _MINUTE <= now:
            ticket = self._window.popleft()
            ticket.in_window = False
            if not ticket.on_its_way:
                self._recent -= ticket.tokens
