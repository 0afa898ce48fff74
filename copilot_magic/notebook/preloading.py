"""Imports of what the first prompt needs, made while the kernel is idle after loading.

They run in the kernel's own thread, one module at a time, between its messages. In a thread of
their own they would race with the imports of the next cell: two threads that import a package from
two ends can each get a half-made one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["MODULES", "load", "preload_after_cell"]

# What asking imports at its first use: `%load_ext` is quick because it imports none of it.
MODULES = (
    "requests",
    "sqlite3",
    "platformdirs",
    "markdown_it",
    "pygments.lexers.python",
    "copilot_magic.notebook.asking",
    "copilot_magic.context.describe.describe",
    "copilot_magic.context.pictures.picture",
    "copilot_magic.notebook.commands",
    "copilot_magic.client.client",
    "copilot_magic.store.store",
    "copilot_magic.views.open",
    "copilot_magic.markdown.counted",
    "copilot_magic.markdown.stream",
)
# Seconds between two imports, in which the cell's reply and the next message come first.
PAUSE = 0.02


def preload_after_cell(shell: InteractiveShell) -> Callable[[], None]:
    """Start the imports when the running cell has ended; return a function that cancels them.

    Without an event loop, as in a terminal, the first prompt imports what it needs.
    """

    def cancel() -> None:
        with suppress(ValueError):  # the cell has ended
            shell.events.unregister("post_run_cell", start)

    def start(*_: object) -> None:
        cancel()
        # Where there is an event loop, asyncio is loaded; loading it here would take long.
        asyncio = sys.modules.get("asyncio")
        if asyncio is None:
            return
        with suppress(RuntimeError):  # there is no event loop
            loop = asyncio.get_running_loop()
            loop.call_later(PAUSE, _import_next, loop, list(MODULES))

    shell.events.register("post_run_cell", start)
    return cancel


def load() -> None:
    """Import at once what a thread would otherwise import beside the next cell."""
    for name in MODULES:
        # What cannot be imported is reported by the prompt that needs it.
        with suppress(ImportError):
            import_module(name)


def _import_next(loop: asyncio.AbstractEventLoop, names: list[str]) -> None:
    """Import the first module, and the others later."""
    if names:
        # What cannot be imported is reported by the prompt that needs it.
        with suppress(ImportError):
            import_module(names.pop(0))
        loop.call_later(PAUSE, _import_next, loop, names)
