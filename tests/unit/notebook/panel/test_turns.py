"""What a panel sends of an answer: each block once, and of the tail what changes."""

from __future__ import annotations

import pytest
from benchmarks.texts import sample
from hypothesis import given
from hypothesis import strategies as st
from panels import PanelFrontEnd

from copilot_magic.chat.turn import Turn
from copilot_magic.markdown.render import render
from copilot_magic.notebook.panel.growing import PIECE
from copilot_magic.notebook.panel.turns import LiveTurn, turn_state
from copilot_magic.views.whole import joined

LATE = "See [here] and 😀.\n\nMore *words*.\n\n[here]: https://example.org/\n"
LONG = "```python\n" + "x = 1  # 😀\n" * 400 + "```\n\n- a\n- b\n"


def streamed(text: str, size: int, *, every: int = 1) -> PanelFrontEnd:
    """Return a front end that was sent `text` in pieces; every so many pieces are one message."""
    front_end, turn = PanelFrontEnd(), Turn("?")
    live = LiveTurn(turn, remote_images=False)
    count = 0

    def send(message: dict[str, object]) -> None:
        nonlocal count
        count += 1
        front_end({**message, "n": count})

    send({"kind": "reset"})
    send({"kind": "turns", "turns": [turn_state(turn)], "after": ""})
    for number, start in enumerate(range(0, len(text), size)):
        turn.answer += text[start : start + size]
        if number % every == 0 and (message := live.change()):
            send(message)
    turn.status = "complete"
    live.finish(())
    while not live.is_sent:
        if message := live.change():
            send(message)
    send(live.final_state())
    return front_end


@pytest.mark.parametrize("text", [sample(6_000), LATE, LONG, "", "one word"])
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_in_the_end_the_front_end_has_the_whole_answer_rendered(text: str, size: int) -> None:
    assert streamed(text, size, every=3).answers() == [joined(render(text))]


@given(st.text(alphabet="ab *`\n[]:#|-😀>$", max_size=200), st.integers(1, 9))
def test_whatever_the_pieces_are(text: str, size: int) -> None:
    assert streamed(text, size).answers() == [joined(render(text))]


def test_what_is_sent_grows_with_the_answer_and_not_with_its_square() -> None:
    short, long = (streamed(sample(size), 4).size / size for size in (10_000, 60_000))
    assert long < 1.2 * short


def test_a_front_end_that_comes_later_gets_what_the_others_have() -> None:
    turn = Turn("?", answer="One.\n\nTwo.\n\nThr")
    live = LiveTurn(turn, remote_images=False)
    first = live.change()
    live.restart()
    assert live.change() == first


def test_a_message_has_so_much_and_no_more() -> None:
    turn = Turn("?", answer="word " * 20 * 10_000)
    turn.answer = "\n\n".join([f"paragraph {n} " + "word " * 50 for n in range(2_000)])
    live = LiveTurn(turn, remote_images=False)
    sizes = []
    while message := live.change():
        sizes.append(len(message["answer"].get("html", "")))
    assert len(sizes) > 5 and max(sizes) <= PIECE


def test_the_state_of_a_turn_says_what_a_reader_should_know() -> None:
    turn = Turn("<b>?", answer="half", status="failed", error="It broke", model="m")
    state = turn_state(turn)
    assert (state["prompt"], state["error"], state["source"]) == ("<b>?", ["It broke"], "half")
    assert state["marks"] == ["cut off by an error"] and "m" in state["facts"]
    assert turn_state(turn, ["It broke", "Do this"])["error"] == ["It broke", "Do this"]
    assert "source" not in turn_state(Turn("?"))


def test_what_is_attached_is_named() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:"}}
    assert turn_state(Turn("?", parts=(picture,)))["attached"] == ["picture"]
    assert turn_state(Turn("?", parts=(picture,), objects=({"name": "a.png"},)))["attached"] == [
        "a.png"
    ]
