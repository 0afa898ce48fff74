"""The printer is bounded in characters, elements, depth and time."""

from __future__ import annotations

import collections
import enum
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pytest

from copilot_magic.context.describe.foreign import Patience
from copilot_magic.context.describe.printer import Printer


def printed(value: object, budget: int = 1_000) -> str:
    return Printer(Patience()).print(value, budget).text


def brief(value: object, limit: int = 40) -> str:
    return Printer(Patience()).brief(value, limit)


class Shade(str, enum.Enum):
    DARK = "d"


class Pair(NamedTuple):
    a: int
    b: str


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([], "[]"),
        ((), "()"),
        ({}, "{}"),
        (set(), "set()"),
        ({"b", "a"}, "{'a', 'b'}"),
        (frozenset({1}), "frozenset({1})"),
        (Pair(1, "x"), "Pair(a=1, b='x')"),
        ([Shade.DARK], "[Shade.DARK]"),
        (collections.Counter("abb"), "Counter({'b': 2, 'a': 1})"),
        (collections.OrderedDict(a=1), "OrderedDict({'a': 1})"),
        (collections.deque([1, 2]), "deque([1, 2])"),
        ({"a": 1}.keys(), "dict_keys(['a'])"),
        (10**3_000, "<int of about 3,000 digits>"),
        (-(10**3_000), "<negative int of about 3,000 digits>"),
        ([None, True, ...], "[None, True, Ellipsis]"),
    ],
)
def test_containers_read_like_python(value: object, text: str) -> None:
    assert printed(value) == text


def test_what_does_not_fit_a_line_is_laid_out() -> None:
    value = {"name": "x" * 40, "tags": ["a" * 30, "b" * 30, "c" * 30]}
    lines = printed(value).split("\n")
    assert lines[0] == "{"
    assert lines[2:4] == ["    'tags': [", f"        '{'a' * 30}',"]


def test_a_container_in_itself_ends() -> None:
    value: list[Any] = [1]
    value.append({"self": value})
    assert printed(value) == "[1, {'self': […]}]"


def test_deep_nesting_ends() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    assert printed(value).count("[") < 12
    while value:  # so that freeing it does not recurse
        value = value.pop()


def test_a_broad_tree_is_cut_evenly() -> None:
    tree = {f"key{i}": {"rows": list(range(1_000)), "text": "x" * 5_000} for i in range(5)}
    text = printed(tree)
    assert all(f"key{i}" in text for i in range(5))
    assert len(text) <= 1_000


def test_generators_are_not_consumed() -> None:
    numbers = (n for n in range(3))
    endless = itertools.count()
    text = " ".join(printed([numbers, endless]).split())
    assert text == (
        "[ <generator object test_generators_are_not_consumed.<locals>.<genexpr>>, count(0), ]"
    )
    assert list(numbers) == [0, 1, 2]
    assert next(endless) == 0


class CountedReprs:
    """An object that counts how often it is printed."""

    count = 0

    def __repr__(self) -> str:
        type(self).count += 1
        return "counted"


def test_a_huge_list_costs_no_more_than_a_large_one() -> None:
    costs = []
    for size in (10_000, 1_000_000):
        CountedReprs.count = 0
        printed([CountedReprs() for _ in range(size)] if size < 20_000 else [CountedReprs()] * size)
        costs.append(CountedReprs.count)
    assert costs[0] <= 1_000
    assert costs[1] == 1  # one object is asked once


class CountedSequence(Sequence[int]):
    """A sequence that counts what is taken out of it."""

    def __init__(self, size: int) -> None:
        self.size, self.touched = size, 0

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: Any) -> Any:
        self.touched += 1
        return index


class EndlessMapping(Mapping[int, int]):
    def __iter__(self) -> Iterator[int]:
        return itertools.count()

    def __len__(self) -> int:
        return 10**12

    def __getitem__(self, key: int) -> int:
        return key


def test_a_foreign_sequence_is_read_at_its_ends_only() -> None:
    touched = []
    for size in (10**5, 10**15):
        value = CountedSequence(size)
        text = printed(value)
        assert text.startswith("CountedSequence([")
        assert f"{size - 1}," in text
        touched.append(value.touched)
    assert max(touched) < 2_000


def test_an_endless_mapping_has_first_entries() -> None:
    assert printed(EndlessMapping(), 100).startswith("EndlessMapping({")


def test_the_methods_of_subclasses_are_not_called() -> None:
    class Hostile(dict):  # type: ignore[type-arg]
        def items(self) -> Any:
            raise SystemExit

        __iter__ = __len__ = __getitem__ = keys = values = __repr__ = items  # type: ignore[assignment]

    assert printed(Hostile(a=1)) == "Hostile({'a': 1})"


def test_in_brief_all_is_one_line() -> None:
    assert brief([1, "a\nb"]) == r"[1, 'a\nb']"
    assert brief({f"key {i}": list(range(100)) for i in range(100)}) == "{… 100 entries …}"
    assert len(brief("x" * 10**6, 60)) <= 60


def test_tables_inside_of_containers_are_outlined() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1, 2]})
    assert printed({"train": frame}) == "{'train': <pandas DataFrame, 2 rows × 1 column>}"
