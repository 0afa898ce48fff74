"""The outputs of one answer: what a reader sees after each message, and what each costs."""

from __future__ import annotations

import re

import pytest
from front_end import FrontEnd

from copilot_magic.markdown.render import stylesheet
from copilot_magic.views.outputs import MAX_OUTPUTS, Outputs


def words_in(text: str) -> list[str]:
    return re.findall(r"p\d+w\d+", text)


def test_no_message_removes_or_repeats_what_was_seen() -> None:
    words = [f"p{number}w{word}" for number in range(200) for word in range(5)]
    most = 0

    def check(front_end: FrontEnd) -> None:
        nonlocal most
        now = words_in(front_end.seen)
        assert now == words[: len(now)]
        assert len(now) >= most
        most = len(now)

    front_end = FrontEnd(check)
    outputs = Outputs(front_end.publish)
    for index in range(len(words)):
        html = f"<p>{' '.join(words[index - index % 5 : index + 1])}</p>"
        if index % 5 == 4:
            outputs.settle(html)
        else:
            outputs.tail(html)
    outputs.finish("", "", "", " ".join(words))
    assert words_in(front_end.seen) == words


@pytest.mark.parametrize("count", [10, 100, 3_000])
def test_there_are_few_outputs_however_long_the_answer_is(count: int) -> None:
    front_end = FrontEnd()
    outputs = Outputs(front_end.publish)
    for number in range(count):
        outputs.settle(f"<p>p{number}w0</p>")
        outputs.tail(f"<p>p{number + 1}w0</p>")
    assert len(front_end.outputs) <= MAX_OUTPUTS


def test_a_settled_block_is_rarely_sent_again() -> None:
    front_end = FrontEnd()
    outputs = Outputs(front_end.publish)
    for number in range(1_000):
        outputs.settle(f"<p>p{number}w0</p>")
        outputs.tail("<p>…</p>")
    sent = [word for _, data in front_end.messages for word in words_in(data["text/html"])]
    assert max(map(sent.count, set(sent[::7]))) <= 4
    # The first ones are never touched again.
    assert all(sent.count(f"p{number}w0") == 1 for number in range(MAX_OUTPUTS // 2))


def test_the_outputs_opened_in_advance_are_enough_for_any_rest() -> None:
    front_end = FrontEnd()
    outputs = Outputs(front_end.publish)
    outputs.settle("<p>p0w0</p>")
    outputs.open_all()
    opened = list(front_end.outputs)
    words = [f"p{number}w0" for number in range(500)]
    for word in words[1:]:
        outputs.settle(f"<p>{word}</p>")
    outputs.finish("", "<p>rest</p>", "<p>foot</p>", "x" * 5_000)
    assert list(front_end.outputs) == opened
    assert words_in(front_end.seen) == words
    assert front_end.seen.endswith("restfoot")


def test_two_answers_in_one_cell_do_not_hide_each_others_parts() -> None:
    front_end = FrontEnd()
    first, second = Outputs(front_end.publish), Outputs(front_end.publish)
    for number in range(2 * MAX_OUTPUTS):
        first.settle(f"<p>p{number}w1</p>")
        second.settle(f"<p>p{number}w2</p>")
    first.finish("", "", "", "short")
    words = words_in(front_end.seen)
    for answer in ("w1", "w2"):
        expected = [f"p{number}{answer}" for number in range(2 * MAX_OUTPUTS)]
        assert [word for word in words if word.endswith(answer)] == expected


def test_the_stylesheet_is_sent_without_comments_and_spare_white_space() -> None:
    style = stylesheet("copilot_magic.views", "cell.css")
    assert ".copilot-footer{margin-top:.6em}" in style
    # The space of a descendant stays.
    assert ".copilot-reasoning summary{cursor:pointer}" in style
    assert not re.search(r"/\*|\n|  |[{};,:] ", style)
