"""The manual: what ``%%copilot?`` and ``%copilot?`` show."""

from __future__ import annotations

from textwrap import indent

from .arguments import options_help
from .commands import commands_help

__all__ = ["asking_manual", "commands_manual"]

_ASKING = """Ask what is in the cell, and watch the answer arrive.

::

    %%copilot
    Hello, i am Heiner. How are you?

A short prompt can stand on the line itself: ``%%copilot What is pandas?``.

The next ``%%copilot`` cell continues the conversation. The last answer is in ``_copilot``: a
``str`` with ``.code``, ``.usage``, ``.model`` and more. Interrupt the kernel to stop an answer;
what arrived is kept, and ``%copilot continue`` picks up from there. Re-running a cell asks again
and replaces its earlier turn.

A prompt can take your variables, figures, cells and errors along::

    %%copilot --context 3
    Which columns of {{{{df}}}} have outliers?

``{{{{df}}}}`` stands for a description of the variable, made for a model; any expression of
yours can be in double braces. All other braces stay as they are. ``--image``, ``--context`` and
``--error`` send a figure, the last cells or the last exception along. ``--dry-run`` shows
exactly what would be sent. Passwords and keys are masked.

The answer can be more than text: ``--code`` puts its code into the next cell. ``--try`` runs that
code in a copy of this kernel first, where it can change nothing, has it repaired if it fails, and
says what it did. ``--as`` makes the answer a value of a type::

    %%copilot --as list[str] -o names
    Name three French cities.

The same question can go to every row of a list, a Series or a table::

    %%copilot --map df["review"] --into df["label"] --as "Literal['good', 'bad']"
    What does this reviewer think?

``{{{{item}}}}`` stands for the row; without it, the row follows your words. The batch is in
``_batch``. Run the cell again to ask what is missing; ``--first 20`` tries a sample.

With ``-b`` the cell ends at once, and its answer arrives while other cells run. Prompts of one
conversation are answered one after the other. ``%copilot status`` says what is on its way, and
``%copilot cancel`` stops it. With ``-b -o x``, ``x.wait()`` returns the answer, and ``x`` is the
answer when it is there.

When a cell has failed, ``%copilot fix`` corrects it and ``%copilot explain`` explains the error;
``%copilot fix --try`` runs the correction in a copy first.

Options, on the first line::

{options}

``%copilot?`` lists the commands and settings. With no server at hand, ``%copilot serve`` starts
a small model on this machine.
"""

_COMMANDS = """Manage the conversation, the server and the local model; ``%%copilot`` asks.

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


def asking_manual() -> str:
    """Return how to ask, and the options of a prompt."""
    return _ASKING.format(options=indent(options_help(), "    "))


def commands_manual() -> str:
    """Return the commands and the settings."""
    return _COMMANDS.format(commands=indent(commands_help(), "    "))
