"""The conversation file itself: where it is, what is refused, what stays intact, its versions."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from store_helpers import AS_NOBODY, asked, loaded, run

from copilot_magic.chat.conversation import Conversation
from copilot_magic.errors import StoreError
from copilot_magic.store.database import Database, default_path
from copilot_magic.store.schema import MIGRATIONS
from copilot_magic.store.store import Store

# One connection


def test_a_forked_child_does_not_touch_its_parents_connection(path: str) -> None:
    code = """
import os, sys
from copilot_magic.chat.conversation import Conversation
from copilot_magic.chat.turn import Turn
from copilot_magic.store.database import Database
from copilot_magic.store.store import Store

def ask(store, conversation):
    turn = Turn("one")
    conversation.begin(turn)
    store.begin_turn(conversation, turn)
    store.grow_turn(turn.id, "Yes.", "")
    turn.status = "complete"
    store.end_turn(conversation, turn)

store, database = Store.open(sys.argv[1]), Database(sys.argv[1])
ask(store, Conversation("parent"))
parents = database.read(lambda connection: connection)
child = os.fork()
if child == 0:
    ask(store, Conversation("child"))
    own = database.read(lambda connection: connection)
    os._exit(0 if own is not parents else 1)
assert os.waitpid(child, 0)[1] == 0
assert database.read(lambda connection: connection) is parents
ask(store, Conversation("parent again"))
print(sorted(summary.name for summary in store.list()))
store.close()
database.close()
"""
    assert run(code, path).strip() == "['child', 'parent', 'parent again']"


def test_a_child_that_closes_at_once_leaves_the_file_to_its_parent(path: str) -> None:
    code = """
import os, sys
from copilot_magic.store.database import Database

database = Database(sys.argv[1])
parents = database.read(lambda connection: connection)
child = os.fork()
if child == 0:
    database.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(database.read(lambda connection: connection is parents))
database.close()
"""
    assert run(code, path) == "True\n"


def test_what_fails_within_a_transaction_is_undone_and_the_next_one_works(path: str) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO conversation VALUES ('id', 'name', '', 0, 0)")
        raise KeyboardInterrupt

    count = "SELECT count(*) FROM conversation"
    with closing(Database(path)) as database:
        with pytest.raises(KeyboardInterrupt):
            database.write(fail)
        assert database.read(lambda connection: connection.execute(count).fetchone()) == (0,)
        database.write(lambda connection: connection.execute("DELETE FROM conversation"))


# Where the file is, and for whom


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_the_files_are_for_their_owner_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    previous = os.umask(umask)
    try:
        with closing(Store.open(str(tmp_path / "conversations.db"))) as store:
            asked(store, Conversation("Talk"), "one")
            modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    finally:
        os.umask(previous)
    names = ("", "-shm", "-wal", "-writers")
    assert modes == {f"conversations.db{ending}": 0o600 for ending in names}


def test_the_default_place_is_the_users_data_directory_made_for_them_alone(home: Path) -> None:
    import platformdirs

    with closing(Store.open("")) as store:
        directory = Path(platformdirs.user_data_dir("copilot_magic", appauthor=False))
        assert Path(store.path) == (directory / "conversations.db").resolve()
        assert store.path == default_path()
        assert directory.stat().st_mode & 0o777 == 0o700
        assert home in directory.parents


def test_a_store_continues_in_a_new_file_if_its_own_was_deleted(store: Store, path: str) -> None:
    asked(store, Conversation("Before"), "one")
    for file in Path(path).parent.iterdir():
        file.unlink()
    asked(store, Conversation("After"), "one")
    with closing(Store.open(path)) as other:
        assert [summary.name for summary in other.list()] == ["After"]


def test_without_wal_the_file_is_journalled_in_another_way(path: str) -> None:
    # A directory takes the place of the file that WAL shares between processes.
    Path(f"{path}-shm").mkdir()
    for name in ("First", "Second"):
        with closing(Store.open(path)) as store:
            asked(store, Conversation(name), "one")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM turn").fetchone() == (2,)


# Files that cannot be used


def foreign_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE precious (value)")


def newer_database(path: Path) -> None:
    Store.open(str(path)).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("DROP VIEW current_turn")
        connection.execute("PRAGMA journal_mode = DELETE")


def torn_database(path: Path) -> None:
    with closing(Store.open(str(path))) as store:
        asked(store, Conversation("Talk"), "one", "much " * 10_000)
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * 8192 + whole[12288:])


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_text("Dear diary, " * 1000), "not a database"),
        (lambda path: path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000), "not a database"),
        (foreign_database, "another program"),
        (newer_database, "newer copilot_magic"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_with_a_line_and_left_as_it_is(
    path: str, make: Callable[[Path], object], reason: str
) -> None:
    make(Path(path))
    before = Path(path).read_bytes()
    with pytest.raises(StoreError, match=reason) as raised:
        Store.open(path)
    assert raised.value.setting == "store"
    assert "store to another file" in raised.value.hint
    assert "%" not in raised.value.hint
    assert "\n" not in str(raised.value)
    assert Path(path).read_bytes() == before


def test_a_file_torn_in_its_middle_is_reported_and_left_as_it_is(path: str) -> None:
    torn_database(Path(path))
    before = Path(path).read_bytes()
    with closing(Store(path)) as store:
        for _ in range(2):
            with pytest.raises(StoreError, match="malformed"):
                store.load("Talk")
    assert Path(path).read_bytes() == before


def test_a_directory_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no directory .*nowhere"):
        Store.open(str(tmp_path / "nowhere" / "conversations.db"))


def test_a_directory_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open"):
        Store.open(str(tmp_path))


@pytest.mark.parametrize("name", ["conversations.db", "new.db"])
def test_a_directory_that_cannot_be_written_is_refused_with_a_line(
    readonly: Path, name: str
) -> None:
    code = """
try:
    Store.open(sys.argv[1])
except StoreError as error:
    print(error)
"""
    (line,) = run(AS_NOBODY + code, str(readonly / name)).splitlines()
    assert "cannot be used: " in line


FULL_DISK = """
import os, resource, signal, sqlite3, sys, time
from contextlib import suppress
from pathlib import Path
from copilot_magic.chat.conversation import Conversation
from copilot_magic.chat.turn import Turn
from copilot_magic.errors import StoreError
from copilot_magic.store.store import Store

path, kind = sys.argv[1:]
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
filler = Path(path).with_name("filler")

def fill():
    if kind == "limit":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that a write fails instead
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    else:
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        with filler.open("r+b") as file:
            file.truncate(file.seek(0, os.SEEK_END) - 600_000)

def empty():
    if kind == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    else:
        filler.unlink()

store = Store.open(path, growth_interval=0.001)
conversation = Conversation("Talk")

def begin(prompt):
    turn = Turn(prompt)
    conversation.begin(turn)
    store.begin_turn(conversation, turn)
    return turn

def end(turn, answer):
    turn.answer, turn.status = answer, "complete"
    store.end_turn(conversation, turn)

growing = begin("Grow")
fill()
whole = []
try:
    while len(whole) < 1000:
        turn = begin("Say")
        end(turn, "x" * 5000)
        whole.append(turn.id)
except StoreError as error:
    print(error)
try:
    while True:
        store.grow_turn(growing.id, "y" * 2_000_000, "")
        time.sleep(0.001)
except StoreError as error:
    print(error)
stored = {turn.id for turn in store.load("Talk").turns if turn.status == "complete"}
print(len(whole) > 5, stored >= set(whole))
empty()
end(growing, "room again")
print(store.load("Talk").turns[0].answer)
store.close()
print(sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone()[0])
"""


@pytest.mark.parametrize("kind", ["limit", "tmpfs"])
def test_a_full_disk_is_reported_costs_nothing_written_before_and_may_be_emptied(
    path: str, kind: str
) -> None:
    """The disk is a file size limit, or a small file system if one may be mounted."""
    command = [sys.executable, "-c", FULL_DISK, path, kind]
    if kind == "tmpfs":
        mount = 'mount -t tmpfs -o size=16m tmpfs "$0" && exec "$@"'
        command = ["unshare", "-Urm", "sh", "-c", mount, str(Path(path).parent), *command]
        if subprocess.run([*command[:6], "true"], capture_output=True).returncode:
            pytest.skip("no file system may be mounted here")
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    reason = "database or disk is full. Make room" if kind == "tmpfs" else "disk I/O error"
    lines = result.stdout.splitlines()
    assert reason in lines[0]
    assert reason in lines[1]
    assert lines[2:] == ["True True", "room again", "ok"]


# Versions of the file


def test_an_older_file_is_brought_to_the_newest_version_with_all_that_is_in_it(path: str) -> None:
    with closing(Store.open(path)) as store:
        asked(store, Conversation("Talk"), "one")
    steps = (
        ("ALTER TABLE conversation ADD COLUMN colour TEXT",),
        ("UPDATE conversation SET colour = 'red'",),
    )
    for _ in range(2):
        with closing(Store.open(path, migrations=(*MIGRATIONS, *steps))) as store:
            assert loaded(store, "Talk").turns[0].prompt == "one"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 2,)
        assert connection.execute("SELECT colour FROM conversation").fetchone() == ("red",)


def test_a_step_that_fails_half_way_leaves_the_file_at_the_version_before(path: str) -> None:
    with closing(Store.open(path)) as store:
        asked(store, Conversation("Talk"), "one")
    with pytest.raises(StoreError):
        Store.open(path, migrations=(*MIGRATIONS, ("DELETE FROM turn", "INSERT INTO nowhere")))
    with closing(Store.open(path)) as store:
        assert loaded(store, "Talk").turns[0].prompt == "one"
