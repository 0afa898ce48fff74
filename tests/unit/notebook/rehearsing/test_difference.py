"""What code did to variables."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from copilot_magic.notebook.rehearsing.difference import Before


def difference(code: str, namespace: dict[str, Any], hidden: tuple[str, ...] = ()) -> Any:
    """Return what is new, changed, removed and kept when `code` has run."""
    found: list[Any] = []
    before = Before(namespace, code, hidden)
    exec(code, namespace)
    namespace.pop("__builtins__")
    before.tell(namespace, {}, lambda *four: found.extend(four))
    return found


def test_names_are_new_changed_removed_or_as_they_were() -> None:
    names = {"a": 1, "b": [1], "c": 2, "d": [3], "e": [4]}
    new, changed, removed, kept = difference("x = a; a = 7; b.append(2); del c; d", names)
    assert new == {"x": "int 1"}
    assert changed == {"a": ("int 1", "int 7"), "b": ("list, 1 item", "list, 2 items")}
    assert removed == ["c"]
    assert kept == ["d"], "what it does not mention is not spoken of"


def test_what_reads_the_same_before_and_after_says_what_is_different() -> None:
    _, changed, _, _ = difference("a[0] = 9", {"a": [1, 2]})
    assert changed == {"a": ("list, 2 items", "list, 2 items, other values")}


def test_imports_are_marked() -> None:
    new, *_ = difference("import os\nfrom json import dumps as d\ne = d", {})
    assert new == {"os": "imported module", "d": "imported function", "e": "function"}


def test_the_names_of_ipython_and_python_do_not_count() -> None:
    code = "_ = _1 = _i1 = __x__ = In = Out = _ih = _exit_code = hidden = 1; _own = 2"
    new, *_ = difference(code, {}, ("hidden",))
    assert new == {"_own": "int 2"}


def test_code_that_cannot_be_parsed_has_no_names() -> None:
    before = Before({"a": [1]}, "a = = 1")
    before.tell({"a": [1]}, {}, lambda *four: None)


def test_a_table_changed_in_place_is_found_by_a_sample() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": range(1_000_000)})
    _, changed, _, kept = difference("df['a'] += 1", {"df": frame, "pd": pd})
    assert changed == {"df": ("DataFrame, 1,000,000 × 1", "DataFrame, 1,000,000 × 1, other values")}
    _, changed, _, kept = difference("df.head()", {"df": frame})
    assert (changed, kept) == ({}, ["df"])


def test_an_object_that_does_not_show_a_change_is_not_said_to_be_as_it_was() -> None:
    class Model:
        pass

    assert difference("m.x = 1", {"m": Model()}) == [{}, {}, [], []]


def test_an_object_that_fails_to_say_what_it_is_does_no_harm() -> None:
    class Hostile(list):  # type: ignore[type-arg]
        def __repr__(self) -> str:
            raise SystemExit

        def __iter__(self) -> Any:
            raise MemoryError

        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = None  # type: ignore[assignment]

    new, changed, _, _ = difference("h.append(1); x = h", {"h": Hostile()})
    assert new == {"x": "Hostile, 1 item"}
    assert set(changed) <= {"h"}


def test_builtins_are_put_back_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtins, "print", builtins.print)
    monkeypatch.setattr(builtins, "ascii", builtins.ascii)
    kept = builtins.print, builtins.ascii
    before = Before({}, "")
    builtins.print = None
    del builtins.ascii
    assert before.restore_builtins() == {"builtins.print": ("function", "None")}
    assert (builtins.print, builtins.ascii) == kept
    assert before.restore_builtins() == {}
