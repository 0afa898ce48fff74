"""Two prompts on their way at once in a real kernel: one in a thread, one in a cell."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from live_kernel import LiveKernel
from scripted_server import Exchange, ScriptedServer, answer

START = """
import threading
from copilot_magic.chat.prompt import Prompt
from copilot_magic.views.view import Footer
notebook = get_ipython().magics_manager.registry['CopilotMagics'].notebook
exchange = notebook.session.ask(Prompt('in the background'))
thread = threading.Thread(target=lambda: list(exchange))
thread.start()
while not exchange.turn.answer:
    pass
"""
NAMES = "turn.status, turn.answer, turn.notes, turn.model"


@pytest.fixture
def released(server: ScriptedServer) -> Iterator[threading.Event]:
    """Let the background's answer wait half-way until the test releases it."""
    release = threading.Event()

    def script(exchange: Exchange) -> None:
        body = exchange.request.json
        if body["messages"][-1]["content"] != "in the background":
            answer(exchange, f"asked {body['model']}", model=body["model"])
            return
        exchange.start()
        exchange.delta("half", model="slow")
        assert exchange.wait(release)
        exchange.delta(", and all")
        exchange.finish()
        exchange.done()

    server.script(script)
    yield release
    release.set()


def test_status_settings_and_other_prompts_leave_what_is_on_its_way_alone(
    kernel: LiveKernel, server: ScriptedServer, released: threading.Event
) -> None:
    assert kernel.run(START).reply["status"] == "ok"
    assert "Copilot" in kernel.run("%copilot status").text
    kernel.run("%config CopilotMagics.model = 'quick'\n%config CopilotMagics.idle_timeout = 7")
    run = kernel.copilot("in the cell", "-p Other -c other")
    assert run.reply["status"] == "ok", run.error
    assert "asked quick" in run.html
    released.set()
    kernel.run("thread.join(30)\nturn = exchange.turn")
    assert kernel.value(NAMES) == "('complete', 'half, and all', [], 'slow')"
    assert kernel.value("str(_copilot), _copilot.model") == "('asked quick', 'quick')"
    assert [turn["model"] for turn in server.posts] == ["", "quick"]
    assert [m["content"] for m in server.posts[1]["messages"]] == ["in the cell"]
    assert "turns         1" in kernel.run("%copilot status").text


def test_one_is_stopped_and_the_other_is_not_marked(
    kernel: LiveKernel, server: ScriptedServer, released: threading.Event
) -> None:
    kernel.run(START)
    run = kernel.copilot("in the cell", "-p Other -m quick -c other")
    kernel.run("exchange.stop()\nthread.join(30)\nturn = exchange.turn")
    assert kernel.value(NAMES) == "('interrupted', 'half', [], 'slow')"
    assert "interrupted" not in run.html
    assert kernel.value("str(Footer.of(turn))").count("interrupted") == 1
    shown = kernel.run("%copilot show").html
    assert shown.count("interrupted") == 1
