"""What is said about objects that have changed since they were described."""

from __future__ import annotations

from typing import Any

from copilot_magic.chat.turn import Turn
from copilot_magic.context.fingerprint import fingerprint
from copilot_magic.notebook.changes import changes_since
from copilot_magic.notebook.namespace import Namespace


def described(**values: object) -> Turn:
    """Return a turn that described these values, by the expressions that named them."""
    objects = tuple({"name": n, "fingerprint": fingerprint(v)} for n, v in values.items())
    return Turn("?", objects=objects)


def test_an_object_that_has_changed_is_named_with_the_change() -> None:
    turn = described(items=[1, 2])
    assert changes_since(turn, Namespace({"items": [1, 2]})) == []
    (line,) = changes_since(turn, Namespace({"items": [1, 2, 3]}))
    assert line.startswith("`items` changed since: ")
    assert "2 → 3" in line


def test_what_is_not_there_any_more_is_not_mentioned() -> None:
    """Most likely the kernel was restarted."""
    assert changes_since(described(items=[1, 2]), Namespace({})) == []


def test_nothing_is_called_to_find_out() -> None:
    called: list[int] = []
    turn = Turn("?", objects=({"name": "load()", "fingerprint": fingerprint([1])},))
    assert changes_since(turn, Namespace({"load": lambda: called.append(1)})) == []
    assert called == []


def test_a_part_that_cannot_be_reached_any_more_is_left_out() -> None:
    turn = Turn("?", objects=({"name": "d['a']", "fingerprint": fingerprint([1])},))
    assert changes_since(turn, Namespace({"d": {}})) == []


def test_objects_of_other_versions_are_left_alone() -> None:
    objects: tuple[Any, ...] = ({}, {"name": "x"}, {"name": "x", "fingerprint": "?"}, {"name": 3})
    assert changes_since(Turn("?", objects=objects), Namespace({"x": 1})) == []
