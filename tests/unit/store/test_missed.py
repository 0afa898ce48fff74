"""What the file lacks is written with the next turn."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from store_helpers import asked, begun, ended, loaded

from copilot_magic.chat.conversation import Conversation
from copilot_magic.chat.turn import Turn
from copilot_magic.errors import StoreError, UnknownConversationError
from copilot_magic.store.store import Store


@pytest.fixture
def store(path: str) -> Iterator[Store]:
    with closing(Store.open(path, lock_timeout=0.05)) as store:
        yield store


@contextmanager
def held(path: str) -> Iterator[None]:
    """Let another program hold the file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.execute("ROLLBACK")


def prompts(conversation: Conversation) -> list[str]:
    return [turn.prompt for turn in conversation.turns]


def ask_unheard(store: Store, talk: Conversation, prompt: str, **more: object) -> None:
    """Ask while nothing can be written."""
    with pytest.raises(StoreError, match="locked"):
        begun(store, talk, prompt, **more)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="locked"):
        ended(store, talk, talk.turns[-1])


def test_turns_of_which_beginning_and_end_were_missed_are_written_in_their_place(
    store: Store, path: str
) -> None:
    talk = Conversation("Talk")
    asked(store, talk, "one")
    with held(path):
        ask_unheard(store, talk, "two")
        ask_unheard(store, talk, "three")
    asked(store, talk, "four")
    found = loaded(store, "Talk")
    assert prompts(found) == ["one", "two", "three", "four"]
    assert {turn.status for turn in found.turns} == {"complete"}


def test_a_turn_of_which_only_the_end_was_missed_is_written_whole(store: Store, path: str) -> None:
    talk = Conversation("Talk")
    turn = begun(store, talk, "one")
    with held(path), pytest.raises(StoreError):
        ended(store, talk, turn, "the whole answer")
    asked(store, talk, "two")
    assert [t.answer for t in loaded(store, "Talk").turns] == ["the whole answer", "Yes."]


def test_a_missed_replacement_replaces(store: Store, path: str) -> None:
    talk = Conversation("Talk")
    first = asked(store, talk, "one")
    asked(store, talk, "two")
    with held(path):
        with pytest.raises(StoreError):
            begun(store, talk, "one again", first)
        again = talk.turns[0]
        with pytest.raises(StoreError):
            ended(store, talk, again, "Yes, again.", first)
        with pytest.raises(StoreError):
            begun(store, talk, "and again", again)
        with pytest.raises(StoreError):
            ended(store, talk, talk.turns[0], "Yes!", again)
    asked(store, talk, "three")
    assert prompts(loaded(store, "Talk")) == ["and again", "two", "three"]


def test_a_missed_replacement_that_received_nothing_leaves_the_place(
    store: Store, path: str
) -> None:
    talk = Conversation("Talk")
    first = asked(store, talk, "one")
    with held(path):
        with pytest.raises(StoreError):
            begun(store, talk, "one again", first)
        with pytest.raises(StoreError):
            ended(store, talk, talk.turns[0], "", first)
    asked(store, talk, "two")
    assert prompts(loaded(store, "Talk")) == ["one", "two"]


@pytest.mark.parametrize("names", [[""], ["", "-wal", "-shm"]])
def test_all_turns_are_written_again_if_the_file_was_deleted(
    store: Store, path: str, names: list[str]
) -> None:
    talk = Conversation("Talk")
    first = asked(store, talk, "one")
    asked(store, talk, "two")
    asked(store, talk, "one again", replaces=first)
    for name in names:
        Path(path + name).unlink(missing_ok=True)
    asked(store, talk, "three")
    assert prompts(loaded(store, "Talk")) == ["one again", "two", "three"]


def test_all_turns_are_written_if_the_file_is_deleted_during_an_answer(
    store: Store, path: str
) -> None:
    talk = Conversation("Talk")
    first = asked(store, talk, "one")
    second = begun(store, talk, "two")
    Path(path).unlink()
    ended(store, talk, second)
    assert prompts(loaded(store, "Talk")) == ["one", "two"]
    again = begun(store, talk, "one again", first)
    Path(path).unlink()
    ended(store, talk, again, "", first)
    assert prompts(loaded(store, "Talk")) == ["one", "two"]


def test_an_older_file_put_in_the_place_of_the_newer_one_gets_what_it_lacks(
    store: Store, path: str
) -> None:
    talk = Conversation("Talk")
    asked(store, talk, "one")
    store.close()
    older = Path(path).read_bytes()
    asked(store, talk, "two")
    store.close()
    Path(path).write_bytes(older)
    assert store.newer(talk) is None
    asked(store, talk, "three")
    assert prompts(loaded(store, "Talk")) == ["one", "two", "three"]


def test_a_program_that_holds_the_file_for_long_costs_its_whole_wait_once(path: str) -> None:
    import time

    with closing(Store.open(path, lock_timeout=1.5)) as store:
        talk = Conversation("Talk")
        asked(store, talk, "one")
        with held(path):
            started = time.monotonic()
            ask_unheard(store, talk, "two")
            ask_unheard(store, talk, "three")
            assert time.monotonic() - started < 2 * 1.5 + 1


# Other kernels


def test_what_others_asked_is_found_and_what_is_unchanged_is_the_same_object(
    store: Store, path: str
) -> None:
    talk = Conversation("Talk", system="Be brief")
    mine = asked(store, talk, "mine")
    assert store.newer(talk) is None
    with closing(Store.open(path)) as other:
        theirs = loaded(other, "Talk")
        asked(other, theirs, "theirs")
        newer = store.newer(talk)
        assert newer is not None
        assert prompts(newer) == ["mine", "theirs"]
        assert newer.turns[0] is mine
        talk.update(newer)
        assert store.newer(talk) is None
        growing = begun(other, theirs, "growing")
        newer = store.newer(talk)
        assert newer is not None
        talk.update(newer)
        assert talk.turns[-1].status == "streaming"
        ended(other, theirs, growing, "grown")
        newer = store.newer(talk)
        assert newer is not None
        assert [(turn.prompt, turn.answer) for turn in newer.turns[1:]] == [
            ("theirs", "Yes."),
            ("growing", "grown"),
        ]


def test_an_answer_that_arrives_here_stays_while_others_ask(store: Store, path: str) -> None:
    talk = Conversation("Talk")
    first = asked(store, talk, "one")
    arriving = begun(store, talk, "mine", first)
    begins = Turn("not stored yet")
    talk.begin(begins)
    with closing(Store.open(path)) as other:
        theirs = loaded(other, "Talk")
        asked(other, theirs, "theirs", replaces=theirs.turns[0])
    newer = store.newer(talk)
    assert newer is not None
    assert {turn.prompt for turn in newer.turns} == {"mine", "not stored yet", "theirs"}
    assert arriving in newer.turns
    assert begins in newer.turns


def test_what_others_asked_while_one_asks_oneself_is_found_too(store: Store, path: str) -> None:
    talk = Conversation("Talk")
    asked(store, talk, "one")
    with closing(Store.open(path)) as other:
        mine = begun(store, talk, "mine")
        asked(other, loaded(other, "Talk"), "theirs")
        ended(store, talk, mine)
    newer = store.newer(talk)
    assert newer is not None
    assert prompts(newer) == ["one", "mine", "theirs"]


def test_a_turn_that_others_replaced_is_not_kept(store: Store, path: str) -> None:
    talk = Conversation("Talk")
    asked(store, talk, "one")
    with closing(Store.open(path)) as other:
        theirs = loaded(other, "Talk")
        asked(other, theirs, "one again", replaces=theirs.turns[0])
    newer = store.newer(talk)
    assert newer is not None
    assert prompts(newer) == ["one again"]


def test_a_conversation_forgotten_elsewhere_is_not_revived(store: Store, path: str) -> None:
    talk = Conversation("Talk")
    asked(store, talk, "one")
    running = begun(store, talk, "two")
    with closing(Store.open(path)) as other:
        assert other.forget("Talk")
    ended(store, talk, running)
    with pytest.raises(UnknownConversationError, match="forgotten"):
        store.newer(talk)
    asked(store, talk, "three")
    store.catch_up(talk)
    assert store.list() == []
    store.save(talk)  # on request it is
    assert prompts(loaded(store, "Talk")) == ["one", "two", "three"]
