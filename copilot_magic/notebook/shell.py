"""The notebook that the user sits in front of: its shell, its running cell, its variables."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..settings import Settings
from .failures import Failures

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..context.secrets.masker import Masker
    from ..session.session import Session
    from .background import Background
    from .failures import Failure
    from .namespace import Namespace

__all__ = ["Notebook", "current_shell"]


def current_shell() -> InteractiveShell | None:
    """Return the IPython shell of this process, or None if there is none.

    IPython is not imported to find out: a script does without it.
    """
    ipython = sys.modules.get("IPython.core.getipython")
    return None if ipython is None else ipython.get_ipython()


class Notebook:
    """One shell and its session: what the magics, the commands and `ask` work with.

    Args:
        shell: The IPython shell; None in plain Python.
        session: The conversations, and the way to ask in them; made at first use if None.
        path: The notebook's path, or an empty string.
        settings: Returns the settings as they are now.
        configure: Changes a setting, by its name.

    Attributes:
        shell: The IPython shell, or None.
        configure: Changes a setting, by its name.
        failures: The last failure of any cell.
    """

    def __init__(
        self,
        shell: InteractiveShell | None,
        session: Session | None = None,
        *,
        path: str = "",
        settings: Callable[[], Settings] = Settings.from_environment,
        configure: Callable[[str, Any], None] = lambda name, value: None,
    ) -> None:
        self.shell = shell
        self.configure = configure
        self.failures = Failures(shell)
        self._session = session
        self._background: Background | None = None
        self._path = path
        self._settings = settings
        self._asked = (-1, 0)
        self._announcement: Callable[[Notebook], None] | None = None

    @property
    def namespace(self) -> Namespace:
        """Return the user's variables."""
        from .namespace import Namespace

        return Namespace.of_shell(self.shell)

    @property
    def renders(self) -> bool:
        """Say whether a front end renders what is published, as a terminal does not."""
        from ..views.view import in_kernel

        return in_kernel(self.shell)

    @property
    def session(self) -> Session:
        """Return the session of this notebook."""
        if self._session is None:
            from ..session.session import Session

            self._session = Session(self._settings(), notebook=self._path)
        self._session.find_secrets = lambda: self.masker().mask
        return self._session

    @property
    def background(self) -> Background:
        """Return the prompts that are answered in the background."""
        if self._background is None:
            from .background import Background

            self._background = Background(self.shell)
        return self._background

    def cancel_earlier_run(self) -> None:
        """Stop what the running cell has asked in the background when it ran before."""
        if self._background is not None:
            self._background.cancel_earlier_run(*self.running_cell())

    def up_to_date(self) -> Notebook:
        """Return this notebook, with the settings as they are now."""
        self._announce()
        settings = self._settings()
        if settings.system and settings.mask_secrets:
            settings = replace(settings, system=self.masker().mask(settings.system))
        self.session.settings = settings
        return self

    def masker(self, more: Mapping[str, object] | None = None) -> Masker:
        """Return what masks the secrets of the environment and of the user's variables.

        Args:
            more: Further variables that may hold secrets.
        """
        from ..context.secrets.masker import Masker

        return Masker({**self.namespace.variables, **(more or {})}, os.environ)

    def announce_soon(self, announcement: Callable[[Notebook], None]) -> None:
        """Call something when the running cell has ended, or before anything else is done."""
        self._announcement = announcement
        self.after_cell(self._announce)

    def _announce(self) -> None:
        announcement, self._announcement = self._announcement, None
        if announcement is not None:
            self.session.settings = self._settings()
            announcement(self)

    def close(self) -> Session | None:
        """Stop what is on its way and close the session, if there is one by now; return it."""
        self._announcement = None
        if self._background is not None:
            self._background.close()
        if self._session is not None:
            self._session.close()
        return self._session

    def next_cell_id(self) -> str | None:
        """Return an id for the next prompt of the running cell, or None if the cell has none.

        From a cell's second prompt on the id has a number, so that each keeps a turn of its own.
        """
        cell_id, run = self.running_cell()
        if not cell_id:
            return None
        execution, count = self._asked
        count = count + 1 if execution == run else 1
        self._asked = (run, count)
        return cell_id if count == 1 else f"{cell_id}#{count}"

    def running_cell(self) -> tuple[str, int]:
        """Return the id of the running cell, empty if it has none, and its execution count."""
        get_parent = getattr(self.shell, "get_parent", None)
        parent = get_parent() if get_parent is not None else {}
        cell_id = parent.get("metadata", {}).get("cellId")
        return str(cell_id or ""), getattr(self.shell, "execution_count", 0)

    def assign(self, name: str, value: object) -> None:
        """Assign a variable in the user's namespace."""
        if self.shell is not None:
            self.shell.user_ns[name] = value

    def replace(self, name: str, old: object, new: object) -> None:
        """Assign a variable, from any thread, if it still holds this very object."""
        if self.shell is not None and self.shell.user_ns.get(name) is old:
            self.shell.user_ns[name] = new

    def display(self, value: object) -> None:
        """Show a value as the result of a cell is shown."""
        if self.shell is not None:
            formatter: Any = self.shell.display_formatter
            data, metadata = formatter.format(value)
            self.publish(data, metadata=metadata)

    @property
    def publisher(self) -> Callable[..., None] | None:
        """Return `publish` if a front end renders what is published, else None."""
        return self.publish if self.renders else None

    def publish(self, bundle: Mapping[str, object], **how: object) -> None:
        """Show a bundle of MIME types, in the output of the cell that runs then."""
        if self.shell is not None:
            publish: Callable[..., None] = self.shell.display_pub.publish
            publish(bundle, **how)

    def last_failure(self) -> Failure:
        """Return the last failure of the user's code.

        Raises:
            UsageError: No cell has failed.
        """
        failure = self.failures.last()
        if failure is None:
            raise UsageError("No cell has failed", "Run the cell that fails first")
        return failure

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
