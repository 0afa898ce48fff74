"""What a worker does: it asks the prompts of one task, each once, and returns the outcomes.

It runs in threads of this process, or in processes and on machines that have this package. What
travels is small: the settings without a key, and the requests. Each worker takes the API key from
its own environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..chat.completion import Completion
from ..errors import PromptError, RateLimitError
from ..settings import Settings

if TYPE_CHECKING:
    from ..client.client import ChatClient

__all__ = ["Outcome", "Task", "ask", "ask_task"]

# Clients of a worker: one for each server that its tasks ask.
_CLIENTS = 8


@dataclass(frozen=True)
class Task:
    """Prompts that travel together.

    Attributes:
        settings: Where and how to ask.
        common: The fields that all requests have in common.
        requests: For each prompt its number and the fields of its own.
        threads: How many of them to ask at once.
    """

    settings: Settings
    common: Mapping[str, Any]
    requests: tuple[tuple[int, Mapping[str, Any]], ...]
    threads: int = 1


@dataclass(frozen=True)
class Outcome:
    """The outcome of asking one prompt once; no answer and no error if it was not asked.

    Attributes:
        number: The prompt's number.
        completion: The answer, or None.
        error: Why there is none, or None.
    """

    number: int
    completion: Completion | None = None
    error: PromptError | None = None

    @property
    def asked(self) -> bool:
        """Say whether the prompt was asked."""
        return self.completion is not None or self.error is not None


def ask_task(task: Task) -> list[Outcome]:
    """Ask the prompts of a task and return their outcomes.

    After the server has refused one because of too many requests, those not yet begun are left out.

    Raises:
        UsageError: The settings do not allow asking.
    """
    client = _client_for(task.settings)
    refused = False

    def ask_one(number: int, request: Mapping[str, Any]) -> Outcome:
        nonlocal refused
        if refused:
            return Outcome(number)
        outcome = ask(client, number, {**task.common, **request})
        refused = refused or isinstance(outcome.error, RateLimitError)
        return outcome

    if task.threads == 1 or len(task.requests) == 1:
        return [ask_one(*request) for request in task.requests]
    with ThreadPoolExecutor(task.threads, thread_name_prefix="copilot-batch") as pool:
        return list(pool.map(ask_one, *zip(*task.requests, strict=True)))


def ask(client: ChatClient, number: int, body: Mapping[str, Any]) -> Outcome:
    """Ask one prompt once and return its outcome.

    Raises:
        UsageError: The settings do not allow asking.
    """
    try:
        return Outcome(number, client.complete(body))
    except PromptError as error:
        # Its traceback would keep the request alive, and does not pickle.
        return Outcome(number, error=error.with_traceback(None))


@lru_cache(_CLIENTS)
def _client_for(settings: Settings) -> ChatClient:
    from ..client.client import ChatClient

    return ChatClient(settings, keep_connections=64)
