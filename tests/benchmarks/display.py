"""What showing an answer costs a kernel, next to those that show all of it at each token.

For tokens at a reader's pace, time is compressed: they arrive ten times as fast and the view paints
ten times as often, so a paint covers as many tokens as in real time. The others update their output
at each token, so their pace makes no difference. CPU is measured in real time.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.cells import CHATLAS, LOOP, NO_STREAM, OURS, Way, running_kernel
from benchmarks.claims import Bench, Claim, Measurement
from benchmarks.endpoint import Endpoint
from benchmarks.texts import TOKEN, sample

FASTER = 10
NAIVE = "Markdown at each token"
RATE = 100.0

# Runs in the kernel: shows a text one way, its deltas at a rate or at full speed.
SHOWING = """
import time
from IPython.display import Markdown, display as show_naively
from copilot_magic.chat.turn import Turn
from copilot_magic.views.cell import MAX_INTERVAL, MIN_INTERVAL, CellView
from copilot_magic.views.open import show
from copilot_magic.views.view import Footer
from copilot_magic.wire.chunks import Delta

def deltas(text, rate):
    began = time.monotonic()
    for number, start in enumerate(range(0, len(text), 4)):
        if rate:
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
        yield Delta(content=text[start : start + 4])

def run(way, text, rate, faster):
    began = time.process_time()
    if way == "ours":
        view = CellView(
            get_ipython().display_pub.publish,
            "Copilot",
            min_interval=MIN_INTERVAL / faster,
            max_interval=MAX_INTERVAL / faster,
        )
        show(deltas(text, rate and rate * faster), view)
        turn = Turn("?", answer=text, status="complete")
        view.finish(turn, Footer.of(turn, "default"))
    else:
        shown, painted = "", 0.0
        pause = 0.05 / faster if way == "throttled" else 0.0
        handle = show_naively(Markdown(shown), display_id=True)
        for delta in deltas(text, rate and rate * faster):
            shown += delta.content
            if time.monotonic() - painted >= pause:
                handle.update(Markdown(shown))
                painted = time.monotonic()
        if pause:
            handle.update(Markdown(shown))
    print(time.process_time() - began)
"""


# What a kernel sends


def weighing(kernel: Any) -> tuple[Any, list[int]]:
    """Return what takes note of the size of a message that shows something, and the notes."""
    from jupyter_client.session import Session

    session, sizes = Session(key=b"key"), []

    def weigh(message: dict[str, Any]) -> None:
        if message["msg_type"] in ("display_data", "update_display_data"):
            sizes.append(sum(len(part) for part in session.serialize(message)))
        if message["msg_type"] != "stream":
            message["content"].pop("data", None)  # they would fill the memory

    return weigh, sizes


def sent(kernel: Any, way: str, characters: int, rate: float | None) -> tuple[float, float]:
    """Return the cost of showing: bytes a character, and milliseconds of CPU a token."""
    text = sample(characters)
    weigh, sizes = weighing(kernel)
    run = kernel.run(f"run({way!r}, {text!r}, {rate!r}, {FASTER})", on_message=weigh)
    run.messages = [m for m in run.messages if m["msg_type"] == "stream"]
    kernel.heard.clear()
    return sum(sizes) / len(text), float(run.text) / (len(text) / TOKEN) * 1000


@contextmanager
def asking(way: Way, python: Path, url: str) -> Iterator[Any]:
    """Yield a kernel that is ready to ask a server."""
    with running_kernel(python) as kernel:
        ready = kernel.run(way.first_cell(url))
        assert ready.reply["status"] == "ok", ready.error
        yield kernel


def sent_by(way: Way, python: Path, url: str, characters: int) -> float:
    """Return the bytes a character that a cell sends which asks a server."""
    with asking(way, python, url) as kernel:
        weigh, sizes = weighing(kernel)
        run = kernel.run(way.ask, on_message=weigh)
        assert run.reply["status"] == "ok", run.error
        assert len(sizes) > characters / TOKEN / 2, f"{way.name} does not stream"
    return sum(sizes) / len(sample(characters))


LABELS = {"throttled": "Markdown 20 times a second", "naive": NAIVE, "chatlas": "chatlas"}
"""The peers that `bytes_sent` measures, by their keys there."""


def bytes_by_way(bench: Bench, size: int) -> dict[tuple[str, int, float | None], float]:
    """Return the bytes a character, by way, length and pace.

    Our answers are of `size` characters and ten times as many; the others' of that and a tenth.
    """
    found: dict[tuple[str, int, float | None], float] = {}
    small = (size // 10, size)
    lengths = {"ours": (size, 10 * size), "throttled": small, "naive": small}
    with running_kernel() as kernel:
        kernel.run(SHOWING)
        for way, length in ((way, length) for way, both in lengths.items() for length in both):
            for rate in (RATE, None):
                bench.say(f"bytes sent, {way}, {length:,} characters, {rate or 'full speed'}")
                found[way, length, rate] = sent(kernel, way, length, rate)[0]
    python = CHATLAS.python(bench)
    if python is None:
        return found
    with Endpoint() as endpoint:
        for length in small:
            for rate in (RATE, None):
                bench.say(f"bytes sent, chatlas, {length:,} characters, {rate or 'full speed'}")
                url = endpoint.text(length, (rate or 0) * FASTER)
                found["chatlas", length, rate] = sent_by(CHATLAS, python, url, length)
    return found


def bytes_sent(bench: Bench) -> list[Claim]:
    """Measure the bytes sent for a byte of an answer, and how they grow with its length."""
    size = bench.choose(20_000, 5_000)
    found = bytes_by_way(bench, size)
    bench.uses("copilot-magic", "ipykernel")
    bench.note(NO_STREAM)
    bench.note(
        f"The others' growth is from {size // 10:,} to {size:,} characters; for {10 * size:,} of "
        f"them, an update at each token would send {found['naive', size, RATE] * size / 1e7:,.1f} "
        "GB."
    )

    def cell(values: dict[str, float], digits: int) -> str:
        best = sorted((way for way in LABELS if way in values), key=lambda way: values[way])
        return "; ".join(f"{LABELS[way]} {values[way]:,.{digits}f}" for way in best)

    claims = []
    for rate, most, pace in ((RATE, 80, "at 100 tokens/s"), (None, 12, "at full speed")):
        sizes = {way: value for (way, n, r), value in found.items() if (n, r) == (size, rate)}
        claims.append(
            Claim(
                f"bytes on iopub for a byte of an answer {pace}, {size:,} characters",
                cell(sizes, 0),
                f"{sizes['ours']:.0f}",
                f"≤ {most}",
                sizes["ours"] <= most,
            )
        )
    for rate, limit, pace in ((RATE, 1.5, "at 100 tokens/s"), (None, 1.3, "at full speed")):
        growth = {
            way: value / found[way, n // 10, r]
            for (way, n, r), value in found.items()
            if r == rate and (way, n // 10, r) in found
        }
        claims.append(
            Claim(
                f"growth of that for an answer ten times as long, {pace}",
                cell(growth, 1),
                f"{growth['ours']:.2f}",
                f"≤ {limit}",
                growth["ours"] <= limit,
            )
        )
    return claims


def cpu_milliseconds(way: Way, python: Path, endpoint: Endpoint, characters: int) -> float:
    """Return the CPU time of the kernel for a token, from the socket to what it sends."""
    with asking(way, python, endpoint.text(100, 0)) as kernel:
        kernel.run(way.ask)  # imports what it needs
        kernel.run(way.first_cell(endpoint.text(characters, RATE)))
        kernel.run("import time\nbegan = time.process_time()")
        run = kernel.run(way.ask, on_message=lambda message: message["content"].pop("data", None))
        assert run.reply["status"] == "ok", run.error
        spent = float(kernel.run("print(time.process_time() - began)").text)
    return 1000 * spent / (len(sample(characters)) / TOKEN)


def kernel_cpu(bench: Bench) -> list[Claim]:
    """Measure the kernel's CPU time for a token, from the socket to what it sends."""
    size = bench.choose(10_000, 2_000)
    ways = {way: way.python(bench) for way in (OURS, LOOP, CHATLAS)}
    pythons = {way: python for way, python in ways.items() if python is not None}
    bench.say(f"CPU of the kernel, {size:,} characters in real time, all at once")
    # At this pace they leave each other enough of the processors.
    with Endpoint() as endpoint, ThreadPoolExecutor() as pool:
        running = {
            way: pool.submit(cpu_milliseconds, way, python, endpoint, size)
            for way, python in pythons.items()
        }
        found = {way: future.result() for way, future in running.items()}
    return [
        Claim(
            f"CPU of the kernel per token at 100 tokens/s, {size:,} characters, whole path, ms",
            "; ".join(f"{way.name} {found[way]:.1f}" for way in found if way is not OURS),
            f"{found[OURS]:.2f}",
            "≤ 0.5",
            found[OURS] <= 0.5,
        )
    ]


MEASUREMENTS = (
    Measurement(
        bytes_sent,
        (
            "bytes on iopub for a byte of an answer at 100 tokens/s",
            "bytes on iopub for a byte of an answer at full speed",
            "growth of that for an answer ten times as long, at 100 tokens/s",
            "growth of that for an answer ten times as long, at full speed",
        ),
    ),
    Measurement(kernel_cpu, ("CPU of the kernel per token at 100 tokens/s",)),
)
