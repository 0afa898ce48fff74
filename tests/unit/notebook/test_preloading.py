"""What is imported after ``%load_ext``, and when."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from IPython.core.interactiveshell import InteractiveShell

from copilot_magic.notebook.preloading import MODULES

BEGIN = """
    import asyncio, sys
    from IPython.core.interactiveshell import InteractiveShell
    from copilot_magic.notebook import preloading

    shell = InteractiveShell.instance()

    def imported():
        return [name for name in preloading.MODULES if name in sys.modules]

    async def cell_in_a_kernel():
        shell.run_cell("None")
        await asyncio.sleep(2 * preloading.PAUSE)
        while len(imported()) < len(preloading.MODULES) - len(absent):
            await asyncio.sleep(0.01)

    absent = []

    def finish():
        asyncio.run(cell_in_a_kernel())
"""


def run(code: str) -> str:
    """Run `code` in a fresh process and return what it prints."""
    program = textwrap.dedent(BEGIN) + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_nothing_is_imported_until_the_cell_has_ended_and_then_everything() -> None:
    printed = run(
        """
        before = imported()  # IPython's history needs sqlite3
        shell.run_line_magic("load_ext", "copilot_magic")
        print(imported() == before, len(before) < 3)
        finish()
        print(sorted(imported()) == sorted(preloading.MODULES))
        """
    )
    assert printed.splitlines() == ["True True", "True"]


def test_the_modules_are_all_that_a_prompt_imports() -> None:
    printed = run(
        """
        from copilot_magic import ask, errors

        shell.run_line_magic("load_ext", "copilot_magic")
        finish()
        shell.run_line_magic("config", "CopilotMagics.base_url = 'http://127.0.0.1:1/v1'")
        before = set(sys.modules)
        try:
            ask("Hi")
        except errors.RefusedError:
            print(sorted(set(sys.modules) - before))
        """
    )
    assert printed == "[]"


def test_unloading_before_the_cell_has_ended_prevents_it(shell: InteractiveShell) -> None:
    before = list(shell.events.callbacks["post_run_cell"])
    shell.run_line_magic("load_ext", "copilot_magic")
    assert len(shell.events.callbacks["post_run_cell"]) > len(before)
    shell.run_line_magic("unload_ext", "copilot_magic")
    assert shell.events.callbacks["post_run_cell"] == before


def test_in_a_terminal_the_first_prompt_imports_what_it_needs() -> None:
    printed = run(
        """
        shell.run_line_magic("load_ext", "copilot_magic")
        shell.run_cell("None")
        print("copilot_magic.client.client" in sys.modules)
        """
    )
    assert printed == "False"


def test_a_module_that_is_missing_is_left_to_the_prompt() -> None:
    printed = run(
        """
        sys.modules["requests"] = None
        absent = []  # None in sys.modules counts as imported
        shell.run_line_magic("load_ext", "copilot_magic")
        finish()
        print("sqlite3" in sys.modules)
        """
    )
    assert printed == "True"


def test_the_modules_exist() -> None:
    for name in MODULES:
        __import__(name)
