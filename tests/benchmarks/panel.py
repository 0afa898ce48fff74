"""What a chat panel sends and costs, next to a widget that shows all of an answer at each paint.

    python tests/benchmarks/panel.py            # what is sent
    python tests/benchmarks/panel.py --browser  # and how busy JupyterLab is

Time is compressed: tokens arrive ten times as fast as at a reader's pace, and the panel may send
ten times as often. In the browser, time is real.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from benchmarks.display import sample  # noqa: E402  (needs the path above)
from scripted_server import Exchange, ScriptedServer  # noqa: E402

FASTER = 10
TURNS = 200

# Runs in the kernel: an answer at a pace, in a panel or in `HTML.value`, and what is sent of it.
KERNEL = """
import json, threading, time
from copilot_magic.chat.conversation import Conversation
from copilot_magic.chat.turn import Turn
from copilot_magic.markdown.render import render, root
from copilot_magic.notebook.panel import showing
from copilot_magic.notebook.panel.widget import ChatPanel
from copilot_magic.session.watching import News
from copilot_magic.wire.chunks import Delta
import ipywidgets

kernel = get_ipython().kernel
sizes = []
session_send = kernel.session.send

def weigh(stream, message, *args, **more):
    sent = session_send(stream, message, *args, **more)
    kind = message if isinstance(message, str) else message["header"]["msg_type"]
    if kind in ("comm_msg", "display_data", "update_display_data"):
        sizes.append(sum(map(len, kernel.session.serialize(sent))))
    return sent

def pieces(text, rate):
    began = time.monotonic()
    for number, start in enumerate(range(0, len(text), 4)):
        if rate:
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
        yield text[start : start + 4]

def in_panel(text, rate, faster):
    showing.INTERVAL = 0.06 / faster
    showing.RATE = 400_000 * faster
    panel = ChatPanel(Conversation("bench"))
    panel._receive(panel, {"kind": "hello", "id": "h", "view": "a"}, [])
    time.sleep(0.5)
    sizes.clear()
    worker = panel._worker
    conversation = worker._showing.conversation
    turn = Turn("?")
    conversation.turns.append(turn)
    tell = panel._notebook.session.library.watchers.tell
    tell(News(conversation, turn))
    for piece in pieces(text, rate):
        turn.answer += piece
        tell(News(conversation, turn, Delta(content=piece)))
    turn.status = "complete"
    tell(News(conversation, turn))
    while "source" not in worker._showing._sent.get(turn.id, ()) or worker._showing._live:
        time.sleep(0.01)
    panel.close()

def in_html(text, rate, faster):
    shown = ipywidgets.HTML()
    sizes.clear()
    whole, painted = "", 0.0
    for piece in pieces(text, rate):
        whole += piece
        if time.monotonic() - painted > 0.05 / faster:
            shown.value = root(render(whole))
            painted = time.monotonic()
    shown.value = root(render(whole))

def run(way, text, rate, faster):
    kernel.session.send = weigh
    try:
        {"panel": in_panel, "HTML.value": in_html}[way](text, rate and rate * faster, faster)
    finally:
        kernel.session.send = session_send
    print(sum(sizes))
"""

LONG_TALK = """
from copilot_magic.chat.turn import Turn
session = get_ipython().magics_manager.registry["CopilotMagics"].notebook.session
session.library.current.turns += [
    Turn(f"question {n}", answer=text, status="complete") for n in range(count)]
"""

ARRIVED = """
count => new Promise(done => new MutationObserver((_, observer) => {
    if (document.querySelectorAll(".cp-turn").length < count) return;
    observer.disconnect();
    done();
}).observe(document.body, {childList: true, subtree: true}))
"""
ENDED = """
() => new Promise(done => {
    const log = document.querySelector(".cp-log");
    let began = log.getAttribute("aria-busy") === "true";
    new MutationObserver((_, observer) => {
        const busy = log.getAttribute("aria-busy") === "true";
        if (busy || !began) return void (began ||= busy);
        observer.disconnect();
        done();
    }).observe(log, {attributes: true});
})
"""


def sent(kernel: Any, way: str, characters: int, rate: float | None) -> float:
    """Return the bytes that are sent for each character of an answer."""
    text = sample(characters)
    ran = kernel.run(f"run({way!r}, {text!r}, {rate!r}, {FASTER})")
    return float(ran.text.split()[-1]) / len(text)


def busy(devtools: Any) -> float:
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    return float(next(m["value"] for m in metrics if m["name"] == "TaskDuration"))


def in_browser(server: Any, browser: Any) -> dict[str, str]:
    """Return how busy the page's main thread is with a long talk, and with an answer in it."""
    from browser.chat import Chat
    from browser.notebooks import Jupyter
    from playwright.sync_api import expect

    rows: dict[str, str] = {}
    with ScriptedServer() as scripted, Jupyter(server, browser).notebook() as notebook:
        notebook.use(scripted)
        notebook.run(f"text, count = {sample(1_500)!r}, {TURNS}\n{LONG_TALK}")
        devtools = notebook.page.context.new_cdp_session(notebook.page)
        devtools.send("Performance.enable")
        notebook.page.wait_for_timeout(2_000)
        # Looking for roles in the page would keep its thread busy, so it is left alone meanwhile.
        before, began = busy(devtools), time.monotonic()
        index = notebook.run("%copilot panel")
        notebook.page.evaluate(ARRIVED, TURNS)
        rows[f"{TURNS} turns: seconds until all of them are there"] = (
            f"{time.monotonic() - began:.1f}"
        )
        notebook.page.wait_for_timeout(1_000)
        rows[f"{TURNS} turns: seconds of the main thread"] = f"{busy(devtools) - before:.1f}"
        chat = Chat(notebook, index)
        expect(chat.said).to_have_count(TURNS)
        text, rate = sample(20_000), 100.0

        def script(exchange: Exchange) -> None:
            exchange.start()
            start = time.monotonic()
            for number in range(0, len(text) // 4):
                time.sleep(max(0.0, start + number / rate / 4 - time.monotonic()))
                exchange.delta(text[4 * number : 4 * number + 4])
            exchange.finish()
            exchange.done()

        scripted.script(script)
        before, began = busy(devtools), time.monotonic()
        chat.ask("one more")
        notebook.page.evaluate(ENDED)
        share = (busy(devtools) - before) / (time.monotonic() - began)
        rows["20,000 characters below them, 400 tokens/s: share of the main thread"] = (
            f"{share:.2f}"
        )
    return rows


def main() -> None:
    """Print the tables."""
    from browser.jupyter import running_jupyter
    from live_kernel import LiveKernel

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--browser", action="store_true")
    options = parser.parse_args()
    kernel = LiveKernel()
    kernel.run(KERNEL)
    figures = {
        (way, size, rate): sent(kernel, way, size, rate)
        for way, sizes in (("panel", (2_000, 20_000, 200_000)), ("HTML.value", (2_000, 20_000)))
        for size in sizes
        for rate in (100.0, None)
    }
    kernel.close()
    print(f"{'bytes sent for a character':<64}{'panel':>12}{'HTML.value':>12}")
    for size in (2_000, 20_000, 200_000):
        for rate in (100.0, None):
            label = f"{size:,} characters, {'100 tokens/s' if rate else 'full speed'}"
            other = figures.get(("HTML.value", size, rate))
            shown = "–" if other is None else f"{other:.1f}"
            print(f"{label:<64}{figures['panel', size, rate]:>12.1f}{shown:>12}")
    for rate in (100.0, None):
        growth = figures["panel", 200_000, rate] / figures["panel", 20_000, rate]
        pace = "100 tokens/s" if rate else "full speed"
        print(f"{f'growth a character from 20,000 to 200,000, {pace}':<64}{growth:>12.2f}")
    if options.browser:
        from browser.notebooks import CHROMIUM_ARGUMENTS, chromium
        from playwright.sync_api import sync_playwright

        with (
            tempfile.TemporaryDirectory() as home,
            sync_playwright() as playwright,
            running_jupyter(Path(home)) as server,
        ):
            browser = playwright.chromium.launch(
                executable_path=chromium(), args=CHROMIUM_ARGUMENTS
            )
            for label, value in in_browser(server, browser).items():
                print(f"{label:<74}{value:>8}")
            browser.close()


if __name__ == "__main__":
    main()
