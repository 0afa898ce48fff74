"""Who asks the prompts: threads of this process, or somebody else's executor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from ..settings import Settings
from .worker import Outcome, Task, ask, ask_task

if TYPE_CHECKING:
    from ..client.client import ChatClient

__all__ = ["ExecutorWorkers", "Threads", "Workers"]

Requests = Sequence[tuple[int, Mapping[str, Any]]]

# Workers of an executor that does not tell how many it has.
_UNKNOWN = 4
# Tasks for each worker: the one it has in hand, and one so that it need not wait for the next.
_TASKS_AHEAD = 2
# Prompts of a task for each of its threads.
_PER_THREAD = 2


class Workers(Protocol):
    """Something that asks prompts.

    Attributes:
        capacity: How many prompts they take at once.
        task_size: How many prompts go into one task.
    """

    capacity: int
    task_size: int

    def submit(self, common: Mapping[str, Any], requests: Requests) -> Future[list[Outcome]]:
        """Have some prompts asked, each once."""

    def stop(self) -> None:
        """Ask nothing more, and wait for nothing."""


class Threads:
    """Threads of this process, which share a client and its connections.

    Args:
        settings: Where and how to ask.
        count: How many there are.
    """

    task_size = 1

    def __init__(self, settings: Settings, count: int) -> None:
        from ..client.client import ChatClient

        self.capacity = count
        self._client: ChatClient = ChatClient(settings, keep_connections=count)
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="copilot-batch")

    def submit(self, common: Mapping[str, Any], requests: Requests) -> Future[list[Outcome]]:
        """Have some prompts asked, each once."""
        return self._pool.submit(self._ask, common, requests)

    def _ask(self, common: Mapping[str, Any], requests: Requests) -> list[Outcome]:
        return [ask(self._client, number, {**common, **own}) for number, own in requests]

    def stop(self) -> None:
        """End what is on its way; the threads end with it."""
        self._client.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)


class ExecutorWorkers:
    """The workers behind an executor, such as Dask's, ipyparallel's or a `ProcessPoolExecutor`.

    Several prompts travel together. The executor stays its owner's, who shuts it down.

    Args:
        executor: The executor.
        settings: Where and how to ask; without a function for the key, which stays here.
        at_once: How many prompts may be on their way at once, over all workers.
    """

    def __init__(self, executor: Executor, settings: Settings, at_once: int) -> None:
        workers = min(_count_workers(executor), at_once)
        self._threads = -(-at_once // workers)
        self.task_size = self._threads * _PER_THREAD
        self.capacity = workers * _TASKS_AHEAD * self.task_size
        self._executor = executor
        self._settings = settings
        self._futures: set[Future[list[Outcome]]] = set()

    def submit(self, common: Mapping[str, Any], requests: Requests) -> Future[list[Outcome]]:
        """Have some prompts asked, each once."""
        task = Task(self._settings, common, tuple(requests), self._threads)
        future = self._executor.submit(ask_task, task)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future

    def stop(self) -> None:
        """Take back the tasks that no worker has begun; the others cannot be reached."""
        for future in list(self._futures):
            future.cancel()


def _count_workers(executor: Executor) -> int:
    """Return how many tasks an executor works on at once, as far as it tells."""
    # `concurrent.futures` has no public name for it. Dask's executor stands for a client.
    if client := getattr(executor, "_client", None):
        threads: dict[str, int] = getattr(client, "nthreads", dict)()
        return sum(threads.values()) or _UNKNOWN
    count = getattr(executor, "_max_workers", None)
    return count if isinstance(count, int) and count > 0 else _UNKNOWN
