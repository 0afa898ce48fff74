"""What it costs to show an answer, next to a loop that shows all of it at each token.

    python tests/benchmarks/display.py            # what a kernel and a server send: some minutes
    python tests/benchmarks/display.py --browser  # and how busy JupyterLab is: some more

For tokens at a reader's pace, time is compressed: they arrive ten times as fast and the view paints
ten times as often, so a paint covers as many tokens as in real time. In the browser, time is real.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

FASTER = 10
WAYS = ("ours", "naive")
PARAGRAPH = (
    "The mean of a sample is the *sum* of its values divided by their number, and it is **not** "
    "robust: one wild value moves it as far as it likes. The `median` stays where it is until "
    "half of the values are wild, which is why people who measure prices prefer it. Part {n}."
)
LIST = """\
- **first**: look at the data before you do anything else, number {n}
- *second*: count what is missing, with `df.isna().sum()`
- third: decide what to do about it, and write down why
"""
CODE = """\
```python
def summary_{n}(frame: pd.DataFrame, column: str) -> dict[str, float]:
    \"\"\"Return what is worth knowing about a column.\"\"\"
    values = frame[column].dropna().to_numpy()
    if len(values) == 0:
        return {{"count": 0, "mean": float("nan")}}
    return {{
        "count": len(values),
        "mean": float(values.mean()),  # not robust
        "median": float(np.median(values)),
    }}
```
"""
TABLE = """\
| column {n} | mean | median |
| --- | ---: | ---: |
| price | 12.5 | 9.9 |
| weight | 3.25 | 3.1 |
| length | 100.0 | 99.5 |
"""
MATH = r"It follows that $\bar{{x}}_{{{n}}} = \frac{{1}}{{n}} \sum_i x_i$, which was to be shown."
BLOCKS = ("## Step {n}", PARAGRAPH, LIST, CODE, PARAGRAPH, MATH, TABLE, PARAGRAPH)


def sample(characters: int) -> str:
    """Return an answer such as models write, of about that many characters; no two blocks alike."""
    blocks: list[str] = []
    length = 0
    while length < characters:
        number = len(blocks)
        blocks.append(BLOCKS[number % len(BLOCKS)].format(n=number).rstrip("\n"))
        length += len(blocks[-1]) + 2
    return "\n\n".join(blocks)


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
        shown = ""
        handle = show_naively(Markdown(shown), display_id=True)
        for delta in deltas(text, rate and rate * faster):
            shown += delta.content
            handle.update(Markdown(shown))
    print(time.process_time() - began)
"""


def sent(kernel: Any, way: str, characters: int, rate: float | None) -> tuple[float, float]:
    """Return the cost of showing: bytes a character, and milliseconds of CPU a token."""
    from jupyter_client.session import Session

    session = Session(key=b"key")
    text = sample(characters)
    size = 0

    def weigh(message: dict[str, Any]) -> None:
        nonlocal size
        if message["msg_type"] in ("display_data", "update_display_data"):
            size += sum(len(part) for part in session.serialize(message))

    run = kernel.run(f"run({way!r}, {text!r}, {rate!r}, {FASTER})", on_message=weigh)
    run.messages = [m for m in run.messages if m["msg_type"] == "stream"]
    return size / len(text), float(run.text) / (len(text) / 4) * 1000


def whole(server: Any, way: str, tokens: int) -> bool:
    """Say whether the text that arrives through a Jupyter server in the end is the whole answer."""
    from browser.jupyter import run_through

    text = sample(4 * tokens)
    shown: dict[str, str] = {}
    for message in run_through(server, f"{SHOWING}\nrun({way!r}, {text!r}, None, 1)"):
        content = message["content"]
        if message["msg_type"] in ("display_data", "update_display_data"):
            source = content["data"].get("text/markdown", "")
            shown[content["transient"]["display_id"]] = source
    return "".join(shown.values()) == text


def browser_share(notebook: Any, way: str, characters: int, rate: float) -> float:
    """Return how long the page's main thread was busy, as a share of the time of streaming."""
    notebook.run(SHOWING)
    devtools = notebook.page.context.new_cdp_session(notebook.page)
    devtools.send("Performance.enable")

    def busy() -> float:
        metrics = devtools.send("Performance.getMetrics")["metrics"]
        return float(next(m["value"] for m in metrics if m["name"] == "TaskDuration"))

    before, began = busy(), time.monotonic()
    index = notebook.run(f"run({way!r}, {sample(characters)!r}, {rate!r}, 1)")
    streamed = time.monotonic() - began
    # A page that lags behind is still busy long after the kernel is done.
    notebook.page.wait_for_function(
        "([i, text]) => window.jupyterapp.shell.currentWidget.content.widgets[i]"
        ".outputArea.node.textContent.includes(text)",
        arg=[index, re.findall(r"Part \d+", sample(characters))[-1]],
        timeout=600_000,
    )
    return (busy() - before) / streamed


def answered(yes: bool) -> str:
    return "yes" if yes else "no: cut"


def table(title: str, rows: dict[str, list[str]]) -> None:
    print(f"\n{title:<64}" + "".join(f"{way:>12}" for way in WAYS))
    for label, values in rows.items():
        print(f"{label:<64}" + "".join(f"{value:>12}" for value in values))


def main() -> None:
    """Print the tables."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from browser.jupyter import running_jupyter
    from live_kernel import LiveKernel

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--browser", action="store_true")
    options = parser.parse_args()

    kernel = LiveKernel()
    kernel.run(SHOWING)
    figures: dict[tuple[str, int, float | None], tuple[float, float]] = {}
    for way, sizes in (("ours", (2_000, 20_000, 200_000)), ("naive", (2_000, 20_000))):
        for size in sizes:
            for rate in (100.0, None):
                figures[way, size, rate] = sent(kernel, way, size, rate)
    kernel.close()

    def cell(way: str, size: int, rate: float | None, which: int) -> str:
        figure = figures.get((way, size, rate))
        return (
            "–" if figure is None else f"{figure[which]:.1f}" if which == 0 else f"{figure[1]:.2f}"
        )

    def growth(way: str, rate: float | None) -> str:
        small, large = figures[way, 20_000, rate], figures.get((way, 200_000, rate))
        return "–" if large is None else f"{large[0] / small[0]:.2f}"

    rows = {
        f"{size:,} characters, {'100 tokens/s' if rate else 'full speed'}": [
            cell(way, size, rate, 0) for way in WAYS
        ]
        for size in (2_000, 20_000, 200_000)
        for rate in (100.0, None)
    }
    rows["growth a character from 20,000 to 200,000, 100 tokens/s"] = [
        growth(w, 100.0) for w in WAYS
    ]
    rows["growth a character from 20,000 to 200,000, full speed"] = [growth(w, None) for w in WAYS]
    table("iopub bytes / answer bytes", rows)
    table(
        "kernel CPU a token, ms (with the pacing itself)",
        {"20,000 characters, 100 tokens/s": [cell(way, 20_000, 100.0, 1) for way in WAYS]},
    )
    with tempfile.TemporaryDirectory() as home, running_jupyter(Path(home)) as server:
        rows = {
            f"{tokens:,} tokens": [
                "–" if way == "naive" and tokens > 5_000 else answered(whole(server, way, tokens))
                for way in WAYS
            ]
            for tokens in (2_000, 5_000, 10_000, 50_000)
        }
        table("whole through a Jupyter server at full speed", rows)
        if options.browser:
            from browser.notebooks import CHROMIUM_ARGUMENTS, Jupyter, chromium
            from playwright.sync_api import sync_playwright

            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=chromium(), args=CHROMIUM_ARGUMENTS
                )
                shares = {}
                for characters in (10_000, 100_000):
                    values = []
                    for way in WAYS:
                        if way == "naive" and characters > 10_000:
                            values.append("–")
                            continue
                        with Jupyter(server, browser).notebook() as notebook:
                            values.append(f"{browser_share(notebook, way, characters, 400.0):.2f}")
                    shares[f"{characters:,} characters, 400 tokens/s"] = values
                table("browser main thread busy / time of streaming", shares)
                browser.close()


if __name__ == "__main__":
    main()
