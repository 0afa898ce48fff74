"""The order in which jobs go out."""

from __future__ import annotations

import math

import pytest

from copilot_magic.batch.job import Job
from copilot_magic.batch.queue import JobQueue


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the time, which the tests set."""
    now = [100.0]
    monkeypatch.setattr("copilot_magic.batch.queue.time.monotonic", lambda: now[0])
    return now


def job(key: str) -> Job:
    return Job(key, "", [0], 1)


@pytest.mark.usefixtures("clock")
def test_jobs_go_out_in_order_and_those_put_back_first() -> None:
    queue = JobQueue()
    queue.add(job("a"))
    queue.add(job("b"))
    queue.put_back(job("c"))
    assert queue.ready == len(queue) == 3
    assert [queue.pop().key for _ in range(3)] == ["c", "a", "b"]
    assert queue.first is None


def test_a_job_that_was_put_off_waits_for_its_time(clock: list[float]) -> None:
    queue = JobQueue()
    queue.put_off(job("late"), 10)
    queue.put_off(job("soon"), 5)
    queue.add(job("now"))
    assert queue.first is not None and queue.first.key == "now"
    assert queue.until_due() == 5 and len(queue) == 3 and queue.ready == 1
    clock[0] = 105
    assert queue.first.key == "soon" and queue.until_due() == 5
    clock[0] = 120
    assert queue.first.key == "late" and queue.until_due() == math.inf


@pytest.mark.usefixtures("clock")
def test_jobs_due_at_the_same_moment_do_not_clash() -> None:
    queue = JobQueue()
    for key in "abc":
        queue.put_off(job(key), 0)
    assert {queue.first and queue.pop().key for _ in range(3)} == {"a", "b", "c"}
    queue.add(job("d"))
    queue.put_off(job("e"), 5)
    queue.clear()
    assert len(queue) == 0
