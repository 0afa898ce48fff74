"""What every view has in common: the footer and the waiting line."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest

from copilot_magic.chat.turn import Turn
from copilot_magic.views.view import Footer, WaitingLine, effects_mark
from copilot_magic.wire.chunks import Delta, Waiting

FOOTERS: dict[str, tuple[dict[str, Any], str]] = {
    "facts": (
        {
            "model": "gpt-x",
            "provider": "Copilot",
            "elapsed": 3.0,
            "first_token": 1.0,
            "usage": {"completion_tokens": 50},
        },
        "gpt-x · Copilot · 3.0 s · 50 tokens · 25 tokens/s · talk",
    ),
    "tokens in and out": (
        {
            "elapsed": 3.0,
            "first_token": 1.0,
            "usage": {"prompt_tokens": 1200, "completion_tokens": 50, "total_tokens": 1250},
        },
        "3.0 s · 1,200 → 50 tokens · 25 tokens/s · talk",
    ),
    "tokens that arrived at once": (
        {"elapsed": 3.0, "first_token": 2.9995, "usage": {"completion_tokens": 8}},
        "3.0 s · 8 tokens · talk",
    ),
    "one token": ({"usage": {"prompt_tokens": 3, "completion_tokens": 1}}, "3 → 1 token · talk"),
    "a share of the tokens": ({"usage": {"prompt_tokens": 3}}, "talk"),
    "no token counts": ({"model": "gpt-x", "elapsed": 3.0}, "gpt-x · 3.0 s · talk"),
    "odd token counts": (
        {"elapsed": 3.0, "usage": {"prompt_tokens": -1, "completion_tokens": "many"}},
        "3.0 s · talk",
    ),
    "impossible token counts": (
        {"elapsed": 3.0, "usage": {"prompt_tokens": True, "completion_tokens": 10**6000}},
        "3.0 s · talk",
    ),
    "interrupted": (
        {"answer": "x", "status": "interrupted"},
        "talk · interrupted",
    ),
    "interrupted early": (
        {"answer": "", "status": "interrupted"},
        "talk · interrupted before the first word",
    ),
    "failed": (
        {"status": "failed"},
        "talk · cut off by an error",
    ),
    "failed at once": ({"answer": "", "status": "failed"}, ""),
    "too long": (
        {"finish_reason": "length"},
        "talk · cut off at the length limit – ask for the rest",
    ),
    "too long, without a word": (
        {"answer": "", "finish_reason": "length"},
        "talk · cut off at the length limit",
    ),
    "replayed": (
        {"replayed": True, "elapsed": 1.0, "usage": {"completion_tokens": 9}},
        "1.0 s · talk · replayed",
    ),
    "outdated": (
        {"stale": True, "cell_id": "a"},
        "talk · outdated: an earlier answer has changed; re-run this cell",
    ),
    "notes": ({"notes": ["2 turns left out"]}, "talk · 2 turns left out"),
    "all marks": (
        {
            **{"finish_reason": "length", "stale": True, "cell_id": "a", "replayed": True},
            "notes": ["2 turns left out"],
        },
        "talk · cut off at the length limit – ask for the rest · replayed"
        " · outdated: an earlier answer has changed; re-run this cell · 2 turns left out",
    ),
}


@pytest.mark.parametrize("case", FOOTERS)
def test_the_footer_says(case: str) -> None:
    values, expected = FOOTERS[case]
    turn = Turn("?", **{"answer": "x", "status": "complete", **values})
    assert str(Footer.of(turn, "talk", "ask for the rest")) == expected


def test_the_footer_needs_neither_a_name_nor_advice() -> None:
    turn = Turn("?", answer="x", status="complete", finish_reason="length", elapsed=1.0)
    assert str(Footer.of(turn)) == "1.0 s · cut off at the length limit"


def test_names_and_notes_in_the_footer_are_text() -> None:
    bad = "<img src=x onerror=alert(1)>"
    turn = Turn("?", answer="x", status="complete", model=bad, notes=[bad])
    html = Footer.of(turn, bad, bad).html
    assert "<img" not in html and html.count("&lt;img") == 3


def test_a_wait_is_mentioned_after_a_quiet_start_only() -> None:
    line = WaitingLine("Copilot", quiet_start=0.1)
    assert line.text() == ""
    assert 0 < line.until_next() <= 0.1
    time.sleep(0.11)
    assert line.text() == "Waiting for Copilot …"
    assert line.text(thinking=True) == "Thinking …"


def test_an_announced_wait_is_shown_at_once_and_until_it_is_over() -> None:
    line = WaitingLine("Copilot", quiet_start=60)
    line.update(Waiting(30, "429: too many requests"))
    assert line.text() == "429: too many requests – next try in 30 s"
    line.update(Delta(reasoning="hm"))
    assert line.text() == ""
    line.update(Waiting(0.0, "429: too many requests"))
    assert line.text() == ""


def test_a_wait_for_another_answer_is_counted_and_then_it_is_this_ones_turn() -> None:
    line = WaitingLine("Copilot", quiet_start=0.1)
    line.update(Waiting(math.inf, "Waiting for the answer to “one”"))
    assert line.text() == "Waiting for the answer to “one” …"
    time.sleep(1.05)
    assert line.text() == "Waiting for the answer to “one” … 1 s"
    line.update(Waiting(0.0, ""))
    assert line.text() == ""
    time.sleep(0.11)
    assert line.text() == "Waiting for Copilot …"


def test_the_clock_of_a_wait_can_start_later_than_it_was_made() -> None:
    line = WaitingLine("Copilot", quiet_start=0.1)
    time.sleep(0.11)
    line.start()
    assert line.text() == ""


def test_the_mark_tells_what_the_code_in_an_answer_does() -> None:
    code = "```python\nos.remove(x)\n```\n"
    assert effects_mark(code) == "the code deletes files"
    assert effects_mark(f"{code}> ```py\n> requests.get(x)\n> open(x, 'w')\n> ```\n") == (
        "the code deletes files, writes files and uses the network"
    )
    for answer in ("", "os.remove(x)", "```python\nx = 1\n```", "```bash\nrm x\n```"):
        assert effects_mark(answer) == ""


def test_text_that_takes_too_much_work_has_no_mark() -> None:
    assert effects_mark("```python\nos.remove(x)\n```\n" + ">" * 60 + " a\n") == ""
