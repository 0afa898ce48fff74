"""Batches on other people's engines: real processes, real clusters on this machine's loopback."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from batch_process import BatchProcess, wait_until
from batch_server import BatchServer

from copilot_magic.batch.workers import ExecutorWorkers
from copilot_magic.local.process import LocalServer
from copilot_magic.settings import Settings

ROWS = [f"row {number}" for number in range(200)]
REVIEWS = [
    "I love it, it works perfectly.",
    "It broke after a day, and nobody answers my letters.",
    "The best purchase of the year!",
    "A complete waste of money.",
]
AT_ONCE = 8
# Each worker of two may have one task of twice its threads in hand, and one that waits.
IN_HAND = 4 * AT_ONCE

# Each sets up `executor`, and `loaded`: a set of module names for each worker.
PROCESSES = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
# They start when the first work comes.
key = os.environ["COPILOT_API_KEY"]
setting = f"__import__('os').environ['COPILOT_API_KEY'] = {key!r}"
executor = stack.enter_context(ProcessPoolExecutor(2, get_context("spawn"), exec, (setting,)))
loaded = lambda: [executor.submit(eval, "list(__import__('sys').modules)").result()]
"""
EMBEDDED_DASK = """
from distributed import Client, LocalCluster
cluster = stack.enter_context(
    LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
)
client = stack.enter_context(Client(cluster))
executor = client.get_executor()
loaded = lambda: list(client.run(lambda: list(__import__("sys").modules)).values())
"""
DASK = """
from distributed import Client
client = stack.enter_context(Client(scheduler_file=given["scheduler"]))
client.wait_for_workers(2, timeout=60)
executor = client.get_executor()
loaded = lambda: list(client.run(lambda: list(__import__("sys").modules)).values())
"""
IPYPARALLEL = """
import ipyparallel
# An engine is there only after a heartbeat or two, which come every three seconds otherwise.
beats = ["--HeartMonitor.period=200", "--HeartMonitor.max_heartmonitor_misses=100"]
cluster = ipyparallel.Cluster(n=2, log_level=40, controller_args=beats)
client = stack.enter_context(cluster)
executor = client.executor()
loaded = lambda: client[:].apply_sync(lambda: list(__import__("sys").modules))
"""
ENGINES = {"processes": PROCESSES, "embedded Dask": EMBEDDED_DASK, "ipyparallel": IPYPARALLEL}

ASK = """
from contextlib import ExitStack
with ExitStack() as stack:
    {engine}
    # The workers were started with another one.
    os.environ["COPILOT_API_KEY"] = "sk-of-the-caller"
    batch = map_prompts("Good or bad?", given["rows"], executor=executor, max_workers={at_once})
    report(batch, loaded=loaded())
"""
ASK_TYPED = """
from contextlib import ExitStack
with ExitStack() as stack:
    {engine}
    del os.environ["COPILOT_API_KEY"]
    report(map_prompts(
        "What does this customer think?",
        given["rows"],
        as_="Literal['good', 'bad']",
        executor=executor,
        max_workers=4,
    ))
"""


def code(template: str, engine: str) -> str:
    """Return the code that asks with an engine."""
    indented = engine.strip().replace("\n", "\n    ")
    return template.format(engine=indented, at_once=AT_ONCE)


class Dask:
    """A scheduler and two workers, each a process started by Dask's own command line."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.file = directory / "scheduler.json"
        self._directory = directory
        self._stack = stack
        self._start("scheduler", "--port", "0", "--scheduler-file", str(self.file))
        wait_until(self.file.exists)

    def add_worker(self, key: str) -> subprocess.Popen[bytes]:
        """Start a worker that has an API key in its environment."""
        found = ("--scheduler-file", str(self.file), "--local-directory", str(self._directory))
        options = ("--no-nanny", "--nthreads", "1", *found)
        return self._start("worker", *options, COPILOT_API_KEY=key)

    def _start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", *arguments, "--host", "127.0.0.1"]
        with (self._directory / "log").open("ab") as log:
            process = subprocess.Popen(
                [*command, "--no-dashboard"],
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
            )
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)
        return process


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Dask]:
    """Yield a scheduler that has no workers yet."""
    with ExitStack() as stack:
        yield Dask(tmp_path, stack)


def check_imports(workers: list[list[str]], allowed: str = "") -> None:
    """Assert that workers have loaded what asks prompts, and nothing of a notebook."""
    asked = [set(modules) for modules in workers if "copilot_magic.batch.worker" in modules]
    assert asked, "no worker has asked anything"
    for modules in asked:
        ours = {name for name in modules if name.startswith("copilot_magic")}
        wings = {name.split(".")[1] for name in ours if "." in name}
        assert wings.isdisjoint({"notebook", "views", "session", "store", "markdown"}), wings
        if not allowed:
            assert "IPython" not in modules


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_asks_as_threads_do(engine: str) -> None:
    """In order, as often as the policy says, each worker with the key of its own environment."""
    with BatchServer(delay=0.02, errors=0.05, cuts=0.02, seed=3) as server:
        with BatchProcess(
            code(ASK, ENGINES[engine]),
            server.base_url,
            {"COPILOT_API_KEY": "sk-of-the-workers"},
            rows=ROWS,
        ) as process:
            (told,) = process.reports()
        account = server.account()
        faults = {row: server.script.fault(row) for row in ROWS}
    assert told["answers"] == ROWS
    again = {"errors": ["500", "answered"], "cuts": ["cut", "answered"]}
    assert {"errors", "cuts"} < set(faults.values())
    for row in ROWS:
        assert account.outcomes(row) == again.get(faults[row], ["answered"])
    assert account.most_at_once <= AT_ONCE
    assert account.connections <= AT_ONCE + list(faults.values()).count("cuts")
    assert account.credentials == {"Bearer sk-of-the-workers": account.requests}
    # An engine of ipyparallel is a kernel itself.
    check_imports(told["loaded"], allowed="IPython" if engine == "ipyparallel" else "")


def test_workers_of_dasks_command_line_ask_with_their_own_keys(dask: Dask) -> None:
    for key in ("sk-one", "sk-two"):
        dask.add_worker(key)
    with (
        BatchServer(delay=0.02) as server,
        BatchProcess(
            code(ASK, DASK), server.base_url, rows=ROWS, scheduler=str(dask.file)
        ) as process,
    ):
        (told,) = process.reports()
        account = server.account()
    assert told["answers"] == ROWS
    assert account.credentials.keys() == {"Bearer sk-one", "Bearer sk-two"}
    assert account.requests == len(ROWS)
    check_imports(told["loaded"])


def test_a_worker_that_is_killed_costs_what_it_had_in_hand(dask: Dask) -> None:
    killed = dask.add_worker("sk-killed")
    dask.add_worker("sk-lives")
    rows = [f"row {number}" for number in range(400)]
    with (
        BatchServer() as server,
        BatchProcess(
            code(ASK, DASK), server.base_url, rows=rows, scheduler=str(dask.file)
        ) as process,
    ):
        wait_until(lambda: server.account().answered >= len(rows) // 2)
        killed.kill()
        (told,) = process.reports()
        account = server.account()
    assert told["answers"] == rows
    assert account.credentials.keys() == {"Bearer sk-killed", "Bearer sk-lives"}
    tries = Counter({row: len(account.outcomes(row)) for row in rows})
    assert max(tries.values()) <= 3
    assert 0 < account.requests - len(rows) <= IN_HAND
    check_imports(told["loaded"])


def test_a_pool_that_broke_costs_what_it_had_in_hand(tmp_path: Path) -> None:
    """When one of its processes is killed, the pool is unusable; with another one it goes on."""
    code = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
for number in range(2):
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        worker = pool.submit(os.getpid).result()
        Path(given["worker"]).write_text(str(worker))
        report(map_prompts("Good or bad?", given["rows"], executor=pool, max_workers=8))
"""
    worker = tmp_path / "worker"
    with (
        BatchServer() as server,
        BatchProcess(code, server.base_url, rows=ROWS, worker=str(worker)) as process,
    ):
        wait_until(lambda: server.account().answered >= len(ROWS) // 2)
        os.kill(int(worker.read_text()), signal.SIGKILL)
        broken, whole = process.reports()
        account = server.account()
    done = [row for row, answer in zip(ROWS, broken["answers"], strict=True) if answer]
    assert 0 < len(done) < len(ROWS)
    assert all("The executor takes no more work" in each for each in broken["errors"] if each)
    assert [error is None for error in broken["errors"]] == [row in set(done) for row in ROWS]
    assert whole["answers"] == ROWS
    assert whole["known"] == len(done)
    assert account.requests - len(ROWS) <= IN_HAND


@pytest.mark.model
@pytest.mark.parametrize("engine", ["embedded Dask", "ipyparallel"])
def test_the_real_model_gives_typed_answers_through_an_engine(
    engine: str, local: LocalServer
) -> None:
    with BatchProcess(
        code(ASK_TYPED, ENGINES[engine]),
        local.base_url,
        {"COPILOT_API_KEY": local.api_key},
        rows=REVIEWS,
    ) as process:
        (told,) = process.reports()
    assert told["errors"] == [None] * len(REVIEWS)
    assert set(told["answers"]) <= {"good", "bad"}
    assert told["usage"]["completion_tokens"] > 0


class Weighing(Executor):
    """An executor that pickles all that goes to a worker and comes back, as other machines do.

    Attributes:
        tasks: The bytes of each task.
        results: The bytes of each result.
    """

    def __init__(self) -> None:
        self.tasks: list[bytes] = []
        self.results: list[bytes] = []
        self._pool = ThreadPoolExecutor(2)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        task = pickle.dumps((fn, args, kwargs))
        self.tasks.append(task)
        return self._pool.submit(self._work, task)

    def _work(self, task: bytes) -> Any:
        function, args, kwargs = pickle.loads(task)
        result = pickle.dumps(function(*args, **kwargs))
        self.results.append(result)
        return pickle.loads(result)


def test_what_travels_is_small() -> None:
    """A prompt takes its own words and some 200 bytes, there and back; a key does not travel."""
    executor = Weighing()
    words = "Say whether the customer is satisfied. " * 10
    with BatchServer(delay=0.0) as server:
        settings = Settings(server.base_url, provider="", get_api_key=lambda: "sk-secret")
        workers = ExecutorWorkers(executor, settings, at_once=16)
        prompts = [
            {"messages": [{"role": "user", "content": f"{words}\n{row}"}], "provider": ""}
            for row in ROWS[: workers.task_size]
        ]
        sent = list(enumerate(prompts))
        outcomes = workers.submit({"model": "m", "stream": False}, sent).result(60)
        workers.stop()
    assert [outcome.completion.content for outcome in outcomes] == ROWS[: len(sent)]
    assert len(executor.tasks) == 1, "they travel together"
    own = sum(len(prompt["messages"][0]["content"]) for prompt in prompts)
    assert len(executor.tasks[0]) < own + 200 * len(sent) + 1_000
    assert len(executor.results[0]) < 200 * len(sent) + 1_000
    assert b"sk-secret" not in executor.tasks[0]
