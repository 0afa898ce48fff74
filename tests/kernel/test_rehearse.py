"""Code rehearsed in a real kernel, in a terminal and in plain Python, as a user does it."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live_kernel import LiveKernel
from rehearsing import RehearsingKernel

if sys.platform != "linux":
    pytest.skip("only Linux can confine a copy", allow_module_level=True)

pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def rehearsing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RehearsingKernel]:
    kernel = RehearsingKernel(tmp_path_factory.mktemp("rehearsing"))
    yield kernel
    kernel.close()


def rehearsed(kernel: RehearsingKernel, code: str, **more: Any) -> dict[str, Any]:
    found = kernel.rehearse(code, **more)
    assert found["changes"] == {}
    return found


# What it says


def test_it_says_what_the_code_defines_and_leaves(rehearsing: RehearsingKernel) -> None:
    found = rehearsed(rehearsing, "monthly = df.groupby('month').sum()\nmonthly.shape")
    assert found["ok"]
    assert found["new"] == {"monthly": "DataFrame, 3 × 2"}
    assert found["kept"] == ["df"]
    assert found["result"] == "(3, 2)"
    assert found["summary"].endswith("defines `monthly` (DataFrame, 3 × 2), leaves `df` as it is")
    assert found["summary"].startswith("ran in a copy of this kernel in ")


def test_an_error_is_one_line_and_a_traceback_of_the_users_frames(
    rehearsing: RehearsingKernel,
) -> None:
    found = rehearsed(rehearsing, "x = 1\ndf['mnth']")
    assert not found["ok"]
    assert not found["stopped"]
    assert found["summary"].endswith(": KeyError: 'mnth'")
    line, _, traceback = found["error"].partition("\n\n")
    assert line == "KeyError: 'mnth'"
    assert "-->    2 df['mnth']" in traceback
    assert "frames of pandas left out" in traceback
    assert found["new"] == {"x": "int 1"}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("x = = 3", "SyntaxError: invalid syntax (line 1)"),
        ("if True:\nx = 1", "IndentationError: "),
        ("%no_such_magic", "UsageError: "),
        ("import asyncio\nasyncio.run(asyncio.sleep(0))", "RuntimeError: asyncio.run() cannot be"),
        ("%%time\n1/0", "ZeroDivisionError: division by zero"),
    ],
)
def test_what_fails_in_a_cell_fails_in_the_copy(
    rehearsing: RehearsingKernel, code: str, error: str
) -> None:
    found = rehearsed(rehearsing, code)
    if code == "%no_such_magic":
        # IPython writes this one, and the cell goes on.
        assert "not found" in found["stderr"] + str(found["error"])
    else:
        assert not found["ok"]
        assert found["error"].startswith(error)


def test_output_is_caught_in_the_copy(rehearsing: RehearsingKernel) -> None:
    found = rehearsed(
        rehearsing,
        "import ctypes, logging, os, sys, warnings\n"
        "print('printed'); sys.stderr.write('wrote'); warnings.warn('careful')\n"
        "os.write(1, b'native '); ctypes.CDLL(None).puts(b'C')\n"
        "sys.__stdout__.write('true ')\n"
        "display(1, 2)\n"
        "'result'",
    )
    assert found["stdout"].startswith("printed\n")
    for text in ("native", "C", "true"):
        assert text in found["stdout"]
    assert found["stderr"].startswith("wrote")
    assert "UserWarning: careful" in found["stderr"]
    assert found["texts"] == ["1", "2", "'result'"]
    assert found["result"] == "'result'"


def test_cleared_and_updated_outputs_are_as_a_notebook_shows_them(
    rehearsing: RehearsingKernel,
) -> None:
    found = rehearsed(
        rehearsing,
        "from IPython.display import clear_output\n"
        "print('gone'); display('gone'); clear_output(wait=True)\n"
        "print('here'); h = display('old', display_id=True); h.update('new')",
    )
    assert found["stdout"] == "here"
    assert found["texts"] == ["'new'"]


def test_a_figure_is_there_as_png_and_nothing_is_displayed_here(
    rehearsing: RehearsingKernel,
) -> None:
    for code in (
        "fig, ax = plt.subplots()\nax.plot([1, 2]);",
        "df.plot()\nplt.show()",
        "import matplotlib.pyplot as p; _ = p.figure().add_subplot(); _ = p.figure().add_subplot()",
    ):
        found = rehearsed(rehearsing, code)
        assert found["ok"], found["error"]
        assert set(found["pictures"]) == {b"\x89PNG\r\n\x1a\n".hex()}
        assert "picture" in found["summary"]
    assert "2 pictures" in found["summary"]


def test_a_figure_that_the_asking_cell_has_drawn_is_not_the_codes(
    rehearsing: RehearsingKernel,
) -> None:
    run = rehearsing.run(
        "_ = plt.plot([3, 4])\n"
        "print([len(rehearse(code).outputs) for code in ('1', '_ = plt.figure().add_subplot()')])"
    )
    assert run.text.startswith("[1, 1]\n")
    pictures = [o for o in run.outputs if "image/png" in o]
    assert len(pictures) == 1, "the cell shows its own figure"


def test_magics_run_as_in_a_cell(rehearsing: RehearsingKernel) -> None:
    found = rehearsed(rehearsing, "%timeit -n 1 -r 1 double(2)")
    assert "per loop" in found["stdout"]
    assert rehearsed(rehearsing, "%who_ls DataFrame")["result"] == "['df']"
    found = rehearsed(rehearsing, "%%capture kept\nprint('x')")
    assert (found["stdout"], found["new"]) == ("", {"kept": "CapturedIO"})


def test_await_works_while_the_kernels_own_loop_runs(rehearsing: RehearsingKernel) -> None:
    code = "import asyncio\nawait asyncio.gather(*[asyncio.sleep(0.01, n) for n in range(3)])"
    assert rehearsed(rehearsing, code)["result"] == "[0, 1, 2]"
    code = "import asyncio\ntask = asyncio.get_running_loop().create_task(asyncio.sleep(0))\n1"
    assert rehearsed(rehearsing, code)["ok"], "a cell without await runs in a loop, too"
    run = rehearsing.run(
        "import asyncio; await asyncio.sleep(0)\n"
        "print(rehearse('await asyncio.sleep(0, 5)').result)"
    )
    assert "'5'" in run.text


def test_the_next_cell_sees_what_the_copy_would_have_seen(rehearsing: RehearsingKernel) -> None:
    rehearsing.run("del _")
    rehearsing.run("11 * 11")
    found = rehearsed(rehearsing, "Out, _, In[-1], get_ipython().execution_count")
    assert ": 121}, 121, 'Out, _" in found["result"]
    # The cell that asks has been run, and two more are counted.
    count = int(rehearsing.run("print(get_ipython().execution_count)").text)
    assert found["result"].endswith(f" {count})")
    assert "'Out, _, In[-1], get_ipython().execution_count'" in found["result"]


@pytest.mark.parametrize(
    ("code", "wish"),
    [
        ("df.to_csv('report.csv')", "write report.csv"),
        ("input('?')", "ask for input"),
        ("!ls", "start a process: ls"),
        ("import requests; requests.get('http://localhost:1/')", "connect to localhost:1"),
    ],
)
def test_what_it_was_refused_stops_it_and_says_nothing_against_it(
    rehearsing: RehearsingKernel, code: str, wish: str
) -> None:
    found = rehearsed(rehearsing, code)
    assert wish in found["refused"]
    assert found["stopped"]
    assert not found["ok"]
    assert found["summary"].startswith("stopped in a copy")
    assert found["summary"].endswith(f"wants to {wish}: not tried")


def test_an_error_after_a_refusal_that_the_code_bore_is_an_error(
    rehearsing: RehearsingKernel,
) -> None:
    code = "try: open('x', 'w')\nexcept OSError: pass\nfinally: y = 1\ndf['mnth']"
    found = rehearsed(rehearsing, code)
    assert (found["ok"], found["stopped"]) == (False, False)
    assert found["summary"].endswith("KeyError: 'mnth'; wants to write x: not tried")


def test_much_output_is_cut(rehearsing: RehearsingKernel) -> None:
    found = rehearsed(rehearsing, "for i in range(200_000): print(i)\nx = 1")
    assert found["cut"]
    assert found["stdout"].startswith("0\n1\n2\n")
    assert found["stdout"].endswith("\n199999")
    assert "left out" in found["stdout"]
    assert len(found["stdout"]) < 120_000
    assert found["new"]["x"] == "int 1", "what comes after the output is not lost"


def test_functions_of_the_notebook_that_are_called_are_looked_through(
    rehearsing: RehearsingKernel,
) -> None:
    rehearsing.run(
        "def spoil(): return deeper()\ndef deeper(): df.drop(columns='city', inplace=True)"
    )
    found = rehearsed(rehearsing, "spoil()")
    assert found["changed"] == {"df": ["DataFrame, 3 × 3", "DataFrame, 3 × 2"]}


def test_an_alias_changes_with_its_object(rehearsing: RehearsingKernel) -> None:
    rehearsing.run("alias = numbers")
    found = rehearsed(rehearsing, "alias.append(4); word = 7")
    assert found["changed"]["numbers"] == ["list, 3 items", "list, 4 items"]
    assert found["changed"]["alias"] == ["list, 3 items", "list, 4 items"]
    assert found["changed"]["word"] == ["str, 4 characters", "int 7"]
    rehearsing.run("del alias")


# What it costs, and its end


def test_a_million_rows_cost_no_more_than_a_thousand(rehearsing: RehearsingKernel) -> None:
    """Counted are the steps in Python of looking at the table, and the memory that is copied."""
    rehearsing.run(
        "def costs(rows):\n"
        "    import resource\n"
        "    global table\n"
        "    table = pd.DataFrame({c: np.arange(rows) / 2 for c in 'abcdefghij'})\n"
        "    code = 'import copilot_magic.notebook.rehearsing.difference as d, sys\\n' \\\n"
        "           'calls = [0]\\n' \\\n"
        "           'def count(*a): calls[0] += 1\\n' \\\n"
        "           'sys.setprofile(count); d.Before(dict(table=table), \"table\").tell(' \\\n"
        "           'dict(table=table), {}, lambda *a: a); sys.setprofile(None)\\ncalls[0]'\n"
        "    rehearse(code)\n"
        "    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt\n"
        "    steps = int(rehearse(code).result['text/plain'])\n"
        "    return steps, resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt - before\n"
    )
    few = eval(rehearsing.value("costs(1_000)"))
    many = eval(rehearsing.value("costs(1_000_000)"))
    assert few[0] > 100
    assert many[0] <= few[0] * 1.1
    # The table has 80 MB, which are 20,000 pages.
    assert many[1] <= few[1] + 4_000


def test_endless_code_is_ended_and_what_it_printed_is_kept(rehearsing: RehearsingKernel) -> None:
    found = rehearsed(rehearsing, "print('step 1')\nwhile True: pass", seconds=1.0)
    assert found["how"] == "timed out"
    assert found["stdout"] == "step 1"
    assert found["summary"].endswith(": it did not end within 1 s")
    assert rehearsing.answers()


def test_an_interrupt_ends_the_copy_and_the_cell(rehearsing: RehearsingKernel) -> None:
    def interrupt(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            time.sleep(1.0)  # the copy runs by then
            rehearsing.interrupt()

    run = rehearsing.run(
        "_before = _state(); print('begun', flush=True)\nrehearse('while True: pass')",
        on_message=interrupt,
    )
    assert run.reply["ename"] == "KeyboardInterrupt"
    assert "copilot_magic" not in run.error
    assert rehearsing.run("print(_children(), _values() == _before['values'])").text == "[] True\n"
    assert rehearsing.answers()


def test_the_rehearsal_shows_itself_in_a_cell_with_its_picture_folded(
    rehearsing: RehearsingKernel,
) -> None:
    run = rehearsing.run("rehearse('''print(\"<b>hi</b>\")\nplt.plot([1]);''')")
    assert run.html.count("<details>") == 1
    assert "&lt;b&gt;hi&lt;/b&gt;" in run.html
    assert "<b>" not in run.html
    data = run.html.partition("data:image/png;base64,")[2].partition('"')[0]
    assert base64.b64decode(data).startswith(b"\x89PNG")
    assert "ran in a copy of this kernel" in run.text


def test_a_rehearsal_does_not_settle_or_replace_a_failure(rehearsing: RehearsingKernel) -> None:
    rehearsing.run("%load_ext copilot_magic")
    rehearsing.run("1 / 0")
    last = "get_ipython().magics_manager.registry['CopilotMagics'].notebook.failures.last()"
    before = rehearsing.value(f"repr({last}.error), {last}.source")
    for code in ("1 / 0", "3", "[][1]"):
        rehearsing.run(f"print(rehearse({code!r}))")
    assert rehearsing.value(f"repr({last}.error), {last}.source") == before
    rehearsing.run("%unload_ext copilot_magic")


# Libraries with threads


@pytest.fixture
def threaded(tmp_path: Path) -> Iterator[LiveKernel]:
    kernel = LiveKernel()
    kernel.run("from copilot_magic import rehearse")
    yield kernel
    kernel.close()


def test_numpy_whose_threads_have_worked_before_works(threaded: LiveKernel) -> None:
    threaded.run("import numpy as np; m = np.random.rand(600, 600); total = (m @ m).sum()")
    run = threaded.run("r = rehearse('(m @ m).sum() == total', seconds=20); print(r.result, r)")
    assert "True" in run.text, run.text + run.error
    assert threaded.run("print(np.allclose((m @ m).sum(), total))").text == "True\n"


def test_polars_works_or_is_named(threaded: LiveKernel) -> None:
    pytest.importorskip("polars")
    threaded.run(
        "import polars as pl; p = pl.DataFrame({'a': range(50_000), 'b': [1, 2] * 25_000})\n"
        "total = p.group_by('b').agg(pl.col('a').sum()).sort('b')"
    )
    code = "p.group_by('b').agg(pl.col('a').sum()).sort('b').equals(total)"
    run = threaded.run(f"print(rehearse({code!r}, seconds=3).result)")
    assert "True" in run.text or "threads of polars" in " ".join(run.error.split())
    assert "Traceback" not in run.error
    assert threaded.run(f"print({code})").text == "True\n"
    assert "ran in" in threaded.run("print(rehearse('p.height', seconds=3))").text


def test_code_that_computes_without_end_is_no_fault_of_a_library(threaded: LiveKernel) -> None:
    pytest.importorskip("polars")
    threaded.run("import polars as pl")
    run = threaded.run("print(rehearse('while True: pl', seconds=2).how)")
    assert run.text == "timed out\n", run.error


# Elsewhere


def run_python(code: str, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command, code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "TERM": "dumb"},
        check=False,
    )
    return done.stdout + done.stderr


def test_terminal_ipython_runs_it_as_its_next_cell() -> None:
    text = run_python(
        "from copilot_magic import rehearse\n"
        "x = [1]\n"
        "for code in ('x.append(2)', 'await __import__(\"asyncio\").sleep(0, 5)', '!ls', 'x?',\n"
        "             'display(3)', 'import asyncio; asyncio.run(asyncio.sleep(0, 7))',\n"
        "             'input()', 'import matplotlib.pyplot as plt; plt.plot([1]); plt.show()'):\n"
        "    r = rehearse(code); print(r, r.result, len(r.stdout))\n"
        "print(x, len(In))\n",
        *("-m", "IPython", "--colors=NoColor", "-c"),
    )
    lines = [line for line in text.splitlines() if "in a copy" in line or line.startswith("[1]")]
    assert "changes `x` (list, 1 item → list, 2 items)" in lines[0]
    assert lines[1].endswith("{'text/plain': '5'} 0")
    assert "wants to start a process: ls: not tried" in lines[2]
    assert "ran in a copy of this session" in lines[3]
    assert "{'text/plain': '7'}" in lines[5]
    assert "wants to ask for input" in lines[6]
    assert "shows 1 picture" in lines[7]
    assert lines[8].startswith("[1]")


def test_plain_python_runs_it_with_the_names_of_the_caller() -> None:
    text = run_python(
        "from copilot_magic import rehearse\n"
        "x = [1]\n"
        "def caller():\n"
        "    y = 5\n"
        "    return rehearse('x.append(y); z = y\\nprint(\"out\")\\nx')\n"
        "r = caller(); print(r, r.result, r.stdout, x)\n"
        "r = rehearse('def f():\\n    return 1 / 0\\nf()'); print(r.error)\n"
        "print(rehearse('await x')); print(rehearse('input()')); print(rehearse('del x'), x)\n",
        "-c",
    )
    assert "defines `z` (int 5), changes `x` (list, 1 item → list, 2 items) " in text
    assert "{'text/plain': '[1, 5]'} out [1]\n" in text
    assert "-->    2     return 1 / 0" in text
    assert "SyntaxError: 'await' outside function (line 1)" in text
    assert "stopped in a copy of this process after less than 0.1 s: wants to ask for input" in text
    assert "removes `x` [1]" in text
