"""Tables and arrays in a few words."""

from __future__ import annotations

import pytest

from copilot_magic.context.describe.foreign import Patience
from copilot_magic.context.describe.outline import is_table_like, outline, shape_text


def test_a_shape_reads_as_people_say_it() -> None:
    assert [shape_text(s) for s in ((), (1,), (1_000,), (3, 4))] == [
        "a single value",
        "1 value",
        "1,000 values",
        "3 × 4",
    ]


def test_a_table_is_named_with_its_library() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1]})
    assert outline(frame, Patience()) == "pandas DataFrame, 1 row × 1 column"
    assert outline(frame["a"], Patience()) == "pandas Series of int64, 1 value"


def test_what_fails_to_tell_its_shape_is_named_all_the_same() -> None:
    class Broken:
        dtype = "float64"

        @property
        def shape(self) -> None:
            raise SystemExit

    assert is_table_like(Broken())
    assert outline(Broken(), Patience()) == "Broken (its shape failed: SystemExit)"


def test_other_objects_are_no_tables() -> None:
    np = pytest.importorskip("numpy")
    assert not any(map(is_table_like, (1, "a", [], object(), np.float64(1))))
