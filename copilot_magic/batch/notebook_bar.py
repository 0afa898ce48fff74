"""A progress bar in a notebook: a widget while it moves, then text that stays."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..text import escape, printable

if TYPE_CHECKING:
    from tqdm.notebook import tqdm_notebook

__all__ = ["NotebookBar", "Publish"]

Publish = Callable[..., None]
"""Shows a bundle of MIME types, as a shell's ``display_pub.publish`` does."""

_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class NotebookBar:
    """The output that shows one of tqdm's notebook bars.

    Nobody sees a widget on the web, or after its kernel has ended. So a bar that is done becomes
    HTML and text, which are saved with the notebook.

    Args:
        bar: A bar that has not been displayed.
        publish: Shows a bundle in the output of the running cell.
    """

    def __init__(self, bar: tqdm_notebook, publish: Publish) -> None:
        self._bar = bar
        self._publish = publish
        self._transient = {"display_id": f"copilot-{uuid.uuid4().hex[:8]}"}
        view = {"version_major": 2, "version_minor": 0, "model_id": bar.container.model_id}
        text = " ".join(self._parts())
        publish({_WIDGET_VIEW: view, "text/plain": text}, transient=self._transient)

    def settle(self) -> None:
        """Replace the widget by the state of its bar, which has been closed."""
        parts = self._parts()
        shown = [f"<span>{escape(part)}</span>" for part in parts]
        if self._bar.total:
            bar = f'<progress style="flex: auto" value="{self._bar.n}" max="{self._bar.total}">'
            shown.insert(1, f"{bar}</progress>")
        style = "display: flex; align-items: center; gap: .5em"
        html = f'<div style="{style}">{" ".join(shown)}</div>'
        bundle = {"text/html": html, "text/plain": " ".join(parts)}
        self._publish(bundle, transient=self._transient, update=True)
        for widget in (*self._bar.container.children, self._bar.container):
            widget.close()

    def _parts(self) -> list[str]:
        """Return what stands left and right of the bar; without a total there is no bar."""
        state = {**self._bar.format_dict, "ncols": None}
        state["bar_format"] = state["bar_format"].replace("|{bar}|", "\n")
        text = self._bar.format_meter(**state)
        return [printable(part.strip()) for part in text.split("\n")]
