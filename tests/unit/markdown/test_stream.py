"""Streaming: however a text arrives, it renders the same, and it is safe at every moment."""

from __future__ import annotations

import pytest
from documents import DOCUMENTS, LONG, TEXTS
from hostile import PAYLOADS
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rendering import as_written, pieces, streamed, text_of

from copilot_magic.markdown.stream import Stream


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.integers(0, 2**32), st.sampled_from([1, 3, 8, 40]))
@example("a\r\nb", 0, 1)
@example("\ud83d\ude00", 0, 1)
def test_cuts_change_nothing(text: str, seed: int, longest: int) -> None:
    settled = streamed(pieces(text, seed, longest))
    assert settled == streamed([text])
    assert "".join(settled) == as_written(text)


@pytest.mark.parametrize("name", [*DOCUMENTS, *LONG])
def test_cuts_change_nothing_in_documents(name: str) -> None:
    text = {**DOCUMENTS, **LONG}[name]
    whole = streamed([text])
    assert "".join(whole) == as_written(text)
    for longest in (4, 50, 3_000):
        assert streamed(pieces(text, longest, longest)) == whole


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_cut_in_two_changes_nothing(name: str) -> None:
    text = DOCUMENTS[name]
    whole = streamed([text])
    for at in range(len(text)):
        assert streamed([text[:at], text[at:]]) == whole


@pytest.mark.parametrize("name", DOCUMENTS)
def test_looking_at_the_tail_changes_nothing(name: str) -> None:
    text = DOCUMENTS[name]
    assert streamed(list(text), look=True) == streamed([text])


@pytest.mark.parametrize("name", [name for name in LONG if name != "image in the text"])
def test_the_tail_is_bounded(name: str) -> None:
    stream = Stream()
    worst = 0
    for part in pieces(LONG[name], 0, 400):
        stream.feed(part)
        worst = max(worst, len(text_of(stream.tail)))
    # If there is no good place to cut, a bad one is taken in the end.
    longer = {"long word": 17_000, "long line in code": 17_000}
    hard = {"long string in code": 10_000, "long formula": 10_000}
    assert worst <= {**longer, **hard}.get(name, 6_000)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_tail_is_balanced_and_harmless_after_every_character(name: str) -> None:
    streamed(list(DOCUMENTS[name]), look=True)


@pytest.mark.parametrize("name", [name for name, text in PAYLOADS.items() if len(text) < 400])
def test_hostile_text_is_harmless_while_it_arrives(name: str) -> None:
    streamed(list(PAYLOADS[name]), look=True)
