"""The store: what is kept and given back, while answers grow, in many threads and kernels."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from store_helpers import asked, begun, bytes_beside, ended, fields, loaded, until

from copilot_magic.chat.conversation import Conversation
from copilot_magic.chat.prompt import Options
from copilot_magic.chat.turn import Turn
from copilot_magic.errors import NameTakenError, StoreError
from copilot_magic.store.store import Store

# What is kept


def test_a_loaded_conversation_is_the_saved_one_without_the_servers_own_objects(
    store: Store, path: str
) -> None:
    turn = Turn(
        prompt="Why?\n",
        answer="Because.",
        reasoning="Hm.",
        status="failed",
        error="cut",
        finish_reason="length",
        usage={"total_tokens": 3, "details": {"cached": 1}},
        model="m",
        provider="Copilot",
        server="https://user:secret@example.org/v1",
        asked_provider="Copilot",
        continuation={"cookie": "secret"},
        thread="t",
        cell_id="c1",
        first_token=0.5,
        elapsed=1.5,
        stale=True,
        notes=["resumed"],
        replayed=True,
        options=Options(model="m", temperature=0.5),
        parts=({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},),
    )
    conversation = Conversation("Talk", system="Be brief.", turns=[turn])
    store.save(conversation)
    kept = replace(turn, continuation=None, thread="", server="https://example.org/v1")
    with closing(Store.open(path)) as other:
        assert fields(loaded(other, "Talk")) == fields(replace(conversation, turns=[kept]))
    assert b"secret" not in bytes_beside(path)


def test_the_store_changes_nothing_that_it_is_given(store: Store) -> None:
    store.save(Conversation("Talk"))
    turn = Turn("one", answer="Yes.", server="https://user:secret@example.org/v1")
    conversation = Conversation("Talk", turns=[turn])
    before = fields(replace(conversation, turns=[replace(turn)]))
    assert store.save(conversation) == "Talk 2"
    assert store.begin_turn(conversation, turn) == "Talk 2"
    store.grow_turn(turn.id, "No.", "")
    store.end_turn(conversation, turn)
    assert fields(conversation) == before
    assert loaded(store, "Talk 2").turns[0].answer == "Yes."


def test_a_turn_that_is_continued_grows_in_its_place(store: Store) -> None:
    conversation = Conversation("Talk")
    first = asked(store, conversation, "one", "Half an")
    asked(store, conversation, "two")
    first.status = "streaming"
    store.begin_turn(conversation, first)
    assert loaded(store, "Talk").turns[0].status == "streaming"
    ended(store, conversation, first, "Half an answer")
    assert [turn.answer for turn in loaded(store, "Talk").turns] == ["Half an answer", "Yes."]


def test_two_kernels_in_one_conversation_lose_nothing_of_each_other(
    store: Store, path: str
) -> None:
    mine = Conversation("Talk")
    asked(store, mine, "one")
    with closing(Store.open(path)) as other:
        theirs = loaded(other, "Talk")
        growing = begun(other, theirs, "theirs")
        seen = loaded(store, "Talk")
        asked(store, mine, "mine")
        ended(other, theirs, growing, "Done.")
        store.save(seen)
    turns = loaded(store, "Talk").turns
    assert [turn.prompt for turn in turns] == ["one", "theirs", "mine"]
    assert turns[1].answer == "Done."


def test_a_turn_that_could_not_begin_is_written_whole_at_its_end(store: Store) -> None:
    conversation, turn = Conversation("Talk"), Turn("Tell me", answer="Once", status="complete")
    conversation.begin(turn)
    store.grow_turn(turn.id, turn.answer, "")
    store.end_turn(conversation, turn)
    assert fields(loaded(store, "Talk")) == fields(conversation)


def test_the_path_of_a_store_holds_when_the_working_directory_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(Store.open("mine.db")) as store:
        monkeypatch.chdir("/")
        store.close()
        asked(store, Conversation("Talk"), "one")
    assert (tmp_path / "mine.db").stat().st_size > 0


# While answers grow


def test_an_answer_is_written_while_it_grows_even_if_the_server_falls_silent(path: str) -> None:
    with closing(Store.open(path, growth_interval=0.01)) as store:
        turn = begun(store, Conversation("Talk"), "Tell me")
        store.grow_turn(turn.id, "Once upon", "")
        store.grow_turn(turn.id, "Once upon a time", "A tale.")
        until(lambda: loaded(store, "Talk").turns[0].answer == "Once upon a time")
        assert loaded(store, "Talk").turns[0].reasoning == "A tale."
        store.grow_turn(turn.id, "Once upon a time there was", "A tale.")
        until(lambda: loaded(store, "Talk").turns[0].answer.endswith("there was"))


def test_only_the_texts_as_given_are_written_not_what_the_turn_has_become(path: str) -> None:
    with closing(Store.open(path, growth_interval=0.01)) as store:
        turn = begun(store, Conversation("Talk"), "Tell me")
        store.grow_turn(turn.id, "Once upon", "")
        turn.answer = "changed by another thread"
        until(lambda: loaded(store, "Talk").turns[0].answer == "Once upon")


def test_what_grows_while_a_write_waits_is_written_too(path: str) -> None:
    with closing(Store.open(path, growth_interval=0.01)) as store:
        conversation = Conversation("Talk")
        turns = [begun(store, conversation, prompt) for prompt in ("one", "two")]
        with closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            store.grow_turn(turns[0].id, "Once", "")
            time.sleep(0.1)  # the write waits by now
            store.grow_turn(turns[1].id, "Once", "")
            holder.execute("ROLLBACK")
        until(lambda: [turn.answer for turn in loaded(store, "Talk").turns] == ["Once", "Once"])


@pytest.mark.parametrize("held", [0.0, 0.35])
def test_an_older_text_that_waits_to_be_written_does_not_follow_the_end(
    path: str, held: float
) -> None:
    """If the file is held for longer than SQLite itself waits, the end is written first."""
    with closing(Store.open(path, growth_interval=0.001)) as store:
        conversation = Conversation("Talk")
        turn = begun(store, conversation, "Tell me")
        end = threading.Thread(target=ended, args=(store, conversation, turn, "Once upon a time"))
        with closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            store.grow_turn(turn.id, "Once", "")
            time.sleep(0.02)  # the write waits by now
            end.start()
            time.sleep(held)
            holder.execute("ROLLBACK")
        end.join()
        store.close()
        assert loaded(store, "Talk").turns[0].answer == "Once upon a time"


def test_closing_writes_what_has_grown_and_a_later_call_opens_the_file_again(store: Store) -> None:
    turn = begun(store, Conversation("Talk"), "Tell me")
    store.grow_turn(turn.id, "Once", "")
    store.close()
    assert loaded(store, "Talk").turns[0].answer == "Once"


# Threads, and failures


def test_another_thread_may_use_the_store(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: asked(store, Conversation(f"Talk {n}"), "one"), range(40)))
    assert len(store.list()) == 40


def test_answers_that_grow_at_once_in_several_threads_keep_their_own_rows(path: str) -> None:
    """Two conversations, eight answers: six end in any order, two are cut off by the close."""
    conversations = [Conversation("First"), Conversation("Second")]
    together = threading.Barrier(8)
    rng = random.Random(1)
    pauses = [rng.uniform(0, 0.002) for _ in range(8)]

    def answer(number: int) -> None:
        conversation = conversations[number % 2]
        turn = Turn(f"Question {number}")
        conversation.begin(turn)
        together.wait()
        store.begin_turn(conversation, turn)
        for word in range(50):
            turn.answer += f"{number}:{word} "
            turn.reasoning = f"thought {number}"
            store.grow_turn(turn.id, turn.answer, turn.reasoning)
            time.sleep(pauses[number])
        if number < 6:
            turn.notes.append(f"note {number}")
            turn.status = "complete"
            conversation.end(turn)
            store.end_turn(conversation, turn)

    with closing(Store.open(path, growth_interval=0.002)) as store:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(answer, range(8)))
        store.close()
        found = {
            turn.prompt: (name, turn.answer, turn.reasoning, turn.status, turn.notes)
            for name in ("First", "Second")
            for turn in loaded(store, name).turns
        }
    assert found == {
        f"Question {number}": (
            ("First", "Second")[number % 2],
            "".join(f"{number}:{word} " for word in range(50)),
            f"thought {number}",
            "complete" if number < 6 else "streaming",
            [f"note {number}"] if number < 6 else [],
        )
        for number in range(8)
    }


def test_a_text_with_damaged_bytes_is_read_and_its_turn_written_again(
    store: Store, path: str
) -> None:
    conversation = Conversation("Talk")
    turn = asked(store, conversation, "one")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE turn SET answer = CAST(x'59ff21' AS TEXT)")
        connection.commit()
    assert loaded(store, "Talk").turns[0].answer == "Y\ufffd!"
    asked(store, conversation, "two")
    store.begin_turn(conversation, turn)
    store.end_turn(conversation, turn)
    assert [turn.answer for turn in loaded(store, "Talk").turns] == ["Yes.", "Yes."]


def test_a_failed_write_may_be_tried_again(path: str) -> None:
    with closing(Store.open(path, growth_interval=0.001, lock_timeout=0.05)) as store:
        conversation = Conversation("Talk")
        turn = begun(store, conversation, "Tell me")
        with closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="locked"):
                while True:
                    store.grow_turn(turn.id, "Once", "")
                    time.sleep(0.001)
            with pytest.raises(StoreError, match="locked"):
                ended(store, conversation, turn)
            holder.execute("ROLLBACK")
        ended(store, conversation, turn, "Once upon a time")
        assert loaded(store, "Talk").turns[0].answer == "Once upon a time"


# Names and deletion


def test_a_renamed_conversation_keeps_its_new_name_in_every_kernel(store: Store, path: str) -> None:
    conversation = Conversation("Talk")
    asked(store, conversation, "one")
    with closing(Store.open(path)) as other:
        assert other.rename("Talk", "Chat")
    asked(store, conversation, "two")
    assert conversation.name == "Chat"
    assert [summary.name for summary in store.list()] == ["Chat"]


def test_renaming_needs_a_conversation_and_a_free_name(store: Store) -> None:
    store.save(Conversation("Talk"))
    store.save(Conversation("Chat"))
    with pytest.raises(NameTakenError, match="already a conversation 'Chat'") as raised:
        store.rename("Talk", "Chat")
    assert raised.value.name == "Chat"
    assert store.rename("Talk", "Talk")
    assert not store.rename("Speech", "Discourse")


def test_a_forgotten_conversation_leaves_no_word_on_the_disk(store: Store, path: str) -> None:
    conversation = Conversation("Confession")
    turn = asked(store, conversation, "I ate the plums", "in the icebox " * 1000)
    again = Turn("I ate the plums twice")
    conversation.begin(again, turn)
    store.begin_turn(conversation, again, replaces=turn.id, notebook="n")
    store.keep_answer("k", turn.id)
    asked(store, Conversation("Other"), "Hello")
    assert b"plums" in bytes_beside(path)
    assert store.forget("Confession")
    assert not any(
        word in bytes_beside(path)
        for word in (b"plums", b"icebox", b"Confession", turn.id.encode())
    )
    assert (store.load("Confession"), store.latest("n"), store.answer_to("k")) == (None, None, None)
    assert [summary.name for summary in store.list()] == ["Other"]
    assert not store.forget("Confession")


def test_a_turn_forgotten_while_it_is_written_stays_forgotten(store: Store) -> None:
    conversation = Conversation("Talk")
    turn = begun(store, conversation, "one")
    store.forget("Talk")
    store.grow_turn(turn.id, "Yes.", "")
    ended(store, conversation, turn)
    assert store.list() == []
