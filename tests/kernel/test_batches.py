"""Batches in a real kernel: columns filled, interrupts, the real small model."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import pytest
from live_kernel import LiveKernel
from rows import echo, row_of
from scripted_server import Exchange, ScriptedServer

FRAME = "import pandas\ndf = pandas.DataFrame({'review': [f'review {n}' for n in range(40)]})"


def test_a_column_is_filled_and_the_cell_shows_how_it_went(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    server.script(echo)
    kernel.run(FRAME)
    run = kernel.run('%%copilot --map df["review"] --into df["label"]\nGood or bad?')
    assert run.reply["status"] == "ok", run.error
    assert "40 of 40 answered" in run.html and "40 requests" in run.html
    assert "Warning" not in run.text
    states = [content["data"].get("state", {}) for content in run.contents("comm_msg")]
    assert any("40/40" in str(state.get("value", "")) for state in states)
    bar = run.outputs[0]
    assert set(bar) == {"text/html", "text/plain"}
    assert bar["text/plain"].startswith("100% 40/40 [") and "40/40 [" in bar["text/html"]
    assert kernel.run("print((df['label'] == df['review']).all())").text == "True\n"


def test_an_interrupt_leaves_one_line_and_what_is_done(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    waiting, never = threading.Event(), threading.Event()

    def handler(exchange: Exchange) -> None:
        if row_of(exchange) == "review 30":
            waiting.set()
            exchange.wait(never)
        echo(exchange)

    server.script(handler)
    kernel.run(FRAME)

    def interrupt() -> None:
        waiting.wait(60)
        os.kill(kernel.pid, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    cell = '%%copilot --map df["review"] --into df["label"]\nGood or bad?'
    run = kernel.run(cell)
    assert run.reply["status"] == "error" and run.reply["ename"] == "KeyboardInterrupt"
    answered = int(kernel.run("print(df['label'].notna().sum())").text)
    assert 20 <= answered < 40
    assert run.error == (
        f"KeyboardInterrupt: {answered} of 40 answered; run it again for the others"
    )
    assert f"{40 - answered} not asked" in run.html
    assert f" {answered}/40 [" in run.outputs[0]["text/plain"]
    never.set()
    server.script(echo)
    asked = len(server.posts)
    run = kernel.run(cell)
    assert run.reply["status"] == "ok", run.error
    assert len(server.posts) - asked == 40 - answered
    assert kernel.run("print((df['label'] == df['review']).all())").text == "True\n"


def test_a_stream_of_rows_ends_with_its_bar_as_text(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    server.script(echo)
    run = kernel.run(
        "from copilot_magic import imap_prompts\n"
        "for item, answer, error in imap_prompts('Good?', (str(n) for n in range(3))):\n"
        "    print(answer)"
    )
    assert run.reply["status"] == "ok", run.error
    (bar,) = run.outputs
    assert bar["text/plain"].startswith("3 prompts [") and "widget" not in str(bar)


def test_a_batch_survives_the_death_of_its_kernel(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    waiting, never = threading.Event(), threading.Event()

    def handler(exchange: Exchange) -> None:
        if row_of(exchange) == "30":
            waiting.set()
            exchange.wait(never)
        echo(exchange)

    server.script(handler)
    kernel.client.execute(
        "from copilot_magic import map_prompts\nmap_prompts('Good?', range(100), max_workers=4)"
    )
    assert waiting.wait(60)
    kernel.manager.restart_kernel(now=True)
    kernel.client.wait_for_ready(timeout=60)
    never.set()
    asked = len(server.posts)
    run = kernel.run(
        "from copilot_magic import map_prompts\n"
        "batch = map_prompts('Good?', range(100), max_workers=4, progress=False)\n"
        "print(batch.answers == [str(n) for n in range(100)], batch.known)"
    )
    done, known = run.text.split()[-2:]
    # Of what was in hand, at most one for each worker is asked twice.
    assert done == "True" and int(known) >= asked - 4
    assert len(server.posts) == asked + 100 - int(known)


def test_hints_name_the_magic_that_helps(kernel: LiveKernel, server: ScriptedServer) -> None:
    server.script(lambda exchange: exchange.reply(401, {"error": {"message": "bad key"}}))
    run = kernel.run("%%copilot --map ['a', 'b']\nGood?")
    assert run.reply["ename"] == "AuthenticationError"
    assert "COPILOT_API_KEY" in run.error and "Traceback" not in run.error


@pytest.mark.model
def test_the_small_model_labels_a_column(cache_home: object) -> None:
    kernel = LiveKernel(XDG_CACHE_HOME=str(cache_home))
    try:
        kernel.run("%load_ext copilot_magic")
        run = kernel.run("%copilot serve")
        assert run.reply["status"] == "ok", run.error
        kernel.run(
            "import pandas\n"
            "reviews = ['I love it', 'Broken on arrival', 'Great', 'Never again', None]\n"
            "df = pandas.DataFrame({'review': reviews}, index=list('abcde'))"
        )
        line = "--map df['review'] --into df['label'] --as Literal['good','bad']"
        run = kernel.run(f"%%copilot {line}\nWhat does this customer think?")
        assert run.reply["status"] == "ok", run.error
        check: Any = kernel.run(
            "print(set(df['label'][:4]) <= {'good', 'bad'}, pandas.isna(df['label'].loc['e']))"
        )
        assert check.text == "True True\n"
        assert "1 empty row left out" in run.html
    finally:
        kernel.close()
