"""Output is kept as a reader saw it, and no more of it than is wanted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_magic.notebook.excerpt import KEPT, Excerpt


def excerpt(*pieces: str, kept: int = KEPT) -> str:
    excerpt = Excerpt(kept)
    for piece in pieces:
        excerpt.add(piece)
    return excerpt.text


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ([], ""),
        (["a\n", "b", "\n"], "a\nb"),
        (["  a\n\n\n"], "  a"),
        (["\x1b[31mred\x1b[0m \x1b]0;title\x07x\x1b(By\x1b[2K"], "red xy"),
        (["a\x07\x08\u202eb\tc"], "ab\tc"),
        (["\r 1%", "\r50%", "\r100%\n", "done"], "100%\ndone"),
        (["1%\r", "50%\r", "100%\r", "\n"], "100%"),
        (["a\r\nb\r", "\nc"], "a\nb\nc"),
    ],
)
def test_the_text_is_what_a_reader_saw_in_the_end(pieces: list[str], text: str) -> None:
    assert excerpt(*pieces) == text


def test_lines_of_their_own_do_not_run_into_others() -> None:
    one = Excerpt()
    one.add("a")
    for text in ("", "b", "c"):
        one.add_line(text)
    assert one.text == "a\nb\nc"


def test_the_middle_of_a_long_text_is_left_out() -> None:
    text = excerpt("a" * 100, "b" * 10_000, "c" * 100, kept=100)
    assert text == f"{'a' * 100}\n… 10,000 characters left out …\n{'c' * 100}"


def test_a_progress_bar_takes_no_room() -> None:
    assert (
        excerpt("start\n", *(f"\r{n}%" for n in range(200_000)), "\nend") == "start\n199999%\nend"
    )


def test_what_is_kept_is_bounded_while_it_is_written() -> None:
    one = Excerpt(kept=100)
    for _ in range(10_000):
        one.add("x" * 50)
        assert sum(map(len, one._pieces)) + len(one._head) + len(one._tail) <= 1_100
    assert len(one._pieces) <= 100


@given(st.lists(st.text(alphabet="ab\r\n", max_size=40)), st.integers(1, 30))
def test_it_does_not_matter_how_the_text_was_cut(pieces: list[str], kept: int) -> None:
    many, one = Excerpt(), Excerpt()
    for piece in pieces:
        many.add(piece)
        many.finish()
    one.add("".join(pieces))
    assert many.text == one.text
    assert len(excerpt(*pieces, kept=kept)) <= 2 * kept + 60
