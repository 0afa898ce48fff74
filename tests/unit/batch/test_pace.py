"""The pace of a batch: what may go out when, under each limit and under all of them."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot_magic.batch.pace import Pace, Ticket


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(clock: Clock) -> Callable[..., Pace]:
    """Return what makes a pace on the clock, without jitter."""

    def start(max_in_flight: int = 8, **limits: Any) -> Pace:
        return Pace(max_in_flight=max_in_flight, clock=clock, jitter=lambda: 1.0, **limits)

    return start


Start = Callable[..., Pace]


def begun(pace: Pace, count: int, tokens: int = 10) -> list[Ticket]:
    return [pace.begin(tokens) for _ in range(count)]


# How many at once


def test_without_limits_as_many_go_out_at_once_as_may_be_on_their_way(start: Start) -> None:
    pace = start(3)
    tickets = []
    for _ in range(3):
        assert pace.delay(10) == 0.0
        tickets.append(pace.begin(10))
    assert pace.delay(10) == math.inf
    assert not pace.exhausted(10)
    pace.end(tickets[1], 20)
    assert (pace.delay(10), pace.in_flight) == (0.0, 2)


def test_a_prompt_ends_once(start: Start) -> None:
    pace = start()
    (ticket,) = begun(pace, 1)
    pace.end(ticket, 20)
    with pytest.raises(ValueError, match="ended already"):
        pace.refuse(ticket)
    assert (pace.in_flight, pace.spent()) == (0, 20)


# Requests a minute


def test_requests_are_evenly_spaced_and_never_catch_up(start: Start, clock: Clock) -> None:
    pace = start(requests_per_minute=30)
    assert pace.delay(10) == 0.0
    pace.begin(10)
    assert pace.delay(10) == 2.0
    clock.now += 1.5
    assert pace.delay(10) == 0.5
    clock.now += 100
    assert pace.delay(10) == 0.0
    pace.begin(10)
    assert pace.delay(10) == 2.0


def test_less_than_a_request_a_minute_is_possible(start: Start) -> None:
    pace = start(requests_per_minute=0.5)
    pace.begin(10)
    assert pace.delay(10) == 120.0


# Tokens a minute


def test_tokens_of_the_last_minute_leave_no_room_until_they_are_a_minute_old(
    start: Start, clock: Clock
) -> None:
    pace = start(tokens_per_minute=100, max_tokens=10)
    for _ in range(3):  # 30 tokens each
        assert pace.delay(20) == 0.0
        pace.end(pace.begin(20), 30)
        clock.now += 10
    assert pace.delay(0) == 0.0
    assert pace.delay(20) == 30.0
    assert pace.delay(60) == 40.0
    clock.now += 30
    assert pace.delay(20) == 0.0


def test_what_was_used_takes_the_place_of_the_estimate(start: Start) -> None:
    pace = start(tokens_per_minute=100, max_tokens=70)
    ticket = pace.begin(10)
    assert pace.delay(10) == math.inf
    pace.end(ticket, 15)
    assert pace.delay(10) == 0.0
    pace.end(pace.begin(10), None)  # the server did not say
    assert pace.delay(0) == 60.0
    assert pace.used == 95


def test_a_prompt_larger_than_the_limit_goes_out_alone(start: Start, clock: Clock) -> None:
    pace = start(tokens_per_minute=100, max_tokens=10)
    pace.end(pace.begin(10), 20)
    assert pace.delay(1000) == 60.0
    clock.now += 60
    assert pace.delay(1000) == 0.0
    ticket = pace.begin(1000)
    assert pace.delay(1) == math.inf
    clock.now += 90
    assert pace.delay(1) == math.inf  # it is still being answered
    pace.end(ticket, 1010)
    assert pace.delay(1) == 0.0


def test_prompts_that_took_nothing_leave_the_minute_empty(start: Start) -> None:
    pace = start(tokens_per_minute=100, max_tokens=10)
    for _ in range(3):
        pace.end(pace.begin(500), 0, failed=True)
    assert pace.delay(500) == 0.0


# Tokens altogether


def test_the_total_counts_what_is_reserved_and_tells_not_now_from_never(start: Start) -> None:
    pace = start(max_tokens_total=100, max_tokens=20)
    first, second = begun(pace, 2, 20)
    assert (pace.spent(), pace.used, pace.reserved) == (80, 0, 80)
    assert pace.delay(10) == math.inf
    assert not pace.exhausted(100)
    assert pace.exhausted(101)
    pace.end(first, 25)
    assert pace.delay(10) == 0.0
    assert pace.delay(20) == math.inf
    pace.end(second, 40)
    assert pace.spent() == 65
    assert not pace.exhausted(15)
    assert pace.delay(15) == 0.0
    assert pace.exhausted(16)
    assert pace.delay(16) == math.inf


def test_without_a_total_nothing_is_ever_exhausted(start: Start) -> None:
    pace = start()
    pace.end(pace.begin(10**9), 10**12)
    assert not pace.exhausted(10**9)


def test_a_small_total_allows_a_first_prompt_that_fits_although_answers_are_unknown(
    start: Start,
) -> None:
    pace = start(max_tokens_total=50)
    assert pace.delay(10) == 0.0
    ticket = pace.begin(10)
    assert pace.delay(10) == math.inf  # until the first answer has told how long they are
    pace.end(ticket, 15)
    assert pace.delay(10) == 0.0
    assert start(max_tokens_total=50).exhausted(51)


# The estimate


def test_the_estimate_is_the_mean_of_the_answers_so_far(start: Start) -> None:
    pace = start()
    unknown = pace.estimate(10)
    assert unknown > 100
    pace.end(pace.begin(10), 30)
    assert pace.estimate(10) == 30
    pace.end(pace.begin(100), 121)
    assert pace.estimate(10) == 31  # 20.5, rounded up
    pace.end(pace.begin(10), 0, failed=True)
    pace.end(pace.begin(10), None)
    assert pace.estimate(10) == 31
    pace.end(pace.begin(100), 60)  # the prompt was shorter than it seemed
    assert pace.estimate(10) == 24


def test_the_most_tokens_of_an_answer_are_reserved_if_they_are_known(start: Start) -> None:
    pace = start(max_tokens=50)
    pace.end(pace.begin(10), 11)
    assert pace.estimate(10) == 60


# Refusals


def test_a_refusal_pauses_everybody_for_as_long_as_the_server_says(
    start: Start, clock: Clock
) -> None:
    pace = start()
    tickets = begun(pace, 4)
    pace.refuse(tickets[0], 12.0)
    assert (pace.paused(), pace.spent() - pace.reserved) == (12.0, 0)
    pace.end(tickets[1], 20)
    pace.end(tickets[2], 20)
    assert pace.delay(10) == 12.0
    clock.now += 12
    assert (pace.delay(10), pace.paused()) == (0.0, 0.0)


@pytest.mark.parametrize("named", [None, 0.0, -5.0, math.nan, math.inf])
def test_refusals_that_name_no_time_wait_twice_as_long_each_time(
    start: Start, clock: Clock, named: float | None
) -> None:
    pace = start()
    waits = []
    for _ in range(1100):
        pace.refuse(pace.begin(10), named)
        waits.append(pace.delay(10))
        clock.now += waits[-1]
    assert waits[:6] == [1, 2, 4, 8, 16, 32]
    assert set(waits[6:]) == {60}


def test_the_wait_is_cut_by_chance_to_no_less_than_half(clock: Clock) -> None:
    pace = Pace(max_in_flight=8, clock=clock, jitter=lambda: 0.0)
    pace.refuse(pace.begin(10))
    assert pace.delay(10) == 0.5
    pace.refuse(pace.begin(10), 7.0)
    assert pace.delay(10) == 7.0


def test_after_a_refusal_half_as_many_as_were_on_their_way_may_be_so(start: Start) -> None:
    pace = start(8)
    tickets = begun(pace, 7)
    pace.refuse(tickets[0], 1.0)
    assert pace.allowed == 3
    pace.pause(0)
    for ticket in tickets[1:4]:
        pace.end(ticket, 20)
    assert pace.delay(10) == math.inf  # three are still on their way
    (last,) = begun(start(8), 1)
    alone = start(8)
    alone.refuse(alone.begin(10))
    assert alone.allowed == 1
    assert last.number == 0


def test_refusals_of_prompts_that_were_already_on_their_way_count_as_one(
    start: Start, clock: Clock
) -> None:
    pace = start(8)
    tickets = begun(pace, 8)
    for ticket in tickets[:5]:
        pace.refuse(ticket)
    assert (pace.allowed, pace.delay(10)) == (4, 1.0)
    pace.refuse(tickets[5], 30.0)  # but what the server says counts
    assert (pace.allowed, pace.delay(10)) == (4, 30.0)
    pace.refuse(tickets[6], 3.0)
    assert pace.delay(10) == 30.0
    clock.now += 30
    again = begun(pace, 3)
    pace.refuse(again[0])
    assert (pace.allowed, pace.paused()) == (2, 2.0)


def test_successes_let_the_limit_grow_slowly_to_where_it_was(start: Start) -> None:
    pace = start(4)
    tickets = begun(pace, 4)
    pace.refuse(tickets[0], 1.0)
    for ticket in tickets[1:]:
        pace.end(ticket, 20)  # they say nothing about the new limit
    grown = []
    for _ in range(12):
        pace.end(pace.begin(10), 20)
        grown.append(pace.allowed)
    assert grown == [2, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4]


def test_successes_before_a_refusal_do_not_count_after_it(start: Start) -> None:
    pace = start(8)
    for _ in range(2):
        tickets = begun(pace, 4)
        pace.refuse(tickets[0], 1.0)
        assert pace.allowed == 2
        for ticket in tickets[1:]:
            pace.end(ticket, 20)
        pace.end(pace.begin(10), 20)
        assert pace.allowed == 2


def test_failures_let_nothing_grow(start: Start) -> None:
    pace = start(4)
    tickets = begun(pace, 4)
    pace.refuse(tickets[0], 1.0)
    for _ in range(20):
        pace.end(pace.begin(10), 0, failed=True)
    assert pace.allowed == 2


def test_the_waits_begin_anew_once_an_answer_has_followed(start: Start, clock: Clock) -> None:
    pace = start(4)
    earlier = pace.begin(10)
    for wait in (1.0, 2.0):
        pace.refuse(pace.begin(10))
        assert pace.paused() == wait
        clock.now += wait
    pace.end(earlier, 20)  # it had begun before
    pace.refuse(pace.begin(10))
    assert pace.paused() == 4.0
    clock.now += 4
    pace.end(pace.begin(10), 20)
    pace.refuse(pace.begin(10))
    assert pace.paused() == 1.0


def test_a_pause_holds_for_everybody_and_a_shorter_one_does_not_end_it(
    start: Start, clock: Clock
) -> None:
    pace = start()
    pace.pause(5)
    pace.pause(1)
    assert pace.delay(10) == 5.0
    clock.now += 5
    assert pace.delay(10) == 0.0


# All of it together


@dataclass
class Asked:
    """One try of a prompt in a simulated batch."""

    ticket: Ticket
    began: float
    reserved: int
    took: int = 0
    ended: float = math.inf

    def tokens_at(self, now: float) -> int:
        """Return what it counts at that moment: as used, or as estimated while on its way."""
        if self.ended > now:
            return self.reserved
        return self.took if self.began + 60 > now else 0


@dataclass(frozen=True)
class Prompt:
    """What happens to one prompt: its size, its answer, how long it takes, how it ends."""

    tokens: int
    answer: int
    seconds: float
    outcome: str
    retry_after: float | None


@dataclass
class Simulation:
    """A batch on a clock of its own, asked as a coordinator does."""

    limits: dict[str, Any]
    clock: Clock = field(default_factory=Clock)
    asked: list[Asked] = field(default_factory=list)
    left: list[Prompt] = field(default_factory=list)
    paused_until: float = 0.0
    answers: int = 0

    def run(self, prompts: list[Prompt], chances: list[float]) -> None:
        jitter = iter(chances * 1000)
        pace = Pace(clock=self.clock, jitter=lambda: next(jitter), **self.limits)
        on_way: list[tuple[float, int, Asked, Prompt]] = []
        queue = list(prompts)
        turns = 0
        while queue or on_way:
            turns += 1
            assert turns < 50 * len(prompts) + 100, "it does not go on"
            if queue and pace.exhausted(queue[0].tokens) and not on_way:
                break
            delay = pace.delay(queue[0].tokens) if queue else math.inf
            if delay == 0.0:
                self.begin(pace, on_way, queue.pop(0))
                continue
            end = on_way[0][0] if on_way else math.inf
            assert min(end, self.clock.now + delay) < math.inf, "it waits for nothing"
            if end <= self.clock.now + delay:
                self.clock.now = end
                _, _, asked, prompt = heapq.heappop(on_way)
                self.end(pace, asked, prompt)
                if prompt.outcome == "refused":
                    queue.append(Prompt(prompt.tokens, prompt.answer, prompt.seconds, "", None))
            else:
                self.clock.now += delay
        self.left = queue
        assert pace.in_flight == pace.reserved == 0
        assert pace.used == sum(asked.took for asked in self.asked)

    def begin(self, pace: Pace, on_way: list[Any], prompt: Prompt) -> None:
        now = self.clock.now
        assert now >= self.paused_until
        estimate = pace.estimate(prompt.tokens)
        minute = sum(asked.tokens_at(now) for asked in self.asked)
        assert minute == 0 or minute + estimate <= self.limits["tokens_per_minute"]
        asked = Asked(pace.begin(prompt.tokens), now, estimate)
        self.asked.append(asked)
        heapq.heappush(on_way, (now + prompt.seconds, len(self.asked), asked, prompt))
        assert len(on_way) <= self.limits["max_in_flight"]
        total = self.limits["max_tokens_total"]
        knows_answers = self.answers or self.limits["max_tokens"] is not None
        if total is not None and (knows_answers or len(on_way) > 1):
            assert pace.spent() <= total

    def end(self, pace: Pace, asked: Asked, prompt: Prompt) -> None:
        asked.ended = self.clock.now
        if prompt.outcome == "refused":
            pace.refuse(asked.ticket, prompt.retry_after)
            wait = prompt.retry_after or 0
            self.paused_until = max(self.paused_until, self.clock.now + wait)
        elif prompt.outcome == "failed":
            pace.end(asked.ticket, 0, failed=True)
        else:
            self.answers += 1
            asked.took = prompt.tokens + prompt.answer
            pace.end(asked.ticket, asked.took)


PROMPTS = st.builds(
    Prompt,
    tokens=st.integers(0, 300),
    answer=st.integers(0, 300),
    seconds=st.floats(0, 100),
    outcome=st.sampled_from(["answered", "answered", "answered", "refused", "failed"]),
    retry_after=st.none() | st.floats(0, 100),
)
LIMITS = st.fixed_dictionaries(
    {
        "max_in_flight": st.integers(1, 10),
        "requests_per_minute": st.none() | st.floats(0.5, 600),
        "tokens_per_minute": st.sampled_from([math.inf, 100, 1000, 5000]),
        "max_tokens_total": st.none() | st.integers(0, 5000),
        "max_tokens": st.none() | st.integers(0, 300),
    }
)


@settings(max_examples=300, deadline=None)
@given(
    limits=LIMITS,
    prompts=st.lists(PROMPTS, max_size=60),
    chances=st.lists(st.floats(0, 1), min_size=1, max_size=5),
)
def test_in_any_batch_all_limits_hold_and_it_goes_on_to_the_end(
    limits: dict[str, Any], prompts: list[Prompt], chances: list[float]
) -> None:
    simulation = Simulation(limits)
    simulation.run(prompts, chances)
    moments = [asked.began for asked in simulation.asked]
    assert moments == sorted(moments)
    if limits["requests_per_minute"]:
        most = max(1, limits["requests_per_minute"])
        for first in moments:
            assert sum(first <= moment < first + 59.999999 for moment in moments) <= math.ceil(most)
    if limits["max_tokens_total"] is None:
        assert simulation.left == []
        tries = len(prompts) + sum(prompt.outcome == "refused" for prompt in prompts)
        assert len(simulation.asked) == tries


@settings(max_examples=100, deadline=None)
@given(
    limit=st.integers(50, 2000),
    sizes=st.lists(st.tuples(st.integers(0, 300), st.floats(0, 50)), max_size=60),
)
def test_with_true_estimates_no_minute_has_more_tokens_than_the_limit(
    limit: int, sizes: list[tuple[int, float]]
) -> None:
    limits = {
        "max_in_flight": 10,
        "requests_per_minute": None,
        "tokens_per_minute": limit,
        "max_tokens_total": None,
        "max_tokens": 20,
    }
    simulation = Simulation(limits)
    simulation.run([Prompt(size, 20, seconds, "", None) for size, seconds in sizes], [1.0])
    for first in simulation.asked:
        minute = [
            asked.took
            for asked in simulation.asked
            if first.began <= asked.began < first.began + 60
        ]
        assert sum(minute) <= limit or len(minute) == 1
