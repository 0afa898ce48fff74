"""The rows of turns: any text, superseded and reinstated, and files of other versions."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_helpers import asked, begun, ended, loaded

from copilot_magic.chat.conversation import Conversation
from copilot_magic.chat.prompt import Options
from copilot_magic.chat.turn import Turn
from copilot_magic.store.store import Store
from copilot_magic.store.turn_rows import StoredTurn, standing_turns
from copilot_magic.text import well_formed


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(prompt=st.text(), answer=st.text(st.characters()), name=st.text(min_size=1))
def test_any_text_is_kept_as_it_is(store: Store, prompt: str, answer: str, name: str) -> None:
    conversation = Conversation(name)
    asked(store, conversation, prompt, answer)
    (turn,) = loaded(store, conversation.conversation_id).turns
    assert (turn.prompt, turn.answer) == (well_formed(prompt), well_formed(answer))


def test_a_character_that_came_in_two_halves_is_joined(store: Store) -> None:
    conversation = Conversation("\ud83d")
    asked(store, conversation, "smile", "\ud83d\ude00 \ud83d")
    assert loaded(store, "\ufffd").turns[0].answer == "😀 \ufffd"


# Superseded turns


def test_a_replaced_turn_stays_in_the_file_and_its_place_goes_to_the_new_one(
    store: Store, path: str
) -> None:
    conversation = Conversation("Talk")
    first = asked(store, conversation, "one", "First answer")
    asked(store, conversation, "two")
    again = asked(store, conversation, "one, again", "Second answer", replaces=first)
    turns = loaded(store, "Talk").turns
    assert [turn.prompt for turn in turns] == ["one, again", "two"]
    assert [turn.stale for turn in turns] == [False, True]
    with closing(sqlite3.connect(path)) as connection:
        old = connection.execute("SELECT answer, superseded_by FROM turn WHERE id = ?", (first.id,))
        assert old.fetchone() == ("First answer", again.id)


def test_a_turn_that_received_nothing_gives_its_place_back(store: Store) -> None:
    conversation = Conversation("Talk")
    first = asked(store, conversation, "one")
    for answer in ("", "Better."):
        again = begun(store, conversation, "one, again", replaces=first)
        assert loaded(store, "Talk").turns[0].prompt == "one, again"
        ended(store, conversation, again, answer, replaced=first)
        assert [turn.answer for turn in loaded(store, "Talk").turns] == [answer or "Yes."]
    assert store.list()[0].turns == 1


@pytest.mark.parametrize("answer", ["Slow.", ""])
def test_a_turn_that_ends_after_it_was_replaced_takes_no_place_again(
    store: Store, answer: str
) -> None:
    conversation = Conversation("Talk")
    first = asked(store, conversation, "one")
    slow = begun(store, conversation, "one, again", replaces=first)
    asked(store, conversation, "one, a third time", "Quick.", replaces=slow)
    ended(store, conversation, slow, answer, replaced=first)
    assert [turn.answer for turn in loaded(store, "Talk").turns] == ["Quick."]


def test_a_turn_keeps_its_place_if_the_one_that_replaced_it_received_nothing(store: Store) -> None:
    conversation = Conversation("Talk")
    first = asked(store, conversation, "one")
    slow = begun(store, conversation, "one, again", replaces=first)
    asked(store, conversation, "one, a third time", "", replaces=slow)
    ended(store, conversation, slow, "Slow.", replaced=first)
    assert [turn.answer for turn in conversation.turns] == ["Slow."]
    assert [turn.answer for turn in loaded(store, "Talk").turns] == ["Slow."]


def test_a_place_goes_back_to_the_turn_that_had_an_answer_not_to_a_failed_try(
    store: Store,
) -> None:
    for number in range(8):  # a wrong order by the turns' random ids would show in some of them
        conversation = Conversation(f"Talk {number}")
        first = asked(store, conversation, "one")
        slow = begun(store, conversation, "one, again", replaces=first)
        asked(store, conversation, "one, a third time", "", replaces=slow)
        ended(store, conversation, slow, "", replaced=first)
        assert [turn.prompt for turn in conversation.turns] == ["one"]
        assert [turn.prompt for turn in loaded(store, conversation.name).turns] == ["one"]


@pytest.mark.parametrize(
    ("turns", "standing"),
    [
        # Each turn: its prompt, its answer, its status, and the prompt of what superseded it.
        ([("a", "Yes.", "complete", "b"), ("b", "", "streaming", None)], "a"),
        ([("a", "Yes.", "complete", "b"), ("b", "Once", "streaming", None)], "b"),
        ([("a", "Yes.", "complete", "b"), ("b", "", "failed", None)], "b"),
        ([("a", "", "streaming", None)], "a"),
        (
            [
                ("a", "Yes.", "complete", "b"),
                ("b", "", "streaming", "c"),
                ("c", "Yes.", "complete", None),
            ],
            "c",
        ),
        (
            [
                ("a", "Yes.", "complete", "b"),
                ("b", "", "streaming", "c"),
                ("c", "", "streaming", None),
            ],
            "a",
        ),
        (
            [
                ("a", "Yes.", "complete", "b"),
                ("b", "", "streaming", None),
                ("c", "", "failed", "b"),
            ],
            "a",
        ),
    ],
)
def test_one_turn_stands_in_each_place_after_its_process_was_killed(
    turns: list[tuple[str, str, str, str | None]], standing: str
) -> None:
    stored = [
        StoredTurn(Turn(prompt, answer, status=status, id=prompt), 1, by)  # type: ignore[arg-type]
        for prompt, answer, status, by in turns
    ]
    found = standing_turns(stored, is_alive=lambda writer: False)
    assert [turn.prompt for turn in found] == [standing]
    assert "streaming" not in {turn.status for turn in found}


# Answers kept for replay


def test_the_last_complete_answer_to_a_request_is_found(store: Store) -> None:
    conversation = Conversation("Talk")
    first = asked(store, conversation, "one", "old answer")
    store.keep_answer("key", first.id)
    second = asked(store, conversation, "one", "new answer")
    store.keep_answer("key", second.id)
    found = store.answer_to("key")
    assert found is not None
    assert found.answer == "new answer"
    assert store.answer_to("other key") is None


# Other versions


def test_what_a_later_version_kept_of_a_turn_is_passed_over(store: Store, path: str) -> None:
    asked(store, Conversation("Talk"), "one")
    with closing(sqlite3.connect(path)) as connection:
        details = json.loads(connection.execute("SELECT details FROM turn").fetchone()[0])
        details["mood"] = "fine"
        details["options"]["top_p"] = 0.5
        connection.execute("UPDATE turn SET details = ?", (json.dumps(details),))
        connection.commit()
    assert loaded(store, "Talk").turns[0].answer == "Yes."


def test_a_file_of_version_0_1_0_is_read_with_all_that_is_in_it(path: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(Path(__file__).with_name("conversations_0.1.0.sql").read_text())
    with closing(Store.open(path)) as store:
        conversation = loaded(store, "Talk")
        assert conversation.conversation_id == "11111111-1111-4111-8111-111111111111"
        assert conversation.system == "Be brief."
        first, failed, interrupted, killed = conversation.turns
        assert vars(first) == vars(
            Turn(
                "one, again",
                "It’s 😀",
                status="complete",
                replayed=True,
                started=1002.0,
                id="c",
            )
        )
        assert vars(failed) == vars(
            Turn(
                "two",
                "Half an",
                "Hm.",
                status="failed",
                error="cut",
                finish_reason="length",
                usage={"total_tokens": 3, "details": {"cached": 1}},
                model="gpt",
                provider="Copilot",
                server="https://example.org/v1",
                asked_provider="Copilot",
                cell_id="c2",
                started=1001.0,
                first_token=0.5,
                elapsed=1.5,
                stale=True,
                notes=["resumed"],
                options=Options(model="m", temperature=0.5),
                id="b",
            )
        )
        assert interrupted.options == Options(model="", provider="p", max_tokens=7)
        assert interrupted.status == "interrupted"
        assert (killed.answer, killed.status) == ("Never ended", "interrupted")
        kept, latest = store.answer_to("key"), store.latest("work.ipynb")
        assert kept is not None and kept.id == "c"
        assert latest is not None and latest.name == "Talk"
        asked(store, conversation, "five")
        assert len(loaded(store, "Talk").turns) == 5
