"""What an answer costs the page of JupyterLab, and whether readers keep their place."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.cells import CHATLAS, add_kernel, notebook_for
from benchmarks.claims import Bench, Claim, Measurement, Unmeasurable
from benchmarks.display import LABELS, SHOWING
from benchmarks.endpoint import Endpoint
from benchmarks.texts import TOKEN, sample

RATE = 400.0
SIZES = ((5_000, 2_000), (20_000, 5_000), (100_000, 10_000))  # of answers: in full, and quick
FOLLOW = """
([index, text]) => window.jupyterapp.shell.currentWidget.content.widgets[index]
    .outputArea.node.textContent.includes(text)
"""
# The first list of an answer is settled by what follows it. Selects it, and notes where it is.
MARK = """
index => {
    const area = window.jupyterapp.shell.currentWidget.content.widgets[index].outputArea.node;
    window.marked = [...area.querySelectorAll("ul")].find(list => list.offsetParent);
    window.marked.scrollIntoView();
    getSelection().selectAllChildren(window.marked);
    window.selected = String(getSelection());
    window.top_ = window.marked.getBoundingClientRect().top;
}
"""
MARKED = """
() => ({
    node: window.marked.isConnected,
    selection: window.selected !== "" && String(getSelection()) === window.selected,
    "scroll position": window.marked.isConnected
        && Math.abs(window.marked.getBoundingClientRect().top - window.top_) < 2,
})
"""


class Lab:
    """A Jupyter server, a browser and an endpoint.

    Args:
        bench: The run of the benchmarks.
        jupyter: What opens notebooks.
        endpoint: The server of answers.
        has_chatlas: Whether there is a kernel that can use it.
    """

    def __init__(self, bench: Bench, jupyter: Any, endpoint: Endpoint, has_chatlas: bool) -> None:
        self.bench = bench
        self.has_chatlas = has_chatlas
        self._jupyter, self._endpoint = jupyter, endpoint

    def can(self, way: str) -> bool:
        """Say whether answers can be shown this way."""
        return way != "chatlas" or self.has_chatlas

    @contextmanager
    def showing(self, way: str, characters: int) -> Iterator[tuple[Any, Callable[[bool], int]]]:
        """Yield a notebook, and what shows an answer in it and returns the index of the cell."""
        chatlas = way == "chatlas"
        content = notebook_for("chatlas") if chatlas else None
        with self._jupyter.notebook(content=content) as notebook:
            if chatlas:
                cell = CHATLAS.ask
                notebook.run(CHATLAS.first_cell(self._endpoint.text(characters, RATE)))
            else:
                cell = f"run({way!r}, {sample(characters)!r}, {RATE!r}, 1)"
                notebook.run(SHOWING)
            yield notebook, lambda wait: notebook.run(cell, wait=wait)


@contextmanager
def running_browser(bench: Bench) -> Iterator[tuple[Any, Path]]:
    """Yield what opens notebooks in JupyterLab in a browser, and the server's home.

    Raises:
        Unmeasurable: There is no Chromium.
    """
    from browser.jupyter import running_jupyter
    from browser.notebooks import CHROMIUM_ARGUMENTS, Jupyter, chromium
    from playwright.sync_api import sync_playwright

    path = chromium()
    if path is None:
        raise Unmeasurable("there is no Chromium")
    bench.uses("copilot-magic", "jupyterlab", "ipykernel")
    bench.say("starting JupyterLab")
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        running_jupyter(Path(home)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        bench.versions["Chromium"] = browser.version
        try:
            yield Jupyter(server, browser), Path(home)
        finally:
            browser.close()


@contextmanager
def running_lab(bench: Bench) -> Iterator[Lab]:
    """Yield JupyterLab in a browser, with an endpoint and a kernel for chatlas."""
    python = CHATLAS.python(bench)
    with running_browser(bench) as (jupyter, home), Endpoint() as endpoint:
        if python is not None:
            add_kernel(home / "data", "chatlas", python)
        yield Lab(bench, jupyter, endpoint, python is not None)


def busy_seconds(devtools: Any) -> float:
    """Return how long a page's main thread has been busy so far."""
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    return float(next(m["value"] for m in metrics if m["name"] == "TaskDuration"))


def share(lab: Lab, way: str, characters: int) -> float:
    """Return how long the page's main thread was busy, over the time that the answer takes to come.

    It is more than 1 if the page lags behind.
    """
    with lab.showing(way, characters) as (notebook, show):
        devtools = notebook.page.context.new_cdp_session(notebook.page)
        devtools.send("Performance.enable")
        before = busy_seconds(devtools)
        index = show(True)
        # A page that lags behind is still busy long after the kernel is done.
        last = re.findall(r"Part \d+", sample(characters))[-1]
        notebook.page.wait_for_function(FOLLOW, arg=[index, last], timeout=300_000)
        return (busy_seconds(devtools) - before) / (len(sample(characters)) / TOKEN / RATE)


def kept(lab: Lab, way: str, characters: int) -> list[str]:
    """Return what a reader keeps of a settled list, while the rest of an answer arrives."""
    with lab.showing(way, characters) as (notebook, show):
        index = show(False)
        page, text = notebook.page, sample(characters)
        parts = re.findall(r"Part \d+", text)
        page.wait_for_function(FOLLOW, arg=[index, parts[len(parts) // 3]], timeout=60_000)
        page.evaluate(MARK, index)
        notebook.wait()
        page.wait_for_function(FOLLOW, arg=[index, parts[-1]], timeout=60_000)
        return [name for name, yes in page.evaluate(MARKED).items() if yes]


def in_a_page(bench: Bench) -> list[Claim]:
    """Measure the browser's main thread, and find out whether readers keep their place."""
    # With an update at each token, 20,000 characters would take some five minutes.
    short, medium, long = (bench.choose(*sizes) for sizes in SIZES)
    busy: dict[tuple[str, int], float] = {}
    keeps: dict[str, str] = {}
    with running_lab(bench) as lab:
        for way, characters in (
            *(("ours", short), ("chatlas", short)),
            *(("ours", medium), ("throttled", medium)),
            ("ours", long),
        ):
            if lab.can(way):
                bench.say(f"main thread of the browser, {way}, {characters:,} characters")
                busy[way, characters] = share(lab, way, characters)
        for way in ("ours", "throttled", "chatlas"):
            if lab.can(way):
                bench.say(f"what a reader keeps, {way}")
                names = kept(lab, way, 4_000)
                keeps[way] = "yes" if len(names) == 3 else ", ".join(names) or "none of them"

    def cell(own: bool) -> str:
        return "; ".join(
            f"{'' if own else LABELS[way] + ' '}{value:.2f} ({characters:,})"
            for (way, characters), value in busy.items()
            if (way == "ours") == own
        )

    bench.note(
        "In the browser, the others' share grows with the length of the answer; ours holds the "
        "work of beginning and ending, which a short answer cannot make up for."
    )
    return [
        Claim(
            "browser's main thread over the time of streaming, 400 tokens/s (characters)",
            cell(False),
            cell(True),
            f"≤ 0.25 ({long:,})",
            busy["ours", long] <= 0.25,
        ),
        Claim(
            "settled text keeps its DOM node, the selection and the scroll position",
            "; ".join(f"{LABELS[way]}: {keeps[way]}" for way in keeps if way != "ours"),
            keeps["ours"],
            "yes",
            keeps["ours"] == "yes",
        ),
    ]


MEASUREMENTS = (
    Measurement(
        in_a_page,
        (
            "browser's main thread over the time of streaming",
            "settled text keeps its DOM node, the selection and the scroll position",
        ),
    ),
)
