"""Views for after a cell has ended: a late output, and an answer shown as a whole."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..chat.turn import Turn
from ..text import escape, one_line, printable
from ..wire.chunks import Delta, Waiting
from .terminal import DIM, RESET, LineStyles, has_colours
from .view import Footer, effects_mark

__all__ = ["LateOutput", "LateView"]

# In the colours in which a front end shows the error of a cell.
_ERROR_STYLE = (
    "background:var(--jp-rendermime-error-background,#fdd);"
    "color:var(--jp-content-font-color1,inherit);margin:0;padding:.4em;white-space:pre-wrap"
)


class LateOutput:
    """An output at the end of a cell, empty until something is to be said there.

    It is opened while the cell runs: later, a new output would land in the cell that runs then.

    Args:
        publish: The shell's ``display_pub.publish``.
    """

    def __init__(self, publish: Callable[..., None]) -> None:
        self._publish = publish
        self._transient = {"display_id": f"copilot-{uuid.uuid4().hex[:8]}"}
        self._show("", "", update=False)

    def fail(self, lines: Sequence[str]) -> None:
        """Show an error, from any thread; nothing in the lines is taken for HTML."""
        text = printable("\n".join(lines))
        self._show(f'<pre role="alert" style="{_ERROR_STYLE}">{escape(text)}</pre>', text)

    def _show(self, html: str, text: str, *, update: bool = True) -> None:
        data = {"text/html": html, "text/plain": text}
        self._publish(data, transient=self._transient, update=update)


class LateView:
    """An answer that is written when it has ended, all of it at once, below its prompt.

    It is for terminals, where text that arrives piece by piece would tear what the user types.

    Args:
        prompt: What was asked.
        write: Takes the text, in the thread that receives the answer.
    """

    def __init__(self, prompt: str, write: Callable[[str], None]) -> None:
        self._prompt = prompt
        self._write = write

    def start(self) -> None:
        """Show nothing."""

    def feed(self, event: Delta | Waiting) -> None:
        """Show nothing."""

    def detach(self) -> None:
        """Do nothing: text can be written after the cell has ended."""

    def finish(self, turn: Turn, footer: Footer) -> None:
        """Write the prompt in one line, the whole answer, and the footer."""
        if mark := effects_mark(turn.answer):
            footer = replace(footer, marks=[*footer.marks, mark])
        answer = printable(turn.answer or turn.reasoning)
        line = printable(str(footer))
        if not answer and not line:
            return  # the error says it all
        title = f"“{one_line(self._prompt, 70)}”"
        if has_colours():
            styles = LineStyles()
            answer = styles.feed(answer) + styles.finish()
            title, line = (f"{DIM}{text}{RESET}" if text else "" for text in (title, line))
        self._write("".join(f"{text.rstrip()}\n" for text in (title, answer, line) if text))
