"""Containers give their first and last elements, through the methods of their base class."""

from __future__ import annotations

import array
import collections
import types
from typing import Any

import pytest

from copilot_magic.context.describe.elements import elements_of, length_of
from copilot_magic.context.describe.foreign import Patience, Unanswered


@pytest.mark.parametrize(
    "value",
    [
        list(range(100)),
        tuple(range(100)),
        collections.deque(range(100)),
        array.array("i", range(100)),
        collections.UserList(range(100)),
    ],
)
def test_a_sequence_gives_its_ends(value: Any) -> None:
    found = elements_of(value, 8, Patience())
    assert found is not None
    assert found.first == [(0,), (1,), (2,), (3,), (4,), (5,)]
    assert found.last == [(98,), (99,)]
    assert (found.count, found.missing) == (100, 92)


@pytest.mark.parametrize(
    "value",
    [
        dict.fromkeys(range(100), 1),
        collections.OrderedDict.fromkeys(range(100), 1),
        collections.UserDict(dict.fromkeys(range(100), 1)),
        types.MappingProxyType(dict.fromkeys(range(100), 1)),
        collections.ChainMap(dict.fromkeys(range(100), 1)),
    ],
)
def test_a_mapping_gives_its_first_entries(value: Any) -> None:
    found = elements_of(value, 2, Patience())
    assert found is not None
    assert [element[1:] for element in found.first] == [(": ", 1), (": ", 1)]
    assert (found.count, found.missing, found.noun) == (100, 98, "entry")


@pytest.mark.parametrize("value", [1, "text", b"bytes", range(3), object(), iter([]), None])
def test_anything_else_is_no_container(value: Any) -> None:
    assert elements_of(value, 5, Patience()) is None


def test_a_container_that_cannot_say_what_is_in_it_says_why() -> None:
    class Broken(collections.UserList):  # type: ignore[type-arg]
        def __len__(self) -> int:
            raise ValueError("no")

    with pytest.raises(Unanswered, match="its length failed: ValueError: no"):
        elements_of(Broken(), 5, Patience())
    with pytest.raises(Unanswered):
        length_of(Broken(), Patience())
