"""The last failure is the one that a user means, in a real shell.

Before each test pytest deletes what Python remembers of the last exception.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from copilot_magic.errors import CopilotError, RefusedError
from copilot_magic.notebook.failures import Failures
from copilot_magic.notebook.magics import CopilotMagics


class OfUser(CopilotError):
    of_user = True


@pytest.fixture
def failures(magics: CopilotMagics) -> Failures:
    return magics.notebook.failures


def run(shell: InteractiveShell, source: str, cell_id: str | None = None) -> None:
    shell.run_cell(source, store_history=True, cell_id=cell_id)


def said(failures: Failures) -> tuple[str, str, int | None] | None:
    failure = failures.last()
    return failure and (type(failure.error).__name__, failure.source, failure.number)


def test_there_is_none_at_first(failures: Failures) -> None:
    assert failures.last() is None


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("1/0", "ZeroDivisionError"),
        ("x = )", "SyntaxError"),
        ("if x:\nprint()", "IndentationError"),
        ("%nosuchmagic", "UsageError"),
        ("%time 1/0", "ZeroDivisionError"),
        ("raise type('Mine', (BaseException,), {})()", "Mine"),
    ],
)
def test_a_failure_is_kept_with_its_cell(
    shell: InteractiveShell, failures: Failures, source: str, name: str
) -> None:
    run(shell, "x = 1")
    run(shell, source)
    run(shell, "y = 2")
    found = said(failures)
    assert found is not None
    assert found == (name, source, 2)


def test_what_a_magic_shows_is_a_failure_of_its_cell(
    shell: InteractiveShell, failures: Failures, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text("def f(): return 1/0\nf()\n", encoding="utf-8")
    run(shell, f"%run {script}")
    assert said(failures) == ("ZeroDivisionError", f"%run {script}", 1)
    script.write_text("x = 1\n", encoding="utf-8")
    run(shell, "y = 2")
    assert failures.last() is not None
    run(shell, f"%run {script}")
    assert failures.last() is None


@pytest.mark.filterwarnings("ignore:To exit")
@pytest.mark.parametrize(
    "source",
    ["raise KeyboardInterrupt", "raise SystemExit", "import bdb; raise bdb.BdbQuit"],
)
def test_what_the_user_ended_is_no_failure(
    shell: InteractiveShell, failures: Failures, source: str
) -> None:
    run(shell, "1/0")
    run(shell, source)
    assert said(failures) == ("ZeroDivisionError", "1/0", 1)


def test_a_failed_prompt_is_no_failure_of_the_user(
    shell: InteractiveShell, failures: Failures
) -> None:
    shell.user_ns.update(RefusedError=RefusedError, OfUser=OfUser)
    run(shell, "1/0")
    run(shell, "%copilot use nobody")
    run(shell, "raise RefusedError('nobody there')")
    assert said(failures) == ("ZeroDivisionError", "1/0", 1)
    run(shell, "try: {}['a']\nexcept KeyError as e: raise OfUser('{{d[1]}} failed') from e")
    failure = failures.last()
    assert failure is not None
    assert isinstance(failure.error, OfUser) and isinstance(failure.error.__cause__, KeyError)
    assert failure.number == 4


def test_a_cell_that_works_now_has_no_failure_any_more(
    shell: InteractiveShell, failures: Failures
) -> None:
    run(shell, "y", cell_id="one")
    run(shell, "z = 1", cell_id="two")
    assert said(failures) == ("NameError", "y", 1)
    run(shell, "y = 1", cell_id="one")
    assert failures.last() is None
    assert failures.last() is None  # although Python still remembers it


def test_without_cell_ids_the_same_source_is_the_same_cell(
    shell: InteractiveShell, failures: Failures
) -> None:
    run(shell, "y")
    run(shell, "y = 1")
    assert said(failures) == ("NameError", "y", 1)
    run(shell, "y\n")
    assert failures.last() is None


def test_an_interrupt_or_a_failed_prompt_settles_nothing(
    shell: InteractiveShell, failures: Failures
) -> None:
    run(shell, "1/0", cell_id="one")
    run(shell, "raise KeyboardInterrupt", cell_id="one")
    run(shell, "%copilot use nobody", cell_id="one")
    assert said(failures) == ("ZeroDivisionError", "1/0", 1)


def test_a_cell_outside_of_the_history_has_no_number(
    shell: InteractiveShell, failures: Failures
) -> None:
    shell.run_cell("1/0")
    assert said(failures) == ("ZeroDivisionError", "1/0", None)


def test_a_newer_failure_lets_go_of_the_older_one(
    shell: InteractiveShell, failures: Failures
) -> None:
    class Big: ...

    shell.user_ns["Big"] = Big
    run(
        shell,
        "def f():\n    big = Big()\n    import weakref; seen.append(weakref.ref(big))\n    1/0",
    )
    shell.user_ns["seen"] = seen = []
    run(shell, "f()")
    assert seen[0]() is not None
    run(shell, "y")
    gc.collect()
    assert seen[0]() is None


class TestBeforeLoading:
    """People load the extension when something has failed."""

    def load(self, shell: InteractiveShell) -> Failures:
        run(shell, "%load_ext copilot_magic")
        failures = shell.magics_manager.registry["CopilotMagics"].notebook.failures  # type: ignore[attr-defined]
        assert isinstance(failures, Failures)
        return failures

    @pytest.mark.parametrize("source", ["1/0", "x = )", "%timeit  1/0", "def f(): g()\nf()"])
    @pytest.mark.parametrize("between", [[], ["x = 1", "1/1"]])
    def test_the_failure_is_found_with_its_cell(
        self, shell: InteractiveShell, source: str, between: list[str]
    ) -> None:
        run(shell, "x = 0")
        run(shell, source)
        for cell in between:
            run(shell, cell)
        found = said(self.load(shell))
        assert found is not None
        assert found[1:] == (source, 2)
        run(shell, "x = 3")
        assert said(shell.magics_manager.registry["CopilotMagics"].notebook.failures) == found  # type: ignore[attr-defined]

    def test_it_is_the_cell_that_ran_not_the_one_that_defined(
        self, shell: InteractiveShell
    ) -> None:
        run(shell, "def f(): return 1/0")
        run(shell, "f()")
        run(shell, "x = 1")
        assert said(self.load(shell)) == ("ZeroDivisionError", "f()", 2)

    def test_an_interrupt_is_none(self, shell: InteractiveShell) -> None:
        run(shell, "raise KeyboardInterrupt")
        assert said(self.load(shell)) is None

    def test_a_failure_of_unknown_origin_has_no_source(
        self, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run(shell, "x = 1")
        monkeypatch.setattr(sys, "last_value", ValueError("x"), raising=False)
        monkeypatch.setattr(sys, "last_exc", None, raising=False)
        assert said(self.load(shell)) == ("ValueError", "", None)
        run(shell, "")
        assert said(self.load(shell)) == ("ValueError", "", None)

    def test_endless_recursion_is_found(self, shell: InteractiveShell) -> None:
        run(shell, "def f(): f()\nf()")
        run(shell, "x = 1")
        assert said(self.load(shell)) == ("RecursionError", "def f(): f()\nf()", 1)


def test_without_the_extension_there_is_what_python_remembers(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Failures(None).last() is None
    run(shell, "1/0")
    assert said(Failures(shell)) == ("ZeroDivisionError", "1/0", 1)
    monkeypatch.setattr(sys, "last_value", error := ValueError("x"))
    monkeypatch.setattr(sys, "last_exc", None, raising=False)
    failure = Failures(None).last()
    assert failure is not None and failure.error is error


def test_stopping_forgets_and_unregisters(shell: InteractiveShell) -> None:
    before: list[Any] = list(shell.events.callbacks["post_run_cell"])
    failures = Failures(shell)
    failures.start()
    failures.start()
    assert len(shell.events.callbacks["post_run_cell"]) == len(before) + 1
    failures.stop()
    failures.stop()
    assert shell.events.callbacks["post_run_cell"] == before
