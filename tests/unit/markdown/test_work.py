"""No text takes more steps than its length allows, and what takes too many is shown plainly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from benchmarks.hostile_texts import SLOW, slow_text
from documents import LONG, TEXTS
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it.parser_block import ParserBlock
from markdown_it.parser_inline import ParserInline
from rendering import as_written, check, pieces, streamed, text_of

from copilot_magic.markdown.render import render
from copilot_magic.markdown.stream import Stream
from copilot_magic.markdown.work import TooMuchWork, Work, plain_html

# Nothing here measures time: on a machine that does other things, too, time proves little.
LENGTH = 10_000
STEPS = 12  # for a character
SAVED = 60_000


@contextmanager
def counted_characters() -> Iterator[list[int]]:
    """Count the characters that markdown-it's parsers are called on."""
    calls = [0]
    with pytest.MonkeyPatch.context() as patch:
        for parser in (ParserBlock, ParserInline):
            tokenize = parser.tokenize

            def counting(self: Any, state: Any, *lines: int, tokenize: Any = tokenize) -> None:
                calls[0] += len(state.src) if state.level == 0 else 0
                tokenize(self, state, *lines)

            patch.setattr(parser, "tokenize", counting)
        yield calls


def shown_words(html: str) -> str:
    return "".join(re.findall(r"\w+", text_of(html)))


@pytest.mark.parametrize("name", SLOW)
def test_the_work_for_a_text_is_in_proportion_to_its_length(name: str) -> None:
    text = slow_text(name, LENGTH)
    stream = Stream()
    with counted_characters() as calls:
        html = "".join(stream.feed(text) + stream.finish())
    assert stream.work <= STEPS * LENGTH + SAVED
    assert calls[0] <= 50 * LENGTH
    assert len(html) <= 20 * LENGTH
    check(html)


@pytest.mark.parametrize("name", SLOW)
def test_cuts_change_nothing_in_slow_texts(name: str) -> None:
    text = slow_text(name, LENGTH)
    whole = streamed([text])
    assert "".join(whole) == as_written(text)
    assert streamed(pieces(text, 1, 2_000), look=True) == whole


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(TEXTS, st.integers(1, 300)), min_size=1, max_size=4))
def test_a_text_of_repeated_parts_takes_work_in_proportion(parts: list[tuple[str, int]]) -> None:
    text = "".join(part * times for part, times in parts)[:LENGTH]
    stream = Stream()
    html = "".join(stream.feed(text) + stream.finish())
    assert stream.work <= STEPS * len(text) + SAVED
    assert len(html) <= 20 * len(text) + 60_000
    assert "".join(streamed(pieces(text, 1, 3_000))) == html


@pytest.mark.parametrize("name", SLOW)
def test_the_work_for_a_tail_is_bounded(name: str) -> None:
    stream = Stream()
    for part in pieces(slow_text(name, LENGTH), 1, 1_000):
        stream.feed(part)
        before = stream.tail_work
        stream.tail  # noqa: B018
        assert stream.tail_work - before <= 50_000


@pytest.mark.parametrize("name", [name for name in LONG if name != "long formula"])
def test_ordinary_text_is_not_shown_plainly(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(text: str) -> str:
        raise AssertionError(text)

    monkeypatch.setattr("copilot_magic.markdown.blocks.plain_html", fail)
    stream = Stream()
    for part in pieces(LONG[name], 1, 500):
        stream.feed(part)
        stream.tail  # noqa: B018
    stream.finish()


@pytest.mark.parametrize(
    "text",
    [
        "[a][" * 3_000,
        "![a](" * 3_000,
        "> " * 30 + "deep",
        "- " * 26 + "x\n",
        "![" * 30 + "](a)" * 30,
    ],
)
def test_text_that_takes_too_much_work_is_complete(text: str) -> None:
    html = render(f"before\n\n{text}\n\nafter")
    check(html)
    assert shown_words(html) == shown_words(text and f"before{text}after")


def test_a_table_that_takes_too_much_work_shows_its_rows_once() -> None:
    rows = [f"|{'b|' * 60}r{n}|\n" for n in range(60)]
    html = render("|a" * 61 + "|\n" + "|-" * 61 + "|\n" + "".join(rows))
    assert [int(n) for n in re.findall(r"r(\d+)", html)] == list(range(60))


def test_text_after_slow_text_is_rendered_again() -> None:
    html = render("[a][" * 3_000 + "\n\n" + "Some *more* text.\n\n" * 400)
    assert html.endswith("<p>Some <em>more</em> text.</p>\n")


def test_plain_text_is_shown_line_by_line() -> None:
    assert plain_html("a <b>\n*c*\n") == "<p>a &lt;b&gt;<br>\n*c*</p>\n"
    assert plain_html("\n") == ""


def test_an_account_of_work_can_be_overdrawn_once() -> None:
    work = Work(10)
    work.spend(6)
    with pytest.raises(TooMuchWork):
        work.spend(1, keep=4)
    with pytest.raises(TooMuchWork):
        work.spend(100)
    work.earn(5)
    work.spend(5)
    work.earn(100)
    assert (work.left, work.spent) == (10, 112)
