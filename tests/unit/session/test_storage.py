"""The conversation file as a session uses it: best effort, and what is said about it."""

from __future__ import annotations

from pathlib import Path

from copilot_magic.chat.conversation import Conversation
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
    assert storage.take_notes() == []
    assert storage.write(lambda store: store.save(Conversation("talk"))) == []
    assert storage.read(lambda store: len(store.list()), 0) == 1
    storage.close()


def test_a_failed_write_is_one_note_and_reading_goes_on(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path / "talks.db"))
    storage.write(lambda store: store.save(Conversation("talk")))
    (note,) = storage.write(fail)
    assert "not kept: the disk is full" in note
    assert storage.write(fail) == []
    assert storage.read(lambda store: len(store.list()), 0) == 1
    storage.close()


def test_without_a_file_nothing_is_kept_and_nothing_is_said(home: Path) -> None:
    storage = Storage(None)
    assert storage.write(fail) == []
    assert storage.read(lambda store: store.list(), []) == []
    assert storage.take_notes() == []
    assert not list(home.rglob("*.db"))


def test_a_closed_file_opens_again_at_its_next_use(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path / "talks.db"))
    storage.write(lambda store: store.save(Conversation("talk")))
    storage.close()
    assert storage.read(lambda store: len(store.list()), 0) == 1
    storage.close()
