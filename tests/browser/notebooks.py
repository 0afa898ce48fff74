"""A notebook in a browser, driven as a user would, in JupyterLab and in Notebook 7."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from browser.jupyter import JupyterServer
from playwright.sync_api import Browser, Dialog, Locator, Page
from scripted_server import ScriptedServer

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

EMPTY = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
    },
    "cells": [],
}

# These call the application itself, since buttons and shortcuts change.
RUN = """
source => {
    const panel = window.jupyterapp.shell.currentWidget;
    const notebook = panel.content;
    const index = notebook.widgets.length;
    notebook.model.sharedModel.insertCell(
        index, {cell_type: "code", source, metadata: {trusted: true}}
    );
    notebook.activeCellIndex = index;
    notebook.deselectAll();
    window.ran = window.jupyterapp.commands.execute("notebook:run-cell");
    return index;
}
"""
READY = """
() => {
    const panel = window.jupyterapp?.shell?.currentWidget;
    return panel?.sessionContext?.isReady
        && panel.sessionContext.session?.kernel?.status === "idle" && panel.content.model !== null;
}
"""
# Records the visible text of a cell's output after each change, even if the next change comes
# before a frame is painted.
RECORD = """
index => {
    const area = window.jupyterapp.shell.currentWidget.content.widgets[index].outputArea.node;
    window.seen = [area.innerText];
    window.recording = new MutationObserver(() => window.seen.push(area.innerText));
    window.recording.observe(area, {childList: true, subtree: true, characterData: true});
}
"""


def chromium() -> str | None:
    """Return the path of the installed Chromium, if there is one."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


class Jupyter:
    """A running Jupyter server and a browser."""

    def __init__(self, server: JupyterServer, browser: Browser) -> None:
        self.url = server.url
        self._server = server
        self._browser = browser
        self._count = 0

    @contextlib.contextmanager
    def notebook(
        self, front_end: str = "lab", content: Any = None, **context: Any
    ) -> Iterator[Notebook]:
        """Open a notebook, in a browser context of its own.

        Args:
            front_end: ``lab`` or ``notebook``.
            content: The notebook as JSON; a new one by default.
            context: What Playwright's ``new_context`` takes, such as ``viewport``.
        """
        self._count += 1
        name = f"{front_end}{self._count}.ipynb"
        path = self._server.notebooks / name
        path.write_text(json.dumps(content or EMPTY))
        # In a new workspace, JupyterLab does not reopen notebooks of earlier tests.
        where = f"lab/workspaces/{path.stem}/tree" if front_end == "lab" else "notebooks"
        view = self._browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **context})
        try:
            notebook = Notebook(view.new_page(), path)
            notebook.open(f"{self.url}/{where}/{name}?token={self._server.token}")
            yield notebook
            notebook.shut_down()
        finally:
            view.close()


class Notebook:
    """One notebook, open in one page.

    Attributes:
        page: The page.
        path: The notebook's file.
        messages: What was written to the page's console, and uncaught errors.
        dialogs: The messages of dialogs that scripts opened; each is dismissed.
        requests: The URLs that the page requested.
        navigations: The URLs that the page or a frame in it went to.
        calls: The calls made by scripts that should not run.
    """

    def __init__(self, page: Page, path: Path) -> None:
        self.page = page
        self.path = path
        self.messages: list[str] = []
        self.dialogs: list[str] = []
        self.requests: list[str] = []
        self.navigations: list[str] = []
        self.calls: list[str] = []
        page.on("console", lambda message: self.messages.append(message.text))
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.on("dialog", self._dismiss)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("framenavigated", lambda frame: self.navigations.append(frame.url))
        # The address that the hostile texts load from, and the function they call, in any frame.
        page.route("**://evil.example/**", lambda route: route.abort())
        page.expose_function("pwned", lambda: self.calls.append("pwned"))

    def _dismiss(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def open(self, url: str = "") -> None:
        """Open the notebook at `url`, or reload it, and wait for its kernel."""
        if url:
            self.page.goto(url)
        else:
            self.page.reload()
        self.page.wait_for_function(READY, timeout=60_000)

    def run(self, source: str, *, wait: bool = True) -> int:
        """Run `source` in a new cell at the end; return the cell's index.

        Args:
            wait: Return when the cell has ended, not when it has started.
        """
        index = int(self.page.evaluate(RUN, source))
        if wait:
            self.wait()
        return index

    def wait(self) -> None:
        """Wait until the cell that ran last has ended."""
        self.page.evaluate("() => window.ran")

    def use(self, server: ScriptedServer) -> None:
        """Load the extension and send prompts to `server`, in a new conversation."""
        self.run(
            "%load_ext copilot_magic\n"
            f"%config CopilotMagics.base_url = {server.base_url!r}\n"
            "%copilot new"
        )

    def ask(self, prompt: str, options: str = "", *, wait: bool = True) -> int:
        """Run a ``%%copilot`` cell; return its index."""
        return self.run(f"%%copilot {options}\n{prompt}", wait=wait)

    def theme(self, name: str) -> None:
        """Switch to the theme ``Light`` or ``Dark``."""
        self.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})",
            f"JupyterLab {name}",
        )
        self.page.wait_for_function(
            "light => document.body.dataset.jpThemeLight === light",
            arg=str(name == "Light").lower(),
        )

    def cell(self, index: int) -> Locator:
        """Return a cell by its index."""
        return self.page.locator(f'.jp-Notebook-cell[data-windowed-list-index="{index}"]')

    def seen(self, index: int) -> str:
        """Scroll to a cell and return the visible text of its output, once there is some."""
        # JupyterLab renders a cell that is far away only after scrolling to it.
        handle = self.page.wait_for_function(
            """index => {
                const notebook = window.jupyterapp.shell.currentWidget.content;
                notebook.scrollToItem(index, "start");
                const node = notebook.widgets[index].outputArea.node;
                return node.isConnected && node.innerText.trim();
            }""",
            arg=index,
        )
        return str(handle.json_value())

    def output(self, index: int) -> Locator:
        """Return the output area of a cell."""
        return self.cell(index).locator(".jp-OutputArea").first

    def record(self, index: int) -> None:
        """Start recording the visible text of a cell's output after each change."""
        self.page.evaluate(RECORD, index)

    def recorded(self) -> list[str]:
        """Stop recording; return the visible text after each change."""
        return list(self.page.evaluate("() => (window.recording.disconnect(), window.seen)"))

    def save(self) -> Any:
        """Save the notebook; return the content of its file."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        return json.loads(self.path.read_text())

    def interrupt(self) -> None:
        """Press the stop button."""
        self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt()"
        )

    def shut_down(self) -> None:
        """End the kernel."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
