"""Prompts asked in the background of a real shell: their order, their end, what is left over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from scripted_server import Exchange, ScriptedServer, answer

from copilot_magic import ask
from copilot_magic.errors import AuthenticationError, CopilotError, CutError, UsageError
from copilot_magic.notebook.arguments import PromptLine
from copilot_magic.notebook.asking import ask_prompt
from copilot_magic.notebook.magics import CopilotMagics
from copilot_magic.notebook.pending import PendingAnswer
from copilot_magic.notebook.shell import Notebook


@pytest.fixture
def notebook(magics: CopilotMagics) -> Notebook:
    return magics.notebook.up_to_date()


@pytest.fixture
def release(server: ScriptedServer) -> Iterator[threading.Event]:
    """Let answers wait half-way until this is set."""
    release = threading.Event()

    def script(exchange: Exchange) -> None:
        asked = exchange.request.json["messages"][-1]["content"]
        exchange.start()
        exchange.delta(f"half of {asked}")
        while not release.is_set():
            if exchange.client_gone(0.02):
                return
        exchange.delta(", and all")
        exchange.finish()
        exchange.done()

    server.script(script)
    yield release
    release.set()


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def started(notebook: Notebook, text: str = "one", **options: Any) -> PendingAnswer:
    pending = ask_prompt(notebook, text, PromptLine(background=True, **options))
    assert isinstance(pending, PendingAnswer)
    return pending


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("copilot-back")]


def test_the_answer_is_assigned_when_it_is_there(
    notebook: Notebook, shell: InteractiveShell, release: threading.Event
) -> None:
    pending = started(notebook, out="x")
    assert shell.user_ns["x"] is pending
    assert "_copilot" not in shell.user_ns
    release.set()
    assert pending.wait(30) == "half of one, and all"
    assert shell.user_ns["x"] is shell.user_ns["_copilot"] or (
        shell.user_ns["x"] == shell.user_ns["_copilot"]
    )
    until(lambda: not threads())
    assert notebook.background.jobs == []


def test_a_conversation_is_answered_in_the_order_of_asking(
    notebook: Notebook, server: ScriptedServer, release: threading.Event
) -> None:
    asked = [started(notebook, text) for text in ("one", "two", "three")]
    until(lambda: len(server.posts) == 1)
    assert [job.exchange.waits for job in notebook.background.jobs][1:] == [True, True]
    assert [str(job).split(", ")[-1] for job in notebook.background.jobs][1:] == [
        "waits for its turn"
    ] * 2
    release.set()
    for pending in asked:
        pending.wait(30)
    asked_for = [body["messages"][-1]["content"] for body in server.posts]
    assert asked_for == ["one", "two", "three"]


def test_a_failure_is_raised_by_wait_with_the_magic_that_helps(
    notebook: Notebook,
    shell: InteractiveShell,
    server: ScriptedServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.script(lambda exchange: exchange.reply(401, {"error": {"message": "no key"}}))
    pending = started(notebook, out="x")
    with pytest.raises(AuthenticationError, match="COPILOT_API_KEY"):
        pending.wait(30)
    assert shell.user_ns["x"] is pending
    # The shell has a simple prompt, so this comes with the end of the next cell.
    shell.run_cell("pass", store_history=True)
    assert "“one”\nAuthenticationError: " in capsys.readouterr().out


def test_cancel_stops_one_conversation_or_all(
    notebook: Notebook, shell: InteractiveShell, release: threading.Event
) -> None:
    first = started(notebook, "one", conversation="a", out="x")
    second = started(notebook, "two", conversation="b")
    until(lambda: all(job.exchange.turn.answer for job in notebook.background.jobs))
    (job,) = notebook.background.jobs[:1]
    conversation_id = job.exchange.conversation.conversation_id
    assert notebook.background.cancel(conversation_id) == [job]
    assert first.done and not second.done
    with pytest.raises(CutError, match="%copilot continue"):
        first.wait()
    assert (shell.user_ns["x"], shell.user_ns["x"].status) == ("half of one", "interrupted")
    assert len(notebook.background.cancel()) == 1
    assert second.done
    assert notebook.background.cancel() == []


def test_the_end_of_the_notebook_is_the_end_of_its_answers(
    notebook: Notebook, server: ScriptedServer, release: threading.Event
) -> None:
    pending = started(notebook)
    waits = started(notebook, "two")
    until(lambda: bool(server.posts))
    notebook.close()
    assert pending.done and waits.done
    assert threads() == []
    assert len(server.posts) == 1
    release.set()
    with pytest.raises(CopilotError):
        waits.wait()


def test_a_fault_of_ours_reaches_whoever_waits(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("copilot_magic.notebook.asking_later.show_exchange", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        started(notebook).wait(30)
    until(lambda: notebook.background.jobs == [])


def test_a_thread_that_cannot_start_holds_up_nothing(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            started(notebook)
    assert notebook.background.jobs == []
    assert ask_prompt(notebook, "two", PromptLine()) == "You said: two"


def test_the_second_try_of_a_typed_answer_comes_before_the_next_prompt(
    notebook: Notebook, shell: InteractiveShell, server: ScriptedServer
) -> None:
    go = threading.Event()

    def script(exchange: Exchange) -> None:
        number = len(server.posts)
        if number == 1:
            assert exchange.wait(go)
        answer(exchange, {1: "none", 2: '{"answer": [1, 2]}'}.get(number, "fine"))

    server.script(script)
    numbers = started(notebook, "numbers", as_="list[int]", out="x")
    later = started(notebook, "later")
    go.set()
    assert numbers.wait(30) == [1, 2]
    assert shell.user_ns["x"] == [1, 2]
    assert later.wait(30) == "fine"
    assert server.posts[2]["messages"][-1]["content"] == "later"


def test_ask_returns_it_and_shows_no_result(
    magics: CopilotMagics, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell("from copilot_magic import ask\nx = ask('hi', background=True, show=False)\nx")
    assert "<PendingAnswer: " in capsys.readouterr().out
    assert shell.user_ns["x"].wait(30) == "You said: hi"
    shell.run_cell("ask('ho', background=True)")
    assert "PendingAnswer" not in capsys.readouterr().out
    assert ask("hey", background=True).wait(30) == "You said: hey"


def test_an_answer_on_its_way_cannot_be_part_of_a_prompt(
    notebook: Notebook, shell: InteractiveShell, server: ScriptedServer, release: threading.Event
) -> None:
    pending = started(notebook, out="x")
    shell.user_ns["kept"] = pending
    with pytest.raises(UsageError, match="still on its way"):
        ask_prompt(notebook, "What is {{x}}?", PromptLine(conversation="other"))
    release.set()
    pending.wait(30)
    ask_prompt(notebook, "What is {{kept}}?", PromptLine(conversation="other"))
    assert "half of one, and all" in server.posts[-1]["messages"][-1]["content"]
