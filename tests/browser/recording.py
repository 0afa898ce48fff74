"""Record the README's picture of an answer: ``python tests/browser/recording.py``.

Types a prompt into a real JupyterLab, asks the small local model, or the server at ``--base-url``,
and writes what the browser showed, at the pace at which it came.
"""

from __future__ import annotations

import argparse
import base64
import io
import sys
import tempfile
from collections.abc import Mapping
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from browser.jupyter import running_jupyter  # noqa: E402  (needs the path above)
from browser.notebooks import CHROMIUM_ARGUMENTS, Jupyter, Notebook, chromium  # noqa: E402
from PIL import Image  # noqa: E402
from playwright.sync_api import Page, sync_playwright  # noqa: E402

PROMPT = "Write a Python function that returns the mean of a list of numbers."
SIZE = {"width": 1000, "height": 700}
COLOURS = 64
# Milliseconds: between two keys, what a picture stays at least, and how long the last one stays.
KEY = 25
BRIEFEST = 50
END = 4000
EDIT = """
() => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    const index = notebook.widgets.length;
    const cell = {cell_type: "code", source: "", metadata: {trusted: true}};
    notebook.model.sharedModel.insertCell(index, cell);
    notebook.activeCellIndex = index;
    return index;
}
"""


class Recording:
    """What a page shows, picture by picture, from now on."""

    def __init__(self, page: Page) -> None:
        self._pictures: list[tuple[float, Image.Image]] = []
        self._session = page.context.new_cdp_session(page)
        self._session.on("Page.screencastFrame", self._take)
        self._session.send("Page.startScreencast", {"format": "png"})

    def _take(self, frame: Mapping[str, Any]) -> None:
        picture = Image.open(io.BytesIO(base64.b64decode(frame["data"]))).convert("RGB")
        self._pictures.append((frame["metadata"]["timestamp"], picture))
        self._session.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})

    def save(self, path: Path, box: tuple[int, int, int, int]) -> None:
        """Stop, and write the part of the pictures in `box` as an animation that repeats."""
        self._session.send("Page.stopScreencast")
        kept: list[tuple[float, Image.Image]] = []
        for time, picture in sorted(self._pictures, key=itemgetter(0)):
            if kept and time - kept[-1][0] < BRIEFEST / 1000:
                kept.pop()
            kept.append((time, picture.crop(box)))
        pictures = [picture for _, picture in kept]
        colours = pictures[-1].quantize(COLOURS, dither=Image.Dither.NONE)
        lasts = [round(1000 * (after - at)) for (at, _), (after, _) in pairwise(kept)]
        first, *others = [
            picture.quantize(palette=colours, dither=Image.Dither.NONE) for picture in pictures
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        first.save(
            path,
            save_all=True,
            append_images=others,
            duration=[*lasts, END],
            loop=0,
            optimize=True,
        )


def ask_as_a_user_does(notebook: Notebook, prompt: str, options: str) -> int:
    """Type a cell, run it, and wait until it has ended; return its index."""
    index = int(notebook.page.evaluate(EDIT))
    notebook.cell(index).locator(".cm-content").click()
    keyboard = notebook.page.keyboard
    keyboard.type(f"%%copilot {options}".strip(), delay=KEY)
    keyboard.press("Enter")
    keyboard.type(prompt, delay=KEY)
    keyboard.press("Control+Enter")
    notebook.cell(index).locator(".copilot-footer").wait_for(timeout=120_000)
    return index


def main() -> None:
    """Write the animation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompt", default=PROMPT)
    parser.add_argument("--options", default="", help="for the first line of the cell")
    parser.add_argument("--base-url", help="a server to ask instead of the small local model")
    parser.add_argument("--to", type=Path, default=ROOT / "notebooks/images/answer.gif")
    options = parser.parse_args()
    server = "%copilot serve"
    if options.base_url:
        server = f"%config CopilotMagics.base_url = {options.base_url!r}"
    with (
        tempfile.TemporaryDirectory() as home,
        sync_playwright() as playwright,
        running_jupyter(Path(home)) as running,
    ):
        profile = Path(home, "ipython/profile_default")
        profile.mkdir(parents=True)
        (profile / "ipython_config.py").write_text("c.CopilotMagics.temperature = 0\n")
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGUMENTS)
        with Jupyter(running, browser).notebook(viewport=SIZE) as notebook:
            notebook.page.evaluate(
                "() => window.jupyterapp.commands.execute('application:toggle-left-area')"
            )
            first = notebook.run(f"%load_ext copilot_magic\n{server}")
            recording = Recording(notebook.page)
            last = ask_as_a_user_does(notebook, options.prompt, options.options)
            notebook.page.wait_for_timeout(500)
            top = notebook.cell(first).bounding_box()
            bottom = notebook.cell(last).bounding_box()
            assert top is not None and bottom is not None
            left, right = int(top["x"]), int(top["x"] + top["width"])
            box = (left, int(top["y"]), right, int(bottom["y"] + bottom["height"]))
            recording.save(options.to, box)
        browser.close()


if __name__ == "__main__":
    main()
