"""The notebook that the user sits in front of: its shell, its running cell, its variables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..session.session import Session

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Notebook"]


@dataclass
class Notebook:
    """One shell and its session: what the magics, the commands and `ask` work with.

    Attributes:
        shell: The IPython shell; None in plain Python.
        session: The conversations, and the way to ask in them.
        configure: Changes a setting, by its name.
    """

    shell: InteractiveShell | None
    session: Session
    configure: Callable[[str, Any], None] = lambda name, value: None
    _asked: tuple[int, int] = field(default=(-1, 0), repr=False)

    def next_cell_id(self) -> str | None:
        """Return an id for the next prompt of the running cell, or None if the cell has none.

        From a cell's second prompt on the id has a number, so that each keeps a turn of its own.
        """
        get_parent = getattr(self.shell, "get_parent", None)
        parent = get_parent() if get_parent is not None else {}
        cell_id = parent.get("metadata", {}).get("cellId")
        if self.shell is None or not cell_id:
            return None
        execution, count = self._asked
        count = count + 1 if execution == self.shell.execution_count else 1
        self._asked = (self.shell.execution_count, count)
        return str(cell_id) if count == 1 else f"{cell_id}#{count}"

    def assign(self, name: str, value: object) -> None:
        """Assign a variable in the user's namespace."""
        if self.shell is not None:
            self.shell.user_ns[name] = value

    def set_next_input(self, text: str) -> None:
        """Put `text` into a new cell below the running one, or into the terminal's next prompt."""
        if self.shell is not None:
            self.shell.set_next_input(text)

    def after_cell(self, call: Callable[[], None]) -> None:
        """Call something once, when the running cell has ended."""
        if self.shell is None:
            return
        events = self.shell.events

        def run(*_: object) -> None:
            events.unregister("post_run_cell", run)
            call()

        events.register("post_run_cell", run)
