"""A rehearsal from the copy's end to what the user gets."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from copilot_magic import Rehearsal, rehearse
from copilot_magic.errors import RehearsalError, UsageError
from copilot_magic.sandbox.limits import Ended
from copilot_magic.sandbox.support import why_not

OUTCOME = {"kind": "outcome", "line": "", "traceback": "", "denied": False, "cut": False}
READY = {"kind": "ready"}
Ends = Callable[..., None]


@pytest.fixture
def ends(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> Ends:
    """Return a function that says how the next copy ends, instead of one being made."""

    def ends(
        *messages: dict[str, Any],
        how: str = "finished",
        code: int = 0,
        refused: tuple[str, ...] = (),
        cut: bool = False,
    ) -> None:
        ended = Ended(list(messages), list(refused), 2.0, how, code, cut)
        monkeypatch.setattr("copilot_magic.sandbox.copy.run_in_copy", lambda *_: ended)

    return ends


def test_code_and_seconds_are_checked(shell: InteractiveShell) -> None:
    with pytest.raises(UsageError, match="The code must be text"):
        rehearse(3)  # type: ignore[arg-type]
    for seconds in (0, -1, float("nan")):
        with pytest.raises(UsageError, match="seconds must be more than 0"):
            rehearse("1", seconds=seconds)


def test_what_the_copy_told_and_what_it_was_refused_is_in_the_rehearsal(ends: Ends) -> None:
    text = {"kind": "text", "stream": "stdout", "text": "out"}
    own = {"kind": "refused", "what": "ask for input"}
    ends(READY, text, own, OUTCOME, refused=("write a", "ask for input"), cut=True)
    found = rehearse("1")
    assert found == Rehearsal(
        ok=True,
        stdout="out",
        refused=("ask for input", "write a"),
        seconds=2.0,
        cut=True,
        where="this session",
    )


@pytest.mark.parametrize(
    ("how", "code", "error"),
    [
        ("timed out", 9, "it did not end within 30 s"),
        ("exited", 3, "it ended the process (exit code 3)"),
        ("killed", 11, "the copy was killed (SIGSEGV)"),
        ("finished", 0, "it left the copy unable to say how it went"),
    ],
)
def test_code_without_an_outcome_failed(ends: Ends, how: str, code: int, error: str) -> None:
    ends(READY, how=how, code=code)
    found = rehearse("1")
    assert (found.ok, found.error, found.how) == (False, error, how)


def test_code_that_ran_before_the_copy_was_ended_ran(ends: Ends) -> None:
    """An object that takes too long to say what it is does not make the code fail."""
    ends(READY, OUTCOME, how="timed out")
    assert rehearse("1").ok


def test_an_error_that_may_come_of_a_refusal_is_no_failure_of_the_code(ends: Ends) -> None:
    failed = {**OUTCOME, "line": "PermissionError: x", "denied": True}
    ends(READY, failed, refused=("write a",))
    assert rehearse("1").stopped
    ends(READY, failed)
    assert not rehearse("1").stopped, "it was refused nothing"
    ends(READY, {**failed, "denied": False}, refused=("write a",))
    assert not rehearse("1").stopped


def test_a_copy_that_could_not_be_prepared_says_nothing_about_the_code(ends: Ends) -> None:
    ends(how="exited", code=1)
    with pytest.raises(RehearsalError, match="the copy exited before it began"):
        rehearse("1")


@pytest.mark.parametrize(("how", "words"), [("timed out", "2 seconds"), ("killed", "was killed")])
def test_a_library_whose_threads_do_not_survive_is_named(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, how: str, words: str
) -> None:
    monkeypatch.setitem(sys.modules, "polars", type(sys)("polars"))
    ends(READY, how=how, code=9)
    with pytest.raises(RehearsalError, match=f"{words}.*threads of polars") as raised:
        rehearse("import polars")
    assert raised.value.hint == "Run the code itself"
    assert not rehearse("import json").ok, "the code does not use it"


def test_callbacks_of_others_do_not_run_in_the_copy(shell: InteractiveShell) -> None:
    if why_not():
        pytest.skip(why_not())
    source = "def say(*args): print(__name__)"
    modules = [{"__name__": name} for name in ("__main__", "copilot_magic.x", "frontend.hooks")]
    for module in modules:
        exec(source, module)
        shell.events.register("post_run_cell", module["say"])
    try:
        assert rehearse("print('x')").stdout == "x\n__main__"
    finally:
        for module in modules:
            shell.events.unregister("post_run_cell", module["say"])


def test_a_copy_of_this_very_process_runs_a_cell_and_changes_nothing(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    if why_not():
        pytest.skip(why_not())
    shell.run_cell("x = [1]", store_history=True)
    before = list(shell.history_manager.input_hist_raw), shell.execution_count
    found = rehearse("x.append(2)\nprint('out')\nlen(x)")
    assert found.result == {"text/plain": "2"}
    assert found.stdout == "out"
    assert found.changed == {"x": ("list, 1 item", "list, 2 items")}
    assert shell.user_ns["x"] == [1]
    assert (list(shell.history_manager.input_hist_raw), shell.execution_count) == before
    assert capsys.readouterr().out == ""
