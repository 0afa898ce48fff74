"""Workers for tests of batches: threads that answer as a function says, and count what is asked."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from copilot_magic.batch.worker import Outcome
from copilot_magic.chat.completion import Completion
from copilot_magic.errors import PromptError

__all__ = ["ScriptedWorkers", "asked_about", "echo"]

Reply = Callable[[Mapping[str, Any], int], "Completion | PromptError | None"]
"""Returns what comes of a request, given how often its prompt was asked before."""


def asked_about(request: Mapping[str, Any]) -> str:
    """Return the row of a request: the last fenced line of its last message."""
    content = request["messages"][-1]["content"]
    text = content if isinstance(content, str) else content[0]["text"]
    return str(text.removesuffix("\n```").rsplit("```text\n", 1)[-1])


def echo(request: Mapping[str, Any], before: int) -> Completion:
    """Answer with the row."""
    usage = {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10}
    return Completion(asked_about(request), usage=usage, finish_reason="stop")


class ScriptedWorkers:
    """Threads that ask nobody.

    Attributes:
        asked: How often each row was asked about.
        most: The most prompts that were on their way at once.
        stopped: `stop` was called.
    """

    def __init__(self, reply: Reply = echo, capacity: int = 8, task_size: int = 1) -> None:
        self.capacity = capacity
        self.task_size = task_size
        self.asked: Counter[str] = Counter()
        self.requests: list[dict[str, Any]] = []
        self.tasks: list[int] = []
        self.most = 0
        self.stopped = False
        self._reply = reply
        self._now = 0
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(capacity)

    def submit(
        self, common: Mapping[str, Any], requests: Sequence[tuple[int, Mapping[str, Any]]]
    ) -> Future[list[Outcome]]:
        with self._lock:
            self.tasks.append(len(requests))
            self._now += len(requests)
            self.most = max(self.most, self._now)
        return self._pool.submit(self._answer, common, requests)

    def _answer(
        self, common: Mapping[str, Any], requests: Sequence[tuple[int, Mapping[str, Any]]]
    ) -> list[Outcome]:
        outcomes = []
        try:
            for number, own in requests:
                request = {**common, **own}
                row = asked_about(request)
                with self._lock:
                    before = self.asked[row]
                    self.asked[row] += 1
                    self.requests.append(request)
                came = self._reply(request, before)
                if isinstance(came, PromptError):
                    outcomes.append(Outcome(number, error=came))
                else:
                    outcomes.append(Outcome(number, came))
        finally:
            with self._lock:
                self._now -= len(requests)
        return outcomes

    def stop(self) -> None:
        self.stopped = True
        self._pool.shutdown(wait=False, cancel_futures=True)
