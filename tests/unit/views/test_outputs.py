"""The outputs of one answer: what a reader sees after each message, and what each costs."""

from __future__ import annotations

import re

import pytest
from front_end import FrontEnd

from copilot_magic.markdown.render import stylesheet
from copilot_magic.views.outputs import MAX_OUTPUTS, Budget, Outputs

FILLER = "x" * 1_000  # with it, each block is worth an output


def words_in(text: str) -> list[str]:
    return re.findall(r"p\d+w\d+", text)


def paragraph(number: int, answer: int = 0) -> str:
    return f"<p>p{number}w{answer} {FILLER}</p>"


def test_no_message_removes_or_repeats_what_was_seen() -> None:
    words = [f"p{number}w{word}" for number in range(300) for word in range(30)]
    most = 0

    def check(front_end: FrontEnd) -> None:
        nonlocal most
        now = words_in(front_end.seen)
        assert now == words[: len(now)]
        assert len(now) >= most
        most = len(now)

    front_end = FrontEnd(check)
    outputs = Outputs(front_end.publish)
    for index in range(0, len(words), 5):
        html = f"<p>{' '.join(words[index - index % 30 : index + 5])}</p>"
        if index % 30 == 25:
            outputs.paint(html, "")
        else:
            outputs.paint("", html)
    outputs.finish("", "", "", " ".join(words))
    assert words_in(front_end.seen) == words
    assert len(front_end.outputs) == MAX_OUTPUTS


def test_a_tail_that_began_before_the_last_block_was_settled_does_not_vanish() -> None:
    """A list is settled only when the line after it is whole."""
    seen: list[str] = []
    front_end = FrontEnd(lambda front_end: seen.append(front_end.seen))
    outputs = Outputs(front_end.publish)
    outputs.paint("", f"{paragraph(1)}<ul><li>{FILLER}</li></ul><p>the next</p>")
    outputs.paint(f"{paragraph(1)}<ul><li>{FILLER}</li></ul>", "<p>the next one</p>")
    outputs.paint("<p>the next one</p>", "<p>after it</p>")
    assert all("the next" in text for text in seen)
    assert len(front_end.outputs) == 2


@pytest.mark.parametrize("count", [10, 100, 3_000])
def test_there_are_few_outputs_however_long_the_answer_is(count: int) -> None:
    front_end = FrontEnd()
    outputs = Outputs(front_end.publish)
    for number in range(count):
        outputs.paint(paragraph(number), paragraph(number + 1))
    assert len(front_end.outputs) <= MAX_OUTPUTS


def test_a_short_answer_is_one_output_from_its_first_word_on() -> None:
    front_end = FrontEnd()
    outputs = Outputs(front_end.publish)
    outputs.status("Waiting")
    for number in range(10):
        outputs.paint(f"<p>p{number}w0</p>", f"<p>p{number + 1}w")
    outputs.finish("", "<p>p10w0</p>", "<div>foot</div>", "the source")
    (output,) = front_end.outputs.values()
    assert output["text/plain"] == output["text/markdown"] == "the source"
    assert front_end.seen.endswith("p10w0foot")


def test_no_output_is_empty_in_the_end() -> None:
    for count in range(30):
        front_end = FrontEnd()
        outputs = Outputs(front_end.publish)
        for number in range(count):
            outputs.paint(f"<p>{number} {'x' * 200}</p>", "")
        outputs.finish("", "", "<div>foot</div>", "the source")
        *others, last = front_end.outputs.values()
        assert "foot" in last["text/html"]
        assert all("<p>" in output["text/html"] for output in others)
        assert [output["text/plain"] for output in others] == [""] * len(others)


@pytest.mark.parametrize("size", [300, 3_000])
def test_many_answers_in_one_cell_share_its_outputs(size: int) -> None:
    """JupyterLab folds a cell after 50 outputs."""
    front_end, budget = FrontEnd(), Budget()
    for answer in range(25):
        outputs = Outputs(front_end.publish, budget)
        for number in range(size // 300):
            outputs.paint(f"<p>p{number}w{answer} {'x' * 500}</p>", "")
        outputs.finish("", "", "<div>foot</div>", "the source")
    assert len(front_end.outputs) <= 50
    assert all(output["text/html"] for output in front_end.outputs.values())
    assert len(words_in(front_end.seen)) == 25 * (size // 300)


def test_a_long_answer_has_outputs_even_if_the_cell_has_none_left() -> None:
    """Sending all of it again and again would cost too much."""
    front_end, budget = FrontEnd(), Budget()
    budget.room = 0
    outputs = Outputs(front_end.publish, budget)
    for number in range(300):
        outputs.paint(paragraph(number), "")
    outputs.finish("", "", "", "the source")
    assert words_in(front_end.seen) == [f"p{number}w0" for number in range(300)]
    assert len(front_end.outputs) <= 5
    sent = sum(len(data["text/html"]) for _, data in front_end.messages)
    assert sent <= 25 * 300 * len(FILLER)


def test_a_settled_block_is_rarely_sent_again() -> None:
    front_end = FrontEnd()
    outputs = Outputs(front_end.publish)
    for number in range(1_000):
        outputs.paint(paragraph(number), "<p>…</p>")
    sent = [word for _, data in front_end.messages for word in words_in(data["text/html"])]
    assert max(map(sent.count, set(sent[::7]))) <= 5
    # The first ones are never touched again, but for the one that the second is too short without.
    assert all(sent.count(f"p{number}w0") <= 2 for number in range(MAX_OUTPUTS // 2))


def test_the_outputs_opened_in_advance_are_enough_for_any_rest() -> None:
    front_end = FrontEnd()
    outputs = Outputs(front_end.publish)
    outputs.paint(paragraph(0), "")
    outputs.open_all()
    opened = list(front_end.outputs)
    words = [f"p{number}w0" for number in range(500)]
    for number in range(1, 500):
        outputs.paint(paragraph(number), "")
    outputs.finish("", "<p>rest</p>", "<p>foot</p>", "x" * 5_000)
    assert list(front_end.outputs) == opened
    assert words_in(front_end.seen) == words
    assert front_end.seen.endswith("restfoot")


def test_answers_that_open_their_outputs_in_advance_leave_some_to_the_next_ones() -> None:
    budget, front_end = Budget(), FrontEnd()
    opened = []
    for _ in range(5):
        before = len(front_end.outputs)
        Outputs(front_end.publish, budget).open_all()
        opened.append(len(front_end.outputs) - before)
    assert opened == sorted(opened, reverse=True)
    assert sum(opened) <= 50 and opened[-1] >= 5


def test_two_answers_in_one_cell_do_not_hide_each_others_parts() -> None:
    front_end = FrontEnd()
    first, second = Outputs(front_end.publish), Outputs(front_end.publish)
    for number in range(2 * MAX_OUTPUTS):
        first.paint(paragraph(number, 1), "")
        second.paint(paragraph(number, 2), "")
    first.finish("", "", "", "short")
    words = words_in(front_end.seen)
    for answer in ("w1", "w2"):
        expected = [f"p{number}{answer}" for number in range(2 * MAX_OUTPUTS)]
        assert [word for word in words if word.endswith(answer)] == expected


def test_only_the_outputs_that_the_whole_answer_changes_are_sent_again() -> None:
    """A block that was settled in parts becomes one, and no row is seen twice or not at all."""
    states: list[list[str]] = []
    front_end = FrontEnd(lambda front_end: states.append(words_in(front_end.seen)))
    outputs = Outputs(front_end.publish)
    parts = [f"<ul><li>p{number}w0 {FILLER}</li></ul>\n" for number in range(3, 6)]
    for html in [paragraph(0), paragraph(1), paragraph(2), *parts, paragraph(6), paragraph(7)]:
        outputs.paint(f"{html}\n", "")
    sent = len(front_end.messages)
    one = "".join(parts).replace("</ul>\n<ul>", "")
    whole = "".join(f"{paragraph(n)}\n" if n not in (3, 4, 5) else "" for n in range(3))
    whole += one + f"{paragraph(6)}\n{paragraph(7)}\n"
    outputs.finish("", "", "<div>foot</div>", "the source", whole)
    changed = {name for name, data in front_end.messages[sent:] if data["text/html"]}
    assert len(changed) == 2  # the list, and the last one with the footer
    assert all(state == [f"p{n}w0" for n in range(8)] for state in states[sent:])
    assert "".join(d["text/html"] for d in front_end.outputs.values()).count("<ul>") == 1


def test_a_screen_reader_is_told_of_each_part_once() -> None:
    front_end = FrontEnd()
    outputs = Outputs(front_end.publish)
    outputs.paint("", "<p>p0w0</p>")
    (waiting,) = front_end.outputs.values()
    assert 'aria-busy="true"' in waiting["text/html"]
    for number in range(3 * MAX_OUTPUTS):
        outputs.paint("", paragraph(number))
        outputs.paint(paragraph(number), "")
    outputs.finish("", "<p>the rest</p>", "", "the source")
    read = [
        word
        for _, data in front_end.messages
        if 'aria-live="polite"' in data["text/html"]
        for word in words_in(data["text/html"])
    ]
    assert len(read) == len(set(read))
    assert 'aria-busy="true"' not in "".join(d["text/html"] for d in front_end.outputs.values())


def test_the_stylesheet_is_sent_without_comments_and_spare_white_space() -> None:
    style = stylesheet("copilot_magic.views", "cell.css")
    assert ".copilot-mark{" in style
    # The space of a descendant stays.
    assert ".copilot-reasoning summary{cursor:pointer}" in style
    assert not re.search(r"/\*|\n|  |[{};,:] ", style)
