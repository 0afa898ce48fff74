"""The cells that ran before, with their output as text.

IPython keeps the source of each cell and the text of its result. Recent versions keep printed text,
too, but not that of cells with ``await``, and no displays of a kernel. So while the extension is
loaded, we keep that ourselves, within limits; IPython's record serves for the cells before.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..text import one_line
from .excerpt import Excerpt

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Cell", "cells_before", "error_line", "record_outputs"]

# Cells whose output is kept.
KEPT = 100

# A line that asks us, or manages us.
_OURS = re.compile(
    r"\s*(?:#.*|%copilot\b.*|%(?:re|un)?load_ext\s+copilot_magic\s*|%config\s+CopilotMagics\b.*)?"
)
_OUR_CELL = re.compile(r"\s*%%copilot\b")
_WIDGET = "application/vnd.jupyter.widget-view+json"
# What IPython itself writes in a terminal: results, and the prompts before them.
_WRITES_RESULTS = ("IPython.core.displayhook", "IPython.terminal.prompts")


@dataclass(frozen=True)
class Cell:
    """A cell that ran.

    Attributes:
        number: Its execution count.
        source: The cell as the user wrote it.
        output: Its output as text: printed text, displays, the result, an error in one line.
    """

    number: int
    source: str
    output: str


def cells_before(shell: InteractiveShell | None, count: int) -> list[Cell]:
    """Return the last `count` cells that ran before the running one, oldest first.

    Empty cells do not count, nor do those that only use this extension.
    """
    if shell is None:
        return []
    history: Any = shell.history_manager
    sources: list[str] = history.input_hist_raw
    recorder = _recorders.get(shell)
    if recorder is not None:
        index, shift = recorder.running or len(sources), recorder.shift
    else:
        # While a cell runs, this is its number.
        running = shell.displayhook.prompt_count
        index, shift = min(running, len(sources)), 0
    cells: list[Cell] = []
    while len(cells) < count and index > 1:
        index -= 1
        source = sources[index]
        if not is_ours(source):
            number = index + shift
            cells.append(Cell(number, source, _output(shell, recorder, number)))
    return cells[::-1]


def is_ours(source: str) -> bool:
    """Say whether a cell is empty, or only uses this extension."""
    return bool(_OUR_CELL.match(source)) or all(map(_OURS.fullmatch, source.split("\n")))


def _output(shell: InteractiveShell, recorder: _Recorder | None, number: int) -> str:
    excerpt = recorder.outputs.get(number) if recorder is not None else None
    error = recorder.errors.get(number, "") if recorder is not None else ""
    history: Any = shell.history_manager
    if excerpt is None:
        excerpt = Excerpt()
        for output in getattr(history, "outputs", {}).get(number, []):
            if output.output_type in ("out_stream", "err_stream"):
                for piece in output.bundle.get("stream", []):
                    excerpt.add(piece)
            elif output.output_type == "display_data":
                excerpt.add_line(str(output.bundle.get("text/plain", "")))
        if failure := getattr(history, "exceptions", {}).get(number):
            error = one_line(f"{failure.get('ename')}: {failure.get('evalue')}")
    result = Excerpt()
    result.add(str(history.output_hist_reprs.get(number, "")))
    return "\n".join(filter(None, [excerpt.text, result.text, error]))


# The recorders of the shells that the extension is loaded into.
_recorders: dict[InteractiveShell, _Recorder] = {}


def record_outputs(shell: InteractiveShell) -> Callable[[], None]:
    """Keep what the cells of a shell print and display; return a function that ends that."""
    recorder = _recorders[shell] = _Recorder(shell)
    events = (("pre_run_cell", recorder.start), ("post_run_cell", recorder.finish))
    for name, callback in events:
        shell.events.register(name, callback)

    def stop() -> None:
        recorder.restore()
        _recorders.pop(shell, None)
        for name, callback in events:
            with suppress(ValueError):
                shell.events.unregister(name, callback)

    return stop


class _Recorder:
    """What the last cells printed and displayed.

    Attributes:
        outputs: By execution count, the text of the last `KEPT` cells.
        errors: By execution count, an error in one line.
        running: Where in IPython's list of sources the running cell will be, or is; None if no
            cell runs that IPython numbers.
        shift: What an execution count is ahead of the place in that list. IPython 7 counts a cell
            twice that it cannot read.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self.outputs: dict[int, Excerpt] = {}
        self.errors: dict[int, str] = {}
        self.running: int | None = None
        self.shift = 0
        self._numbers: deque[int] = deque()
        self._shell = shell
        self._undo: list[Callable[[], None]] = []

    def start(self, info: Any = None) -> None:
        """Begin with a cell; one that runs inside of another belongs to that."""
        if not getattr(info, "store_history", True):
            return
        self.restore()
        history: Any = self._shell.history_manager
        self.running = len(history.input_hist_raw)
        number = self._shell.displayhook.prompt_count
        self.shift = number - self.running
        excerpt = self.outputs[number] = Excerpt()
        self.errors.pop(number, None)
        self._numbers.append(number)
        if len(self._numbers) > KEPT:
            oldest = self._numbers.popleft()
            self.outputs.pop(oldest, None)
            self.errors.pop(oldest, None)
        for stream in (sys.stdout, sys.stderr):
            self._tee(stream, excerpt)
        self._watch(self._shell.display_pub, excerpt)

    def finish(self, result: Any = None) -> None:
        """End with the running cell."""
        if self.running is None or not getattr(
            getattr(result, "info", None), "store_history", True
        ):
            return
        self.restore()
        number = self._numbers[-1]
        error = getattr(result, "error_before_exec", None) or getattr(result, "error_in_exec", None)
        if error is not None:
            self.errors[number] = error_line(error)
        self.outputs[number].finish()
        self.running = None

    def restore(self) -> None:
        """Leave the streams and the publisher as they were."""
        while self._undo:
            self._undo.pop()()

    def _tee(self, stream: Any, excerpt: Excerpt) -> None:
        """Copy what is written to a stream, unless the stream does not let us."""
        original = getattr(stream, "write", None)
        attributes = getattr(stream, "__dict__", None)
        if original is None or attributes is None:
            return
        had_its_own = "write" in attributes
        recording = True

        def write(text: Any, *args: Any, **kwargs: Any) -> Any:
            written = original(text, *args, **kwargs)
            if recording and isinstance(text, str) and not _is_ipythons(sys._getframe(1)):
                excerpt.add(text)
            return written

        def undo() -> None:
            nonlocal recording
            recording = False
            # If somebody else has put a function around ours, it stays where it is.
            if attributes.get("write") is write:
                if had_its_own:
                    stream.write = original
                else:
                    del stream.write

        with suppress(AttributeError, TypeError):
            stream.write = write
            self._undo.append(undo)

    def _watch(self, publisher: Any, excerpt: Excerpt) -> None:
        """Copy the plain text of what is displayed, without widgets and later updates."""
        if not hasattr(publisher, "register_hook"):
            return  # a terminal, which prints what is displayed

        def hook(message: dict[str, Any]) -> dict[str, Any]:
            data = message["content"].get("data", {})
            if message["header"]["msg_type"] == "display_data" and _WIDGET not in data:
                excerpt.add_line(str(data.get("text/plain", "")))
            return message

        publisher.register_hook(hook)
        self._undo.append(lambda: publisher.unregister_hook(hook))


def _is_ipythons(frame: Any) -> bool:
    """Say whether IPython itself writes, such as a result or a traceback in a terminal."""
    name = frame.f_globals.get("__name__", "")
    return name in _WRITES_RESULTS or frame.f_code.co_name == "_showtraceback"


def error_line(error: BaseException) -> str:
    """Return the type of an error and its message, in one line."""
    try:
        message = str(error)
        if isinstance(error, SyntaxError):
            # Without the name of the file, which is made up.
            message = f"{error.msg} (line {error.lineno})"
    except Exception:  # noqa: BLE001  # the user's own exception, which cannot say what it is
        message = ""
    name = type(error).__name__
    return one_line(f"{name}: {message}" if message else name)
