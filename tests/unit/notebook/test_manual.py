"""The manual, as ``%%copilot?`` and ``%copilot?`` show it."""

from __future__ import annotations

from dataclasses import fields

from IPython.core.oinspect import getdoc

from copilot_magic.notebook.arguments import option_names
from copilot_magic.notebook.commands import COMMANDS
from copilot_magic.notebook.magics import CopilotMagics
from copilot_magic.settings import Settings


def test_help_names_every_option_command_and_setting(magics: CopilotMagics) -> None:
    asking, commands = getdoc(magics.ask_cell) or "", getdoc(magics.command) or ""
    for name in option_names():
        assert name in asking
    for name in COMMANDS:
        assert f"%copilot {name}" in commands
    for setting in fields(Settings):
        assert f"\n    {setting.name} " in commands
