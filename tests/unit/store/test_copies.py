"""The copy of the last good state beside the file."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from store_helpers import asked, bytes_beside, loaded, until

from copilot_magic.chat.conversation import Conversation
from copilot_magic.store.copies import Copier, copy_path, keep_copy
from copilot_magic.store.schema import MIGRATIONS
from copilot_magic.store.store import Store

DAY = 24 * 3600


def turns_in(file: str) -> int:
    with closing(sqlite3.connect(file)) as connection:
        return int(connection.execute("SELECT count(*) FROM turn").fetchone()[0])


def age(path: str, seconds: float) -> None:
    """Let the copy be that old."""
    then = time.time() - seconds
    os.utime(copy_path(path), (then, then))


def test_closing_keeps_a_private_copy_at_most_once_a_day(path: str) -> None:
    talk = Conversation("Talk")
    for number, days in enumerate((0.0, 0.9, 1.1), 1):
        if number > 1:
            age(path, days * DAY)
        with closing(Store.open(path)) as store:
            asked(store, talk, "one")
    assert turns_in(copy_path(path)) == 3
    assert Path(copy_path(path)).stat().st_mode & 0o777 == 0o600
    age(path, 0.9 * DAY)
    with closing(Store.open(path)) as store:
        asked(store, talk, "one")
    assert turns_in(copy_path(path)) == 3
    assert {file.name.removeprefix("conversations.db") for file in Path(path).parent.iterdir()} <= {
        *("", "-wal", "-shm", "-writers", "-copy")
    }


def test_an_old_copy_is_renewed_while_the_kernel_lives(path: str) -> None:
    with closing(Store.open(path)) as store:
        asked(store, Conversation("Talk"), "one")
    age(path, 2 * DAY)
    with closing(Store.open(path)) as store:
        asked(store, Conversation("Chat"), "two")
        until(lambda: turns_in(copy_path(path)) == 2)


def test_a_file_with_nothing_in_it_is_not_copied(path: str) -> None:
    Store.open(path).close()
    assert not Path(copy_path(path)).exists()


def test_a_damaged_file_does_not_take_the_place_of_the_good_copy(path: str) -> None:
    with closing(Store.open(path)) as store:
        asked(store, Conversation("Talk"), "one", "much " * 10_000)
    good = Path(copy_path(path)).read_bytes()
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[:4096] + b"\xff" * 8192 + whole[12288:])
    with pytest.raises(sqlite3.Error):
        keep_copy(path)
    age(path, 2 * DAY)
    Copier(path).finish()
    assert Path(copy_path(path)).read_bytes() == good


def test_an_older_file_is_copied_before_it_is_migrated(path: str) -> None:
    Store.open(path, migrations=MIGRATIONS[:1]).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO conversation VALUES ('c', 'Talk', '', 1, 2)")
        connection.execute(
            "INSERT INTO turn VALUES ('c', 't', 0, NULL, 1, NULL, 'one', 'Yes.', '', 'complete', 0,"
            " 1, '{}')"
        )
        connection.commit()
    with closing(Store.open(path)) as store:
        with closing(sqlite3.connect(copy_path(path))) as copy:
            assert copy.execute("PRAGMA user_version").fetchone() == (1,)
        assert turns_in(copy_path(path)) == 1
        assert loaded(store, "Talk").turns[0].answer == "Yes."


def test_without_wal_an_older_file_is_copied_before_it_is_migrated(path: str) -> None:
    Path(f"{path}-shm").mkdir()
    with closing(Store.open(path)) as store:
        asked(store, Conversation("Talk"), "one")
    Path(copy_path(path)).unlink()
    more = (*MIGRATIONS, ("ALTER TABLE conversation ADD COLUMN colour TEXT",))
    with closing(Store.open(path, migrations=more, lock_timeout=1)) as store:
        assert loaded(store, "Talk").turns[0].answer == "Yes."
    assert turns_in(copy_path(path)) == 1


def test_what_is_forgotten_is_forgotten_in_the_copy(path: str) -> None:
    with closing(Store.open(path)) as store:
        asked(store, Conversation("Secret"), "the treasure is buried", "under the oak")
        asked(store, Conversation("Other"), "one")
    assert b"treasure" in Path(copy_path(path)).read_bytes()
    with closing(Store.open(path)) as store:
        store.forget("Secret")
    assert b"treasure" not in bytes_beside(path)
    assert turns_in(copy_path(path)) == 1


def test_a_dead_processs_half_copy_is_no_obstacle_for_long(path: str) -> None:
    with closing(Store.open(path)) as store:
        asked(store, Conversation("Talk"), "one")
    half = Path(f"{copy_path(path)}-new")
    half.write_bytes(b"half")
    Path(copy_path(path)).unlink()
    keep_copy(path)  # it may be a living process's
    assert not Path(copy_path(path)).exists()
    os.utime(half, (time.time() - DAY, time.time() - DAY))
    keep_copy(path)
    assert turns_in(copy_path(path)) == 1
    assert not half.exists()
