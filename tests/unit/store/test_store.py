"""The conversation file and the replay file: what is kept, what is refused, what stays intact."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from copilot_magic.chat.conversation import Conversation, Turn
from copilot_magic.errors import StoreError, UsageError
from copilot_magic.store import store as store_module
from copilot_magic.store.store import ReplayFile, Store, Summary
from copilot_magic.transcript import well_formed


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "conversations.db")


@pytest.fixture
def store(path: str) -> Iterator[Store]:
    with closing(Store.open(path)) as store:
        yield store


def asked(store: Store, conversation: Conversation, prompt: str, answer: str = "Yes.") -> Turn:
    """Ask `prompt` as a session does, and store its whole answer."""
    turn = Turn(prompt)
    conversation.begin(turn)
    store.begin_turn(conversation, turn)
    turn.answer, turn.status = answer, "complete"
    store.end_turn(turn, conversation)
    return turn


def fields(conversation: Conversation) -> dict[str, object]:
    """Return what a conversation holds; conversations and turns are equal to themselves alone."""
    return vars(conversation) | {"turns": [vars(turn) for turn in conversation.turns]}


def loaded(store: Store, name: str) -> Conversation:
    conversation = store.load(name)
    assert conversation is not None
    return conversation


def bytes_beside(path: str) -> bytes:
    """Return all that is on disk in the conversation file and the files beside it."""
    return b"".join(file.read_bytes() for file in sorted(Path(path).parent.glob("*")))


def until(condition: Callable[[], bool]) -> None:
    """Wait for `condition`, long enough for the slowest machine."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def run(code: str, *arguments: str, check: bool = True) -> str:
    """Run `code` in a Python process of its own and return what it printed."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert not check or result.returncode == 0, result.stderr
    return result.stdout


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
        conversation={"cookie": "secret"},
        thread="t",
        cell_id="c1",
        first_token=0.5,
        elapsed=1.5,
        stale=True,
        notes=["resumed"],
        replayed=True,
        options={"model": "m", "temperature": 0.5},
    )
    conversation = Conversation("Talk", system="Be brief.", turns=[turn])
    store.save_conversation(conversation)
    kept = replace(turn, conversation=None, thread="", server="https://example.org/v1")
    with closing(Store.open(path)) as other:
        assert fields(loaded(other, "Talk")) == fields(replace(conversation, turns=[kept]))
    assert b"secret" not in bytes_beside(path)


def test_a_conversation_is_found_by_its_name_and_by_its_id(store: Store) -> None:
    conversation = Conversation("Talk")
    store.save_conversation(conversation)
    by_name, by_id = loaded(store, "Talk"), loaded(store, conversation.conversation_id)
    assert fields(by_name) == fields(by_id) == fields(conversation)
    assert store.load("talk") is None


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


def test_a_replaced_turn_stays_in_the_file_and_its_place_goes_to_the_new_one(
    store: Store, path: str
) -> None:
    conversation = Conversation("Talk")
    first = asked(store, conversation, "one", "First answer")
    asked(store, conversation, "two")
    again = Turn("one, again", answer="Second answer")
    conversation.begin(again, at=0)
    store.begin_turn(conversation, again, replaces=first)
    again.status = "complete"
    conversation.end(again, first)
    store.end_turn(again, conversation)
    turns = loaded(store, "Talk").turns
    assert [turn.prompt for turn in turns] == ["one, again", "two"]
    assert [turn.stale for turn in turns] == [False, True]
    with closing(sqlite3.connect(path)) as connection:
        old = connection.execute("SELECT answer, superseded_by FROM turn WHERE id = ?", (first.id,))
        assert old.fetchone() == ("First answer", again.id)


def test_a_turn_that_received_nothing_gives_its_place_back(store: Store, path: str) -> None:
    conversation = Conversation("Talk")
    asked(store, conversation, "one")
    for answer in ("", "Better."):
        again = Turn("one, again")
        replaced = conversation.begin(again, at=0)
        store.begin_turn(conversation, again, replaces=replaced)
        assert loaded(store, "Talk").turns[0].prompt == "one, again"
        again.answer, again.status = answer, "failed"
        conversation.end(again, replaced)
        store.end_turn(again, conversation)
        assert [turn.answer for turn in loaded(store, "Talk").turns] == [answer or "Yes."]
    assert store.list()[0].turns == 1


def test_a_turn_that_goes_on_grows_in_its_place(store: Store) -> None:
    conversation = Conversation("Talk")
    first = asked(store, conversation, "one", "Half an")
    asked(store, conversation, "two")
    first.status = "streaming"
    store.begin_turn(conversation, first)
    assert loaded(store, "Talk").turns[0].status == "streaming"
    first.answer, first.status = "Half an answer", "complete"
    store.end_turn(first, conversation)
    assert [turn.answer for turn in loaded(store, "Talk").turns] == ["Half an answer", "Yes."]


def test_two_kernels_in_one_conversation_lose_nothing_of_each_other(
    store: Store, path: str
) -> None:
    mine = Conversation("Talk")
    asked(store, mine, "one")
    with closing(Store.open(path)) as other:
        theirs = loaded(other, "Talk")
        growing = Turn("theirs")
        theirs.begin(growing)
        other.begin_turn(theirs, growing)
        seen = loaded(store, "Talk")
        asked(store, mine, "mine")
        growing.answer, growing.status = "Done.", "complete"
        other.end_turn(growing, theirs)
        store.save_conversation(seen)
    turns = loaded(store, "Talk").turns
    assert [turn.prompt for turn in turns] == ["one", "theirs", "mine"]
    assert turns[1].answer == "Done."


def test_an_answer_is_written_while_it_grows_also_when_the_server_falls_silent(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "GROWTH_INTERVAL", 0.01)
    conversation, turn = Conversation("Talk"), Turn("Tell me")
    conversation.begin(turn)
    store.begin_turn(conversation, turn)
    turn.answer = "Once upon"
    store.grow_turn(turn)
    turn.answer += " a time"
    turn.reasoning = "A tale."
    store.grow_turn(turn)
    until(lambda: loaded(store, "Talk").turns[0].answer == "Once upon a time")
    assert loaded(store, "Talk").turns[0].reasoning == "A tale."
    turn.answer += " there was"
    store.grow_turn(turn)
    until(lambda: loaded(store, "Talk").turns[0].answer.endswith("there was"))


def test_what_grows_while_a_write_waits_is_written_by_the_next(
    store: Store, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "GROWTH_INTERVAL", 0.01)
    conversation, turns = Conversation("Talk"), [Turn("one"), Turn("two")]
    for turn in turns:
        conversation.begin(turn)
        store.begin_turn(conversation, turn)
        turn.answer = "Once"
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        store.grow_turn(turns[0])
        until(lambda: not store._grown)
        store.grow_turn(turns[1])
        holder.execute("ROLLBACK")
    until(lambda: [turn.answer for turn in loaded(store, "Talk").turns] == ["Once", "Once"])


def test_closing_writes_what_has_grown_and_a_later_call_opens_the_file_again(store: Store) -> None:
    conversation, turn = Conversation("Talk"), Turn("Tell me")
    conversation.begin(turn)
    store.begin_turn(conversation, turn)
    turn.answer = "Once"
    store.grow_turn(turn)
    store.close()
    assert loaded(store, "Talk").turns[0].answer == "Once"


def test_a_turn_that_could_not_begin_is_written_whole_at_its_end(store: Store) -> None:
    conversation, turn = Conversation("Talk"), Turn("Tell me", answer="Once", status="complete")
    conversation.begin(turn)
    store.grow_turn(turn)
    store.end_turn(turn, conversation)
    assert fields(loaded(store, "Talk")) == fields(conversation)


def test_another_thread_may_use_the_store(store: Store) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def ask(number: int) -> None:
        asked(store, Conversation(f"Talk {number}"), "one")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(40)))
    assert len(store.list()) == 40


def test_a_forked_child_does_not_touch_its_parents_connection(path: str) -> None:
    code = """
import os, sys
from copilot_magic.chat.conversation import Conversation, Turn
from copilot_magic.store.store import Store

def ask(store, conversation):
    turn = Turn("one")
    conversation.begin(turn)
    store.begin_turn(conversation, turn)
    inherited = store._connection
    turn.status = "complete"
    store.end_turn(turn, conversation)
    return inherited

store = Store.open(sys.argv[1])
before = ask(store, Conversation("parent"))
child = os.fork()
if child == 0:
    os._exit(0 if ask(store, Conversation("child")) is not before else 1)
assert os.waitpid(child, 0)[1] == 0
ask(store, Conversation("parent again"))
print(sorted(summary.name for summary in store.list()))
store.close()
"""
    assert run(code, path).strip() == "['child', 'parent', 'parent again']"


# Names, the list, notebooks


def test_a_taken_name_gets_a_number(store: Store) -> None:
    conversations = [Conversation("Talk") for _ in range(3)]
    for conversation in conversations:
        asked(store, conversation, "one")
    assert [c.name for c in conversations] == ["Talk", "Talk 2", "Talk 3"]
    assert loaded(store, "Talk 2").conversation_id == conversations[1].conversation_id


def test_a_renamed_conversation_keeps_its_new_name_in_every_kernel(store: Store, path: str) -> None:
    conversation = Conversation("Talk")
    asked(store, conversation, "one")
    with closing(Store.open(path)) as other:
        assert other.rename("Talk", "Chat")
    asked(store, conversation, "two")
    assert conversation.name == "Chat"
    assert [summary.name for summary in store.list()] == ["Chat"]


def test_renaming_needs_a_conversation_and_a_free_name(store: Store) -> None:
    store.save_conversation(Conversation("Talk"))
    store.save_conversation(Conversation("Chat"))
    with pytest.raises(UsageError, match="already a conversation 'Chat'"):
        store.rename("Talk", "Chat")
    assert store.rename("Talk", "Talk")
    assert not store.rename("Speech", "Discourse")


def test_the_list_has_the_last_used_first_and_says_what_they_are_about(store: Store) -> None:
    old, new = Conversation("Old"), Conversation("New")
    first = asked(store, old, "How old?")
    asked(store, new, "How new?")
    asked(store, new, "And now?")
    store.save_conversation(new, notebook="work.ipynb")
    listed = store.list()
    assert [summary.name for summary in listed] == ["New", "Old"]
    assert listed[0].turns == 2
    assert listed[0].first_prompt == "How new?"
    assert listed[0].notebook == "work.ipynb"
    assert listed[1].started == first.started <= listed[1].last_used
    assert replace(listed[1], last_used=0) == replace(Summary.of(old), last_used=0)


@pytest.mark.parametrize("search", ["100%", "snake_case", "ÜBUNG", "straSSe", "big tal"])
def test_the_list_finds_text_in_names_prompts_and_answers(store: Store, search: str) -> None:
    asked(store, Conversation("Big Talk"), "is 100% of snake_case fine", "übung in der Straße")
    asked(store, Conversation("Other"), "100 snakeXcase", "nothing")
    assert [summary.name for summary in store.list(search)] == ["Big Talk"]


def test_a_notebook_finds_the_conversation_it_used_last(store: Store) -> None:
    first, second = Conversation("First"), Conversation("Second")
    for conversation, notebook in (
        (first, "a.ipynb"),
        (second, "a.ipynb"),
        (second, "b.ipynb"),
        (first, "a.ipynb"),
    ):
        turn = Turn("one")
        conversation.begin(turn)
        store.begin_turn(conversation, turn, notebook=notebook)
    asked(store, second, "asked aside, in no notebook")
    found = {notebook: store.latest(notebook) for notebook in ("a.ipynb", "b.ipynb", "c.ipynb", "")}
    assert {notebook: c and c.name for notebook, c in found.items()} == {
        "a.ipynb": "First",
        "b.ipynb": "Second",
        "c.ipynb": None,
        "": None,
    }


def test_a_forgotten_conversation_leaves_no_word_on_the_disk(store: Store, path: str) -> None:
    conversation = Conversation("Confession")
    turn = asked(store, conversation, "I ate the plums", "in the icebox " * 1000)
    again = Turn("I ate the plums twice")
    conversation.begin(again, at=0)
    store.begin_turn(conversation, again, replaces=turn, notebook="n")
    store.keep_answer("k", turn)
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
    conversation, turn = Conversation("Talk"), Turn("one")
    conversation.begin(turn)
    store.begin_turn(conversation, turn)
    store.forget("Talk")
    store.grow_turn(turn)
    store.end_turn(turn, conversation)
    assert store.list() == []


# Replay


def test_the_last_complete_answer_to_a_request_is_found(store: Store) -> None:
    conversation = Conversation("Talk")
    first = asked(store, conversation, "one", "old answer")
    store.keep_answer("key", first)
    second = asked(store, conversation, "one", "new answer")
    store.keep_answer("key", second)
    found = store.answer_to("key")
    assert found is not None
    assert found.answer == "new answer"
    assert store.answer_to("other key") is None


def test_a_replay_file_gives_back_what_is_replayed_and_holds_nothing_else(tmp_path: Path) -> None:
    turn = Turn(
        "Two\nlines\u2028?",
        answer="One\r\n\nanswer\n",
        reasoning="Hm.",
        status="complete",
        finish_reason="stop",
        usage={"total_tokens": 3},
        model="m",
        provider="p",
        server="http://secret.example",
        conversation={"cookie": "secret"},
        cell_id="secret",
        notes=["secret"],
    )
    file = ReplayFile(tmp_path / "answers.json")
    assert file.answer_to("k") is None
    file.keep("k", turn)
    found = file.answer_to("k")
    assert found is not None
    names = ("prompt", "answer", "reasoning", "status", "finish_reason", "usage", "model")
    for name in (*names, "provider"):
        assert getattr(found, name) == getattr(turn, name)
    text = file.path.read_text(encoding="utf-8")
    assert "secret" not in text
    assert turn.id not in text
    assert str(turn.started) not in text


def test_a_replay_file_changes_only_where_an_answer_is_new(tmp_path: Path) -> None:
    file = ReplayFile(tmp_path / "answers.json")
    for key in ("b", "c", "a"):
        file.keep(key, Turn("Say", answer=f"{key}\nand more"))
    before = file.path.read_text().splitlines()
    assert [line for line in before if line.startswith('  "')] == [
        '  "a": {',
        '  "b": {',
        '  "c": {',
    ]
    file.path.chmod(0o640)
    file.keep("b", Turn("Say", answer="b\nand less"))
    after = file.path.read_text().splitlines()
    assert [line for line in after if line not in before] == ['    "and less"']
    assert len(after) == len(before)
    assert file.path.stat().st_mode & 0o777 == 0o640
    stamp = file.path.stat().st_ino
    file.keep("b", Turn("Say", answer="b\nand less"))
    assert file.path.stat().st_ino == stamp
    assert [entry.name for entry in tmp_path.iterdir()] == ["answers.json"]


def test_an_empty_replay_file_is_one_without_answers(tmp_path: Path) -> None:
    (tmp_path / "answers.json").touch()
    file = ReplayFile(tmp_path / "answers.json")
    assert file.answer_to("k") is None
    file.keep("k", Turn("Say", answer="word"))
    assert file.answer_to("k") is not None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not JSON"),
        ("<<<<<<< HEAD\n{}", "not JSON"),
        ("\xff", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "format"),
        ('{"format": "other"}', "format"),
        ('{"format": "copilot_magic.answers", "version": 2}', "newer"),
        ('{"format": "copilot_magic.answers", "version": 1}', "answers"),
        ('{"format": "copilot_magic.answers", "version": 1, "answers": {"k": []}}', "damaged"),
        (
            '{"format": "copilot_magic.answers", "version": 1,'
            ' "answers": {"k": {"prompt": "p", "answer": "a", "usage": 3}}}',
            "damaged",
        ),
    ],
)
def test_a_replay_file_that_is_none_is_refused_and_left_alone(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "answers.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(StoreError, match=reason):
        ReplayFile(path).answer_to("k")
    if reason != "damaged":
        with pytest.raises(StoreError, match=reason):
            ReplayFile(path).keep("k", Turn("Say"))
    assert path.read_text(encoding="latin-1") == text
    assert list(tmp_path.iterdir()) == [path]


def test_a_replay_file_in_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file or directory"):
        ReplayFile(tmp_path / "nowhere" / "answers.json").keep("k", Turn("Say"))


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
        assert directory.stat().st_mode & 0o777 == 0o700
        assert home in directory.parents


def test_the_path_of_a_store_holds_when_the_working_directory_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(Store.open("mine.db")) as store:
        monkeypatch.chdir("/")
        store.close()
        asked(store, Conversation("Talk"), "one")
    assert (tmp_path / "mine.db").stat().st_size > 0


def test_a_store_goes_on_in_a_new_file_where_its_own_was_deleted(store: Store, path: str) -> None:
    asked(store, Conversation("Before"), "one")
    for file in Path(path).parent.iterdir():
        file.unlink()
    asked(store, Conversation("After"), "one")
    with closing(Store.open(path)) as other:
        assert [summary.name for summary in other.list()] == ["After"]


def test_where_wal_is_refused_the_file_is_journalled_otherwise(path: str) -> None:
    # In the place of the file that WAL shares between processes there is a directory.
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
    assert "store" in raised.value.hint
    assert "\n" not in str(raised.value)
    assert Path(path).read_bytes() == before


def test_a_file_torn_in_its_middle_is_reported_and_stays(path: str) -> None:
    torn_database(Path(path))
    before = Path(path).read_bytes()
    with closing(Store(path)) as store:
        for _ in range(2):
            with pytest.raises(StoreError, match="malformed"):
                store.load("Talk")
    assert Path(path).read_bytes() == before


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no directory .*nowhere"):
        Store.open(str(tmp_path / "nowhere" / "conversations.db"))


def test_a_directory_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open"):
        Store.open(str(tmp_path))


AS_NOBODY = """
import os, sys
import fcntl, sqlite3, platformdirs
from copilot_magic.chat.conversation import Conversation, Turn
from copilot_magic.errors import StoreError
from copilot_magic.store.store import ReplayFile, Store
if os.getuid() == 0:
    os.setuid(65534)
"""


@pytest.fixture
def readonly() -> Iterator[Path]:
    """Yield a directory that the process of `AS_NOBODY` may read and not write."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with closing(Store.open(str(directory / "conversations.db"))) as store:
            asked(store, Conversation("Talk"), "one")
        for file in directory.iterdir():
            file.chmod(0o444)
        directory.chmod(0o555)
        try:
            yield directory
        finally:
            directory.chmod(0o755)


@pytest.mark.parametrize("name", ["conversations.db", "new.db"])
def test_a_directory_that_cannot_be_written_is_refused_with_a_line(
    readonly: Path, name: str
) -> None:
    code = """
replay = ReplayFile(sys.argv[1] + ".json")
for use in (lambda: Store.open(sys.argv[1]), lambda: replay.keep("k", Turn("Say"))):
    try:
        use()
    except StoreError as error:
        print(error)
"""
    lines = run(AS_NOBODY + code, str(readonly / name)).splitlines()
    assert len(lines) == 2
    assert all("cannot be used: " in line for line in lines)


FULL_DISK = """
import os, resource, signal, sys, time
from contextlib import suppress
from pathlib import Path
from copilot_magic.store import store as module
from copilot_magic.chat.conversation import Conversation, Turn
from copilot_magic.errors import StoreError

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

module.GROWTH_INTERVAL = 0.001
store = module.Store.open(path)
conversation = Conversation("Talk")

def begin(prompt):
    turn = Turn(prompt)
    conversation.begin(turn)
    store.begin_turn(conversation, turn)
    return turn

def end(turn, answer):
    turn.answer, turn.status = answer, "complete"
    store.end_turn(turn, conversation)

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
    growing.answer = "y" * 2_000_000
    while True:
        store.grow_turn(growing)
        time.sleep(0.001)
except StoreError as error:
    print(error)
stored = {turn.id for turn in store.load("Talk").turns if turn.status == "complete"}
print(len(whole) > 5, stored >= set(whole))
empty()
end(growing, "room again")
print(store.load("Talk").turns[0].answer)
store.close()
"""


@pytest.mark.parametrize("kind", ["limit", "tmpfs"])
def test_a_full_disk_is_reported_costs_nothing_written_before_and_may_be_emptied(
    path: str, kind: str
) -> None:
    """The disk is a file size limit, or a small file system where one may be mounted."""
    check = "PRAGMA integrity_check"
    code = f"{FULL_DISK}\nprint(module._connect(path).execute({check!r}).fetchone()[0])"
    command = [sys.executable, "-c", code, path, kind]
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


def test_an_older_file_is_brought_to_the_newest_version_with_all_that_is_in_it(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Store.open(path)) as store:
        asked(store, Conversation("Talk"), "one")
    steps = (
        ("ALTER TABLE conversation ADD COLUMN colour TEXT",),
        ("UPDATE conversation SET colour = 'red'",),
    )
    monkeypatch.setattr(store_module, "MIGRATIONS", (*store_module.MIGRATIONS, *steps))
    for _ in range(2):
        with closing(Store.open(path)) as store:
            assert loaded(store, "Talk").turns[0].prompt == "one"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)
        assert connection.execute("SELECT colour FROM conversation").fetchone() == ("red",)


def test_a_step_that_fails_half_way_leaves_the_file_at_the_version_before(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Store.open(path)) as store:
        asked(store, Conversation("Talk"), "one")
    released = store_module.MIGRATIONS
    monkeypatch.setattr(
        store_module, "MIGRATIONS", (*released, ("DELETE FROM turn", "INSERT INTO nowhere"))
    )
    with pytest.raises(StoreError):
        Store.open(path)
    monkeypatch.setattr(store_module, "MIGRATIONS", released)
    with closing(Store.open(path)) as store:
        assert loaded(store, "Talk").turns[0].prompt == "one"


def test_what_a_later_version_kept_of_a_turn_is_passed_over(store: Store, path: str) -> None:
    asked(store, Conversation("Talk"), "one")
    with closing(sqlite3.connect(path)) as connection:
        details = json.loads(connection.execute("SELECT details FROM turn").fetchone()[0])
        details["mood"] = "fine"
        connection.execute("UPDATE turn SET details = ?", (json.dumps(details),))
        connection.commit()
    assert loaded(store, "Talk").turns[0].answer == "Yes."
