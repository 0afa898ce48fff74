"""A traceback for a model: the user's frames, the causes, and nobody else's code."""

from __future__ import annotations

import ast
import json
import linecache
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

import pytest

from copilot_magic.context.describe.describe import describe
from copilot_magic.context.describe.description import LINE
from copilot_magic.context.describe.failure import user_traceback


def run_cell(source: str, number: int = 1, names: dict[str, Any] | None = None) -> Any:
    """Run a cell as a kernel does, and return the names it has made."""
    file = f"/tmp/ipykernel_123/{number}.py"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    names = {"__name__": "__main__"} if names is None else names
    exec(compile(source, file, "exec"), names)
    return names


def failure(source: str, names: dict[str, Any] | None = None) -> BaseException:
    """Return how a cell fails, with the traceback from that cell on."""
    try:
        run_cell(source, names=names)
    except BaseException as error:  # noqa: BLE001  # it is what is asked for
        return in_cell(error)
    raise AssertionError


def in_cell(error: BaseException) -> BaseException:
    tb: TracebackType | None = error.__traceback__
    while tb and "ipykernel" not in tb.tb_frame.f_code.co_filename:
        tb = tb.tb_next
    return error.with_traceback(tb)


def test_a_failure_in_a_cell_reads_well() -> None:
    error = failure("def half(n):\n    return n / 0\n\nx = 1\nhalf(x)\n")
    assert user_traceback(error) == (
        "Traceback, the most recent call last:\n"
        "notebook cell, line 5, in <module>\n"
        "       2     return n / 0\n"
        "       4 x = 1\n"
        "-->    5 half(x)\n"
        "notebook cell, line 2, in half\n"
        "       1 def half(n):\n"
        "-->    2     return n / 0\n"
        "ZeroDivisionError: division by zero"
    )


def test_frames_of_libraries_are_counted_and_the_last_one_is_named() -> None:
    text = user_traceback(failure("import json\njson.loads('{')\n"))
    assert "… 3 frames of json left out, the last in " in text
    assert "notebook cell, line 2" in text
    assert text.count("-->") == 1
    assert text.splitlines()[-1].startswith("json.decoder.JSONDecodeError: ")


def test_a_key_that_pandas_lacks_is_told_once() -> None:
    """Pandas raises its own error again: two tracebacks for one missing key."""
    pd = pytest.importorskip("pandas")
    names = {"__name__": "__main__", "df": pd.DataFrame({"total": [1]})}
    text = user_traceback(failure("result = df['totl'].sum()\n", names))
    assert text.count("KeyError: 'totl'") == 1
    assert "direct cause" not in text
    assert "of pandas left out, the last in get_loc (" in text
    assert len(text.splitlines()) <= 6


def test_causes_come_first() -> None:
    cause = (
        "try:\n    int('a')\nexcept ValueError as error:\n    raise RuntimeError('no') from error\n"
    )
    text = user_traceback(failure(cause))
    assert text.index("ValueError: invalid") < text.index("direct cause") < text.index("Error: no")
    text = user_traceback(failure(cause.replace(" from error", "")))
    assert "While the exception above was handled, this one occurred:" in text
    text = user_traceback(failure(cause.replace("from error", "from None")))
    assert "ValueError" not in text.splitlines()[-1]
    assert "occurred" not in text


def test_a_circle_of_causes_ends() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert user_traceback(first).count("ValueError: first") == 1


def test_a_syntax_error_points_to_the_place() -> None:
    text = user_traceback(failure("x = 1\ny = (2,,)\n"))
    lines = text.splitlines()
    assert lines[-4] == "notebook cell, line 2"
    assert lines[-3] == "    y = (2,,)"
    assert lines[-2].startswith("          ")
    assert lines[-2].strip().startswith("^")
    assert lines[-1] == "SyntaxError: invalid syntax"


def test_a_syntax_error_at_the_end_of_a_line_is_told_without_the_readers_frames() -> None:
    with pytest.raises(SyntaxError) as caught:
        ast.parse("a = \n", "<ipython-input-4-0123>")
    error = caught.value
    assert error.__traceback__ is not None
    text = user_traceback(error.with_traceback(error.__traceback__.tb_next))
    assert text == "notebook cell 4, line 1\n    a =\n       ^\nSyntaxError: invalid syntax"


@pytest.mark.parametrize("args", [(), ("only",), ("m", None), ("m", ("f", "1", [], {}))])
def test_an_odd_syntax_error_is_described(args: tuple[Any, ...]) -> None:
    try:
        error = SyntaxError(*args)
    except (TypeError, ValueError):
        error = SyntaxError("m")
        error.offset, error.text, error.lineno = "x", 5, []  # type: ignore[assignment]
    assert user_traceback(error).startswith("SyntaxError")


def test_endless_recursion_is_one_frame() -> None:
    text = user_traceback(failure("def again(n):\n    return again(n)\nagain(1)\n"))
    assert "… the frame above " in text
    assert text.count("-->") == 2


def test_many_frames_lose_their_middle() -> None:
    defs = "".join(f"def f{i}():\n    f{i + 1}()\n" for i in range(50))
    text = user_traceback(failure(f"{defs}def f50():\n    1 / 0\nf0()\n"))
    assert "… 36 frames of your code left out …" in text
    assert "in f50" in text


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups are new in Python 3.11")
def test_each_exception_of_a_group_is_told() -> None:
    error = failure("raise ExceptionGroup('some', [ValueError(1), TypeError('b')])\n")
    error.add_note("a note")  # type: ignore[attr-defined]
    text = user_traceback(error)
    assert "ExceptionGroup: some (2 sub-exceptions)\na note\n" in text
    assert "1. of 2 exceptions:\n    ValueError: 1" in text
    assert "2. of 2 exceptions:\n    TypeError: b" in text


class Hostile(Exception):
    def __str__(self) -> str:
        raise SystemExit

    __repr__ = __getattribute__ = __str__  # type: ignore[assignment]


class Hangs(Exception):
    def __str__(self) -> str:
        while True:
            pass


@pytest.mark.parametrize(
    "make",
    [
        lambda: Hostile(),
        lambda: ValueError("x" * 10**6),
        lambda: ValueError("\x1b[31mred\x1b[0m"),
        lambda: Exception(Hostile()),
        lambda: KeyError(),
        lambda: KeyboardInterrupt(),
    ],
)
def test_a_hostile_exception_is_described(make: Callable[[], BaseException]) -> None:
    text = user_traceback(make(), 1_000)
    assert type(text) is str
    assert len(text) <= 1_000 + LINE
    assert "\x1b" not in text
    assert describe(make(), 1_000).text == text


def test_a_description_is_the_traceback() -> None:
    error = failure("1 / 0\n")
    found = describe(error)
    assert (found.kind, found.text) == ("exception ZeroDivisionError", user_traceback(error))


def test_an_error_within_a_library_alone_still_says_where() -> None:
    try:
        json.loads("{")
    except ValueError as error:
        assert error.__traceback__ is not None
        text = user_traceback(error.with_traceback(error.__traceback__.tb_next))
    assert text.splitlines()[1].startswith("… 3 frames of json left out, ")
