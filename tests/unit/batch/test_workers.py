"""Who asks the prompts: threads, and the executors of others."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest
from rows import echo
from scripted_server import Exchange, ScriptedServer

from copilot_magic.batch.worker import Task
from copilot_magic.batch.workers import ExecutorWorkers, Threads
from copilot_magic.errors import CutError
from copilot_magic.settings import Settings

REQUEST = {"messages": [{"role": "user", "content": "```text\na\n```"}]}


class Recorder(Executor):
    """An executor that runs nothing and keeps what it is given."""

    def __init__(self, workers: int | None = None) -> None:
        self.tasks: list[Task] = []
        self.futures: list[Future[Any]] = []
        if workers is not None:
            self._max_workers = workers

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.tasks.append(args[0])
        self.futures.append(Future())
        return self.futures[-1]


class Cluster:
    """What Dask's executor has behind it."""

    def nthreads(self) -> dict[str, int]:
        return {"one": 2, "other": 1}


def test_threads_ask_over_connections_that_they_share(server: ScriptedServer) -> None:
    server.script(echo)
    workers = Threads(Settings(base_url=server.base_url), 2)
    futures = [workers.submit({"model": "m"}, [(number, REQUEST)]) for number in range(20)]
    outcomes = [outcome for future in futures for outcome in future.result(30)]
    workers.stop()
    assert [outcome.number for outcome in outcomes] == list(range(20))
    assert len({request.client for request in server.requests}) <= 2


def test_stopping_ends_what_is_on_its_way(server: ScriptedServer) -> None:
    def never(exchange: Exchange) -> None:
        exchange.client_gone()

    server.script(never)
    workers = Threads(Settings(base_url=server.base_url), 1)
    future = workers.submit({}, [(0, REQUEST)])
    while not server.posts:
        pass
    workers.stop()
    (outcome,) = future.result(30)
    assert isinstance(outcome.error, CutError)


@pytest.mark.parametrize(
    ("executor", "at_once", "threads", "tasks"),
    [
        (Recorder(2), 8, 4, 4),
        (Recorder(16), 8, 1, 16),
        (Recorder(3), 8, 3, 6),
        (Recorder(), 8, 2, 8),
    ],
    ids=["two workers", "more than prompts", "an odd number", "it does not tell"],
)
def test_the_prompts_on_their_way_are_spread_over_the_workers(
    executor: Recorder, at_once: int, threads: int, tasks: int
) -> None:
    workers = ExecutorWorkers(executor, Settings(), at_once)
    assert workers.capacity == tasks * workers.task_size
    workers.submit({}, [(0, REQUEST)])
    assert executor.tasks[0].threads == threads and workers.task_size == 2 * threads


def test_dask_says_how_many_threads_its_workers_have() -> None:
    executor = Recorder()
    executor._client = Cluster()  # type: ignore[attr-defined]
    workers = ExecutorWorkers(executor, Settings(), 6)
    workers.submit({}, [(0, REQUEST)])
    assert executor.tasks[0].threads == 2


def test_stopping_takes_back_what_no_worker_has_begun() -> None:
    executor = Recorder(2)
    workers = ExecutorWorkers(executor, Settings(), 2)
    workers.submit({}, [(0, REQUEST)])
    workers.submit({}, [(1, REQUEST)])
    executor.futures[0].set_running_or_notify_cancel()
    workers.stop()
    assert [future.cancelled() for future in executor.futures] == [False, True]


def test_the_executor_of_others_stays_open(server: ScriptedServer) -> None:
    server.script(echo)
    with ThreadPoolExecutor(2) as pool:
        workers = ExecutorWorkers(pool, Settings(base_url=server.base_url), 2)
        (outcome,) = workers.submit({}, [(0, REQUEST)]).result(30)
        workers.stop()
        assert outcome.completion is not None and pool.submit(int).result(30) == 0
