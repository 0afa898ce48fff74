"""What a worker does with a task, against a scripted server."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import pytest
from rows import echo, row_of
from scripted_server import Exchange, ScriptedServer

from copilot_magic.batch.worker import Outcome, Task, ask_task
from copilot_magic.errors import BadRequestError, RateLimitError, SettingError
from copilot_magic.settings import Settings


def task(server: ScriptedServer, *rows: str, threads: int = 1, **settings: Any) -> Task:
    requests = tuple(
        (number, {"messages": [{"role": "user", "content": f"```text\n{row}\n```"}]})
        for number, row in enumerate(rows)
    )
    return Task(Settings(base_url=server.base_url, **settings), {"model": "m"}, requests, threads)


@pytest.mark.parametrize("threads", [1, 3])
def test_each_prompt_is_asked_once_and_has_its_outcome(
    server: ScriptedServer, threads: int
) -> None:
    def handler(exchange: Exchange) -> None:
        if row_of(exchange) == "bad":
            exchange.reply(400, {"error": {"message": "too odd"}})
        else:
            echo(exchange)

    server.script(handler)
    outcomes = ask_task(task(server, "a", "bad", "c", threads=threads))
    assert [outcome.number for outcome in outcomes] == [0, 1, 2]
    assert [each.completion and each.completion.content for each in outcomes] == ["a", None, "c"]
    assert isinstance(outcomes[1].error, BadRequestError) and outcomes[1].asked
    assert len(server.posts) == 3 and all(post["model"] == "m" for post in server.posts)


def test_after_a_429_the_rest_is_left_unasked(server: ScriptedServer) -> None:
    def handler(exchange: Exchange) -> None:
        if row_of(exchange) == "b":
            exchange.reply(429, {"error": {"message": "slow down"}}, {"Retry-After": "7"})
        else:
            echo(exchange)

    server.script(handler)
    first, second, *rest = ask_task(task(server, "a", "b", "c", "d"))
    assert first.completion is not None
    assert isinstance(second.error, RateLimitError) and second.error.retry_after == 7
    assert [outcome.asked for outcome in rest] == [False, False] and len(server.posts) == 2


def test_settings_that_do_not_allow_asking_are_raised(server: ScriptedServer) -> None:
    with pytest.raises(SettingError):
        ask_task(task(server, "a", idle_timeout=-1.0))


def test_what_travels_pickles_and_holds_no_function_for_the_key(server: ScriptedServer) -> None:
    sent = task(server, "a", get_api_key=lambda: "secret")
    arrived = pickle.loads(pickle.dumps(sent))
    assert arrived.settings.get_api_key is None and arrived.requests == sent.requests
    error = RateLimitError("slow down", "Wait", status=429, retry_after=3.0)
    outcome = pickle.loads(pickle.dumps(Outcome(1, error=error)))
    assert outcome.error.retry_after == 3.0 and outcome.error.message == "slow down"


def test_a_worker_needs_no_notebook() -> None:
    program = (
        "import sys\n"
        "from copilot_magic.batch.worker import ask_task\n"
        "print([name for name in ('IPython', 'ipywidgets', 'tqdm') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
