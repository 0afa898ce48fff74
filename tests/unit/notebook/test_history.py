"""The cells before the running one, with what they printed, in a real shell."""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from copilot_magic.notebook.history import Cell, cells_before, is_ours, record_outputs

HAS_TEE = hasattr(InteractiveShell, "_tee")


@pytest.fixture
def run(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """Yield a function that runs a cell and keeps it in the history, while outputs are recorded."""
    stop = record_outputs(shell)

    def run(source: str) -> None:
        shell.run_cell(source, store_history=True)

    yield run
    stop()


@pytest.fixture
def before(shell: InteractiveShell, run: Any) -> Any:
    """Return a function that asks, in a cell of its own, which cells ran before."""
    found: list[list[Cell]] = []
    shell.user_ns["ask_for"] = lambda count: found.append(cells_before(shell, count))

    def before(count: int) -> list[Cell]:
        run(f"ask_for({count})")
        return found[-1]

    return before


def test_the_last_cells_come_oldest_first_with_their_outputs(run: Any, before: Any) -> None:
    run("a = 1")
    run("print('hello'); a + 1")
    run("import sys\nprint('bad', file=sys.stderr)\n1/0")
    cells = before(2)
    assert [(cell.number, cell.source) for cell in cells] == [
        (2, "print('hello'); a + 1"),
        (3, "import sys\nprint('bad', file=sys.stderr)\n1/0"),
    ]
    assert cells[0].output == "hello\n2"
    assert cells[1].output == "bad\nZeroDivisionError: division by zero"
    # The cell that asked ran before this one; it printed nothing.
    assert before(2)[1] == Cell(4, "ask_for(2)", "")


def test_there_may_be_fewer_cells_than_asked_for(run: Any, before: Any) -> None:
    assert before(5) == []
    run("x = 1")
    assert [cell.source for cell in before(9)] == ["ask_for(5)", "x = 1"]
    assert before(0) == []


def test_a_cell_is_shown_as_the_user_wrote_it(run: Any, before: Any) -> None:
    run("%time  x = 1")
    (cell,) = before(1)
    assert cell.source == "%time  x = 1"
    assert "time" in cell.output


def test_syntax_errors_are_one_line(run: Any, before: Any) -> None:
    run("x = 1\ny = )")
    (cell,) = before(1)
    assert cell.output == "SyntaxError: unmatched ')' (line 2)"


@pytest.mark.parametrize(
    "source",
    [
        "",
        " \n",
        "# only a remark",
        "%%copilot\nprint(1)",
        "%%copilot -m x Why?",
        "%copilot new\n%copilot use x",
        "%load_ext copilot_magic",
        "%reload_ext copilot_magic\n\n%config CopilotMagics.model = 'x'\n# remark\n%copilot",
    ],
)
def test_cells_that_only_ask_or_manage_us_do_not_count(source: str) -> None:
    assert is_ours(source)


@pytest.mark.parametrize(
    "source",
    ["x", "%load_ext autoreload", "import a\n%load_ext copilot_magic", "# a\nb", "%config X.a = 1"],
)
def test_all_other_cells_count(source: str) -> None:
    assert not is_ours(source)


def test_our_cells_are_left_out(run: Any, before: Any) -> None:
    run("x = 1")
    run("%load_ext copilot_magic")
    run("# nothing")
    (cell,) = before(1)
    assert cell.source == "x = 1"


def test_a_cell_that_runs_in_another_belongs_to_it(
    shell: InteractiveShell, run: Any, before: Any
) -> None:
    shell.user_ns["inner"] = lambda: shell.run_cell("print('within')")
    run("print('a'); _ = inner(); print('b')")
    (cell,) = before(1)
    assert cell.output == "a\nwithin\nb"


def test_progress_bars_and_colours_leave_their_last_state(run: Any, before: Any) -> None:
    run("import sys\nfor n in range(3): sys.stderr.write(f'\\r{n} of 3')")
    run("print('\\x1b[31mred\\x1b[0m')")
    first, second = before(2)
    assert (first.output, second.output) == ("2 of 3", "red")


def test_a_captured_cell_printed_nothing(run: Any, before: Any) -> None:
    run("%%capture said\nprint('secret')")
    (cell,) = before(1)
    assert cell.output == ""


def test_a_megabyte_is_cut_in_the_middle(run: Any, before: Any) -> None:
    run("print('a' * 10_000 + 'b' * 1_000_000 + 'c' * 9_999)")
    run("class Long:\n    def __repr__(self): return 'd' * 1_000_000\nLong()")
    printed, result = before(2)
    assert printed.output.startswith("a" * 10_000 + "\n… 1,000,000 characters left out …\nc")
    assert len(result.output) < 21_000


def test_cells_with_await_are_recorded(shell: InteractiveShell, run: Any, before: Any) -> None:
    """A kernel runs them without IPython's own record of printed text."""

    async def run_as_a_kernel_does(source: str) -> None:
        result = await shell.run_cell_async(
            source, store_history=True, transformed_cell=shell.transform_cell(source)
        )
        shell.events.trigger("post_run_cell", result)

    # In a thread of its own: the tests in a browser leave an event loop running in this one.
    with ThreadPoolExecutor(1) as pool:
        cell = run_as_a_kernel_does("import asyncio\nawait asyncio.sleep(0)\nprint('late')")
        pool.submit(asyncio.run, cell).result()
    (cell,) = before(1)
    assert cell.output == "late"


def test_streams_are_as_they_were_after_each_cell(run: Any) -> None:
    streams = (sys.stdout, sys.stderr)
    run("None")  # IPython 9 leaves its own function behind
    writes = [vars(stream).get("write") for stream in streams]
    run("print(1)\n1/0")
    run("x = (")
    assert [vars(stream).get("write") for stream in streams] == writes


def test_a_function_that_another_put_around_ours_stays(shell: InteractiveShell, run: Any) -> None:
    stream = io.StringIO()

    class Stream:
        def write(self, text: str) -> int:
            return stream.write(text)

        def flush(self) -> None: ...

    shell.user_ns["stream"] = target = Stream()
    with contextlib.redirect_stdout(target):  # type: ignore[type-var]
        run(
            "inner = stream.write\n"
            "def shout(text): return inner(text.upper())\n"
            "stream.write = shout\nprint('a')"
        )
        print_again = target.write
    if not HAS_TEE:  # IPython 9 itself takes such functions away
        assert print_again is shell.user_ns["shout"]
        print_again("b")
        assert stream.getvalue().startswith("A\n") and stream.getvalue().endswith("B")


def test_a_stream_that_cannot_be_watched_is_left_alone(
    shell: InteractiveShell, run: Any, before: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fixed:
        __slots__ = ()

        def write(self, text: str) -> None: ...

        def flush(self) -> None: ...

    if not HAS_TEE:
        monkeypatch.setattr(sys, "stderr", Fixed())
    run("print('a')")
    (cell,) = before(1)
    assert cell.output == "a"


def test_only_the_last_cells_are_kept(shell: InteractiveShell, run: Any, before: Any) -> None:
    for number in range(120):
        run(f"print({number})")
    from copilot_magic.notebook import history

    recorder = history._recorders[shell]
    assert len(recorder.outputs) == history.KEPT
    assert [cell.output for cell in before(2)] == ["118", "119"]


def test_before_loading_there_is_what_ipython_keeps(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All shells of a process share it.
    monkeypatch.setattr(type(shell.history_manager), "outputs", defaultdict(list), raising=False)
    found: list[list[Cell]] = []
    shell.user_ns["ask"] = lambda: found.append(cells_before(shell, 2))
    shell.run_cell("print('a'); 41 + 1", store_history=True)
    shell.run_cell("print('b')\n1/0", store_history=True)
    shell.run_cell("ask()", store_history=True)
    (cells,) = found
    assert [cell.number for cell in cells] == [1, 2]
    if HAS_TEE:
        assert [c.output for c in cells] == ["a\n42", "b\nZeroDivisionError: division by zero"]
    else:
        assert [cell.output for cell in cells] == ["42", ""]


def test_a_cell_that_ipython_cannot_read_shifts_no_outputs(
    shell: InteractiveShell, run: Any, before: Any
) -> None:
    def refuse(lines: list[str]) -> list[str]:
        if lines == ["refused\n"]:
            raise SyntaxError("not today")
        return lines

    shell.input_transformers_cleanup.append(refuse)
    run("refused")
    run("print('after')")
    (cell,) = before(1)
    assert (cell.source, cell.output) == ("print('after')", "after")
    assert cell.number == shell.execution_count - 2
    shell.input_transformers_cleanup.remove(refuse)


def test_loading_records_and_unloading_ends_it(shell: InteractiveShell) -> None:
    before = {name: list(calls) for name, calls in shell.events.callbacks.items()}
    shell.run_line_magic("load_ext", "copilot_magic")
    shell.run_cell("print('x')", store_history=True)
    found = cells_before(shell, 1)
    assert [cell.output for cell in found] == ["x"]
    shell.run_line_magic("unload_ext", "copilot_magic")
    assert shell.events.callbacks == before


def test_without_a_shell_there_are_no_cells() -> None:
    assert cells_before(None, 3) == []
