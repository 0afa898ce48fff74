"""Take the README's picture of an answer: ``python tests/browser/screenshot.py``.

Asks the small local model in a real JupyterLab, or the server at ``--base-url``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from browser.jupyter import running_jupyter  # noqa: E402  (needs the path above)
from browser.notebooks import CHROMIUM_ARGUMENTS, Jupyter, chromium  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

PROMPT = "Write a Python function that returns the mean of a list of numbers."


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompt", default=PROMPT)
    parser.add_argument("--options", default="-t 0", help="for the first line of the cell")
    parser.add_argument("--base-url", help="a server to ask instead of the small local model")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--to", type=Path, default=ROOT / "notebooks/images/answer.png")
    options = parser.parse_args()
    server = "%copilot serve"
    if options.base_url:
        server = f"%config CopilotMagics.base_url = {options.base_url!r}"
    with (
        tempfile.TemporaryDirectory() as home,
        sync_playwright() as playwright,
        running_jupyter(Path(home)) as running,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGUMENTS)
        size = {"width": 1200, "height": 1600}
        with Jupyter(running, browser).notebook(viewport=size) as notebook:
            notebook.page.evaluate(
                "() => window.jupyterapp.commands.execute('application:toggle-left-area')"
            )
            if options.dark:
                notebook.theme("Dark")
            first = notebook.run(f"%load_ext copilot_magic\n{server}")
            last = notebook.ask(options.prompt, options.options)
            # Fonts of formulas are loaded when they are first needed.
            notebook.page.wait_for_timeout(1000)
            top = notebook.cell(first).bounding_box()
            bottom = notebook.cell(last).bounding_box()
            assert top is not None and bottom is not None
            top["height"] = bottom["y"] + bottom["height"] - top["y"]
            options.to.parent.mkdir(parents=True, exist_ok=True)
            notebook.page.screenshot(path=options.to, clip=top)
        browser.close()


if __name__ == "__main__":
    main()
