"""Objects of unknown origin are asked with care, and the time for it is limited."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest

from copilot_magic.context.describe.foreign import (
    Patience,
    Unanswered,
    defines,
    full_type_name,
    is_a,
    is_kind,
    type_name,
)


def spin() -> None:
    while True:
        pass


def fail() -> None:
    raise ValueError("a\x1b[31m\nb")


def test_an_answer_is_returned() -> None:
    assert Patience().ask(lambda: 5, "its value") == 5


def test_a_failure_is_told_in_a_line() -> None:
    with pytest.raises(Unanswered, match=r"^its value failed: ValueError: a \[31m b$"):
        Patience().ask(fail, "its value")


def test_a_nested_failure_is_told_as_it_is() -> None:
    patience = Patience()
    with pytest.raises(Unanswered, match=r"^inner failed"):
        patience.ask_for_all(lambda: patience.ask(fail, "inner"), "outer")


def test_when_the_time_for_all_is_up_nothing_more_is_asked() -> None:
    patience = Patience(0.05, 0.05)
    with pytest.raises(Unanswered, match=r"its repr took longer than 0.1 seconds"):
        patience.ask(spin, "its repr")
    asked: list[int] = []
    with pytest.raises(Unanswered, match="not asked for"):
        patience.ask(lambda: asked.append(1), "its repr")
    assert not asked


def test_an_interrupt_passes() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Patience().ask(interrupt, "its repr")


def test_a_class_is_what_it_is_and_not_what_it_pretends() -> None:
    class Liar:
        __class__ = dict  # type: ignore[assignment]

        def __getattr__(self, name: str) -> Any:
            return name

    assert isinstance(Liar(), dict)
    assert not is_kind(Liar(), dict)
    assert not defines(Liar(), "anything")
    assert defines({}, "items")
    assert type_name(Liar()) == "Liar"
    assert full_type_name(Liar()) == f"{__name__}.Liar"
    assert full_type_name(1) == "int"


def test_a_library_that_is_not_loaded_has_no_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_a(1, "surely_not_loaded", "Number")
    fake = types.ModuleType("fake")
    fake.Number, fake.Other = int, 5  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fake", fake)
    assert is_a(1, "fake", "Number", "Other", "Missing")
    assert not is_a("1", "fake", "Number", "Other", "Missing")
