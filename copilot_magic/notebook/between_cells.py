"""Text printed in a terminal from another thread, without disturbing what is there."""

from __future__ import annotations

import sys
import threading
from typing import Any

from ..views.printing import write

__all__ = ["BetweenCells"]


class BetweenCells:
    """Text for a terminal, printed while no cell runs.

    At IPython's usual prompt it appears above what is being typed. A simple prompt cannot do that:
    there, text is printed when the next cell has ended, as it is if a cell runs.

    Args:
        shell: The IPython shell; None prints nothing, ever.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._lock = threading.Lock()
        self._held: list[str] = []
        self._running = 0
        self._watching = False

    def start(self) -> None:
        """Watch the cells, from within the one that runs now."""
        if self._shell is not None and not self._watching:
            self._watching = True
            self._running = 1
            self._shell.events.register("pre_run_cell", self._before_cell)
            self._shell.events.register("post_run_cell", self._after_cell)

    def stop(self) -> None:
        """Print what is held back, and nothing after that."""
        if self._watching:
            self._watching = False
            self._shell.events.unregister("pre_run_cell", self._before_cell)
            self._shell.events.unregister("post_run_cell", self._after_cell)
            self._print_held()

    def print(self, text: str) -> None:
        """Print whole lines, from any thread, now or when the running cell has ended."""
        if not self._watching:
            return
        with self._lock:
            self._held.append(text)
        if not self._running and getattr(self._shell, "pt_app", None) is not None:
            self._print_held()

    def _before_cell(self, info: Any = None) -> None:
        # The user's own cells are numbered; one that is not usually runs inside of another.
        is_own = getattr(info, "store_history", True)
        self._running = 1 if is_own else self._running + 1

    def _after_cell(self, result: Any = None) -> None:
        # An empty cell ends without having begun.
        self._running = max(self._running - 1, 0)
        if not self._running:
            self._print_held()

    def _print_held(self) -> None:
        with self._lock:
            held, self._held = self._held, []
        if held:
            write("".join(held))
            sys.stdout.flush()
