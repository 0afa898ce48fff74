"""The imports in the background after ``%load_ext``, in a real kernel."""

from __future__ import annotations

import time

from live_kernel import LiveKernel

OURS = ("copilot_magic", "requests", "urllib3", "sqlite3", "markdown_it", "platformdirs")
PENDING = "[t for t in __import__('threading').enumerate() if t.name == 'copilot-preloading']"


def finish(kernel: LiveKernel) -> None:
    """Wait until the thread is done."""
    deadline = time.monotonic() + 60
    while kernel.value(PENDING) != "[]":
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


def test_a_cell_that_runs_meanwhile_can_be_interrupted() -> None:
    kernel = LiveKernel()
    try:
        kernel.run("import copilot_magic.notebook.preloading as preloading, time")
        # The thread is at work for as long as the cell.
        kernel.run("preloading._import = lambda: time.sleep(30)")
        kernel.run("%load_ext copilot_magic")
        assert kernel.value(PENDING) != "[]"
        run = kernel.run(
            "print('begun', flush=True)\nwhile True: time.sleep(0.01)",
            on_message=lambda m: kernel.interrupt() if m["msg_type"] == "stream" else None,
        )
        assert run.reply["ename"] == "KeyboardInterrupt"
    finally:
        kernel.close()
