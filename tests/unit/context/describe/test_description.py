"""Texts are cut in the middle, and say how much is missing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from copilot_magic.context.describe.description import (
    LINE,
    cut_lines,
    cut_middle,
    readable,
    several,
)


def test_a_text_that_fits_stays() -> None:
    assert cut_middle("abc", 3) == ("abc", "")


@given(st.text(), st.integers(0, 100))
def test_a_cut_text_keeps_its_ends_and_counts_the_rest(text: str, budget: int) -> None:
    cut, left_out = cut_middle(text, budget)
    assert len(cut) <= budget + LINE
    assert bool(left_out) == (len(text) > budget)


def test_whole_lines_are_kept_where_that_costs_little() -> None:
    text = "\n".join(f"line {i:03}" for i in range(100))
    cut, _ = cut_middle(text, 300)
    lines = cut.split("\n")
    assert all(len(line) == 8 or line.startswith("…") for line in lines)
    assert (lines[0], lines[-1]) == ("line 000", "line 099")


def test_lines_beyond_a_number_are_counted() -> None:
    assert cut_lines(["a", "b", "c"], 2) == ["a", "b", "… 1 more …"]
    assert cut_lines(["a"], 2) == ["a"]


def test_counted_nouns_have_their_plural() -> None:
    assert [several(n, "entry") for n in (1, 2)] == ["1 entry", "2 entries"]
    assert several(1_000, "item") == "1,000 items"


def test_what_differs_each_time_is_left_out() -> None:
    assert readable("\x1b[1m<a at 0x7f0b01589490>\x1b[0m\r\n\x00") == "<a>\n␀"
