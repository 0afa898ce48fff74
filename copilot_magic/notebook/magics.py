"""The magics ``%%copilot`` and ``%copilot``, and how the extension is loaded and unloaded.

Loading imports little; each magic imports what it needs at its first use.
"""

from __future__ import annotations

import atexit
import os
import re
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from IPython.core.magic import Magics, cell_magic, line_magic, magics_class

from ..settings import Settings
from .completion import add_completion, remove_completion
from .history import record_outputs
from .preloading import preload_after_cell
from .shell import Notebook
from .traits import setting_traits, settings_of

if TYPE_CHECKING:
    from pathlib import Path

    from IPython.core.interactiveshell import InteractiveShell

    from ..session.session import Session

__all__ = ["CopilotMagics", "load_ipython_extension", "unload_ipython_extension"]


@magics_class
class CopilotMagics(Magics):
    """The magics ``%%copilot`` and ``%copilot``; their traits are the settings.

    Attributes:
        environment: The settings that the environment makes: the traits' defaults.
        notebook: What the magics work with.
        cancel_preloading: Stops importing ahead what the first prompt needs.
        stop_recording: Ends the record of what the cells print.
    """

    # Traits have to be there when their class is made; all of them come from `Settings`.
    vars().update(setting_traits())

    def __init__(self, shell: InteractiveShell, session: Session | None = None) -> None:
        self.environment = Settings.from_environment()
        super().__init__(shell)
        self.notebook = Notebook(
            shell,
            session,
            path=os.environ.get("JPY_SESSION_NAME", ""),
            settings=lambda: settings_of(self),
            configure=self.set_trait,
        )
        self.cancel_preloading = preload_after_cell(shell)
        self.notebook.failures.start()
        self.stop_recording = record_outputs(shell)

    @cell_magic("copilot")  # type: ignore[arg-type]  # IPython leaves its decorators untyped
    def ask_cell(self, line: str, cell: str) -> None:
        """Ask what is in the cell, and watch the answer arrive."""
        from ..views.printing import say
        from .arguments import PromptLine
        from .asking import ask_prompt
        from .hints import with_hints

        with with_hints():
            options, text = PromptLine.parse_cell(line, cell)
            notebook = self.notebook.up_to_date()
            if options.map_ is not None:
                from .mapping_cell import map_cell

                map_cell(notebook, text, options)
            elif options.dry_run:
                from .preview import preview_prompt

                say(preview_prompt(notebook, text, options))
            else:
                answer = ask_prompt(notebook, text, options)
                if options.as_ is not None and not options.background:
                    notebook.display(answer)

    @line_magic("copilot")  # type: ignore[arg-type]
    def command(self, line: str) -> None:
        """Manage the conversation, the server and the local model; ``%%copilot`` asks."""
        from .commands import run_command
        from .hints import with_hints
        from .words import split_words

        with with_hints():
            run_command(self.notebook.up_to_date(), split_words(line))


def _asking_manual() -> str:
    from .manual import asking_manual

    return asking_manual()


def _commands_manual() -> str:
    from .manual import commands_manual

    return commands_manual()


# IPython asks an object's `getdoc` before it looks at its docstring.
CopilotMagics.ask_cell.getdoc = _asking_manual  # type: ignore[assignment]
CopilotMagics.command.getdoc = _commands_manual  # type: ignore[assignment]

# What unloading leaves for the next loading: the conversations, and the local model to start again.
_left: WeakKeyDictionary[InteractiveShell, tuple[Session | None, tuple[Path, int] | None]] = (
    WeakKeyDictionary()
)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register ``%%copilot`` and ``%copilot``, and what completes them."""
    session, served = _left.pop(shell, (None, None))
    magics = CopilotMagics(shell, session)
    shell.register_magics(magics)
    add_completion(shell, magics.notebook)
    shell.input_transformers_cleanup.append(_as_asked)
    atexit.register(magics.notebook.close)
    if served is not None:
        from .serving import serve

        serve(magics.notebook, *served)
    if os.environ.get("JPY_SESSION_NAME"):
        # Looking into the conversation file takes longer than all the rest of loading.
        magics.notebook.announce_soon(_announce)


def _announce(notebook: Notebook) -> None:
    """Say which conversation the first prompt would continue, while nothing is sent yet."""
    from ..views.printing import say
    from .hints import next_step

    library = notebook.session.library
    continued = library.announcement()
    if continued:
        say(f"{continued}; %copilot new starts afresh")
    problem = library.storage.unread
    if problem is not None:
        say(f"{problem.message}. {next_step(problem)}")


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Undo the loading; loading again brings back the conversations and the local model."""
    from .serving import stop_for_now

    manager = shell.magics_manager
    magics = manager.registry.pop("CopilotMagics", None)
    if magics is None:
        return
    magics.cancel_preloading()
    magics.stop_recording()
    magics.notebook.failures.stop()
    notebook = magics.notebook
    atexit.unregister(notebook.close)
    _left[shell] = (notebook.close(), stop_for_now(notebook))
    for kind in ("line", "cell"):
        manager.magics[kind].pop("copilot", None)
    shell.configurables.remove(magics)
    for name in ("_copilot", "_batch"):
        shell.user_ns.pop(name, None)
    remove_completion(shell)
    shell.input_transformers_cleanup.remove(_as_asked)


def _as_asked(lines: list[str]) -> list[str]:
    """Rewrite one-line cells that IPython would refuse, or take for something else.

    ``%%copilot`` gets a body, since IPython refuses cell magics without one. A question for
    ``%copilot`` that ends in a question mark would look up its last word in IPython's help.
    """
    if len(lines) != 1:
        return lines
    line = lines[0].strip()
    if re.match(r"%%copilot(\s|$)", line):
        return [f"{line}\n", "\n"]
    if question := re.match(r"%copilot\s+(\S.*\?)$", line):
        return [f"get_ipython().run_line_magic('copilot', {question[1]!r})\n"]
    return lines
