"""The manual: what ``%%copilot?`` and ``%copilot?`` show."""

from __future__ import annotations

from dataclasses import fields
from textwrap import fill, indent

from ..settings import Settings
from .arguments import options_help
from .commands import commands_help

__all__ = ["asking_manual", "commands_manual"]

_ASKING = """Ask what is in the cell, and watch the answer arrive.

::

    %%copilot
    Hello, i am Heiner. How are you?

The next ``%%copilot`` cell continues the conversation. A short prompt can stand on the line itself:
``%%copilot What is pandas?``. With no server at hand, ``%copilot serve`` starts a small model on
this machine.

Interrupt the kernel to stop an answer. What arrived is kept, and ``%copilot continue`` picks up
from there. Running a cell again asks again and replaces its earlier turn. The last answer is in
``_copilot``: a ``str`` with ``.code``, ``.usage``, ``.model`` and more; ``-o`` assigns it to a
variable of yours.

**Your variables, figures, cells and errors**

::

    %%copilot --context 3
    Which columns of {{{{df}}}} have outliers?

``{{{{df}}}}`` stands for a description of the variable, made for a model. Any expression of yours
can be in double braces; all other braces stay as they are. ``--image`` sends a figure along,
``--context`` the last cells, ``--error`` the last exception. ``--dry-run`` shows exactly what would
be sent. Passwords and keys are masked.

**Code**

``--code`` puts the code of the answer into the next cell; it is never run for you. ``--try`` runs
it in a copy of this kernel first, where it can change nothing, has it repaired if it fails, and
says what it did. When a cell of yours has failed, ``%copilot explain`` explains the exception and
``%copilot fix`` corrects the cell.

**Values instead of text**

::

    %%copilot --as list[str] -o names
    Name three French cities.

**The same question to every row** of a list, a Series or a table

::

    %%copilot --map df["review"] --into df["label"] --as "Literal['good', 'bad']"
    What does this reviewer think?

``{{{{item}}}}`` stands for the row; without it, the row follows your words. ``--first 20`` tries a
sample. The batch is in ``_batch``. Run the cell again to ask what is missing.

**In the background**

With ``-b`` the cell ends at once, and its answer arrives while other cells run. Prompts of one
conversation are answered one after the other. ``%copilot status`` says what is on its way, and
``%copilot cancel`` stops it. With ``-b -o x``, ``x.wait()`` returns the answer; once it is there,
``x`` is the answer itself.

**Options**, on the first line

::

{options}

``%copilot?`` lists the commands and the settings.
"""

_COMMANDS = """Manage the server, the answers and the conversations; ``%%copilot`` asks.

**Commands**; arguments in brackets can be left out

::

{commands}

**Settings**, in a cell or in ``ipython_config.py``

::

    %config CopilotMagics.base_url = "http://localhost:11434/v1"
    %config CopilotMagics.model = "llama3.2"

::

{settings}

The environment variables COPILOT_BASE_URL, COPILOT_PROVIDER and COPILOT_MODEL set what these begin
with. COPILOT_API_KEY holds the API key. A function can fetch it instead, for example from a
keyring::

    %config CopilotMagics.get_api_key = lambda: keyring.get_password("copilot", "me")

``%%copilot?`` explains how to ask.
"""

_WIDTH = 96  # as the lines of the options and the commands


def asking_manual() -> str:
    """Return how to ask, and the options of a prompt."""
    return _ASKING.format(options=indent(options_help(), "    "))


def commands_manual() -> str:
    """Return the commands and the settings."""
    return _COMMANDS.format(
        commands=indent(commands_help(), "    "), settings=indent(_settings_help(), "    ")
    )


def _settings_help() -> str:
    """Return the settings, with what each is for."""
    return "\n".join(
        fill(f"{setting.name:<20} {setting.metadata['help']}", _WIDTH, subsequent_indent=" " * 21)
        for setting in fields(Settings)
    )
