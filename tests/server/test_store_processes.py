"""Many processes and one conversation file: killed, interrupted, and all at once."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path

import pytest

from copilot_magic.chat.completion import Completion
from copilot_magic.chat.conversation import Conversation
from copilot_magic.chat.turn import Turn
from copilot_magic.store.journal import Journal
from copilot_magic.store.replay import ReplayFile
from copilot_magic.store.store import Store

KILLS = 50
AT_ONCE = 10
# Seconds. If a writer's own reports are further apart than this, its machine stood still, and they
# say nothing about what it would have lost.
STANDSTILL = 0.2

HEAD = """
import os, random, signal, sys, time
from contextlib import suppress
from copilot_magic.chat.completion import Completion
from copilot_magic.chat.conversation import Conversation
from copilot_magic.chat.turn import Turn
from copilot_magic.errors import StoreError
from copilot_magic.store.journal import Journal
from copilot_magic.store.replay import ReplayFile
from copilot_magic.store.store import Store

def say(*words):
    print(*words, flush=True)
"""

# Asks turn after turn in one conversation, and reports what it has received and what is complete.
ENDLESS_WRITER = """
store = Store.open(sys.argv[1])
conversation = store.load(sys.argv[2]) or Conversation(sys.argv[2])
while True:
    turn = Turn("Count")
    conversation.begin(turn)
    store.begin_turn(conversation, turn)
    for number in range(random.choice([0, 10, 300])):
        turn.answer += f"{number}, "
        store.grow_turn(turn.id, turn.answer, turn.reasoning)
        say("grown", turn.id, len(turn.answer), time.monotonic())
        time.sleep(random.uniform(0, 0.02))
    turn.status = "complete"
    store.end_turn(conversation, turn)
    say("ended", turn.id, len(turn.answer), time.monotonic())
"""


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", HEAD + code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def hears(process: subprocess.Popen[str]) -> str:
    """Return the next line that the process says."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def tell(process: subprocess.Popen[str]) -> None:
    """Send a line to a process that waits for one."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def ended(process: subprocess.Popen[str]) -> str:
    """Wait until the process exits by itself, and return what it printed."""
    printed, complaints = process.communicate(timeout=300)
    assert process.returncode == 0, complaints
    return printed


def all_ended(processes: Iterable[subprocess.Popen[str]]) -> list[str]:
    """Start waiting processes at the same moment, and return what each printed until it exited."""
    with ExitStack() as stack:
        running = [stack.enter_context(process) for process in processes]
        for process in running:
            assert hears(process) == "ready"
        for process in running:
            tell(process)
        return [ended(process) for process in running]


def check_integrity(path: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def killed_while_writing(path: str, name: str) -> tuple[float, list[tuple[str, str, int, float]]]:
    """Kill a writer at a random moment; return that moment and what it reported until then."""
    with python(ENDLESS_WRITER, path, name) as process:
        assert process.stdout is not None
        said = [process.stdout.readline()]
        timer = threading.Timer(random.uniform(0, 2.5), process.kill)
        timer.start()
        said += process.stdout
        moment = time.monotonic()
        timer.join()
    assert process.returncode == -signal.SIGKILL
    reports = [line.split() for line in said if line.endswith("\n")]
    return moment, [(kind, turn, int(size), float(at)) for kind, turn, size, at in reports]


def test_a_process_killed_at_any_moment_loses_at_most_the_last_second(tmp_path: Path) -> None:
    path = str(tmp_path / "conversations.db")
    names = [f"Writer {number}" for number in range(AT_ONCE)]
    measured = 0
    for _ in range(KILLS // AT_ONCE):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            results = list(pool.map(killed_while_writing, [path] * AT_ONCE, names))
        check_integrity(path)
        with closing(Store.open(path)) as store:
            for name, (moment, reports) in zip(names, results, strict=True):
                conversation = store.load(name)
                assert conversation is not None
                turns = {turn.id: turn for turn in conversation.turns}
                assert "streaming" not in {turn.status for turn in turns.values()}
                for kind, turn_id, size, _ in reports:
                    if kind == "ended":
                        assert turns[turn_id].status == "complete"
                        assert len(turns[turn_id].answer) == size
                times = [at for _, _, _, at in reports if at > moment - 2] + [moment]
                if any(later - earlier > STANDSTILL for earlier, later in pairwise(times)):
                    continue
                measured += 1
                for kind, turn_id, size, at in reports:
                    if kind == "grown" and at < moment - 1:
                        assert len(turns[turn_id].answer) >= size
    assert measured


def test_a_turn_is_streaming_while_its_process_lives_and_interrupted_after(tmp_path: Path) -> None:
    path = str(tmp_path / "conversations.db")
    code = """
store = Store.open(sys.argv[1])
conversation, turn = Conversation("Talk"), Turn("Tell me")
conversation.begin(turn)
store.begin_turn(conversation, turn)
store.grow_turn(turn.id, "Once upon", "")
store.close()
say("begun")
sys.stdin.read()
"""

    def status() -> str:
        with closing(Store.open(path)) as store:
            conversation = store.load("Talk")
            assert conversation is not None
            return conversation.turns[0].status

    with python(code, path) as process:
        assert hears(process) == "begun"
        assert [status(), status()] == ["streaming", "streaming"]
        process.kill()
        process.wait()
        assert status() == "interrupted"


def test_a_turn_killed_before_its_first_word_gives_its_place_back(tmp_path: Path) -> None:
    path = str(tmp_path / "conversations.db")
    conversation = Conversation("Talk")
    first = Turn("one", answer="Yes.", status="complete")
    conversation.begin(first)
    with closing(Store.open(path)) as store:
        store.save(conversation)
        code = """
store = Store.open(sys.argv[1])
conversation, turn = store.load("Talk"), Turn("one, again")
first = conversation.turns[0]
conversation.begin(turn, first)
store.begin_turn(conversation, turn, replaces=first.id)
os.kill(os.getpid(), signal.SIGKILL)
"""
        with python(code, path) as process:
            process.wait()
        loaded = store.load("Talk")
        assert loaded is not None
        assert [turn.id for turn in loaded.turns] == [first.id]


def test_eight_processes_write_two_hundred_turns_each_and_none_is_lost(tmp_path: Path) -> None:
    path = str(tmp_path / "conversations.db")
    code = """
say("ready")
sys.stdin.readline()
store = Store.open(sys.argv[1], growth_interval=0.002)
conversation = Conversation("Talk")
for number in range(200):
    turn = Turn(f"Question {number}")
    conversation.begin(turn)
    conversation.name = store.begin_turn(conversation, turn)
    for word in ("To ", "be ", "or ", "not ") * 50:
        turn.answer += word
        store.grow_turn(turn.id, turn.answer, turn.reasoning)
    turn.status = "complete"
    store.end_turn(conversation, turn)
store.close()
say(conversation.name)
"""
    names = sorted(name.strip() for name in all_ended(python(code, path) for _ in range(8)))
    assert names == ["Talk", *(f"Talk {number}" for number in range(2, 9))]
    with closing(Store.open(path)) as store:
        for name in names:
            conversation = store.load(name)
            assert conversation is not None
            assert [turn.prompt for turn in conversation.turns] == [
                f"Question {number}" for number in range(200)
            ]
            assert {turn.status for turn in conversation.turns} == {"complete"}
            assert {turn.answer for turn in conversation.turns} == {"To be or not " * 50}
    check_integrity(path)


def test_processes_that_share_a_conversation_see_and_lose_no_turn(tmp_path: Path) -> None:
    """Each takes over what the others asked before it asks; copies are made meanwhile."""
    path = str(tmp_path / "conversations.db")
    with closing(Store.open(path)) as store:
        store.save(Conversation("Talk"))
    code = """
store = Store.open(sys.argv[1], copy_interval=0.05)
conversation = store.load("Talk")
say("ready")
sys.stdin.readline()
for number in range(50):
    newer = store.newer(conversation)
    if newer is not None:
        conversation.update(newer)
    turn = Turn(f"{os.getpid()} {number}")
    conversation.begin(turn)
    store.begin_turn(conversation, turn)
    turn.answer, turn.status = "Yes.", "complete"
    conversation.end(turn)
    store.end_turn(conversation, turn)
newer = store.newer(conversation)
if newer is not None:
    conversation.update(newer)
mine = [turn for turn in conversation.turns if turn.prompt.startswith(str(os.getpid()))]
store.close()
say(len(mine), len({turn.id for turn in conversation.turns}) == len(conversation.turns))
"""
    said = all_ended(python(code, path) for _ in range(4))
    assert [line.strip() for line in said] == ["50 True"] * 4
    for file in (path, f"{path}-copy"):
        check_integrity(file)
    with closing(Store.open(path)) as store:
        talk = store.load("Talk")
        assert talk is not None
        assert len({turn.prompt for turn in talk.turns}) == len(talk.turns) == 200


def test_many_processes_may_create_the_file_at_the_same_moment(tmp_path: Path) -> None:
    code = """
say("ready")
sys.stdin.readline()
for number in range(20):
    store = Store.open(os.path.join(sys.argv[1], f"{number}.db"))
    store.save(Conversation("Talk"))
    store.close()
"""
    all_ended(python(code, str(tmp_path)) for _ in range(6))
    for number in range(20):
        with closing(Store.open(str(tmp_path / f"{number}.db"))) as store:
            assert len(store.list()) == 6


SAVER = """
store = Store.open(sys.argv[1], lock_timeout=float(sys.argv[2]))
say("ready")
sys.stdin.readline()
try:
    say("saving")
    store.save(Conversation("Talk"))
except StoreError as error:
    say(error)
sys.stdin.readline()
store.save(Conversation("Talk"))
say([summary.name for summary in store.list()])
store.close()
"""


@pytest.mark.parametrize("lock_timeout", [0.1, 60])
def test_a_file_held_by_another_program_is_waited_for_and_reported_in_the_end(
    tmp_path: Path, lock_timeout: float
) -> None:
    path = str(tmp_path / "conversations.db")
    with (
        python(SAVER, path, str(lock_timeout)) as process,
        closing(sqlite3.connect(path, isolation_level=None)) as holder,
    ):
        assert hears(process) == "ready"
        holder.execute("BEGIN IMMEDIATE")
        tell(process)
        assert hears(process) == "saving"
        if lock_timeout < 1:
            assert "database is locked" in hears(process)
            holder.execute("ROLLBACK")
            tell(process)
            assert ended(process) == "['Talk']\n"
        else:
            time.sleep(0.6)  # longer than SQLite itself waits
            holder.execute("ROLLBACK")
            tell(process)
            assert ended(process) == "['Talk 2', 'Talk']\n"


@pytest.mark.skipif(os.name == "nt", reason="SIGINT cannot be sent to one process there")
def test_an_interrupt_at_any_moment_leaves_file_and_store_in_order(tmp_path: Path) -> None:
    path = str(tmp_path / "conversations.db")
    code = """
store = Store.open(sys.argv[1])
conversation = Conversation("Talk")
store.save(conversation)
written, interrupts = set(), 0
say("ready")
while interrupts < 200:
    try:
        while True:
            turn = Turn("Say", answer="word " * 100)
            conversation.begin(turn)
            store.begin_turn(conversation, turn)
            store.grow_turn(turn.id, turn.answer, turn.reasoning)
            turn.status = "complete"
            store.end_turn(conversation, turn)
            written.add(turn.id)
    except KeyboardInterrupt:
        interrupts += 1
        say("interrupted")
signal.signal(signal.SIGINT, signal.SIG_IGN)
stored = {turn.id for turn in store.load("Talk").turns if turn.status == "complete"}
store.close()
say(len(written) > 200, written <= stored)
"""
    with python(code, path) as process:
        assert hears(process) == "ready"
        for _ in range(200):
            time.sleep(random.uniform(0, 0.01))
            process.send_signal(signal.SIGINT)
            assert hears(process) == "interrupted"
        assert ended(process) == "True True\n"
    check_integrity(path)


def test_processes_that_keep_answers_at_once_keep_them_all(tmp_path: Path) -> None:
    path = tmp_path / "answers.json"
    code = """
say("ready")
sys.stdin.readline()
file = ReplayFile(sys.argv[1])
for number in range(25):
    file.keep(f"{sys.argv[2]} {number}", Turn("Say", answer="word\\n" * 20))
"""
    all_ended(python(code, str(path), str(number)) for number in range(8))
    file = ReplayFile(path)
    missing = [
        key
        for key in (f"{process} {number}" for process in range(8) for number in range(25))
        if file.answer_to(key) is None
    ]
    assert missing == []
    assert list(tmp_path.iterdir()) == [path]


# Answers of batches


def batch_answer(key: str) -> Completion:
    return Completion(f"answer to {key} " * 50, finish_reason="stop", usage={"total_tokens": 7})


KEEPER = """
journal, name = Journal(sys.argv[1]), sys.argv[2]

def keep(first, count):
    keys = [f"{name} {number}" for number in range(first, first + count)]
    journal.keep({
        key: Completion(f"answer to {key} " * 50, finish_reason="stop", usage={"total_tokens": 7})
        for key in keys
    })
    return first + count

"""


def test_processes_that_keep_answers_of_batches_at_once_keep_them_all(tmp_path: Path) -> None:
    path = str(tmp_path / "conversations.db")
    code = """
say("ready")
sys.stdin.readline()
first = 0
while first < 300:
    first = keep(first, random.choice([1, 3, 50]))
journal.close()
say(first)
"""
    names = [f"process {number}" for number in range(4)]
    counts = map(int, all_ended(python(KEEPER + code, path, name) for name in names))
    keys = [
        f"{name} {number}"
        for name, count in zip(names, counts, strict=True)
        for number in range(count)
    ]
    with closing(Journal(path)) as journal:
        assert journal.find(keys) == {key: batch_answer(key) for key in keys}
    check_integrity(path)


def test_a_process_killed_at_any_moment_loses_no_answer_that_was_kept(tmp_path: Path) -> None:
    path = str(tmp_path / "conversations.db")
    code = """
first = 0
while True:
    first = keep(first, random.choice([1, 3, 50]))
    say(first)
"""

    def killed_while_keeping(name: str) -> int:
        """Kill a process at a random moment; return how many answers it said it had kept."""
        with python(KEEPER + code, path, name) as process:
            assert process.stdout is not None
            said = [process.stdout.readline()]
            timer = threading.Timer(random.uniform(0, 0.5), process.kill)
            timer.start()
            said += process.stdout
            timer.join()
        assert process.returncode == -signal.SIGKILL
        return max(int(line) for line in said if line.endswith("\n"))

    names = [f"keeper {number}" for number in range(20)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(killed_while_keeping, names))
    check_integrity(path)
    with closing(Journal(path)) as journal:
        for name, kept in zip(names, results, strict=True):
            reported = [f"{name} {number}" for number in range(kept)]
            assert journal.find(reported) == {key: batch_answer(key) for key in reported}
            # Of the group that was being kept, there is all or nothing.
            later = journal.find(f"{name} {number}" for number in range(kept, kept + 100))
            assert len(later) in (0, 1, 3, 50)


def test_an_interrupt_at_any_moment_leaves_the_journal_in_order(tmp_path: Path) -> None:
    path = str(tmp_path / "conversations.db")
    code = """
first, interrupts = 0, 0
say("ready")
while interrupts < 50:
    try:
        while True:
            first = keep(first, 10)
    except KeyboardInterrupt:
        interrupts += 1
        say("interrupted")
signal.signal(signal.SIGINT, signal.SIG_IGN)
first = keep(first, 10)
say(len(journal.find(f"{name} {number}" for number in range(first))) == first)
journal.close()
"""
    with python(KEEPER + code, path, "interrupted") as process:
        assert hears(process) == "ready"
        for _ in range(50):
            time.sleep(random.uniform(0, 0.01))
            process.send_signal(signal.SIGINT)
            assert hears(process) == "interrupted"
        assert ended(process) == "True\n"
    check_integrity(path)
