"""Values of Python read like Python, and a long one says what is missing."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any

import pytest

from copilot_magic.context.describe.describe import describe


class Colour(enum.Enum):
    RED = 1
    GREEN = "g"


@dataclasses.dataclass
class Point:
    x: int
    y: list[int]
    secret: str = dataclasses.field(default="s", repr=False)


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "NoneType", "None"),
        (12, "int", "12"),
        (1.5, "float", "1.5"),
        (b"\x00a", "bytes, 2 bytes", r"b'\x00a'"),
        ([1, 2], "list, 2 items", "[1, 2]"),
        ((1,), "tuple, 1 item", "(1,)"),
        ({"a": [1]}, "dict, 1 entry", "{'a': [1]}"),
        (Point(1, [2]), "dataclass Point", "Point(x=1, y=[2])"),
        (Colour.GREEN, "member of the enum Colour", "Colour.GREEN = 'g'\nmembers: RED, GREEN"),
        (range(10**9), "range", "range(0, 1000000000)"),
        ("a\nb", "str, 3 characters", "a\nb"),
    ],
)
def test_a_value_reads_like_python(value: object, kind: str, text: str) -> None:
    found = describe(value)
    assert (found.kind, found.text, found.left_out) == (kind, text, "")


def test_a_long_text_loses_its_middle() -> None:
    found = describe("a" * 20_000 + "b" * 12_000)
    assert found.kind == "str, 32,000 characters"
    assert found.left_out == "12,000 of 32,000 characters left out"
    assert found.text.count("a") - found.left_out.count("a") == 13_334
    assert found.text.endswith("b" * 6_666)
    assert f"\n… {found.left_out} …\n" in found.text


def test_a_long_list_shows_its_ends() -> None:
    found = describe(list(range(10**6)), 400)
    assert found.kind == "list, 1,000,000 items"
    assert found.left_out == "999,940 of 1,000,000 items left out"
    assert found.text.startswith("[\n    0, 1, 2,")
    assert "… 999,940 items left out …" in found.text
    assert found.text.endswith("999998, 999999,\n]")


def test_a_text_of_a_hostile_class_is_read_as_text() -> None:
    class Text(str):
        def __len__(self) -> int:
            raise ValueError

        def __getitem__(self, index: Any) -> str:
            raise ValueError

        __str__ = __repr__ = __len__  # type: ignore[assignment]

    found = describe(Text("word"))
    assert (found.kind, found.text) == ("Text, 4 characters", "word")


def test_numpys_numbers_are_numbers() -> None:
    np = pytest.importorskip("numpy")
    assert describe(np.float32(1.5)).text == "1.5"
    assert describe([np.int64(3), np.bool_(True), np.float64(2)]).text == "[3, True, 2.0]"
