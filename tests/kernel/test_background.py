"""Answers in the background of a real kernel: other cells run while they arrive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipykernel
import pytest
from live_kernel import LiveKernel, Run
from scripted_server import Exchange, ScriptedServer, answer

from copilot_magic.chat.turn import Turn
from copilot_magic.store.store import Store

NOTEBOOK = "get_ipython().magics_manager.registry['CopilotMagics'].notebook"
OURS = "[t.name for t in __import__('threading').enumerate() if t.name.startswith('copilot')]"
# Older kernels send what a thread shows in the name of the cell that runs by then; front ends go by
# the display's id.
NAMES_ITS_CELL = ipykernel.version_info[0] >= 7


class Held:
    """A script that answers half of each prompt, and the rest when the test releases that prompt.

    Prompts that the test does not name are answered at once.
    """

    def __init__(self, *prompts: str) -> None:
        self.half = {prompt: threading.Event() for prompt in prompts}
        self.release = {prompt: threading.Event() for prompt in prompts}
        self.gone: list[str] = []

    def __call__(self, exchange: Exchange) -> None:
        prompt = exchange.request.json["messages"][-1]["content"].strip()
        if prompt not in self.half:
            answer(exchange, f"all of {prompt}")
            return
        exchange.start()
        exchange.delta(f"half of {prompt}")
        self.half[prompt].set()
        deadline = time.monotonic() + 60
        while not self.release[prompt].is_set() and time.monotonic() < deadline:
            if exchange.client_gone(0.05):
                self.gone.append(prompt)
                return
        exchange.delta(f", all of {prompt}")
        exchange.finish()
        exchange.done()


@pytest.fixture
def held(server: ScriptedServer) -> Iterator[Held]:
    held = Held("one", "two")
    server.script(held)
    yield held
    for event in held.release.values():
        event.set()


def until(happened: Any) -> None:
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ended(kernel: LiveKernel) -> None:
    """Wait until nothing is on its way in the background."""
    until(lambda: kernel.value(f"{NOTEBOOK}.background.jobs") == "[]")


def shown(kernel: LiveKernel) -> Run:
    """Return what all cells show, those that have ended included."""
    kernel.late()
    return Run(list(kernel.heard))


def printed(run: Run) -> str:
    """Return what a cell printed, without what other cells show meanwhile."""
    return "".join(content["text"] for content in run.contents("stream"))


def stored_turns(kernel: LiveKernel) -> tuple[str, str]:
    """Return the conversation file, and the id of the current conversation."""
    session = f"{NOTEBOOK}.session"
    path = kernel.value(f"{session}.library.storage.file").strip("'")
    return path, kernel.value(f"{session}.library.current.conversation_id").strip("'")


def turns_in(path: str, conversation_id: str) -> list[Turn]:
    store = Store.open(path)
    found = store.load(conversation_id)
    store.close()
    return found.turns if found is not None else []


def test_the_answer_grows_in_its_cell_while_another_one_runs(
    kernel: LiveKernel, held: Held
) -> None:
    asked = kernel.copilot("one", "-b")
    assert asked.reply["status"] == "ok", asked.error
    assert held.half["one"].wait(30)

    def note(message: dict[str, Any]) -> None:
        if "the other cell" in str(message["content"].get("text")):
            held.release["one"].set()

    before = len(kernel.heard)
    code = "import time\nprint('the other cell', flush=True)\ntime.sleep(1.5)\nprint('ends')"
    kernel.run(code, on_message=note)
    late = kernel.heard[before:]
    ends = next(i for i, m in enumerate(late) if "ends" in str(m["content"].get("text")))
    seen = [m for m in late[:ends] if m["msg_type"] == "update_display_data"]
    assert "all of one" in Run(seen).html
    if NAMES_ITS_CELL:
        cell = asked.messages[0]["parent_header"]["msg_id"]
        assert {message["parent_header"]["msg_id"] for message in seen} == {cell}
    run = shown(kernel)
    assert "half of one, all of one" in run.html
    assert run.html.count("all of one") == 1
    # A display that was opened later could land in another cell.
    assert "display_data" not in {message["msg_type"] for message in late}
    ended(kernel)
    assert kernel.value("str(_copilot)") == "'half of one, all of one'"
    assert kernel.value(OURS) == "[]"


def test_prompts_of_one_conversation_are_answered_in_order(
    kernel: LiveKernel, server: ScriptedServer, held: Held
) -> None:
    kernel.copilot("one", "-b")
    kernel.copilot("two", "-b")
    assert held.half["one"].wait(30)
    status = kernel.run("%copilot status").text
    assert "“one” in" in status and "11 characters" in status
    assert "“two” in" in status and "waits for its turn" in status
    assert len(server.posts) == 1
    held.release["one"].set()
    held.release["two"].set()
    waited = kernel.copilot("three")
    assert "all of three" in waited.html
    assert [message["content"] for message in server.posts[2]["messages"]] == [
        "one",
        "half of one, all of one",
        "two",
        "half of two, all of two",
        "three",
    ]
    assert "on its way" not in kernel.run("%copilot status").text


def test_a_foreground_prompt_shows_that_it_waits_and_can_be_interrupted(
    kernel: LiveKernel, server: ScriptedServer, held: Held
) -> None:
    kernel.copilot("one", "-b")
    times: dict[str, float] = {}

    def interrupt(message: dict[str, Any]) -> None:
        html = str(message["content"].get("data"))
        if "Waiting for the answer to “one”" in html and "interrupted" not in times:
            times["interrupted"] = time.monotonic()
            kernel.interrupt()

    run = kernel.copilot("three", on_message=interrupt)
    assert run.reply["ename"] == "KeyboardInterrupt"
    assert "Waiting for" not in run.html
    assert "Traceback" not in run.error
    assert not held.gone
    held.release["one"].set()
    ended(kernel)
    assert [body["messages"][-1]["content"] for body in server.posts] == ["one"]
    assert kernel.value("str(_copilot)") == "'half of one, all of one'"
    # What was never asked is no turn, and holds up nothing.
    assert "all of four" in kernel.copilot("four").html
    assert len(server.posts[1]["messages"]) == 3


def test_prompts_of_two_conversations_do_not_wait(kernel: LiveKernel, held: Held) -> None:
    kernel.copilot("one", "-b -c first")
    kernel.copilot("two", "-b -c second")
    assert held.half["one"].wait(30) and held.half["two"].wait(30)
    assert "all of three" in kernel.copilot("three").html
    held.release["two"].set()
    until(lambda: kernel.value("str(_copilot)") == "'half of two, all of two'")
    held.release["one"].set()
    ended(kernel)
    assert kernel.value("str(_copilot)") == "'half of one, all of one'"


def test_an_interrupt_of_the_running_cell_leaves_it_alone(kernel: LiveKernel, held: Held) -> None:
    kernel.copilot("one", "-b -o x")

    def interrupt(message: dict[str, Any]) -> None:
        if "now" in str(message["content"].get("text")):
            kernel.interrupt()

    # An interrupt just before a long sleep is noticed after it only, so these are short.
    code = "import time\nprint('now', flush=True)\nfor _ in range(600): time.sleep(0.1)"
    assert kernel.run(code, on_message=interrupt).reply["ename"] == "KeyboardInterrupt"
    waits = "print('now', flush=True)\nx.wait()"
    assert kernel.run(waits, on_message=interrupt).reply["ename"] == "KeyboardInterrupt"
    assert kernel.value("x.done") == "False"
    held.release["one"].set()
    assert printed(kernel.run("print(x.wait())")) == "half of one, all of one\n"
    assert "interrupted" not in shown(kernel).html


def test_a_variable_holds_no_text_before_the_answer_is_there(
    kernel: LiveKernel, held: Held
) -> None:
    kernel.copilot("one", "-b -o x")
    assert held.half["one"].wait(30)
    assert kernel.value("x").startswith("<PendingAnswer: “one” in ")
    said = kernel.run("print(x)")
    assert said.reply["ename"] == "UsageError"
    assert ".wait() returns it" in said.error
    assert "still on its way" in kernel.run("%%copilot -c other\nWhat is {{x}}?").error
    kernel.run("first = x")
    held.release["one"].set()
    assert kernel.value("x.wait(30)") == "'half of one, all of one'"
    assert kernel.value("type(x).__name__, x.model") == "('Answer', '')"
    assert kernel.value("str(first), first.markdown == x, first.done").startswith("('half of one,")


def test_a_variable_that_means_something_else_by_then_is_left_alone(
    kernel: LiveKernel, held: Held
) -> None:
    kernel.copilot("one", "-b -o x")
    kernel.run("pending, x = x, 5")
    held.release["one"].set()
    assert kernel.value("pending.wait(30) == _copilot") == "True"
    assert kernel.value("x") == "5"


def test_a_typed_value_is_what_the_variable_holds_in_the_end(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    replies = ["no list", '{"answer": ["Paris", "Lyon"]}']
    server.script(lambda exchange: answer(exchange, replies.pop(0)))
    run = kernel.copilot("cities", "-b --as list[str] -o names")
    assert "PendingAnswer" not in run.text
    assert kernel.value("getattr(names, 'wait', lambda: names)()") == "['Paris', 'Lyon']"
    assert kernel.value("names") == "['Paris', 'Lyon']"
    whole = shown(kernel)
    assert "Lyon" in whole.html and "asked once more" in whole.html
    assert "Waiting" not in whole.html


def test_a_failure_is_shown_where_it_was_asked_and_the_next_prompt_goes_on(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    go = threading.Event()

    def script(exchange: Exchange) -> None:
        if exchange.request.json["messages"][-1]["content"] == "fail":
            assert exchange.wait(go)
            exchange.reply(401, {"error": {"message": "<img src=x onerror=alert(1)>"}})
        else:
            answer(exchange, "fine")

    server.script(script)
    asked = kernel.copilot("fail", "-b -o x")
    kernel.copilot("next", "-b -o y")
    go.set()
    other = kernel.run("try:\n    y.wait(30)\nexcept AttributeError:\n    pass")
    assert other.reply["status"] == "ok", other.error
    ended(kernel)
    whole = shown(kernel)
    assert "AuthenticationError" in whole.html and "COPILOT_API_KEY" in whole.html
    assert "<img src=x" not in whole.html and "Traceback" not in whole.html
    opened = {content["transient"]["display_id"] for content in asked.contents("display_data")}
    (place,) = {
        message["content"]["transient"]["display_id"]
        for message in whole.messages
        if "AuthenticationError" in str(message["content"].get("data"))
    }
    assert place in opened
    assert kernel.value("str(y)") == "'fine'"
    assert "AuthenticationError" in kernel.run("x.wait()").error
    assert "AuthenticationError" in kernel.run("print(x)").error


def test_cancel_stops_it_and_says_what_it_stopped(kernel: LiveKernel, held: Held) -> None:
    kernel.copilot("one", "-b -c first -o x")
    kernel.copilot("two", "-b -c second")
    assert held.half["one"].wait(30) and held.half["two"].wait(30)
    until(lambda: "11 characters" in kernel.run("%copilot status").text)
    said = kernel.run("%copilot cancel first")
    assert printed(said) == "Stopped: “one” in first, 11 characters kept\n"
    assert kernel.value("str(x), x.status") == "('half of one', 'interrupted')"
    assert "interrupted" in shown(kernel).html
    assert printed(kernel.run("%copilot cancel first")).startswith("Nothing is being answered")
    assert "There is no conversation" in kernel.run("%copilot cancel third").error
    assert "“two” in second" in kernel.run("%copilot cancel").text
    until(lambda: held.gone == ["one", "two"])
    assert kernel.value(OURS) == "[]"


def test_a_prompt_that_waits_is_cancelled_without_being_asked(
    kernel: LiveKernel, server: ScriptedServer, held: Held
) -> None:
    kernel.copilot("one", "-b")
    kernel.copilot("two", "-b -o x")
    assert held.half["one"].wait(30)
    assert kernel.run("x.cancel()").reply["status"] == "ok"
    assert "CutError: The prompt was stopped" in kernel.run("x.wait(30)").error
    held.release["one"].set()
    ended(kernel)
    assert len(server.posts) == 1


def test_running_the_cell_again_asks_again_and_replaces_the_turn(
    kernel: LiveKernel, server: ScriptedServer, held: Held
) -> None:
    kernel.copilot("one", "-b", cell_id="c1")
    assert held.half["one"].wait(30)
    held.half["one"].clear()
    kernel.copilot("one", "-b", cell_id="c1")
    assert held.half["one"].wait(30)
    assert held.gone == ["one"]
    held.release["one"].set()
    ended(kernel)
    assert [len(body["messages"]) for body in server.posts] == [1, 1]
    assert "turns         1" in kernel.run("%copilot status").text


def test_several_prompts_of_one_cell_are_answered_one_after_the_other(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    run = kernel.run(
        "from copilot_magic import ask\n"
        "asked = [ask(name, background=True) for name in ('a', 'b', 'c')]\n"
        "asked[-1]",
        cell_id="c1",
    )
    assert not run.contents("execute_result")
    assert kernel.value("[each.wait(30) for each in asked]").count("You said:") == 3
    assert [len(body["messages"]) for body in server.posts] == [1, 3, 5]
    assert len(run.contents("display_data")) <= 50


def test_code_is_left_to_the_command(kernel: LiveKernel, server: ScriptedServer) -> None:
    server.script(lambda exchange: answer(exchange, "So:\n\n```python\nx = 1\n```"))
    kernel.copilot("code", "-b --code")
    ended(kernel)
    assert "%copilot code puts it into the next cell" in shown(kernel).html
    payload = kernel.run("%copilot code").reply["payload"]
    assert [each["text"] for each in payload if each["source"] == "set_next_input"] == ["x = 1"]


def test_a_dry_run_sends_nothing_and_raw_is_refused(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    assert "one" in kernel.copilot("one", "-b --dry-run").text
    refused = kernel.copilot("one", "-b --raw")
    assert "UsageError: --raw cannot be used with -b" in refused.error
    assert not server.posts


def test_unloading_ends_it_and_keeps_what_arrived(kernel: LiveKernel, held: Held) -> None:
    path, conversation_id = stored_turns(kernel)
    kernel.copilot("one", "-b -o x")
    kernel.copilot("two", "-b -o y")
    assert held.half["one"].wait(30)
    unloaded = kernel.run("%unload_ext copilot_magic")
    assert unloaded.reply["status"] == "ok" and not unloaded.contents("stream")
    assert kernel.value(OURS) == "[]"
    (turn,) = turns_in(path, conversation_id)
    assert (turn.answer, turn.status) == ("half of one", "interrupted")
    assert "interrupted" in shown(kernel).html
    if sys.platform == "linux":
        files = Path(f"/proc/{kernel.pid}/fd").iterdir()
        assert path not in {os.path.realpath(file) for file in files}
    assert held.gone == ["one"]


@pytest.mark.parametrize("end", ["shutdown", "kill"])
def test_the_end_of_the_kernel_loses_at_most_a_second(
    server: ScriptedServer, held: Held, end: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with log.open("wb") as stream:
        kernel = LiveKernel(stream, COPILOT_BASE_URL=server.base_url)
        try:
            kernel.run("%load_ext copilot_magic")
            path, conversation_id = stored_turns(kernel)
            kernel.copilot("one", "-b")
            assert held.half["one"].wait(30)
            time.sleep(1)
            if end == "kill":
                os.kill(kernel.pid, signal.SIGKILL)
            else:
                kernel.manager.shutdown_kernel(now=False)
        finally:
            kernel.close()
    (turn,) = turns_in(path, conversation_id)
    assert (turn.answer, turn.status) == ("half of one", "interrupted")
    until(lambda: held.gone == ["one"])
    assert "Error" not in log.read_text() and "Traceback" not in log.read_text()


def test_a_script_that_ends_does_not_wait_and_says_nothing(
    server: ScriptedServer, held: Held
) -> None:
    code = (
        "from copilot_magic import ask\n"
        "print(ask('three', background=True).wait())\n"
        "x = ask('one', background=True)\n"
        "while x._describe().endswith(' 0 characters'): pass\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "COPILOT_BASE_URL": server.base_url},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (run.stdout, run.stderr, run.returncode) == ("all of three\n", "", 0)
    until(lambda: held.gone == ["one"])
