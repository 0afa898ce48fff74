"""A turn: what is kept of it, and its status in words."""

from __future__ import annotations

import json

import pytest

from copilot_magic.chat.prompt import Options, Prompt
from copilot_magic.chat.turn import Turn, turn_of, turn_to_dict

SERVER = "http://localhost:1337/v1"


def turn(prompt: str, answer: str = "", **more: object) -> Turn:
    values = {"server": SERVER, "asked_provider": "Copilot", "status": "complete", **more}
    return Turn(prompt, answer, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "finish_reason", "cut_off"),
    [
        ("complete", "stop", False),
        ("complete", "length", True),
        ("interrupted", None, True),
        ("failed", None, True),
    ],
)
def test_what_is_cut_off_can_be_continued(
    status: str, finish_reason: str | None, cut_off: bool
) -> None:
    assert turn("a", "b", status=status, finish_reason=finish_reason).cut_off is cut_off
    assert not turn("a", "", status=status, finish_reason=finish_reason).cut_off


def test_a_turn_remembers_the_whole_prompt() -> None:
    prompt = Prompt("hi", ({"type": "image_url"},), Options(model="m"), cell_id="A")
    asked = Turn.of(prompt)
    assert (asked.prompt, asked.options, asked.cell_id) == ("hi", Options(model="m"), "A")
    assert asked.content == prompt.content


def test_another_provider_is_not_sent_the_last_ones_continuation() -> None:
    asked = turn("a", continuation={"id": 7})
    asked.record_asked(SERVER, "Copilot", "t", "m")
    assert asked.continuation == {"id": 7}
    asked.record_asked(SERVER, "Other", "u", "m")
    assert asked.continuation is None
    assert (asked.asked_provider, asked.thread) == ("Other", "u")


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ({"answer": "x"}, ""),
        ({"answer": "x", "finish_reason": "length"}, "cut off at the length limit"),
        ({"answer": "x", "status": "interrupted"}, "interrupted"),
        ({"status": "interrupted"}, "interrupted before the first word"),
        ({"answer": "x", "status": "failed"}, "cut off by an error"),
        ({"status": "failed"}, "failed"),
        ({"status": "streaming"}, ""),
    ],
)
def test_how_an_answer_ended_is_said_in_a_few_words(
    values: dict[str, object], outcome: str
) -> None:
    assert turn("p", **values).outcome == outcome


def test_the_marks_say_what_a_reader_should_know() -> None:
    assert turn("p", "a").marks == []
    marks = turn("p", "a", status="interrupted", replayed=True, stale=True).marks
    assert marks[:2] == ["interrupted", "replayed"]
    assert "ask it again" in marks[2]
    assert "re-run this cell" in turn("p", "a", cell_id="c", stale=True).marks[0]


def test_what_is_kept_of_a_turn_is_json_and_makes_the_turn_again() -> None:
    options = Options(temperature=0.5)
    asked = turn("p", "a", options=options, parts=({"type": "image_url"},), notes=["n"])
    kept = json.loads(json.dumps(turn_to_dict(asked)))
    assert kept["options"] == {"temperature": 0.5}
    again = turn_of(kept)
    assert vars(again) == vars(asked)


def test_what_is_kept_has_no_credentials_and_no_continuation() -> None:
    asked = turn(
        "p", "a", server="https://me:secret@host/v1?key=secret", continuation={"t": "secret"}
    )
    kept = turn_to_dict(asked)
    assert kept["server"] == "https://host/v1"
    assert "secret" not in json.dumps(kept)
    assert "parts" not in kept


def test_what_a_newer_version_kept_is_ignored() -> None:
    kept = turn_to_dict(turn("p", "a")) | {"colour": "red", "options": {"model": "m", "top_k": 3}}
    assert turn_of(kept).options == Options(model="m")
