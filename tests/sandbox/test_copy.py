"""Hostile and clumsy code in real copies: nothing outside changes, and it ends in time.

These tests fork this process and need nothing else, so they stand apart from those with kernels and
servers.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_snippets import CLUMSY, ENDINGS, HARMLESS, HOSTILE, Snippet
from sandbox_world import World

from copilot_magic.errors import RehearsalError
from copilot_magic.notebook.rehearsing.forks import threaded_library
from copilot_magic.sandbox import copy, inside
from copilot_magic.sandbox.copy import run_in_copy
from copilot_magic.sandbox.limits import Ended, Limits
from copilot_magic.sandbox.support import why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

LIMITS = Limits(seconds=60.0, memory=1024**3, output=1_000_000, files=20_000_000)
# For what has to be ended, as soon as it has surely begun.
SHORT = Limits(seconds=1.5, memory=512 * 1024**2, output=1_000_000, files=20_000_000)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Yield what must stay as it is; this process's temporary files are elsewhere than its."""
    before = tempfile.tempdir
    tempfile.tempdir = str(tmp_path_factory.mktemp("temporary"))
    world = World(tmp_path_factory.mktemp("world"))
    yield world
    world.close()
    tempfile.tempdir = before


def run(world: World, code: str, limits: Limits = LIMITS) -> Ended:
    """Run a snippet in a copy; its message says what it raised."""

    def work(report: Callable[[dict[str, Any]], None]) -> None:
        try:
            exec(code, world.namespace(report))
        except BaseException as error:
            report({"raised": type(error).__name__, "says": str(error)})
            raise
        report({"raised": ""})

    return run_in_copy(work, limits)


def check(world: World, snippet: Snippet, limits: Limits, how: str) -> None:
    before = world.state()
    ended = run(world, snippet.code, limits)
    assert world.state() == before
    told = [message for message in ended.messages if "raised" in message]
    raised = told[0]["raised"] if told else ""
    assert ended.how in how.split("|"), (ended, snippet.code)
    assert raised == snippet.raises or "|" in how, (ended, snippet.code)
    assert ended.seconds <= limits.seconds + 5
    assert not snippet.refused or any(wish.startswith(snippet.refused) for wish in ended.refused)


@pytest.mark.parametrize("snippet", HOSTILE, ids=lambda snippet: snippet.code)
def test_hostile_code_changes_nothing_outside(world: World, snippet: Snippet) -> None:
    ends_itself = snippet.how == "finished" and bool(snippet.raises)
    check(world, snippet, LIMITS, "exited" if ends_itself else snippet.how)


def test_the_kernel_alone_holds_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit hook only finds the words: without it, the same code changes as little."""
    monkeypatch.setattr(inside, "Guard", lambda *_: lambda *_: None)
    before = world.state()
    for snippet in HOSTILE:
        if not snippet.refused.startswith("read from the pipe"):
            run(world, snippet.code)
            assert world.state() == before, snippet.code


@pytest.mark.parametrize("snippet", ENDINGS, ids=lambda snippet: snippet.code)
def test_code_that_ends_oddly_is_ended_and_leaves_nothing(world: World, snippet: Snippet) -> None:
    how = snippet.how
    if how == "finished" and snippet.raises:
        how = "out of memory" if snippet.raises == "MemoryError" else "exited"
    check(world, snippet, SHORT if how == "timed out" else LIMITS, how)


@pytest.mark.parametrize("code", CLUMSY)
def test_what_the_copy_changes_of_its_own_is_not_the_parents(world: World, code: str) -> None:
    before = world.state()
    ended = run(world, code)
    assert world.state() == before
    assert ended.how == "finished", ended


@pytest.mark.parametrize("code", HARMLESS)
def test_harmless_code_works(world: World, code: str) -> None:
    ended = run(world, code)
    assert (ended.messages, ended.refused, ended.how) == ([{"raised": ""}], [], "finished")


def test_there_are_enough_of_them() -> None:
    codes = [snippet.code for snippet in HOSTILE + ENDINGS] + CLUMSY
    assert len(codes) == len(set(codes)) >= 200


def test_a_fresh_matplotlib_and_pandas_can_be_imported(world: World) -> None:
    code = (
        "for name in list(sys.modules):\n"
        "    if name.split('.')[0] in ('matplotlib', 'csv'): del sys.modules[name]\n"
        "import io, matplotlib; matplotlib.use('agg')\n"
        "import matplotlib.pyplot as plt\n"
        "plt.plot([1, 2]); plt.savefig(io.BytesIO())"
    )
    assert run(world, code).how == "finished"


def test_linear_algebra_works_after_its_threads_have_worked_in_the_parent(world: World) -> None:
    numpy = pytest.importorskip("numpy")
    matrix = numpy.random.default_rng(0).random((400, 400))
    expected = float((matrix @ matrix).sum())
    ended = run_in_copy(lambda report: report({"sum": float((matrix @ matrix).sum())}), LIMITS)
    assert ended.messages[0]["sum"] == pytest.approx(expected)


def test_polars_waits_for_threads_that_have_worked_in_the_parent_and_that_can_be_told(
    world: World,
) -> None:
    polars = pytest.importorskip("polars")
    rows = list(range(100_000))
    frame = polars.DataFrame({"a": rows, "b": [number % 7 for number in rows]})

    def work(report: Callable[[dict[str, Any]], None]) -> None:
        report({"shape": frame.group_by("b").agg(polars.col("a").sum()).shape})

    assert frame.group_by("b").agg(polars.col("a").sum()).shape == (7, 2)
    assert threaded_library("frame.sum()", {"frame": frame}) == "polars"
    assert run_in_copy(work, SHORT).how == "timed out"


def test_openmp_works_after_its_threads_have_worked_in_the_parent(world: World) -> None:
    cluster = pytest.importorskip("sklearn.cluster")
    numpy = pytest.importorskip("numpy")
    points = numpy.random.default_rng(0).random((2000, 4))
    cluster.KMeans(3, n_init=2).fit(points)

    def work(report: Callable[[dict[str, Any]], None]) -> None:
        report({"inertia": cluster.KMeans(3, n_init=2).fit(points).inertia_})

    ended = run_in_copy(work, LIMITS)
    assert (ended.how, len(ended.messages)) == ("finished", 1)


def test_messages_come_in_order_and_from_all_threads(world: World) -> None:
    code = (
        "import threading\n"
        "def go(n):\n"
        "    for i in range(100): report({'thread': n, 'i': i})\n"
        "threads = [threading.Thread(target=go, args=(n,)) for n in range(4)]\n"
        "for t in threads: t.start()\n"
        "for t in threads: t.join()"
    )
    ended = run(world, code)
    for number in range(4):
        found = [m["i"] for m in ended.messages if m.get("thread") == number]
        assert found == list(range(100))
    assert not ended.cut


def test_text_of_any_kind_arrives(world: World) -> None:
    ended = run(
        world, "report({'a': '\\ud800 \\0 ü', 'b': [1.5, None, float('inf')], 'c': 10**30})"
    )
    assert ended.messages[0] == {"a": "\ud800 \0 ü", "b": [1.5, None, float("inf")], "c": 10**30}


def test_more_messages_than_are_taken_do_not_end_the_copy(world: World) -> None:
    ended = run(world, "for i in range(300): report({'text': 'x' * 10_000})")
    assert (ended.how, ended.cut, len(ended.messages)) == ("finished", True, 99 + 1)


def test_each_refusal_is_told_once_and_not_too_many(world: World) -> None:
    code = (
        "for i in range(50):\n"
        "    try: open(canary / 'same', 'w')\n"
        "    except OSError: pass\n"
        "    try: open(canary / f'new{i}\\x1b[2J', 'w')\n"
        "    except OSError: pass"
    )
    refused = run(world, code).refused
    assert len(refused) == len(set(refused)) == 20
    assert all(wish.isprintable() for wish in refused)


def test_a_refusal_is_readable(world: World) -> None:
    code = "os.chdir(canary)\nopen('report.csv', 'w')"
    ended = run(world, code)
    assert ended.refused == ["write report.csv"]
    assert "A copy of this process must not write report.csv" in ended.messages[0]["says"]


def test_an_exit_code_and_a_signal_are_told(world: World) -> None:
    assert run(world, "os._exit(3)").code == 3
    assert run(world, "os.kill(os.getpid(), 15); time.sleep(9)").code == signal.SIGTERM
    assert run(world, "raise SystemExit(5)").code == 5
    assert run(world, "time.sleep(99)", Limits(seconds=0.3)).code == signal.SIGKILL


def test_a_copy_can_be_made_in_any_thread(world: World) -> None:
    before = world.state()
    found: list[Ended] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(run(world, "time.sleep(0.1); signal.alarm(0)"))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [ended.how for ended in found] == ["finished"] * 4
    assert world.state() == before


def test_an_interrupt_kills_the_copy_and_goes_on(world: World) -> None:
    before = world.state()
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        run(world, "time.sleep(999)", LIMITS)
    timer.join()
    assert world.state() == before


def test_a_handler_of_ones_own_is_called_after_an_interrupt(world: World) -> None:
    calls: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: calls.append(number))
    try:
        os.kill(os.getpid(), signal.SIGINT)
        calls.clear()
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        assert run(world, "time.sleep(999)", LIMITS).how == "killed"
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert calls == [signal.SIGINT]


def test_the_status_may_be_taken_by_someone_else(world: World) -> None:
    """As a handler of SIGCHLD does that waits for all children."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert run(world, "pass").how == "finished"
        assert run(world, "os._exit(3)").how == "exited"
        assert run(world, "time.sleep(99)", SHORT).how == "timed out"
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_another_signals_handler_that_raises_leaves_nothing_behind(world: World) -> None:
    before = world.state()
    previous = signal.signal(signal.SIGALRM, lambda *_: 1 / 0)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(ZeroDivisionError):
            run(world, "time.sleep(999)")
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert world.state() == before


def test_a_copy_that_stops_itself_is_ended(world: World) -> None:
    before = world.state()
    assert run(world, "os.kill(os.getpid(), signal.SIGSTOP)", SHORT).how == "timed out"
    assert world.state() == before


def test_forking_with_threads_warns_of_nothing(world: World) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(world, "pass")
    assert caught == []


def test_the_copy_dies_with_its_parent(tmp_path: Path) -> None:
    """What makes the copy may be killed as well."""
    reading, writing = os.pipe()
    parent = os.fork()
    if parent == 0:
        os.close(reading)

        def work(report: Callable[[dict[str, Any]], None]) -> None:
            report({})
            time.sleep(30)

        copy.why_not = lambda: ""  # type: ignore[attr-defined]
        threading.Thread(target=run_in_copy, args=(work,), daemon=True).start()
        while not (children := _children_of(os.getpid())):
            time.sleep(0.01)
        os.write(writing, str(children[0]).encode())
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    os.close(writing)
    child = int(os.read(reading, 20))
    os.close(reading)
    os.waitpid(parent, 0)
    deadline = time.monotonic() + 10
    while _is_running(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _is_running(child)


def _children_of(pid: int) -> list[int]:
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [found for found in pids if _parent_of(found) == pid]


def _parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_in_a_copy_it_is_impossible_because_it_is_one() -> None:
    ended = run_in_copy(lambda report: report({"why": why_not()}))
    assert ended.messages == [{"why": "this process is a copy already"}]


def test_where_it_is_impossible_it_says_why_and_runs_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(copy, "why_not", lambda: "only Linux can confine a copy of a process")
    with pytest.raises(RehearsalError, match="only Linux"):
        run_in_copy(lambda report: pytest.fail("ran"))


def test_a_copy_that_cannot_be_confined_runs_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from copilot_magic.sandbox import landlock

    before = world.state()
    monkeypatch.setattr(landlock, "confine", lambda *_: 1 / 0)
    with pytest.raises(RehearsalError, match="could not be confined: ZeroDivisionError"):
        run(world, "open(canary / 'data.csv', 'w')")
    assert world.state() == before


def test_threads_that_something_starts_in_every_copy_are_noticed(world: World) -> None:
    """They would not be confined."""
    enabled = [True]

    def start() -> None:
        if enabled:
            threading.Thread(target=time.sleep, args=(30,), daemon=True).start()

    os.register_at_fork(after_in_child=start)
    try:
        with pytest.raises(RehearsalError, match="starts threads in every copy"):
            run(world, "pass")
    finally:
        enabled.clear()
    assert run(world, "pass").how == "finished"
