"""The conversation file as a session uses it: best effort, and what is said about it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from copilot_magic.chat.conversation import Conversation
from copilot_magic.chat.turn import Turn
from copilot_magic.errors import StoreError
from copilot_magic.session.storage import Storage
from copilot_magic.store.store import Store


def fail(store: Store) -> None:
    raise StoreError("the disk is full")


def test_a_failed_read_says_so_once_and_does_not_stop_the_writing(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path / "talks.db"))
    for _ in range(2):
        assert storage.read(fail, "nothing") == "nothing"
    (note,) = storage.take_notes()
    assert "cannot be read" in note
    assert storage.read(fail, "nothing") == "nothing"
    assert storage.take_notes() == []
    assert storage.write(lambda store: store.save(Conversation("talk"))) == []
    assert storage.read(lambda store: len(store.list()), 0) == 1
    assert storage.unread is None
    storage.close()


def test_a_write_that_fails_is_tried_again_with_one_note_at_each_end(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path / "talks.db"))
    storage.write(lambda store: store.save(Conversation("talk")))
    (note,) = storage.write(fail)
    assert "not kept: the disk is full" in note
    assert storage.write(fail) == []
    assert storage.unwritten is not None
    assert storage.read(lambda store: len(store.list()), 0) == 1
    (note,) = storage.write(lambda store: store.save(Conversation("chat")))
    assert "works again" in note
    assert storage.unwritten is None
    assert storage.write(lambda store: store.save(Conversation("word"))) == []
    storage.close()


def test_a_file_that_could_not_be_opened_gets_everything_when_it_can(tmp_path: Path) -> None:
    talks = [Conversation(name, turns=[Turn("one", "Yes.", status="complete")]) for name in "ab"]
    storage = Storage(str(tmp_path / "later" / "talks.db"), lambda: talks)
    (note,) = storage.write(lambda store: store.save(talks[0]))
    assert "there is no directory" in note
    assert storage.write(lambda store: store.save(talks[0])) == []
    (tmp_path / "later").mkdir()
    (note,) = storage.write(lambda store: store.save(talks[0]))
    assert "what was missed is in it now" in note
    assert {found.name for found in storage.read(lambda store: store.list(), [])} == {"a", "b"}
    storage.close()


def test_a_deleted_file_gets_all_conversations_again_and_a_note(tmp_path: Path) -> None:
    talks = [Conversation(name, turns=[Turn("one", "Yes.", status="complete")]) for name in "ab"]
    path = tmp_path / "talks.db"
    storage = Storage(str(path), lambda: talks)
    for talk in talks:
        assert storage.write(lambda store, talk=talk: store.save(talk)) == []
    path.unlink()
    (note,) = storage.write(lambda store: store.save(talks[0]))
    assert "was gone" in note
    assert {found.name for found in storage.read(lambda store: store.list(), [])} == {"a", "b"}
    storage.close()


def test_tokens_do_not_try_a_file_that_fails(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path / "talks.db"))
    assert storage.grow("turn", "text", "") == []
    assert not (tmp_path / "talks.db").exists()
    storage.write(fail)
    with closing(sqlite3.connect(tmp_path / "talks.db", isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        assert storage.grow("turn", "text", "") == []
    storage.close()


def test_what_was_asked_while_nothing_was_kept_reaches_no_file(tmp_path: Path) -> None:
    private: set[str] = set()
    hidden, open_turn = (Turn(word, "Yes.", status="complete") for word in ("hidden", "open"))
    Storage(None, private=private).keep_private(hidden.id)
    storage = Storage(str(tmp_path / "talks.db"), private=private)
    talk = Conversation("talk", turns=[hidden, open_turn])
    storage.write(lambda store: store.begin_turn(talk, open_turn))
    storage.close()
    assert b"open" in (tmp_path / "talks.db").read_bytes()
    assert b"hidden" not in (tmp_path / "talks.db").read_bytes()


def test_what_the_user_counts_on_is_done_or_an_error(tmp_path: Path) -> None:
    assert Storage(None).demand(fail) is None
    with pytest.raises(StoreError, match="full"):
        Storage(str(tmp_path / "talks.db")).demand(fail)


def test_without_a_file_nothing_is_kept_and_nothing_is_said(home: Path) -> None:
    storage = Storage(None)
    assert storage.write(fail) == []
    assert storage.read(lambda store: store.list(), []) == []
    assert storage.take_notes() == []
    assert storage.file == ""
    assert not storage.exists()
    assert not list(home.rglob("*.db"))


def test_a_closed_file_opens_again_at_its_next_use(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path / "talks.db"))
    storage.write(lambda store: store.save(Conversation("talk")))
    storage.close()
    assert storage.read(lambda store: len(store.list()), 0) == 1
    storage.close()
