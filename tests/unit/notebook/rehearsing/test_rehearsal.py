"""A rehearsal in one line."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from IPython.lib.pretty import pretty

from copilot_magic.notebook.rehearsing.rehearsal import Rehearsal, why_it_ended

RAN = Rehearsal(ok=True, seconds=0.21)
FAILED = Rehearsal(ok=False, error="KeyError: 'mnth'\n\nTraceback …", seconds=0.1)
PICTURE = {"image/png": b"\x89PNG", "text/plain": "Figure"}


def line(rehearsal: Rehearsal, **changes: Any) -> str:
    return dataclasses.replace(rehearsal, **changes).summary


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        (
            {"new": {"monthly": "DataFrame, 12 × 3"}, "kept": ("df",)},
            ": defines `monthly` (DataFrame, 12 × 3), leaves `df` as it is",
        ),
        ({"kept": ("a", "b")}, ": leaves `a` and `b` as they are"),
        (
            {"changed": {"df": ("DataFrame, 2 × 3", "DataFrame, 2 × 4"), "n": ("int 1", "int 2")}},
            ": changes `df` (DataFrame, 2 × 3 → DataFrame, 2 × 4) and `n` (int 1 → int 2)",
        ),
        (
            {"changed": {"df": ("DataFrame, 2 × 3", "DataFrame, 2 × 3, other values")}},
            ": changes `df` (DataFrame, 2 × 3, other values)",
        ),
        ({"changed": {"f": ("function", "function")}}, ": changes `f` (function)"),
        ({"removed": ("a",)}, ": removes `a`"),
        ({"new": {"os": "imported module"}}, ": imports `os`"),
        ({"new": {"os": "imported module", "x": "int 1"}}, ": defines `x` (int 1)"),
        ({"outputs": (PICTURE, PICTURE)}, ": shows 2 pictures"),
        ({"refused": ("write report.csv",)}, "; wants to write report.csv: not tried"),
        (
            {"new": {"x": "int 1"}, "refused": ("write a", "delete b")},
            ": defines `x` (int 1); wants to write a and delete b: not tried",
        ),
        (
            {"removed": tuple("abcdefg")},
            ": removes `a`, `b`, `c`, `d`, `e` and 2 more",
        ),
    ],
)
def test_code_that_ran(changes: dict[str, Any], words: str) -> None:
    assert line(RAN, **changes) == f"ran in a copy of this kernel in 0.2 s{words}"


def test_code_that_failed() -> None:
    assert line(FAILED) == "failed in a copy of this kernel after 0.1 s: KeyError: 'mnth'"
    assert line(FAILED, refused=("write a",)).endswith("'mnth'; wants to write a: not tried")


def test_code_that_was_stopped_by_what_it_was_refused() -> None:
    stopped = dataclasses.replace(FAILED, stopped=True, refused=("write report.csv",))
    expected = "stopped in a copy of this kernel after 0.1 s: wants to write report.csv: not tried"
    assert stopped.summary == expected


def test_it_says_what_was_copied_and_how_short_it_took() -> None:
    assert line(RAN, seconds=0.01, where="this process") == (
        "ran in a copy of this process in less than 0.1 s"
    )


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        ("timed out", 9, "it did not end within 30 s"),
        ("out of memory", 0, "it took more than 2 GB of memory"),
        ("killed", 11, "the copy was killed (SIGSEGV)"),
        ("killed", 999, "the copy was killed"),
        ("exited", 3, "it ended the process (exit code 3)"),
        ("finished", 0, "it left the copy unable to say how it went"),
        ("<hostile>", 0, "it left the copy unable to say how it went"),
    ],
)
def test_why_code_did_not_run_to_its_end(how: str, code: int, words: str) -> None:
    assert why_it_ended(how, code, 30.0, 2 * 1024**3) == words


def test_it_shows_itself_in_a_line_and_what_was_put_out_below() -> None:
    shown = dataclasses.replace(FAILED, stdout="out\nput", outputs=(PICTURE,))
    assert str(shown) == shown.summary
    assert repr(shown) == f"<Rehearsal: {shown.summary}>"
    below = ["out", "put", "Figure", "KeyError: 'mnth'", "", "Traceback …"]
    assert pretty(shown) == "\n    ".join([shown.summary, *below])
    assert pretty(RAN) == RAN.summary
    assert len(pretty(dataclasses.replace(RAN, stdout="x" * 100_000))) < 11_000


def test_it_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        RAN.ok = False  # type: ignore[misc]
