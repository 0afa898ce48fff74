"""What ran before, and what failed last, as a real kernel runs cells."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from textwrap import dedent
from typing import Any

import pytest
from live_kernel import LiveKernel

FAILURES = "get_ipython().magics_manager.registry['CopilotMagics'].notebook.failures"


@pytest.fixture
def fresh() -> Iterator[LiveKernel]:
    """Yield a kernel into which the extension is not loaded yet."""
    kernel = LiveKernel()
    yield kernel
    kernel.close()


def before(kernel: LiveKernel, count: int) -> list[tuple[int, str, str]]:
    """Return number, source and output of the last cells, asked for in a cell of ours."""
    run = kernel.run(
        "from copilot_magic.notebook.history import cells_before\n"
        f"found = cells_before(get_ipython(), {count})"
    )
    assert run.reply["status"] == "ok", run.error
    found: list[Any] = ast.literal_eval(
        kernel.value("[(c.number,c.source,c.output) for c in found]")
    )
    return found


def last(kernel: LiveKernel) -> Any:
    """Return the type, the source and the number of the last failure."""
    parts = "type(f.error).__name__, f.source, f.number"
    return ast.literal_eval(
        kernel.value(f"[({parts}) if f else None for f in [{FAILURES}.last()]][0]")
    )


def test_the_cells_before_come_with_all_they_showed(kernel: LiveKernel) -> None:
    kernel.run("import sys\nprint('one')\nsys.stderr.write('two\\n'); 1 + 1")
    kernel.run("display('shown', {'a': 1})\nfrom IPython.display import HTML\nHTML('<b>x</b>')")
    kernel.run("print('so far')\n1/0")
    cells = before(kernel, 3)
    assert [number for number, _, _ in cells] == [2, 3, 4]
    assert [output for _, _, output in cells] == [
        "one\ntwo\n2",
        "'shown'\n{'a': 1}\n<IPython.core.display.HTML object>",
        "so far\nZeroDivisionError: division by zero",
    ]


def test_cells_with_await_and_the_output_of_threads_are_recorded(kernel: LiveKernel) -> None:
    kernel.run("import asyncio\nawait asyncio.sleep(0)\nprint('late')")
    kernel.run("from threading import Thread\nt = Thread(target=print, args=('thread',))")
    kernel.run("t.start()\nt.join()")
    assert [output for _, _, output in before(kernel, 3)] == ["late", "", "thread"]


def test_a_progress_bar_leaves_its_last_state(kernel: LiveKernel) -> None:
    kernel.run("for n in range(50_000): print(f'\\r{n} of 50000', end='')\nprint('\\ndone')")
    assert before(kernel, 1)[0][2] == "49999 of 50000\ndone"


def test_what_is_captured_or_cut_is_not_sent_along(kernel: LiveKernel) -> None:
    kernel.run("%%capture said\nprint('secret'); display('hidden')")
    kernel.run("print('x' * 3_000_000)")
    captured, long = before(kernel, 2)
    assert captured[2] == ""
    assert len(long[2]) < 20_100


def test_the_user_sees_all_output_as_ever(kernel: LiveKernel) -> None:
    run = kernel.run(
        "import sys\nprint('a', flush=True)\nprint('b', file=sys.stderr)\ndisplay('c'); 1"
    )
    streams = {(c["name"], c["text"]) for c in run.contents("stream")}
    assert streams == {("stdout", "a\n"), ("stderr", "b\n")}
    assert [output["text/plain"] for output in run.outputs] == ["'c'", "1"]
    kernel.run("%unload_ext copilot_magic")
    assert kernel.run("print('a'); display('c')").text == "a\n'c'"


def test_our_own_cells_do_not_count(kernel: LiveKernel) -> None:
    kernel.run("x = 1")
    kernel.copilot("hello")
    kernel.run("%copilot status\n%config CopilotMagics.model = 'x'")
    assert [source for _, source, _ in before(kernel, 5)] == ["x = 1"]


def test_cells_that_ran_before_loading_have_their_results(fresh: LiveKernel) -> None:
    fresh.run("print('printed'); 6 * 7")
    fresh.run("%load_ext copilot_magic")
    ((number, source, output),) = before(fresh, 5)
    assert (number, source) == (1, "print('printed'); 6 * 7")
    recent = fresh.value("hasattr(get_ipython(), '_tee')") == "True"
    assert output == ("printed\n42" if recent else "42")


def test_the_last_failure_is_that_of_any_cell(kernel: LiveKernel) -> None:
    assert last(kernel) is None
    kernel.run("x = 1", cell_id="a")
    kernel.run("pirce", cell_id="b")
    kernel.run("x", cell_id="c")
    assert last(kernel) == ("NameError", "pirce", 3)
    kernel.run("y = )", cell_id="d")
    assert last(kernel) == ("SyntaxError", "y = )", 5)
    kernel.run("import asyncio\nawait asyncio.sleep(0)\n1/0", cell_id="e")
    assert last(kernel)[0] == "ZeroDivisionError"


def test_a_cell_that_was_corrected_is_no_failure_any_more(kernel: LiveKernel) -> None:
    kernel.run("pirce", cell_id="a")
    kernel.run("1", cell_id="b")
    assert last(kernel) is not None
    kernel.run("price = 1", cell_id="a")
    assert last(kernel) is None


def test_an_interrupt_and_a_failed_prompt_are_not_the_last_failure(kernel: LiveKernel) -> None:
    kernel.run("pirce", cell_id="a")
    kernel.run("raise KeyboardInterrupt", cell_id="b")
    kernel.run("%config CopilotMagics.base_url = 'http://127.0.0.1:1/v1'")
    assert kernel.copilot("hello").reply["status"] == "error"
    assert last(kernel) == ("NameError", "pirce", 2)


@pytest.mark.parametrize("source", ["pirce + 1", "y = )", "def f(): return 1/0\nf()"])
def test_a_failure_before_loading_is_found_with_its_cell(fresh: LiveKernel, source: str) -> None:
    fresh.run("x = 0")
    fresh.run(source)
    fresh.run("x = 1")
    fresh.run("%load_ext copilot_magic")
    assert last(fresh)[1:] == (source, 2)


def test_a_terminal_records_results_and_errors_once() -> None:
    """There IPython prints them, as it prints all else."""
    code = """
        shell = get_ipython()
        shell.run_line_magic("load_ext", "copilot_magic")
        shell.run_cell("print('printed'); display('shown'); 6 * 7", store_history=True)
        shell.run_cell("1/0", store_history=True)
        from copilot_magic.notebook.history import cells_before
        print("outputs:", [cell.output for cell in cells_before(shell, 2)])
    """
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "-c", dedent(code)],
        capture_output=True,
        text=True,
        env={**os.environ, "TERM": "dumb"},
    )
    outputs = done.stdout.rpartition("outputs: ")[2]
    assert ast.literal_eval(outputs.strip()) == [
        "printed\n'shown'\n42",
        "ZeroDivisionError: division by zero",
    ]
