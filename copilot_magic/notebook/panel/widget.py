"""The chat panel: a widget that shows a conversation and asks in it."""

from __future__ import annotations

import re
import uuid
from importlib.resources import files
from typing import Any

import anywidget
import traitlets

from ...chat.conversation import Conversation
from ...errors import CopilotError, UsageError
from ...markdown.render import root, stylesheet
from ...text import one_line
from ...views.view import in_kernel
from ..asking import notebook_of
from ..preloading import load
from ..shell import Notebook, current_shell
from .prompt import panel_prompt
from .saved import PAGES
from .worker import PanelWorker

__all__ = ["ChatPanel", "show_panel"]

HEIGHT = "36em"

_LENGTH = re.compile(r"\d{1,5}(?:\.\d{1,3})?(?:px|em|rem|vh)")

# An output that shows the conversation is hidden while the panel is there, by a rule of the
# panel's; where there is no kernel, it hides the front end's complaint that there is no widget.
_SAVED_STYLE = (
    "<style>.jp-OutputArea-child:not(:has(.copilot-panel))"
    ":has(+ .jp-OutputArea-child .copilot-saved){display:none}</style>"
)


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


class ChatPanel(anywidget.AnyWidget):
    """A chat beside the work: the last expression of a cell, or `display(panel)`, shows it.

    Args:
        conversation: What to show: a conversation or its name, which is made if it is new. By
            default it is the notebook's current conversation, whichever that is at the time:
            starting or choosing another one in the panel does what ``%copilot new`` and
            ``%copilot use`` do.
        height: The height of the panel, as CSS writes lengths: ``"36em"``, ``"500px"``, ``"60vh"``.

    Raises:
        UsageError: The height is no such length.
    """

    _esm = traitlets.Unicode(_file("panel.js")).tag(sync=True)
    _css = traitlets.Unicode(_file("panel.css") + stylesheet()).tag(sync=True)
    height = traitlets.Unicode(HEIGHT).tag(sync=True)
    saved_class = traitlets.Unicode().tag(sync=True)

    def __init__(
        self, conversation: Conversation | str | None = None, *, height: str = HEIGHT
    ) -> None:
        if not _LENGTH.fullmatch(height):
            raise UsageError(
                f"The height {one_line(height, 40)!r} is not a length",
                "Use '36em' or '500px', for example",
            )
        load()  # here, since threads that import at the same time get in the way
        self._notebook: Notebook = notebook_of(current_shell())[0].up_to_date()
        if isinstance(conversation, str):
            conversation = self._notebook.session.library.find_or_add(conversation)
        self._saved_ids: list[str] = []
        self._saved_pages: list[str] = []
        self._worker = PanelWorker(self._notebook, conversation, self._transmit, self._save)
        super().__init__(height=height, saved_class=f"copilot-saved-{uuid.uuid4().hex}")
        self.on_msg(self._receive)

    def close(self) -> None:
        """Take the panel away, and stop what it asked; the conversation stays."""
        worker = getattr(self, "_worker", None)  # ipywidgets closes half-made widgets, too
        if worker is not None:
            worker.end()
        super().close()

    def __repr__(self) -> str:
        return "ChatPanel()"

    def _ipython_display_(self) -> None:
        """Show the panel, and below it, hidden, what a notebook without a kernel shows."""
        shell = self._notebook.shell
        publish = shell.display_pub.publish if shell is not None else None
        data = self._repr_mimebundle_()
        if publish is None or data is None:
            return
        publish(*(data if isinstance(data, tuple) else (data,)))
        # New outputs can only be made while a cell runs. Empty ones take no room.
        self._saved_ids = [f"copilot-{uuid.uuid4().hex[:12]}" for _ in range(PAGES)]
        # A notebook that is executed without a front end has no other chance to get the pages.
        pages = self._saved_pages = self._worker.pages_without_view(self._saved_pages)
        for index, display_id in enumerate(self._saved_ids):
            publish(self._page(pages, index), {}, transient={"display_id": display_id})

    def _transmit(self, message: dict[str, Any]) -> None:
        self.send(message)

    def _receive(self, _: object, message: Any, buffers: object) -> None:
        """Take a message from the front end, in the kernel's own thread."""
        if not isinstance(message, dict):
            return
        worker = self._worker
        if message.get("kind") == "stop":
            worker.stop()
        self._notebook.up_to_date()
        prompt = None
        if message.get("kind") == "ask":
            try:
                replaced = worker.turn(message.get("replaces"))
                prompt = panel_prompt(self._notebook, message, replaced)
            except CopilotError as error:
                worker.refuse(message, error)
                return
        worker.handle(message, prompt)

    def _save(self, pages: list[str]) -> None:
        """Put the pages of the conversation into the outputs below the panel."""
        shell = self._notebook.shell
        if shell is None or not self._saved_ids:
            return
        before, self._saved_pages = self._saved_pages, pages
        for index, display_id in enumerate(self._saved_ids):
            page = self._page(pages, index)
            if page != self._page(before, index):
                transient = {"display_id": display_id}
                shell.display_pub.publish(page, {}, transient=transient, update=True)

    def _page(self, pages: list[str], index: int) -> dict[str, str]:
        """Return the output for one page, which is empty if there are not that many."""
        if index >= len(pages):
            return {"text/html": "", "text/plain": ""}
        style = _SAVED_STYLE if index == 0 else ""
        html = root(pages[index], index == 0)
        html = f'<div class="copilot-saved {self.saved_class}">{style}{html}</div>'
        return {"text/html": html, "text/plain": "a conversation"}


def show_panel(notebook: Notebook, name: str = "") -> None:
    """Show a chat panel in the running cell.

    Raises:
        UsageError: There is no front end that could show it.
    """
    if not in_kernel(notebook.shell):
        raise UsageError("The panel needs a notebook", "Use %%copilot or ask() here")
    ChatPanel(name or None)._ipython_display_()
