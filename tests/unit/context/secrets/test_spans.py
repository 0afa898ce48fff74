"""Spans that overlap."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from copilot_magic.context.secrets.spans import Span, merged


def test_spans_that_overlap_become_one_with_the_longest_ones_name() -> None:
    assert merged([Span(4, 9, "b"), Span(0, 5, "a"), Span(2, 14, "c")]) == [Span(0, 14, "c")]


def test_of_equally_long_ones_the_first_counts() -> None:
    assert merged([Span(0, 5, "a"), Span(0, 5, "b")]) == [Span(0, 5, "a")]


def test_neighbours_stay_apart() -> None:
    assert merged([Span(5, 9, "b"), Span(0, 5, "a")]) == [Span(0, 5, "a"), Span(5, 9, "b")]


SPANS = st.builds(
    lambda start, size: Span(start, start + size, "x"), st.integers(0, 50), st.integers(1, 9)
)


@given(st.lists(SPANS))
def test_the_same_places_are_covered_once_and_in_order(spans: list[Span]) -> None:
    places = [at for span in merged(spans) for at in range(span.start, span.end)]
    assert places == sorted({at for span in spans for at in range(span.start, span.end)})
