"""Conversations outlive their kernels and follow the notebook, in real kernels."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from live_kernel import LiveKernel
from scripted_server import Exchange, ScriptedServer, answer

from copilot_magic.store.store import Store

NOTEBOOK = "/notebooks/talk.ipynb"
KILLS = 50


@pytest.fixture
def start(server: ScriptedServer, home: Path) -> Iterator[Callable[..., LiveKernel]]:
    """Return a function that starts a kernel of the notebook, with the extension loaded."""
    kernels: list[LiveKernel] = []

    def start(notebook: str = NOTEBOOK) -> LiveKernel:
        kernel = LiveKernel(COPILOT_BASE_URL=server.base_url, JPY_SESSION_NAME=notebook)
        kernels.append(kernel)
        kernel.run("%load_ext copilot_magic\n%config CopilotMagics.provider = 'Other'")
        return kernel

    yield start
    for kernel in kernels:
        kernel.close()


def asked(body: dict[str, Any]) -> list[str]:
    """Return what the user says in a request."""
    return [m["content"] for m in body["messages"] if m["role"] == "user"]


def until(happened: Callable[[], bool], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if happened():
            return True
        time.sleep(0.02)
    return False


def test_a_restarted_kernel_continues_by_itself(
    start: Callable[..., LiveKernel], server: ScriptedServer
) -> None:
    kernel = start()
    kernel.copilot("I am Heiner", cell_id="A")
    kernel.manager.restart_kernel(now=True)
    kernel.client.wait_for_ready(timeout=60)
    kernel.run("%load_ext copilot_magic\n%config CopilotMagics.provider = 'Other'")
    run = kernel.copilot("Who am I?", cell_id="B")
    assert "continues an earlier conversation (1 turn)" in run.html
    assert asked(server.posts[1]) == ["I am Heiner", "Who am I?"]
    assert server.posts[0]["conversation_id"] == server.posts[1]["conversation_id"]


def test_loading_says_what_would_be_continued_before_anything_is_sent(
    start: Callable[..., LiveKernel], server: ScriptedServer
) -> None:
    kernel = start()
    assert kernel.run("%reload_ext copilot_magic").text == ""
    kernel.copilot("I am Heiner", cell_id="A")
    kernel.manager.restart_kernel(now=True)
    kernel.client.wait_for_ready(timeout=60)
    run = kernel.run("%load_ext copilot_magic")
    assert run.text == (
        "talk: continues an earlier conversation (1 turn); %copilot new starts afresh\n"
    )
    assert len(server.posts) == 1
    kernel.run("%config CopilotMagics.provider = 'Other'")
    run = kernel.copilot("Who am I?", "--new", cell_id="B")
    assert "continues" not in run.html
    assert asked(server.posts[1]) == ["Who am I?"]


def test_a_new_notebook_at_the_path_of_a_deleted_one_starts_its_own_conversation(
    start: Callable[..., LiveKernel], server: ScriptedServer, tmp_path: Path
) -> None:
    file = tmp_path / "Untitled.ipynb"

    def write(*cells: str) -> None:
        file.unlink(missing_ok=True)
        content = {"cells": [{"id": cell} for cell in cells], "nbformat": 4, "nbformat_minor": 5}
        file.write_text(json.dumps(content))

    write()
    start(str(file)).copilot("private", cell_id="aaaaaaaa")
    time.sleep(0.1)
    write("aaaaaaaa")
    start(str(file)).copilot("more", cell_id="cccccccc")
    assert asked(server.posts[1]) == ["private", "more"]
    time.sleep(0.1)
    write("bbbbbbbb")
    run = start(str(file)).copilot("new", cell_id="bbbbbbbb")
    assert asked(server.posts[2]) == ["new"]
    assert "continues" not in run.html


def test_two_kernels_in_one_conversation_see_each_others_turns(
    start: Callable[..., LiveKernel], server: ScriptedServer
) -> None:
    first, second = start(), start()
    first.copilot("one", cell_id="A")
    second.run("%copilot use talk")
    second.copilot("two", cell_id="B")
    first.copilot("three", cell_id="C")
    assert asked(server.posts[2]) == ["one", "two", "three"]
    assert "turns         3" in second.run("%copilot").text
    second.run("%copilot forget talk")
    run = first.copilot("four", cell_id="D")
    assert "talk was forgotten in another kernel; this is a new conversation" in run.html
    assert asked(server.posts[3]) == ["four"]


def test_a_file_that_cannot_be_written_for_a_while_has_everything_in_the_end(
    start: Callable[..., LiveKernel], tmp_path: Path
) -> None:
    path = tmp_path / "later" / "talks.db"
    kernel = start()
    kernel.run(f"%config CopilotMagics.store = '{path}'")
    notes = [kernel.copilot(prompt).html.count("not kept") for prompt in ("one", "two")]
    assert notes == [1, 0]
    status = kernel.run("%copilot status").text
    assert f"kept in       {path}  (not written; each prompt tries again)" in status
    assert "there is no directory" in status
    path.parent.mkdir()
    assert "works again" in kernel.copilot("three").html
    assert kernel.run("%copilot status").text.endswith(f"kept in       {path}\n")
    path.unlink()
    assert "was gone" in kernel.copilot("four").html
    store = Store.open(str(path))
    talk = store.load("talk")
    store.close()
    assert talk is not None
    assert [turn.prompt for turn in talk.turns] == ["one", "two", "three", "four"]
    assert {turn.status for turn in talk.turns} == {"complete"}


def test_a_damaged_file_is_reported_and_restored(
    start: Callable[..., LiveKernel], server: ScriptedServer, tmp_path: Path
) -> None:
    path = tmp_path / "talks.db"
    kernel = start()
    kernel.run(f"%config CopilotMagics.store = '{path}'")
    kernel.copilot("I am Heiner", cell_id="A")
    kernel.manager.restart_kernel(now=False)  # the kernel closes its file
    kernel.client.wait_for_ready(timeout=60)
    broken = b"\xff" * 300 + path.read_bytes()[300:]
    path.write_bytes(broken)
    kernel.run(
        f"%config CopilotMagics.store = '{path}'\n"
        "%load_ext copilot_magic\n"
        f"%config CopilotMagics.store = '{path}'\n"
        "%config CopilotMagics.provider = 'Other'"
    )
    for command in ("use talk", "show talk", "rename talk chat", "list", "status"):
        run = kernel.run(f"%copilot {command}")
        assert "damaged" in run.text + run.error, command
        assert "%copilot restore" in run.text + run.error, command
    assert "not kept" in kernel.copilot("lost?", cell_id="X").html
    said = kernel.run("%copilot restore").text
    assert "1 conversation, 1 turn" in said
    assert "lost?" in kernel.run("%copilot list").text
    kept = said.split("kept as ")[1].strip()
    assert Path(kept).read_bytes() == broken
    kernel.run("%copilot use talk")
    kernel.copilot("Who am I?", cell_id="B")
    assert asked(server.posts[-1]) == ["I am Heiner", "Who am I?"]


def test_run_all_after_a_restart_asks_the_same_again(
    start: Callable[..., LiveKernel], server: ScriptedServer
) -> None:
    for _ in range(2):
        kernel = start()
        kernel.copilot("one", cell_id="A")
        kernel.copilot("two", cell_id="B")
    assert server.posts[:2] == server.posts[2:]
    assert "turns         2" in kernel.run("%copilot").text


def test_use_offers_an_earlier_conversation_if_the_notebook_is_unknown(
    start: Callable[..., LiveKernel], server: ScriptedServer
) -> None:
    first = start("")
    first.run("%copilot new heiner")
    first.copilot("I am Heiner")
    second = start("")
    assert "heiner" in second.run("%copilot list").text
    assert "1 turn" in second.run("%copilot use heiner").text
    second.copilot("Who am I?")
    assert asked(server.posts[1]) == ["I am Heiner", "Who am I?"]


def test_a_rerun_cell_replaces_its_own_turn(
    start: Callable[..., LiveKernel], server: ScriptedServer
) -> None:
    kernel = start()
    for cell, prompt in (("A", "one"), ("B", "two"), ("C", "three")):
        kernel.copilot(prompt, cell_id=cell)
    kernel.copilot("two again", cell_id="B")
    assert asked(server.posts[3]) == ["one", "two again"]
    kernel.copilot("four", cell_id="D")
    assert asked(server.posts[4]) == ["one", "two again", "three", "four"]
    rendered = kernel.run("%copilot show").html
    assert "outdated" in rendered


def test_cells_run_out_of_order_stand_in_the_order_of_asking(
    start: Callable[..., LiveKernel], server: ScriptedServer
) -> None:
    kernel = start()
    kernel.copilot("below", cell_id="B")
    kernel.copilot("above", cell_id="A")
    kernel.copilot("below again", cell_id="B")
    assert asked(server.posts[1]) == ["below", "above"]
    assert asked(server.posts[2]) == ["below again"]


def test_a_deleted_cells_turn_stays(
    start: Callable[..., LiveKernel], server: ScriptedServer
) -> None:
    kernel = start()
    kernel.copilot("deleted later", cell_id="A")
    kernel.copilot("next", cell_id="B")
    kernel.copilot("next again", cell_id="B")
    assert asked(server.posts[2]) == ["deleted later", "next again"]


def test_two_prompts_of_one_cell_are_two_turns_that_a_rerun_replaces(
    start: Callable[..., LiveKernel], server: ScriptedServer
) -> None:
    kernel = start()
    kernel.run("from copilot_magic import ask", cell_id="0")
    for _ in range(2):
        kernel.run("ask('one'); ask('two')", cell_id="A")
    assert [asked(body) for body in server.posts] == [["one"], ["one", "two"]] * 2


def test_a_rerun_that_fails_leaves_the_old_answer(
    start: Callable[..., LiveKernel], server: ScriptedServer
) -> None:
    kernel = start()
    kernel.copilot("one", cell_id="A")
    server.script(lambda exchange: exchange.reply(500, {"error": {"message": "broken"}}))
    assert kernel.copilot("one", cell_id="A").reply["status"] == "error"
    server.script(lambda exchange: answer(exchange, "fine"))
    kernel.copilot("two", cell_id="B")
    assert len(server.posts[2]["messages"]) == 3


def test_export_and_import(
    start: Callable[..., LiveKernel], server: ScriptedServer, tmp_path: Path
) -> None:
    kernel = start()
    kernel.copilot("Ein Gruß", cell_id="A")
    for ending in ("md", "ipynb", "json"):
        run = kernel.run(f'%copilot export "{tmp_path}/my talk.{ending}"')
        assert run.reply["status"] == "ok", run.error
    assert "Ein Gruß" in (tmp_path / "my talk.md").read_text(encoding="utf-8")
    assert kernel.run(f'%copilot export "{tmp_path}/my talk.ipynb"').reply["status"] == "error"
    kernel.run("%copilot forget talk")
    run = kernel.run(f'%copilot import "{tmp_path}/my talk.json"')
    assert run.reply["status"] == "ok", run.error
    kernel.copilot("and on", cell_id="B")
    assert asked(server.posts[1]) == ["Ein Gruß", "and on"]
    assert server.posts[0]["conversation_id"] == server.posts[1]["conversation_id"]


def test_an_exported_notebook_runs_and_asks_the_same(
    start: Callable[..., LiveKernel], server: ScriptedServer, tmp_path: Path
) -> None:
    kernel = start()
    for cell, prompt in (("A", "-m looks like an option"), ("B", "%%magic\n\n  {x} {{y}} $z")):
        kernel.copilot(prompt, cell_id=cell)
    kernel.run(f'%copilot export "{tmp_path}/talk.ipynb"')
    notebook = json.loads((tmp_path / "talk.ipynb").read_text(encoding="utf-8"))
    other = start("/notebooks/other.ipynb")
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            run = other.run("".join(cell["source"]))
            assert run.reply["status"] == "ok", run.error
    assert [asked(body) for body in server.posts[2:]] == [asked(b) for b in server.posts[:2]]


def test_a_notebook_replays_offline(
    start: Callable[..., LiveKernel], server: ScriptedServer, tmp_path: Path
) -> None:
    kernel = start()
    kernel.run(f"%config CopilotMagics.replay = '{tmp_path}/answers.json'")
    kernel.copilot("one", "--fresh", cell_id="A")
    kernel.copilot("two", cell_id="B")
    offline = start("/elsewhere/class.ipynb")
    offline.run(
        f"%config CopilotMagics.replay = '{tmp_path}/answers.json'\n"
        "%config CopilotMagics.store = None\n"
        "%config CopilotMagics.base_url = 'http://127.0.0.1:9/v1'"
    )
    for prompt in ("one", "two"):
        run = offline.copilot(prompt)
        assert run.reply["status"] == "ok", run.error
        assert f"You said: {prompt}" in run.html
        assert "replayed" in run.html
    assert offline.copilot("three").reply["status"] == "error"
    assert len(server.posts) == 2


def test_what_is_received_is_in_the_file_before_the_answer_ends(
    start: Callable[..., LiveKernel], server: ScriptedServer
) -> None:
    """The server falls silent half-way: what arrived is written without another token."""
    seen = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("half an answer")
        assert exchange.wait(seen)
        exchange.finish()
        exchange.done()

    server.script(script)

    def look() -> None:
        store = Store.open("")

        def stored() -> bool:
            loaded = store.load("talk")
            return loaded is not None and loaded.turns[0].answer == "half an answer"

        if until(stored):
            seen.set()
        store.close()

    watcher = threading.Thread(target=look)
    kernel = start()
    watcher.start()
    run = kernel.copilot("go")
    watcher.join()
    assert run.reply["status"] == "ok", run.error


def test_kernels_killed_at_any_moment_lose_no_turn(
    start: Callable[..., LiveKernel], server: ScriptedServer
) -> None:
    """Each kernel completes a turn, is killed in the middle of the next; the next one goes on."""
    words = [f"w{number} " for number in range(400)]
    chance = random.Random(20)

    def script(exchange: Exchange) -> None:
        if asked(exchange.request.json)[-1].startswith("quick"):
            answer(exchange, "done")
            return
        exchange.start()
        for word in words:
            exchange.delta(word)
            time.sleep(0.002)

    server.script(script)
    store = Store.open("")
    for number in range(KILLS):
        kernel = start()
        run = kernel.copilot(f"quick {number}", cell_id=f"Q{number}")
        assert run.reply["status"] == "ok", run.error
        kernel.client.execute(f"%%copilot\nslow {number}")
        assert until(lambda: asked(server.posts[-1])[-1].startswith("slow"))
        time.sleep(chance.uniform(0, 0.8))
        os.kill(kernel.pid, 9)
        kernel.manager.provisioner.process.wait()
        kernel.close()
        talk = store.load("talk")
        assert talk is not None
        quick = [turn for turn in talk.turns if turn.prompt.startswith("quick")]
        assert [turn.prompt for turn in quick] == [f"quick {n}" for n in range(number + 1)]
        assert all((turn.status, turn.answer) == ("complete", "done") for turn in quick)
        last = talk.turns[-1]
        assert (last.prompt, last.status) == (f"slow {number}", "interrupted")
        assert "".join(words).startswith(last.answer)
    store.close()
    assert len({body["conversation_id"] for body in server.posts}) == 1
    with sqlite3.connect(store.path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


@pytest.mark.model
def test_a_real_model_still_knows_the_name_after_a_restart(
    start: Callable[..., LiveKernel],
) -> None:
    kernel = start()
    port = kernel.value("__import__('socket').create_server(('127.0.0.1', 0)).getsockname()[1]")
    kernel.run(f"%copilot serve --port {port}")
    kernel.copilot("My name is Heiner.", "-t 0 --max-tokens 20", cell_id="A")
    kernel.manager.restart_kernel(now=False)
    kernel.client.wait_for_ready(timeout=60)
    kernel.run(f"%load_ext copilot_magic\n%copilot serve --port {port}")
    run = kernel.copilot("What is my name?", "-t 0 --max-tokens 20", cell_id="B")
    assert run.reply["status"] == "ok", run.error
    assert "Heiner" in kernel.value("str(_copilot)")
