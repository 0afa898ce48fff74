"""The growing answers' timer: when it writes, what it writes, and how it fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest
from store_helpers import until

from copilot_magic.errors import StoreError
from copilot_magic.store.growth import Growth, Key, Text

ONE, TWO = ("talk", "one"), ("talk", "two")


@contextmanager
def growing(write: Callable[[Mapping[Key, Text]], None], interval: float) -> Iterator[Growth]:
    """Yield a Growth that hands its pending texts to `write`, and stop its timer at the end."""

    def write_pending() -> Mapping[Key, Text]:
        texts = growth.pending()
        write(texts)
        return texts

    growth = Growth(write_pending, interval)
    try:
        yield growth
    finally:
        for key in growth.pending():
            growth.drop(key)
        growth.close()


def fail(texts: Mapping[Key, Text]) -> None:
    raise StoreError("the disk is full")


def test_the_newest_texts_of_all_answers_are_written_once_an_interval() -> None:
    writes: list[Mapping[Key, Text]] = []
    with growing(writes.append, 0.1) as growth:
        growth.put(ONE, ("Once", ""))
        growth.put(TWO, ("Two", ""))
        growth.put(ONE, ("Once upon", "Hm."))
        until(lambda: bool(writes))
        assert writes == [{ONE: ("Once upon", "Hm."), TWO: ("Two", "")}]
        until(lambda: not growth.pending())
        growth.put(ONE, ("Once upon a time", "Hm."))
        until(lambda: len(writes) == 2)
        assert writes[1] == {ONE: ("Once upon a time", "Hm.")}


def test_a_text_that_changes_during_a_write_is_written_by_the_next() -> None:
    writes: list[Mapping[Key, Text]] = []
    begun, finish = threading.Event(), threading.Event()

    def write(texts: Mapping[Key, Text]) -> None:
        begun.set()
        assert finish.wait(60)
        writes.append(texts)

    with growing(write, 0.001) as growth:
        growth.put(ONE, ("Once", ""))
        assert begun.wait(60)
        growth.put(ONE, ("Once upon", ""))
        finish.set()
        until(lambda: len(writes) == 2)
    assert writes == [{ONE: ("Once", "")}, {ONE: ("Once upon", "")}]


def test_a_dropped_text_is_not_written() -> None:
    writes: list[Mapping[Key, Text]] = []
    with growing(writes.append, 60) as growth:
        growth.put(ONE, ("Once", ""))
        growth.put(TWO, ("Two", ""))
        growth.drop(ONE)
        growth.flush()
    assert writes == [{TWO: ("Two", "")}]


def test_closing_writes_at_once_and_a_later_text_is_written_in_time_again() -> None:
    writes: list[Mapping[Key, Text]] = []
    with growing(writes.append, 60) as growth:
        growth.put(ONE, ("Once", ""))
        growth.close()
        assert writes == [{ONE: ("Once", "")}]
    with growing(writes.append, 0.001) as growth:
        growth.close()
        growth.put(ONE, ("Once upon", ""))
        until(lambda: len(writes) == 2)


def test_a_write_that_failed_is_reported_by_the_next_text_and_once() -> None:
    writes: list[Mapping[Key, Text]] = []

    def write(texts: Mapping[Key, Text]) -> None:
        writes.append(texts)
        if len(writes) == 1:
            fail(texts)

    with growing(write, 0.001) as growth:
        growth.put(ONE, ("Once", ""))
        until(lambda: bool(writes) and not growth.pending())
        with pytest.raises(StoreError, match="full"):
            until(lambda: bool(growth.put(ONE, ("Once", ""))))
        growth.put(ONE, ("Once upon", ""))
        until(lambda: writes[-1] == {ONE: ("Once upon", "")})


def test_closing_reports_a_failure_and_leaves_nothing_that_is_tried_again() -> None:
    with growing(fail, 60) as growth:
        growth.put(ONE, ("Once", ""))
        with pytest.raises(StoreError, match="full"):
            growth.close()
        assert growth.pending() == {}
        growth.close()
