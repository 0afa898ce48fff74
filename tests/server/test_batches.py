"""Thousands of prompts over real sockets, to a server that fails in every way that servers do."""

from __future__ import annotations

import os
import signal
from bisect import bisect_left
from collections import Counter

import pytest
from batch_process import BatchProcess, wait_until
from batch_server import Account, BatchServer, Script

from copilot_magic.batch.policy import MAX_REFUSALS

COUNT = 2_000
WORKERS = 64
ROWS = [f"row {number}" for number in range(COUNT)]
ONE_BATCH = 'report(map_prompts("Good or bad?", given["rows"], max_workers=64))\n'


def ask(server: BatchServer, code: str = ONE_BATCH, **given: object) -> list[dict[str, object]]:
    """Run a batch in a process to its end and return its reports."""
    with BatchProcess(code, server.base_url, rows=given.pop("rows", ROWS), **given) as process:
        return process.reports()


def outcomes_of(account: Account, row: str) -> list[str]:
    """Return what became of a row's tries, without refusals as one too many."""
    return [outcome for outcome in account.outcomes(row) if outcome != "429"]


def test_every_row_is_accounted_for_whatever_the_server_does() -> None:
    """A prompt is asked once, and again after a failure: as often as the policy says, never more.

    Faults: 5 % 500s, 1 % cut answers, a hang, bursts of 429 with and without a time to wait, rows
    that fail each time, connections that the server closes after some answers.
    """
    faults = {"errors": 0.05, "cuts": 0.01, "hopeless": 0.002, "bursts": 0.001, "pauses": 0.001}
    with BatchServer(**faults, seed=5, hang="row 777", answers_each=100) as server:
        (told,) = ask(server, first_token_timeout=3)
        account = server.account()
        script = server.script
    fault_of = {row: script.fault(row) for row in ROWS}
    assert set(fault_of.values()) == {"", "hang", *faults}, "take another seed"
    expected = {
        "errors": ["500", "answered"],
        "cuts": ["cut", "answered"],
        "hang": ["hung", "answered"],
        "hopeless": ["500"] * 3,
    }
    assert list(account.tries.keys() - set(ROWS)) == []
    wrong = {
        row: outcomes
        for row in ROWS
        if (outcomes := outcomes_of(account, row)) != expected.get(fault_of[row], ["answered"])
    }
    assert wrong == {}
    hopeless = {row for row in ROWS if fault_of[row] == "hopeless"}
    assert told["answers"] == [None if row in hopeless else row for row in ROWS]
    failed = {row: error for row, error in zip(ROWS, told["errors"], strict=True) if error}
    assert failed.keys() == hopeless
    assert all("The engine stumbled" in error for error in failed.values())
    refused = Counter(row for row in ROWS for each in account.outcomes(row) if each == "429")
    assert max(refused.values()) <= MAX_REFUSALS
    # At most those that were on their way when a burst began are refused by it.
    bursts = sum(fault_of[row] in ("bursts", "pauses") for row in ROWS)
    assert bursts <= refused.total() <= bursts * WORKERS
    assert account.most_at_once <= WORKERS
    assert told["usage"]["total_tokens"] > COUNT
    assert told["asked"] >= account.requests


def test_connections_stay_open() -> None:
    with BatchServer(delay=0.002) as server:
        ask(server, rows=ROWS[:500])
        assert server.account().connections <= WORKERS


def test_a_batch_that_was_killed_goes_on_where_it_was() -> None:
    """Only what was on its way is asked twice."""
    with BatchServer(errors=0.02) as server:
        with BatchProcess(ONE_BATCH, server.base_url, rows=ROWS) as process:
            wait_until(lambda: server.account().answered >= COUNT // 2)
            process.kill()
        before = server.account()
        assert before.answered < COUNT
        (told,) = ask(server)
        account = server.account()
    assert told["answers"] == ROWS
    assert account.tries.keys() == set(ROWS)
    answered = Counter(
        row for row in ROWS for each in account.outcomes(row) if each in ("answered", "left")
    )
    twice = [row for row in ROWS if answered[row] > 1]
    assert len(twice) <= WORKERS
    assert max(answered.values()) <= 2
    assert told["known"] >= before.answered - WORKERS


def test_a_later_process_asks_only_what_is_new() -> None:
    code = """
words = "Good or bad?"
report(map_prompts(words, given["rows"], dry_run=True), plan=True)
report(map_prompts(words, given["rows"], max_workers=64))
report(map_prompts(words, given["rows"], max_workers=64))
"""
    with BatchServer(delay=0.002) as server:
        ask(server, rows=ROWS[:300])
        _, first, again = ask(server, code, rows=ROWS[100:400] + ROWS[100:200])
        account = server.account()
        assert (first["known"], first["asked"]) == (200, 100)
        assert (again["known"], again["asked"]) == (300, 0)
        assert first["answers"] == again["answers"] == ROWS[100:400] + ROWS[100:200]
        assert account.requests == len(account.tries) == 400
        ask(server, ONE_BATCH.replace("64", "64, resume=False"), rows=ROWS[:50])
        assert server.account().requests == 450
        ask(server, ONE_BATCH.replace("Good or bad?", "Happy?"), rows=ROWS[:50])
        assert server.account().requests == 500


@pytest.mark.skipif(os.name == "nt", reason="SIGINT cannot be sent to one process there")
def test_an_interrupt_keeps_what_is_done() -> None:
    code = """
try:
    map_prompts("Good or bad?", given["rows"], max_workers=64)
except KeyboardInterrupt:
    report(shell.user_ns["_batch"])
report(map_prompts("Good or bad?", given["rows"], max_workers=64))
"""
    with BatchServer() as server, BatchProcess(code, server.base_url, rows=ROWS) as process:
        wait_until(lambda: server.account().answered >= COUNT // 2)
        process.process.send_signal(signal.SIGINT)
        interrupted, whole = process.reports()
        account = server.account()
    done = [row for row, answer in zip(ROWS, interrupted["answers"], strict=True) if answer]
    assert COUNT // 2 - WORKERS <= len(done) < COUNT
    assert [answer for answer in interrupted["answers"] if answer] == done
    assert whole["answers"] == ROWS
    assert whole["known"] == len(done)
    assert {len(account.outcomes(row)) for row in done} == {1}
    assert sum(len(account.outcomes(row)) - 1 for row in ROWS) <= WORKERS


@pytest.mark.parametrize(("workers", "in_hand"), [("threads", 4), ("processes", 16)])
def test_a_limit_a_minute_holds_over_all_workers(workers: str, in_hand: int) -> None:
    """No second has more prompts than its share, but for those that the workers had in hand."""
    code = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
how = {"max_workers": 4, "requests_per_minute": 1800}
if given["workers"] == "threads":
    report(map_prompts("Good or bad?", given["rows"], **how))
else:
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        report(map_prompts("Good or bad?", given["rows"], executor=pool, **how))
"""
    with BatchServer(delay=0.01) as server:
        (told,) = ask(server, code, rows=ROWS[:90], workers=workers)
        times = server.account().times
    assert told["answers"] == ROWS[:90]
    most = max(bisect_left(times, start + 1) - place for place, start in enumerate(times))
    assert most <= 30 + 1 + in_hand


def test_no_more_tokens_are_used_than_allowed() -> None:
    code = """
report(map_prompts("Good or bad?", given["rows"], max_workers=8, max_tokens_total=3_000))
"""
    with BatchServer(delay=0.005) as server:
        (told,) = ask(server, code, rows=ROWS[:500])
        account = server.account()
    assert told["usage"]["total_tokens"] <= 3_000
    answered = [row for row, answer in zip(ROWS, told["answers"], strict=False) if answer]
    assert 10 < len(answered) == account.requests < 500
    assert all("tokens" in error for error in told["errors"] if error)


def test_rows_of_a_stream_come_in_order_and_are_read_as_needed() -> None:
    code = """
read = 0
def endless():
    global read
    while True:
        yield f"row {read}"
        read += 1
rows = imap_prompts("Good or bad?", endless(), max_workers=64)
got = [next(rows) for _ in range(500)]
rows.close()
assert [row.item for row in got] == [row.answer for row in got] == given["rows"], got
print(json.dumps({"read": read}))
"""
    with BatchServer(delay=0.01, errors=0.05) as server:
        (told,) = ask(server, code, rows=ROWS[:500])
        account = server.account()
    assert told["read"] <= 500 + 1_000 + WORKERS
    assert {outcomes_of(account, row)[-1] for row in ROWS[:500]} == {"answered"}


def test_which_prompts_fail_is_known_beforehand() -> None:
    """The server of these tests does what its script says."""
    script = Script(errors=0.05, cuts=0.01, seed=1)
    faults = Counter(script.fault(row) for row in ROWS)
    assert 60 < faults["errors"] < 140 and 5 < faults["cuts"] < 40
    assert faults == Counter(Script(errors=0.05, cuts=0.01, seed=1).fault(row) for row in ROWS)
    assert faults.keys() == {"", "errors", "cuts"}
