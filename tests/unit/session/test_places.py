"""The order of the prompts in a conversation: fair, and without a wait that never ends."""

from __future__ import annotations

import threading
from collections.abc import Callable

from copilot_magic.session.places import Place, Places


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def taken_by(places: Places, thread: threading.Thread, prompt: str = "") -> Place:
    place = places.place("talk", prompt)
    place.take(thread)
    return place


def waiting_thread() -> threading.Thread:
    """Return a thread that has not started."""
    return threading.Thread(target=lambda: None)


def test_each_waits_for_the_one_before_it_until_that_leaves() -> None:
    places = Places()
    first, second, third = (taken_by(places, waiting_thread()) for _ in range(3))
    assert (first.before(), second.before(), third.before()) == (None, first, second)
    second.leave()
    assert third.before() is first
    first.leave()
    assert third.before() is None


def test_other_conversations_do_not_wait() -> None:
    places = Places()
    taken_by(places, waiting_thread())
    other = places.place("another talk")
    other.take()
    assert other.before() is None


def test_the_prompts_of_a_thread_share_its_place() -> None:
    """The second try of a typed answer comes before a prompt that has waited for the first."""
    places = Places()
    mine, other = waiting_thread(), waiting_thread()
    first = taken_by(places, mine)
    waits = taken_by(places, other)
    again = taken_by(places, mine)
    assert again.before() is None
    first.leave()
    assert waits.before() is again
    again.leave()
    assert waits.before() is None


def test_a_thread_that_has_died_is_not_waited_for() -> None:
    places = Places()
    thread = in_thread(lambda: places.place("talk").take())
    thread.join()
    place = places.place("talk")
    place.take()
    assert place.before() is None


def test_taking_and_leaving_twice_changes_nothing() -> None:
    places = Places()
    first = taken_by(places, thread := waiting_thread())
    first.take(thread)
    second = taken_by(places, waiting_thread())
    first.leave()
    first.leave()
    assert second.before() is None


def test_whoever_sleeps_is_woken_when_one_leaves() -> None:
    places = Places()
    first = taken_by(places, waiting_thread())
    woken = threading.Event()

    def wait() -> None:
        with places.place("talk") as place:
            while place.before() is not None:
                place.sleep(3600)
        woken.set()

    thread = in_thread(wait)
    assert not woken.wait(0.2)
    first.leave()
    assert woken.wait(30)
    thread.join()


def test_waking_before_the_sleep_ends_that() -> None:
    place = Places().place("talk")
    place.wake()
    place.wake()
    place.sleep(3600)
