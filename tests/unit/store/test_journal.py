"""The journal: answers of batches, found by the keys of their requests."""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from store_helpers import AS_NOBODY, asked, bytes_beside, loaded, run

from copilot_magic.chat.completion import Completion
from copilot_magic.chat.conversation import Conversation
from copilot_magic.errors import StoreError
from copilot_magic.store.copies import copy_path
from copilot_magic.store.database import default_path
from copilot_magic.store.journal import Journal
from copilot_magic.store.journal_rows import is_sound
from copilot_magic.store.schema import MIGRATIONS
from copilot_magic.store.store import Store

DAY = 24 * 3600


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(path: str, clock: Clock) -> Iterator[Journal]:
    with closing(Journal(path, clock=clock)) as journal:
        yield journal


def key(number: int) -> str:
    return hashlib.sha256(b"%d" % number).hexdigest()


def answers(count: int, first: int = 0, length: int = 20) -> dict[str, Completion]:
    return {
        key(number): Completion(f"answer {number} " * length, model="m", elapsed=0.5)
        for number in range(first, first + count)
    }


def execute(path: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement, values).fetchall()


def connection_of(journal: Journal) -> sqlite3.Connection:
    return journal._opened().read(lambda connection: connection)


# What is kept


def test_an_answer_is_found_as_it_was_kept(journal: Journal, path: str) -> None:
    kept = {
        key(1): Completion(
            "Good.\n",
            reasoning="Hm.",
            finish_reason="stop",
            usage={"total_tokens": 3, "details": {"cached": 1}},
            model="m",
            provider="Copilot",
            elapsed=1.25,
        ),
        key(2): Completion("It’s 😀"),
        key(3): Completion(""),
        key(4): Completion("a\0b", usage={}),
    }
    journal.keep(kept)
    assert journal.find(kept) == kept
    with closing(Journal(path)) as other:
        assert other.find([key(2), key(9), key(2)]) == {key(2): kept[key(2)]}


def test_nothing_asked_and_nothing_given_is_nothing_done(path: str) -> None:
    with closing(Journal(path)) as journal:
        journal.keep({})
        assert not Path(path).exists()
        assert journal.find([]) == {}


def test_an_answer_to_the_same_request_takes_the_place_of_the_one_before(journal: Journal) -> None:
    journal.keep({key(1): Completion("Good."), key(2): Completion("Bad.", model="m")})
    journal.keep({key(1): Completion("Better.")})
    assert journal.find([key(1), key(2)]) == {
        key(1): Completion("Better."),
        key(2): Completion("Bad.", model="m"),
    }


def test_any_number_of_keys_may_be_looked_for_also_by_an_old_sqlite(journal: Journal) -> None:
    """Before version 3.32 it allows 999 variables in a statement."""
    journal.keep(answers(2000))
    journal.find([])
    connection = connection_of(journal)
    if sys.version_info >= (3, 11):
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)
    found = journal.find(key(number) for number in range(1, 4000, 2))
    assert found == dict(list(answers(2000).items())[1::2])


def test_any_text_of_a_server_can_be_kept(journal: Journal) -> None:
    circle: dict[str, Any] = {}
    circle["circle"] = circle
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"deeper": deep}
    kept = {
        key(1): Completion("\ud83d\ude00 \ud800", reasoning="\udfff", model="\ud800"),
        key(2): Completion("two", usage={"\ud800": {1: {2, 3}.__class__}}),
        key(3): Completion("three", usage={("a", "b"): 1}, model="m"),  # type: ignore[dict-item]
        key(4): Completion("four", usage=circle),
        key(5): Completion("five", usage=deep),
        key(6): Completion("six", usage=MappingProxyType({"total_tokens": 6})),
        "\ud800": Completion("seven"),
    }
    journal.keep(kept)
    found = journal.find([key(number) for number in range(1, 7)])
    assert found[key(1)] == Completion("😀 \ufffd", reasoning="\ufffd", model="\ufffd")
    assert found[key(2)].usage == {"\ufffd": {"1": "<class 'set'>"}}
    assert [found[key(number)].content for number in (2, 3, 4, 5)] == [
        "two",
        "three",
        "four",
        "five",
    ]
    assert [found[key(number)].usage for number in (3, 4, 5)] == [None] * 3
    assert found[key(3)].model == "m"
    assert found[key(6)].usage == {"total_tokens": 6}


def test_an_answer_with_figures_too_deep_to_read_costs_no_other_one(journal: Journal) -> None:
    """How deep that is depends on the version of Python, and on how deep in it one is."""
    deep: dict[str, Any] = {}
    for _ in range(900):
        deep = {"deeper": deep}
    journal.keep({**answers(10), key(10): Completion("deep", usage=deep)})

    def found_below(depth: int) -> dict[str, Completion]:
        return found_below(depth - 1) if depth else journal.find(map(key, range(11)))

    found = found_below(sys.getrecursionlimit() // 2)
    assert {known: answer for known, answer in found.items() if known != key(10)} == answers(10)


def test_what_a_later_version_kept_of_an_answer_is_passed_over(
    journal: Journal, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from copilot_magic.store import journal_rows

    with monkeypatch.context() as later:
        later.setattr(journal_rows, "_details", lambda _: '{"mood": "fine", "model": "m"}')
        journal.keep({key(1): Completion("Good.")})
    assert journal.find([key(1)]) == {key(1): Completion("Good.", model="m")}


# How long it is kept


def test_answers_that_nobody_used_for_sixty_days_are_deleted(path: str, clock: Clock) -> None:
    with closing(Journal(path, clock=clock)) as journal:
        journal.keep({key(1): Completion("the treasure is buried"), key(2): Completion("two")})
        clock.now += 30 * DAY
        journal.find([key(2)])
    for days, kept in ((30, {1, 2, 3}), (1, {2, 3, 4}), (29, {2, 3, 4, 5}), (1, {3, 4, 5, 6})):
        clock.now += days * DAY
        with closing(Journal(path, clock=clock)) as journal:
            journal.keep({key(max(kept)): Completion("new")})
        rows = execute(path, "SELECT request_key FROM journal")
        assert {found for (found,) in rows} == {key(number) for number in kept}
    assert b"treasure" not in bytes_beside(path)


def test_a_heap_of_old_answers_is_deleted_a_few_at_a_time(
    journal: Journal, path: str, clock: Clock
) -> None:
    with closing(Journal(path, clock=clock)) as earlier:
        earlier.keep(answers(200))
    clock.now += 61 * DAY
    left = []
    for number in range(200, 212):
        journal.keep(answers(1, first=number))
        left.append(execute(path, "SELECT count(*) FROM journal WHERE used < 19736")[0][0])
    assert left[0] == 180
    assert sorted(left, reverse=True) == left
    assert left[-1] == 0
    statements: list[str] = []
    connection_of(journal).set_trace_callback(statements.append)
    journal.keep(answers(1, first=300))
    assert not [statement for statement in statements if "DELETE" in statement]


def test_finding_writes_at_most_once_a_day(journal: Journal, clock: Clock) -> None:
    journal.keep(answers(10))
    statements: list[str] = []
    connection_of(journal).set_trace_callback(statements.append)

    def writes() -> int:
        """Return how many statements have written in one call of `find`."""
        statements.clear()
        assert journal.find(answers(10)) == answers(10)
        return len([statement for statement in statements if statement.startswith("UPDATE")])

    assert [writes(), writes()] == [0, 0]
    clock.now += DAY
    assert [writes(), writes()] == [1, 0]
    clock.now -= 2 * DAY  # the clock was set back
    assert writes() == 0


def test_what_was_found_is_returned_even_if_its_use_cannot_be_written(
    path: str, clock: Clock
) -> None:
    with closing(Journal(path, lock_timeout=0.01, clock=clock)) as journal:
        journal.keep(answers(1))
        clock.now += DAY
        with closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            assert journal.find(answers(1)) == answers(1)
            with pytest.raises(StoreError, match="locked"):
                journal.keep(answers(1))
            holder.execute("ROLLBACK")
        journal.keep(answers(2))
        assert journal.find(answers(2)) == answers(2)


# The file


def test_the_journal_is_in_the_conversation_file_by_default(home: Path) -> None:
    with closing(Journal()) as journal:
        assert not home.exists() or not list(home.rglob("*.db"))
        journal.keep(answers(1))
    assert Path(default_path()).exists()
    with closing(Journal("~/mine.db")) as journal:
        journal.keep(answers(1))
    assert (home / "mine.db").exists()


def test_a_closed_journal_opens_again(journal: Journal) -> None:
    journal.close()
    journal.keep(answers(1))
    journal.close()
    journal.close()
    assert journal.find(answers(1)) == answers(1)


def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    previous = os.umask(0o000)
    try:
        with closing(Journal(str(tmp_path / "conversations.db"))) as journal:
            journal.keep(answers(1))
            modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    finally:
        os.umask(previous)
    assert modes == {f"conversations.db{ending}": 0o600 for ending in ("", "-shm", "-wal")}


def test_many_threads_may_use_one_journal(path: str) -> None:
    start = threading.Barrier(8)

    def work(number: int) -> None:
        start.wait()
        for first in range(number * 100, number * 100 + 100, 10):
            journal.keep(answers(10, first=first))
            assert journal.find(answers(10, first=first)) == answers(10, first=first)

    with closing(Journal(path)) as journal:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        assert journal.find(answers(800)) == answers(800)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked there")
def test_a_forked_child_and_its_parent_keep_side_by_side(path: str) -> None:
    code = """
import os, sys
from copilot_magic.chat.completion import Completion
from copilot_magic.store.journal import Journal
from copilot_magic.store.journal_rows import is_sound

journal = Journal(sys.argv[1])
journal.keep({"first": Completion("first")})
child = os.fork()
if child == 0:
    journal.keep({"child": Completion("child")})
    os._exit(0 if len(journal.find(["first", "child"])) == 2 else 1)
assert os.waitpid(child, 0)[1] == 0
journal.keep({"parent": Completion("parent")})
print(sorted(journal.find(["first", "child", "parent"])))
journal.close()
"""
    assert run(code, path).strip() == "['child', 'first', 'parent']"


def test_conversations_and_answers_do_not_disturb_each_other(path: str) -> None:
    with closing(Store.open(path)) as store, closing(Journal(path)) as journal:
        asked(store, Conversation("Secret"), "one")
        journal.keep(answers(3))
        asked(store, Conversation("Talk"), "two")
        assert store.list("answer 1") == []
        store.forget("Secret")
        assert journal.find(answers(3)) == answers(3)
        assert [found.name for found in store.list()] == ["Talk"]


# Other versions of the file


def test_an_older_file_gets_a_journal_and_keeps_all_that_is_in_it(path: str) -> None:
    for version in (1, 2):
        older = f"{path}{version}"
        Store.open(older, migrations=MIGRATIONS[:version]).close()
        with closing(sqlite3.connect(older)) as connection, connection:
            connection.execute("INSERT INTO conversation VALUES ('c', 'Talk', '', 1, 2)")
            connection.execute(
                "INSERT INTO turn VALUES"
                " ('c', 't', 0, NULL, 1, NULL, 'one', 'Yes.', '', 'complete', 0, 1, '{}')"
            )
        with closing(Journal(older)) as journal:
            assert journal.find(answers(2)) == {}
            journal.keep(answers(2))
            assert journal.find(answers(2)) == answers(2)
        assert execute(copy_path(older), "PRAGMA user_version") == [(version,)]
        with closing(Store.open(older)) as store:
            assert loaded(store, "Talk").turns[0].answer == "Yes."


def test_a_newer_file_is_refused_and_left_as_it_is(path: str) -> None:
    with closing(Journal(path)) as journal:
        journal.keep(answers(1))
    execute(path, "PRAGMA user_version = 99")
    before = Path(path).read_bytes()
    with closing(Journal(path)) as journal:
        for attempt in (lambda: journal.find(answers(1)), lambda: journal.keep(answers(1))):
            with pytest.raises(StoreError, match="newer copilot_magic"):
                attempt()
    assert Path(path).read_bytes() == before


def test_a_file_that_cannot_be_used_is_tried_again_by_the_next_call(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with closing(Journal(str(folder / "conversations.db"))) as journal:
        with pytest.raises(StoreError, match="there is no directory"):
            journal.keep(answers(1))
        folder.mkdir()
        journal.keep(answers(1))
        assert journal.find(answers(1)) == answers(1)


def test_a_file_that_cannot_be_written_is_reported(readonly: Path) -> None:
    code = """
for path in (sys.argv[1], sys.argv[1] + "2"):
    try:
        Journal(path).keep({"key": Completion("Good.")})
    except StoreError as error:
        print(error)
"""
    lines = run(AS_NOBODY + code, str(readonly / "conversations.db")).splitlines()
    assert len(lines) == 2
    assert all("cannot be used: " in line for line in lines)


def test_a_full_disk_is_reported_and_nothing_of_that_call_is_kept(path: str) -> None:
    code = """
import resource, signal, sys
from copilot_magic.chat.completion import Completion
from copilot_magic.errors import StoreError
from copilot_magic.store.journal import Journal
from copilot_magic.store.journal_rows import is_sound

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that a write fails instead
journal = Journal(sys.argv[1])
journal.keep({"first": Completion("first")})
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
many = {f"{number}": Completion("x" * 5000) for number in range(200)}
try:
    journal.keep(many)
except StoreError as error:
    print(error)
print(list(journal.find(["first", *many])))
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
journal.keep(many)
print(len(journal.find(many)))
journal.close()
"""
    result = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    said, known, kept = result.stdout.splitlines()
    assert "cannot be used: disk I/O error" in said
    assert (known, kept) == ("['first']", "200")


# Damage


def filled(path: str, *, copied: bool = True) -> None:
    """Fill a file with a conversation and 100 answers; leave a copy of it with these."""
    with closing(Journal(path)) as journal:
        journal.keep(answers(100))
    if copied:
        with closing(Store.open(path)) as store:
            asked(store, Conversation("Talk"), "one")


def test_an_answer_whose_text_was_damaged_is_not_found_and_may_be_kept_again(path: str) -> None:
    filled(path)
    data = Path(path).read_bytes()
    Path(path).write_bytes(data.replace(b"answer 7 answer 7", b"answer 7 Answer 7", 1))
    with closing(Journal(path)) as journal:
        assert journal.find(answers(100)) == {
            found: answer for found, answer in answers(100).items() if found != key(7)
        }
        journal.keep({key(7): Completion("again")})
        assert journal.find([key(7)]) == {key(7): Completion("again")}


@pytest.mark.parametrize(
    "change",
    [
        "SET answer = 7",
        "SET answer = x'ff21'",
        "SET details = '{not json'",
        "SET details = x''",
        "SET checksum = 'x'",
        "SET request_key = 'other' WHERE request_key = (SELECT min(request_key) FROM journal)",
    ],
)
def test_a_row_that_is_not_as_it_was_written_is_no_answer(path: str, change: str) -> None:
    with closing(Journal(path)) as journal:
        journal.keep(answers(3))
        execute(path, f"UPDATE journal {change}")
        found = journal.find([*answers(3), "other"])
        assert "other" not in found
        assert len(found) == (2 if "WHERE" in change else 0)


def test_a_row_without_its_text_is_no_answer() -> None:
    assert not is_sound((None, 1, 2, b"{}", b""))
    assert not is_sound((b"key", 1, 2, b"{}", None))


def test_a_row_whose_day_is_damaged_is_an_answer(path: str) -> None:
    with closing(Journal(path)) as journal:
        journal.keep(answers(1))
        execute(path, "UPDATE journal SET used = 'x'")
        assert journal.find(answers(1)) == answers(1)


def test_a_file_without_its_journal_is_damaged(path: str) -> None:
    filled(path)
    execute(path, "DROP TABLE journal")
    with closing(Journal(path)) as journal:
        for _ in range(2):
            with pytest.raises(StoreError, match="damaged: no such table") as raised:
                journal.find(answers(1))
            assert raised.value.damaged


def damage_root(path: Path) -> None:
    """Overwrite the page at which the journal begins."""
    ((page,),) = execute(str(path), "SELECT rootpage FROM sqlite_master WHERE name = 'journal'")
    data = bytearray(path.read_bytes())
    data[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    path.write_bytes(data)


def damage_leaf(path: Path) -> None:
    """Overwrite a page full of answers."""
    data = bytearray(path.read_bytes())
    page = data.index(b"answer 50 answer 50") // 4096
    data[page * 4096 : (page + 1) * 4096] = b"\xff" * 4096
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [damage_root, damage_leaf])
def test_a_damaged_journal_is_reported_and_restored(
    path: str, damage: Callable[[Path], object]
) -> None:
    filled(path)
    with closing(Journal(path)) as journal:
        journal.keep(answers(10, first=100))
    damage(Path(path))
    with closing(Journal(path)) as journal:
        with pytest.raises(StoreError, match="malformed") as raised:
            journal.find(answers(110))
        assert raised.value.damaged
    with closing(Store(path)) as store:
        restored = store.restore()
        assert len(loaded(store, "Talk").turns) == 1
    with closing(Journal(path)) as journal:
        found = journal.find(answers(110))
    assert found == {known: answers(110)[known] for known in found}
    assert set(found) >= set(answers(100))
    # What is newer than the copy comes from the file, if it can be read.
    assert len(found) == (110 if damage is damage_leaf else 100)
    assert restored.answers == len(found)


@pytest.mark.parametrize("copy_is_sound", [True, False])
def test_answers_of_the_file_come_before_those_of_its_copy(path: str, copy_is_sound: bool) -> None:
    filled(path)
    with closing(Journal(path)) as journal:
        journal.keep({key(1): Completion("newer")})
    damage_leaf(Path(path))
    if not copy_is_sound:
        damage_leaf(Path(copy_path(path)))
    with closing(Store(path)) as store:
        store.restore()
    with closing(Journal(path)) as journal:
        assert journal.find([key(1), key(2)]) == {
            key(1): Completion("newer"),
            key(2): answers(3)[key(2)],
        }


def test_without_a_copy_and_conversations_the_answers_that_can_be_read_are_brought_back(
    path: str,
) -> None:
    filled(path, copied=False)
    damage_leaf(Path(path))
    with closing(Store(path)) as store:
        restored = store.restore()
    assert (restored.copied, restored.conversations, restored.turns) == (None, 0, 0)
    assert 50 < restored.answers < 100
    with closing(Journal(path)) as journal:
        found = journal.find(answers(100))
    assert len(found) == restored.answers
    assert found == {known: answers(100)[known] for known in found}


def test_a_file_with_nothing_but_answers_is_copied(path: str) -> None:
    filled(path, copied=False)
    Store.open(path).close()
    assert execute(copy_path(path), "SELECT count(*) FROM journal") == [(100,)]


def test_a_journal_that_was_open_when_the_file_was_restored_goes_on_in_the_new_one(
    path: str,
) -> None:
    filled(path)
    with closing(Store(path)) as store, closing(Journal(path)) as journal:
        journal.keep(answers(10, first=100))
        restored = store.restore()
        asked(store, loaded(store, "Talk"), "two")
        journal.keep(answers(10, first=110))
        assert set(journal.find(answers(120))) == set(answers(120))
        assert len(loaded(store, "Talk").turns) == 2
    assert restored.answers == 110
    assert execute(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("seed", range(20))
def test_a_file_damaged_at_random_gives_our_error_or_the_right_answers(
    path: str, seed: int
) -> None:
    filled(path)
    chance = random.Random(seed)
    data = bytearray(Path(path).read_bytes())
    for _ in range(chance.choice([1, 3, 30])):
        at, size = chance.randrange(len(data)), chance.choice([1, 50, 4096])
        data[at : at + size] = chance.randbytes(len(data[at : at + size]))
    Path(path).write_bytes(data)
    before = answers(200)
    with closing(Journal(path)) as journal:
        with suppress(StoreError):
            found = journal.find(before)
            assert found == {known: before[known] for known in found}
        with suppress(StoreError):
            journal.keep(answers(10, first=100))
    with closing(Store(path)) as store:
        store.restore()
    with closing(Journal(path)) as journal:
        found = journal.find(before)
        assert found == {known: before[known] for known in found}
        assert set(found) >= set(answers(100))
