"""Places in a text, and how those that overlap become one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["Span", "merged"]


class Span(NamedTuple):
    """A place in a text.

    Attributes:
        start: Where it starts.
        end: Where it ends.
        label: What is there.
    """

    start: int
    end: int
    label: str


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the spans in their order, those that overlap as one, with the longest one's label.

    Of equally long ones the first given counts.
    """
    joined: list[tuple[Span, int]] = []  # with the length of the one that named it
    for span in sorted(spans, key=lambda span: span.start):
        size = span.end - span.start
        if not joined or span.start >= joined[-1][0].end:
            joined.append((span, size))
            continue
        before, longest = joined[-1]
        label = span.label if size > longest else before.label
        whole = Span(before.start, max(before.end, span.end), label)
        joined[-1] = (whole, max(size, longest))
    return [span for span, _ in joined]
