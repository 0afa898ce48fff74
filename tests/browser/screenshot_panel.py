"""Take the pictures of the chat panel: ``python tests/browser/screenshot_panel.py``.

They are for its notebook; the small local model answers, in a real JupyterLab. ``panel.png`` is a
short conversation, with a file attached to the next message. ``panel_stop.png`` is an answer that
is still arriving, in a panel with a conversation of its own.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from browser.chat import Chat  # noqa: E402  (needs the path above)
from browser.jupyter import running_jupyter  # noqa: E402
from browser.notebooks import CHROMIUM_ARGUMENTS, Jupyter, Notebook, chromium  # noqa: E402
from PIL import Image  # noqa: E402
from playwright.sync_api import expect, sync_playwright  # noqa: E402

SIZE = {"width": 820, "height": 900}
COLOURS = 96
PREPARATION = """
from copilot_magic import ChatPanel
%load_ext copilot_magic
%copilot serve
%config CopilotMagics.temperature = 0
%copilot new travel
"""
# The small model answers these sensibly.
QUESTIONS = (
    "What is the capital of France?",
    "And of Italy?",
    "Write a Python function that doubles a number.",
)
NEXT = "Which of the cities in {{df}} are on this list?"
FILE = {"name": "cities.txt", "mimeType": "text/plain", "buffer": b"Paris\nRome\nVienna\n"}
OWN = 'ChatPanel("story", height="24em")'
LONG = "Tell me a story about a lighthouse."
# What is to be there of the long answer in its picture.
ENOUGH = re.compile(r".{200}", re.DOTALL)


def save(notebook: Notebook, index: int, path: Path) -> None:
    """Write a cell's picture, with few colours, since those of a page are few."""
    # The pointer would show what it is over.
    notebook.page.mouse.move(0, 0)
    picture = Image.open(io.BytesIO(notebook.cell(index).screenshot(animations="disabled")))
    few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    path.parent.mkdir(parents=True, exist_ok=True)
    few.save(path, optimize=True)


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--to", type=Path, default=ROOT / "notebooks/images", help="a directory")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as home,
        sync_playwright() as playwright,
        running_jupyter(Path(home)) as running,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGUMENTS)
        jupyter = Jupyter(running, browser)
        with jupyter.notebook(viewport=SIZE, device_scale_factor=1.5) as notebook:
            notebook.page.evaluate(
                "() => window.jupyterapp.commands.execute('application:toggle-left-area')"
            )
            if options.dark:
                notebook.theme("Dark")
            notebook.run(PREPARATION)
            cell = notebook.run("%copilot panel")
            chat = Chat(notebook, cell)
            expect(chat.box).to_be_visible()
            for count, question in enumerate(QUESTIONS, 1):
                chat.ask(question)
                expect(chat.answers).to_have_count(count)
                chat.has_ended()
            chat.root.locator("input[type=file]").set_input_files([FILE])
            chat.box.fill(NEXT)
            notebook.page.wait_for_timeout(500)
            save(notebook, cell, options.to / "panel.png")
            cell = notebook.run(OWN)
            chat = Chat(notebook, cell)
            expect(chat.box).to_be_visible()
            chat.send.scroll_into_view_if_needed()
            chat.ask(LONG)
            expect(chat.answers).to_have_text(ENOUGH)
            save(notebook, cell, options.to / "panel_stop.png")
        browser.close()


if __name__ == "__main__":
    main()
