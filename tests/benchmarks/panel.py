"""What a chat panel sends and costs, next to a widget that shows all of an answer at each paint.

Time is compressed: tokens arrive ten times as fast as at a reader's pace, and the panel may send
ten times as often. In the browser, time is real.
"""

from __future__ import annotations

import time
from typing import Any

from benchmarks.cells import running_kernel
from benchmarks.claims import MISSING, Bench, Claim, Measurement
from benchmarks.pages import busy_seconds, running_browser
from benchmarks.texts import TOKEN, sample

FASTER = 10
RATE = 100.0
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


def bytes_sent(bench: Bench) -> list[Claim]:
    """Measure what a panel sends for a byte of an answer, and how it grows with the length."""
    size = bench.choose(20_000, 5_000)
    bench.uses("copilot-magic", "ipywidgets", "anywidget", "ipykernel")
    lengths = {"panel": (size, 10 * size), "HTML.value": (size // 10, size)}
    found: dict[tuple[str, int], float] = {}
    with running_kernel() as kernel:
        kernel.run(KERNEL)
        for way, length in ((way, length) for way, both in lengths.items() for length in both):
            bench.say(f"bytes sent, {way}, {length:,} characters")
            found[way, length] = sent(kernel, way, length, RATE)
    growth = {way: found[way, long] / found[way, short] for way, (short, long) in lengths.items()}
    return [
        Claim(
            f"bytes sent for a byte of an answer in the panel at 100 tokens/s, {size:,} characters",
            f"`HTML.value` 20 times a second {found['HTML.value', size]:,.0f}",
            f"{found['panel', size]:,.0f}",
        ),
        Claim(
            "growth of that for an answer in the panel ten times as long",
            f"`HTML.value` {growth['HTML.value']:.1f}",
            f"{growth['panel']:.2f}",
        ),
    ]


def in_browser(bench: Bench) -> list[Claim]:
    """Measure the page's main thread with a long conversation, and with an answer below it."""
    from browser.chat import Chat
    from playwright.sync_api import expect
    from scripted_server import Exchange, ScriptedServer

    text, rate = sample(bench.choose(20_000, 5_000)), 400.0

    def script(exchange: Exchange) -> None:
        exchange.start()
        start = time.monotonic()
        for number, at in enumerate(range(0, len(text), TOKEN)):
            time.sleep(max(0.0, start + number / rate - time.monotonic()))
            exchange.delta(text[at : at + TOKEN])
        exchange.finish()
        exchange.done()

    with (
        running_browser(bench) as (jupyter, _),
        ScriptedServer(script) as scripted,
        jupyter.notebook() as notebook,
    ):
        bench.say(f"a panel with {TURNS} turns")
        notebook.use(scripted)
        notebook.run(f"text, count = {sample(1_500)!r}, {TURNS}\n{LONG_TALK}")
        devtools = notebook.page.context.new_cdp_session(notebook.page)
        devtools.send("Performance.enable")
        notebook.page.wait_for_timeout(2_000)
        # Looking for roles in the page would keep its thread busy, so it is left alone meanwhile.
        before, began = busy_seconds(devtools), time.monotonic()
        index = notebook.run("%copilot panel")
        notebook.page.evaluate(ARRIVED, TURNS)
        there = time.monotonic() - began
        notebook.page.wait_for_timeout(1_000)
        opening = busy_seconds(devtools) - before
        chat = Chat(notebook, index)
        expect(chat.said).to_have_count(TURNS)
        bench.say("an answer below them")
        before, began = busy_seconds(devtools), time.monotonic()
        chat.ask("one more")
        notebook.page.evaluate(ENDED)
        share = (busy_seconds(devtools) - before) / (time.monotonic() - began)
    return [
        Claim(
            f"panel with {TURNS} turns, until all are there; the page's main thread, s",
            MISSING,
            f"{there:.1f}; {opening:.1f}",
        ),
        Claim(
            "browser's main thread over the time of streaming an answer below them, 400 tokens/s, "
            f"{len(text):,} characters",
            MISSING,
            f"{share:.2f}",
        ),
    ]


MEASUREMENTS = (
    Measurement(
        bytes_sent,
        (
            "bytes sent for a byte of an answer in the panel",
            "growth of that for an answer in the panel",
        ),
    ),
    Measurement(
        in_browser,
        (
            "panel with 200 turns",
            "browser's main thread over the time of streaming an answer below them",
        ),
    ),
)
