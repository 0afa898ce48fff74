"""The magics ``%%copilot`` and ``%copilot``, and how the extension is loaded and unloaded."""

from __future__ import annotations

import atexit
import os
import re
from textwrap import indent
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from IPython.core.magic import Magics, cell_magic, line_magic, magics_class

from ..session.session import Session
from ..settings import Settings
from ..views.printing import say
from .arguments import PromptLine, options_help, split_words
from .asking import ask_prompt, preview_prompt
from .commands import commands_help, run_command
from .completion import add_completion, remove_completion
from .hints import with_hints
from .preloading import preload_after_cell
from .serving import serve, stop_for_now
from .shell import Notebook
from .traits import setting_traits, settings_of

if TYPE_CHECKING:
    from pathlib import Path

    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["CopilotMagics", "load_ipython_extension", "unload_ipython_extension"]

ASKING_HELP = """Ask what is in the cell, and watch the answer arrive.

::

    %%copilot
    Hello, i am Heiner. How are you?

A short prompt can stand on the line itself: ``%%copilot What is pandas?``.

The next ``%%copilot`` cell continues the conversation. The last answer is in ``_copilot``: a
``str`` with ``.code``, ``.usage``, ``.model`` and more. Interrupt the kernel to stop an answer;
what arrived is kept, and ``%copilot continue`` picks up from there. Re-running a cell asks again
and replaces its earlier turn.

Options, on the first line::

{options}

``%copilot?`` lists the commands and settings. With no server at hand, ``%copilot serve`` starts
a small model on this machine.
"""

COMMANDS_HELP = """Manage the conversation, the server and the local model; ``%%copilot`` asks.

::

{commands}

Settings, here or in ``ipython_config.py``::

    %config CopilotMagics.base_url = "http://localhost:1337/v1"
    %config CopilotMagics          shows and explains them all

The environment sets COPILOT_BASE_URL, COPILOT_PROVIDER, COPILOT_MODEL, and the key:
COPILOT_API_KEY. A function can fetch the key instead, for example from a keyring::

    %config CopilotMagics.get_api_key = lambda: keyring.get_password("copilot", "me")

``%%copilot?`` explains how to ask.
"""


@magics_class
class CopilotMagics(Magics):
    """The magics ``%%copilot`` and ``%copilot``; their traits are the settings.

    Attributes:
        environment: The settings that the environment makes: the traits' defaults.
        notebook: What the magics work with.
        cancel_preloading: Leaves the libraries of the first prompt to that prompt.
    """

    # Traits have to be there when their class is made; all of them come from `Settings`.
    vars().update(setting_traits())

    def __init__(self, shell: InteractiveShell, session: Session | None = None) -> None:
        self.environment = Settings.from_environment()
        super().__init__(shell)
        if session is None:
            session = Session(settings_of(self), notebook=os.environ.get("JPY_SESSION_NAME", ""))
        self.notebook = Notebook(shell, session, configure=self.set_trait)
        self.cancel_preloading = preload_after_cell(shell)

    def up_to_date(self) -> Notebook:
        """Return the notebook, its session with the settings as they are now."""
        self.notebook.session.settings = settings_of(self)
        return self.notebook

    @cell_magic("copilot")  # type: ignore[arg-type]  # IPython leaves its decorators untyped
    def ask_cell(self, line: str, cell: str) -> None:  # noqa: D102  # see below
        with with_hints():
            options, text = PromptLine.parse_cell(line, cell)
            notebook = self.up_to_date()
            if options.dry_run:
                say(preview_prompt(notebook, text, options))
            else:
                ask_prompt(notebook, text, options)

    @line_magic("copilot")  # type: ignore[arg-type]
    def command(self, line: str) -> None:  # noqa: D102  # see below
        with with_hints():
            run_command(self.up_to_date(), split_words(line))


_OPTIONS = indent(options_help(), "    ")
_COMMANDS = indent(commands_help(), "    ")
CopilotMagics.ask_cell.__doc__ = ASKING_HELP.format(options=_OPTIONS)  # type: ignore[assignment]
CopilotMagics.command.__doc__ = COMMANDS_HELP.format(commands=_COMMANDS)  # type: ignore[assignment]

# What unloading leaves for the next loading: the conversations, and the local model to start again.
_left: WeakKeyDictionary[InteractiveShell, tuple[Session, tuple[Path, int] | None]] = (
    WeakKeyDictionary()
)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register ``%%copilot`` and ``%copilot``, and what completes them."""
    session, served = _left.pop(shell, (None, None))
    magics = CopilotMagics(shell, session)
    shell.register_magics(magics)
    add_completion(shell, magics.up_to_date)
    shell.input_transformers_cleanup.append(_with_body)
    atexit.register(magics.notebook.session.close)
    if served is not None:
        serve(magics.notebook, *served)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take everything back; loading again brings back the conversations and the local model."""
    manager = shell.magics_manager
    magics = manager.registry.pop("CopilotMagics", None)
    if magics is None:
        return
    magics.cancel_preloading()
    session = magics.notebook.session
    atexit.unregister(session.close)
    session.close()
    _left[shell] = (session, stop_for_now(magics.notebook))
    for kind in ("line", "cell"):
        manager.magics[kind].pop("copilot", None)
    shell.configurables.remove(magics)
    shell.user_ns.pop("_copilot", None)
    remove_completion(shell)
    shell.input_transformers_cleanup.remove(_with_body)


def _with_body(lines: list[str]) -> list[str]:
    """Give a ``%%copilot`` cell of one line a body; IPython refuses cell magics without one."""
    if len(lines) == 1 and re.match(r"%%copilot(\s|$)", lines[0]):
        return [lines[0].rstrip("\n") + "\n", "\n"]
    return lines
