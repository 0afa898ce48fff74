"""The imports in the background after ``%load_ext``, in a real kernel."""

from __future__ import annotations

import time

from live_kernel import LiveKernel

OURS = ("copilot_magic", "requests", "urllib3", "sqlite3", "markdown_it", "platformdirs")
LEFT = "[n for n in __import__('copilot_magic.notebook.preloading', fromlist=['x']).MODULES"
LEFT += " if n not in __import__('sys').modules]"


def finish(kernel: LiveKernel) -> None:
    """Wait until everything is imported."""
    deadline = time.monotonic() + 60
    while kernel.value(LEFT) != "[]":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_first_prompt_imports_nothing(kernel: LiveKernel) -> None:
    finish(kernel)
    kernel.run("import sys; before = set(sys.modules)")
    run = kernel.copilot("Hi")
    assert run.reply["status"] == "ok", run.error
    late = kernel.value(f"[n for n in set(sys.modules) - before if n.startswith({OURS!r})]")
    assert late == "[]"


def test_a_prompt_at_once_is_answered_as_well(kernel: LiveKernel) -> None:
    run = kernel.copilot("Hi")
    assert run.reply["status"] == "ok", run.error
    assert "You said: Hi" in run.html
    finish(kernel)


def test_cells_that_import_the_same_packages_meanwhile_get_whole_ones() -> None:
    """The first cell after loading begins before the imports do, and imports from other ends."""
    for _ in range(5):
        kernel = LiveKernel()
        try:
            kernel.client.execute("%load_ext copilot_magic")
            run = kernel.run(
                "from markdown_it.rules_block import StateBlock\n"
                "from requests.adapters import HTTPAdapter\n"
                "from pygments.lexers.python import PythonLexer"
            )
            assert run.reply["status"] == "ok", run.error
        finally:
            kernel.close()
