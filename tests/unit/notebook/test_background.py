"""The jobs of a notebook: started in order, stopped by conversation or by cell, ended with it."""

from __future__ import annotations

import atexit
import os
import threading
from typing import Any

import pytest
from asking import ask

from copilot_magic.notebook.background import Background, Job
from copilot_magic.session.session import Session
from copilot_magic.settings import Settings

SETTINGS = Settings(base_url="http://127.0.0.1:9/v1", store=None)


class Jobs:
    """Jobs that wait until they are stopped."""

    def __init__(self, background: Background) -> None:
        self.session = Session(SETTINGS)
        self.background = background
        self.ended: list[str] = []

    def start(self, name: str, cell: tuple[str, int] = ("", 1)) -> Job:
        """Start a job in the conversation `name`."""
        conversation = self.session.library.find_or_add(name)
        job = Job(ask(self.session, name, conversation=conversation), name, cell)
        place = self.session.library.places.place(conversation.conversation_id)

        def work() -> None:
            while not job.cancelled:
                place.sleep(0.01)
            self.background.remove(job)
            self.ended.append(name)

        self.background.start(job, place, work)
        return job


@pytest.fixture
def jobs() -> Jobs:
    return Jobs(Background(None))


def test_what_is_on_its_way_is_listed_in_the_order_of_asking(jobs: Jobs) -> None:
    started = [jobs.start(name) for name in ("b", "a")]
    assert jobs.background.jobs == started
    assert str(started[0]) == "“b” in b, 0 s, 0 characters"
    jobs.background.close()
    assert jobs.background.jobs == []


def test_the_place_is_taken_before_the_thread_runs_and_left_when_it_ends(jobs: Jobs) -> None:
    first = jobs.start("a")
    mine = jobs.session.library.places.place(first.exchange.conversation.conversation_id)
    with mine:
        assert mine.before() is not None
        jobs.background.cancel()
        assert mine.before() is None


def test_one_conversation_is_stopped_or_all(jobs: Jobs) -> None:
    first, second = jobs.start("a"), jobs.start("b")
    assert jobs.background.cancel(second.exchange.conversation.conversation_id) == [second]
    assert jobs.ended == ["b"]
    assert jobs.background.cancel() == [first]
    assert jobs.ended == ["b", "a"]


def test_another_run_of_a_cell_stops_what_it_asked_before(jobs: Jobs) -> None:
    """All that it asked then, and nothing that it asks now."""
    old = [jobs.start("a", ("c1", 1)), jobs.start("b", ("c1", 1))]
    now, other, unknown = (
        jobs.start(name, cell)
        for name, cell in (("c", ("c1", 2)), ("d", ("c2", 1)), ("e", ("", 1)))
    )
    jobs.background.cancel_earlier_run("c1", 2)
    assert jobs.background.jobs == [now, other, unknown]
    assert all(job.cancelled for job in old)
    jobs.background.cancel_earlier_run("", 2)
    assert jobs.background.jobs == [now, other, unknown]
    jobs.background.close()


def test_an_exchange_that_begins_after_the_stop_is_stopped(jobs: Jobs) -> None:
    job = jobs.start("a")
    job.cancel()
    again = ask(jobs.session, "again")
    job.use(again)
    assert list(again) == []
    assert job.exchange is again
    jobs.background.close()


def test_the_interpreter_s_exit_ends_what_is_on_its_way_and_only_that(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered: list[Any] = []
    monkeypatch.setattr(atexit, "register", registered.append)
    monkeypatch.setattr(atexit, "unregister", registered.remove)
    jobs.start("a")
    job = jobs.start("b")
    assert registered == [jobs.background.close]
    monkeypatch.setattr(atexit, "unregister", lambda call: None)
    registered[0]()
    assert not job.thread.is_alive() and jobs.background.jobs == []


def test_a_forked_child_leaves_the_parents_answers_alone(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = jobs.start("a")
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        jobs.background.close()
        jobs.session.close()
    assert not job.cancelled
    jobs.background.close()


def test_a_thread_that_hangs_holds_up_the_end_only_for_so_long() -> None:
    jobs = Jobs(Background(None, patience=0.05))
    conversation = jobs.session.library.find_or_add("a")
    job = Job(ask(jobs.session, "a", conversation=conversation), "a", ("", 1))
    hangs = threading.Event()
    place = jobs.session.library.places.place(conversation.conversation_id)
    jobs.background.start(job, place, lambda: (hangs.wait(30), jobs.background.remove(job)))
    jobs.background.close()
    assert job.thread.is_alive()
    hangs.set()
    job.thread.join(30)
