"""What an answer costs on a real kernel's iopub channel, and that it arrives whole."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import nbclient
import nbconvert
import nbformat
import pytest
from benchmarks.texts import sample
from browser.jupyter import JupyterServer, run_through, running_jupyter
from jupyter_client.session import Session
from live_kernel import LiveKernel, Run
from scripted_server import Exchange, ScriptedServer

from copilot_magic.views.outputs import MAX_OUTPUTS

SHOWN = ("display_data", "update_display_data")
# Tokens at a reader's pace come this many times as fast, and the view paints as much more often.
FASTER = 10
FAST_PAINTS = f"""
from functools import partial
from copilot_magic.views import cell, open as opening

opening.CellView = partial(
    cell.CellView,
    min_interval=cell.MIN_INTERVAL / {FASTER},
    max_interval=cell.MAX_INTERVAL / {FASTER},
)
"""


class Written:
    """A script that answers with a text in tokens of four characters.

    Args:
        text: The answer.
        rate: Tokens a second, or None for full speed.
    """

    def __init__(self, text: str, rate: float | None = None) -> None:
        self.text = text
        self.rate = rate

    def __call__(self, exchange: Exchange) -> None:
        exchange.start()
        began = time.monotonic()
        for number, start in enumerate(range(0, len(self.text), 4)):
            if self.rate is not None:
                time.sleep(max(0.0, began + number / self.rate - time.monotonic()))
            exchange.delta(self.text[start : start + 4])
        exchange.finish()
        exchange.done()


def size_of(run: Run) -> int:
    """Return the size of all messages that show something, in bytes."""
    session = Session(key=b"key")
    shown = [message for message in run.messages if message["msg_type"] in SHOWN]
    return sum(len(part) for message in shown for part in session.serialize(message))


def source_of(run: Run) -> str:
    return "".join(output["text/plain"] for output in run.outputs)


def test_at_full_speed_the_bytes_grow_no_faster_than_the_answer(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    ratios = {}
    for characters in (2_000, 20_000, 200_000):
        text = sample(characters)
        server.script(Written(text))
        run = kernel.copilot("?")
        assert source_of(run) == text
        assert len(run.outputs) <= MAX_OUTPUTS
        ratios[characters] = size_of(run) / len(text)
    assert max(ratios.values()) <= 12, ratios
    assert ratios[200_000] <= 1.3 * ratios[20_000], ratios


def test_at_a_readers_pace_the_bytes_are_few(kernel: LiveKernel, server: ScriptedServer) -> None:
    """At 100 tokens a second, sending all of it each time takes hundreds of bytes a character."""
    kernel.run(FAST_PAINTS)
    ratios = {}
    for characters in (2_000, 20_000):
        text = sample(characters)
        server.script(Written(text, 100.0 * FASTER))
        run = kernel.copilot("?")
        assert source_of(run) == text
        assert len(run.outputs) <= MAX_OUTPUTS
        ratios[characters] = size_of(run) / len(text)
    assert max(ratios.values()) <= 80, ratios


def test_an_interrupt_keeps_what_arrived_and_the_next_prompt_works(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    interrupted = False

    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("the first half")
        assert exchange.client_gone()

    def interrupt(message: dict[str, Any]) -> None:
        nonlocal interrupted
        if "the first half" in str(message["content"].get("data")) and not interrupted:
            interrupted = True
            kernel.interrupt()

    server.script(script)
    run = kernel.copilot("?", on_message=interrupt)
    assert run.reply["ename"] == "KeyboardInterrupt"
    assert "the first half" in run.html and "interrupted" in run.html
    server.script(Written("whole"))
    assert "whole" in kernel.copilot("?").html


DETACHED = """
import threading
from copilot_magic.chat.turn import Turn
from copilot_magic.views.open import open_view
from copilot_magic.views.view import Footer
from copilot_magic.wire.chunks import Delta

def write():
    for start in range(0, len(text), 100):
        view.feed(Delta(content=text[start : start + 100]))
        threading.Event().wait(0.002)
    view.finish(Turn("?", answer=text, status="complete"), Footer(["talk"], []))

view = open_view(get_ipython(), asked="Copilot")
view.start()
view.detach()
threading.Timer(0.5, write).start()
"""


def test_an_answer_that_continues_after_its_cell_opens_no_more_outputs(kernel: LiveKernel) -> None:
    """A new output could land in the cell that ran last; an update finds its own cell."""
    text = sample(20_000)
    run = kernel.run(f"text = {text!r}\n{DETACHED}")
    later = kernel.late(2.0)
    assert {message["msg_type"] for message in later} == {"update_display_data"}
    cell = run.messages[0]["parent_header"]["msg_id"]
    assert {message["parent_header"]["msg_id"] for message in later} == {cell}
    assert source_of(Run(run.messages + later)) == text


def test_a_notebook_that_runs_unattended_keeps_the_final_state_only(
    server: ScriptedServer, tmp_path: Path
) -> None:
    short, long = "One **short** answer.", sample(9_000)
    server.scripts(Written(short), Written(long, 5_000.0))
    book = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    book.cells = [
        nbformat.v4.new_code_cell(source)  # type: ignore[no-untyped-call]
        for source in (
            f"%load_ext copilot_magic\n%config CopilotMagics.base_url = {server.base_url!r}",
            "%%copilot\nshort",
            "%%copilot\nlong",
        )
    ]
    nbclient.NotebookClient(book, kernel_name="python3", timeout=120).execute()
    for cell, text in zip(book.cells[1:], (short, long), strict=True):
        assert "".join(output.data["text/plain"] for output in cell.outputs) == text
    shown = [
        output.data["text/html"] for output in book.cells[1].outputs if output.data["text/html"]
    ]
    assert len(shown) == 1 and "One <strong>short</strong> answer." in shown[0]
    for exporter in (nbconvert.HTMLExporter(), nbconvert.MarkdownExporter()):
        exported, _ = exporter.from_notebook_node(book)
        assert exported.count("<strong>short</strong>") == 1
        assert exported.count("Part 1.") == 1
        assert "Waiting" not in exported


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running_jupyter(tmp_path_factory.mktemp("jupyter")) as server:
        yield server


@pytest.mark.parametrize("tokens", [2_000, 10_000, 50_000])
def test_through_a_jupyter_server_an_answer_at_full_speed_is_complete(
    jupyter: JupyterServer, server: ScriptedServer, tokens: int
) -> None:
    """A Jupyter server drops messages if there are too many, and with them the answer's end."""
    text = sample(4 * tokens)
    server.script(Written(text))
    run = Run()
    code = (
        f"%load_ext copilot_magic\n%config CopilotMagics.base_url = {server.base_url!r}\n"
        "get_ipython().run_cell_magic('copilot', '', '?')"
    )
    for message in run_through(jupyter, code):
        assert "rate exceeded" not in str(message["content"])
        run.messages.append(message)
    assert source_of(run) == text
    assert "Part " in run.html and "copilot-footer" in run.html
