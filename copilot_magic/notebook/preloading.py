"""Imports in the background: what the first prompt needs, once the cell that loads us has ended."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["MODULES", "preload_after_cell"]

# What asking imports at its first use: `%load_ext` is quick because it imports none of it.
MODULES = (
    "requests",
    "sqlite3",
    "platformdirs",
    "markdown_it",
    "pygments.lexers.python",
    "copilot_magic.notebook.asking",
    "copilot_magic.notebook.commands",
    "copilot_magic.client.client",
    "copilot_magic.store.store",
    "copilot_magic.views.open",
    "copilot_magic.markdown.stream",
)
# Seconds in which the cell's reply goes out, before the imports compete with it for the CPU.
PAUSE = 0.05

_thread: threading.Thread | None = None


def preload_after_cell(shell: InteractiveShell) -> Callable[[], None]:
    """Start the imports when the running cell has ended; return what prevents that."""

    def cancel() -> None:
        with suppress(ValueError):  # the cell has ended
            shell.events.unregister("post_run_cell", start)

    def start(*_: object) -> None:
        cancel()
        _start()

    shell.events.register("post_run_cell", start)
    return cancel


def _start() -> None:
    """Import `MODULES` in a thread, once in a process."""
    global _thread
    if _thread is None:
        _thread = threading.Thread(target=_import, name="copilot-preloading", daemon=True)
        _thread.start()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=_finish)


def _import() -> None:
    time.sleep(PAUSE)
    for name in MODULES:
        # What cannot be imported is reported by the prompt that needs it.
        with suppress(ImportError):
            import_module(name)


def _finish() -> None:
    """Wait for the thread: a child forked meanwhile could never import what is half imported."""
    if _thread is not None and _thread is not threading.current_thread():
        _thread.join()
