"""The view of a notebook cell, shown to a front end that keeps outputs as Jupyter's do."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Generator
from typing import Any

import pytest
from front_end import FrontEnd
from rendering import at_once, text_of

from copilot_magic.chat.turn import Turn
from copilot_magic.markdown.stream import Stream
from copilot_magic.views.cell import MIN_INTERVAL, CellView
from copilot_magic.views.open import show
from copilot_magic.views.outputs import MAX_OUTPUTS
from copilot_magic.views.view import Footer
from copilot_magic.wire.chunks import Delta, Waiting


def cell_view(front_end: FrontEnd, **options: Any) -> CellView:
    return CellView(front_end.publish, "Copilot", **options)


def deltas(*pieces: str) -> Generator[Delta | Waiting, None, None]:
    for piece in pieces:
        yield Delta(content=piece)


def finish(view: CellView, answer: str = "", **values: Any) -> None:
    """Show the final state; `values` are fields of the turn."""
    turn = Turn("?", **{"answer": answer, "status": "complete", **values})
    view.finish(turn, Footer.of(turn))


def shown(*events: Delta | Waiting, **values: Any) -> FrontEnd:
    """Return a front end that was shown a whole answer; `values` are fields of its turn."""
    front_end = FrontEnd()
    view = cell_view(front_end)
    show((event for event in events), view)
    text = "".join(event.content for event in events if isinstance(event, Delta))
    finish(view, **{"answer": text, **values})
    return front_end


def pieces_of(text: str, size: int = 50) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def test_a_short_answer_is_one_output_with_its_source() -> None:
    front_end = FrontEnd()
    # Without a pause between paints, every event is painted.
    view = cell_view(front_end, min_interval=0.0, max_interval=0.0, quiet_start=0.0)
    view.start()
    front_end.wait_for("Waiting")
    text = "# Title\n\nOne\n\nTwo `x`\n\n- a\n- b\n\nThree"
    for piece in pieces_of(text, 3):
        view.feed(Delta(content=piece))
        time.sleep(0.01)
    finish(view, text)
    (first,) = front_end.outputs.values()
    assert "Title" in first["text/html"] and "Two <code>x</code>" in first["text/html"]
    assert first["text/markdown"] == first["text/plain"] == text


def test_outputs_can_be_opened_before_the_view_is_started() -> None:
    front_end = FrontEnd()
    view = cell_view(front_end, quiet_start=0.0)
    view.detach()
    opened = list(front_end.outputs)
    assert len(opened) > 1 and front_end.seen == ""
    view.start()
    front_end.wait_for("Waiting")
    finish(view, "# One\n\ntwo")
    assert list(front_end.outputs) == opened
    assert "two" in front_end.seen


def test_a_view_that_was_opened_and_never_needed_shows_nothing() -> None:
    front_end = FrontEnd()
    view = cell_view(front_end)
    view.detach()
    finish(view)
    assert front_end.seen == ""


def test_in_a_capture_nothing_is_opened_in_advance() -> None:
    front_end = FrontEnd()
    view = cell_view(front_end, live=False)
    view.detach()
    assert front_end.outputs == {}
    show(deltas("one"), view)
    finish(view, "one")
    assert front_end.seen.strip() == "one"


LONG_BLOCKS = {
    "table": "| a | b |\n| - | - |\n" + "".join(f"| {n} | *row* {n} |\n" for n in range(300)),
    "ul": "".join(f"- **item {n}**: with some words that fill the line\n" for n in range(150)),
}


@pytest.mark.parametrize("tag", LONG_BLOCKS)
def test_a_long_table_or_list_is_one_in_the_end(tag: str) -> None:
    text = "".join(f"Words before it, {n}.\n\n" for n in range(100))
    text += f"{LONG_BLOCKS[tag]}\nAfter it.\n"
    front_end = FrontEnd()
    view = cell_view(front_end, min_interval=0.0, max_interval=0.0)
    view.start()
    for piece in pieces_of(text):
        view.feed(Delta(content=piece))
        time.sleep(0.002)
    finish(view, text, notes=["the foot"])
    html = "".join(data["text/html"] for data in front_end.outputs.values())
    assert html.count(f"<{tag}>") == 1 and "copilot-cont" not in re.sub(
        "<style>.*?</style>", "", html
    )
    expected = text_of(at_once(text))
    assert front_end.seen.split() == [*expected.split(), "the", "foot"]
    assert "".join(data["text/plain"] for data in front_end.outputs.values()) == text


def test_what_is_rendered_again_at_the_end_is_shown_where_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A definition at the end of the text is known only then."""
    seen: list[str] = []

    def render_knowing_all(text: str, *, remote_images: bool) -> str:
        seen.append(text)
        return at_once(text)

    monkeypatch.setattr("copilot_magic.views.cell.render", render_knowing_all)
    text = f"See [one][1].\n\n{'words ' * 500}\n\nAnd [two][1].\n\n[1]: https://example.org/one\n"
    front_end = shown(*(Delta(content=piece) for piece in pieces_of(text)))
    html = "".join(data["text/html"] for data in front_end.outputs.values())
    assert html.count('href="https://example.org/one"') == 2
    assert front_end.seen.split() == ["See", "one.", *["words"] * 500, "And", "two."]
    assert seen == [text]


def test_an_answer_without_parts_and_definitions_is_rendered_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr("copilot_magic.views.cell.render")
    assert "One" in shown(Delta(content="One [two] `[x]: y`\n\nthree: [four]")).seen


def test_past_a_limit_the_answer_is_plain_text_below_and_the_footer_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = "".join(f"**word{n}**\n\n" for n in range(1_000))
    front_end = FrontEnd()
    view = cell_view(front_end, rendered=2_000, shown=10_000)
    show(deltas(*pieces_of(text, 700)), view)
    finish(view, text)
    plain = capsys.readouterr().out
    rendered = front_end.outputs.values()
    source = "".join(data["text/plain"] for data in rendered)
    assert 1_900 < len(source) <= 2_000 and source.endswith("\n")
    assert source + plain.removesuffix("\n") == text[:10_000].removesuffix("\n")
    assert f"plain text from character {len(source) + 1:,} on" in front_end.seen
    assert f"the last {len(text) - 10_000:,} characters are kept, not shown" in front_end.seen
    largest = max(len(str(data)) for _, data in front_end.messages)
    assert largest < 40_000


def test_an_answer_just_within_the_limit_is_rendered(capsys: pytest.CaptureFixture[str]) -> None:
    front_end = FrontEnd()
    view = cell_view(front_end, rendered=9)
    show(deltas("**12345**"), view)
    finish(view, "**12345**")
    assert "12345" in front_end.seen and "plain" not in front_end.seen
    assert capsys.readouterr().out == ""


def test_the_waiting_line_is_read_once() -> None:
    front_end = FrontEnd()
    view = cell_view(front_end, quiet_start=0.0)
    view.start()
    front_end.wait_for("Waiting for Copilot … 2 s")
    finish(view, status="interrupted")
    lines = [d["text/html"] for _, d in front_end.messages if 'role="status"' in d["text/html"]]
    assert len(lines) >= 2
    assert ['aria-live="off"' in line for line in lines] == [False] + [True] * (len(lines) - 1)


def test_a_long_answer_ends_whole_in_its_outputs_with_its_source_once() -> None:
    words = [f"p{number}w{word}" for number in range(400) for word in range(5)]
    text = "".join(word + (" " if i % 5 < 4 else "\n\n") for i, word in enumerate(words))
    front_end = shown(*(Delta(content=piece) for piece in re.findall(".{1,50}", text, re.S)))
    assert re.findall(r"p\d+w\d+", front_end.seen) == words
    sources = [data["text/plain"] for data in front_end.outputs.values()]
    assert "".join(sources) == text


def test_text_that_has_arrived_is_shown_even_if_nothing_follows() -> None:
    front_end = FrontEnd()
    view = cell_view(front_end)
    view.start()
    for word in ("one ", "two ", "three"):
        view.feed(Delta(content=word))
    front_end.wait_for("one two three")
    finish(view, "one two three")


def test_no_output_is_painted_twice_with_the_same_content() -> None:
    front_end = FrontEnd()
    # Without a pause between paints, every event is painted.
    view = cell_view(front_end, min_interval=0.0, max_interval=0.0)
    view.start()
    for piece in ["a ", "b ", "", "", "c\n\n", "\n\n", "d"]:
        view.feed(Delta(content=piece))
        time.sleep(0.01)
    finish(view, "a b c\n\n\n\nd")
    last: dict[str, dict[str, str]] = {}
    for name, data in front_end.messages:
        assert last.get(name) != data
        last[name] = data


def test_fast_tokens_share_a_paint() -> None:
    pieces = [f"word{number} " for number in range(20_000)]
    front_end = FrontEnd()
    view = cell_view(front_end)
    began = time.monotonic()
    show(deltas(*pieces), view)
    finish(view, "".join(pieces))
    paints = (time.monotonic() - began) / MIN_INTERVAL
    # A paint publishes the settled part, the tail, and the outputs that a merge has emptied.
    assert len(front_end.messages) <= 3 * paints + MAX_OUTPUTS + 5


def test_the_wait_shows_who_is_asked_and_goes_away() -> None:
    front_end = FrontEnd()
    view = cell_view(front_end, quiet_start=0.0)
    view.start()
    front_end.wait_for("Waiting for Copilot … 1 s")
    view.feed(Waiting(30, "429: too many requests"))
    front_end.wait_for("429: too many requests – next try in 30 s")
    view.feed(Delta(content="Hello"))
    front_end.wait_for("Hello")
    assert "Waiting" not in front_end.seen and "429" not in front_end.seen
    finish(view, "Hello")


def test_reasoning_is_folded_above_the_answer_and_not_in_its_source() -> None:
    front_end = shown(Delta(reasoning="I *think*"), Delta(content="So it is."))
    (first, *_) = front_end.outputs.values()
    folded, answer = first["text/html"].split("</details>")
    assert '<details class="copilot-reasoning"><summary>' in folded
    assert "I <em>think</em>" in folded and "So it is." in answer
    assert first["text/markdown"] == first["text/plain"] == "So it is."


def test_thinking_is_a_sign_of_life() -> None:
    front_end = FrontEnd()
    view = cell_view(front_end, quiet_start=0.0)
    view.start()
    view.feed(Delta(reasoning="Let me see"))
    front_end.wait_for("Thinking …")
    finish(view, reasoning="Let me see", status="interrupted")
    assert "Let me see" in front_end.seen and "Thinking" not in front_end.seen


def test_a_piece_that_only_the_turn_received_is_shown() -> None:
    front_end = shown(Delta(content="one "), answer="one two", status="interrupted")
    assert "one two" in front_end.seen and "interrupted" in front_end.seen


def test_a_failure_without_a_word_leaves_nothing() -> None:
    front_end = shown(status="failed", error="refused")
    assert front_end.seen == "" and set(front_end.outputs.values() or [""]) == {""}


def test_finish_does_nothing_if_start_was_not_reached() -> None:
    front_end = FrontEnd()
    finish(cell_view(front_end), status="interrupted")
    assert front_end.messages == []


def test_an_interrupt_while_finishing_loses_no_text() -> None:
    class Interrupting(FrontEnd):
        def publish(self, data: dict[str, str], **more: Any) -> None:
            if "the end" in data["text/html"]:
                signal.raise_signal(signal.SIGINT)
                time.sleep(0.2)
            super().publish(data, **more)

    front_end = Interrupting()
    view = cell_view(front_end)
    show(deltas("the "), view)
    with pytest.raises(KeyboardInterrupt):
        finish(view, "the end", status="interrupted")
    front_end.wait_for("the end")
    front_end.wait_for("interrupted")


def test_a_fault_in_rendering_does_not_cost_the_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: object) -> list[str]:
        raise RuntimeError("a fault")

    monkeypatch.setattr(Stream, "feed", fail)
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    shown(Delta(content="the answer"))
    assert "the answer" in capsys.readouterr().out


def test_two_answers_at_once_keep_apart() -> None:
    front_end = FrontEnd()
    views = [cell_view(front_end), cell_view(front_end)]
    texts = [f"begin{n} " + f"word{n} " * 300 + f"end{n}" for n in range(2)]
    for view in views:
        view.start()
    for start in range(0, max(map(len, texts)), 20):
        for view, text in zip(views, texts, strict=True):
            view.feed(Delta(content=text[start : start + 20]))
        time.sleep(0.002)
    finish(views[0], texts[0], status="interrupted")
    finish(views[1], texts[1], model="gpt-x")
    answers = {"".join(data["text/plain"].split()) for data in front_end.outputs.values()} - {""}
    assert answers == {"".join(text.split()) for text in texts}
    assert re.search(r"end0\s+interrupted", front_end.seen)
    assert re.search(r"end1\s+gpt-x", front_end.seen)


def test_hostile_names_and_notes_are_text() -> None:
    bad = "<img src=x onerror=alert(1)>"
    front_end = shown(Delta(content="x"), model=bad, provider=bad, notes=[bad])
    (first, *_) = front_end.outputs.values()
    assert "<img" not in first["text/html"]
    assert front_end.seen.count(bad) == 3


def test_text_with_halves_of_characters_can_be_sent() -> None:
    front_end = shown(Delta(content="a \ud83d"), Delta(content="\ude00 \udc00"))
    for _, data in front_end.messages:
        for text in data.values():
            text.encode()
    assert "a 😀" in front_end.seen
