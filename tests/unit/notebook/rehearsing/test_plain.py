"""Code run in plain Python."""

from __future__ import annotations

from typing import Any

from copilot_magic.context.describe.failure import user_traceback
from copilot_magic.notebook.rehearsing.plain import run_code
from copilot_magic.notebook.rehearsing.telling import Telling


def run(code: str, **names: Any) -> tuple[BaseException | None, list[Any], dict[str, Any]]:
    told: list[Any] = []
    return run_code(code, names, Telling(told.append)), told, names


def test_the_value_of_a_last_expression_is_told() -> None:
    error, told, names = run("y = x + 1\ny * 2", x=1)
    assert error is None
    assert [(message["kind"], message["text"]) for message in told] == [("result", "4")]
    assert names["y"] == 2
    assert run("y = 1; None")[1] == []
    assert run("")[:2] == (None, [])


def test_whatever_ends_the_code_is_its_error() -> None:
    assert isinstance(run("raise SystemExit")[0], SystemExit)
    assert isinstance(run("x = = 1")[0], SyntaxError)
    error, told, names = run("y = 1\n1 / 0\ny = 2")
    assert isinstance(error, ZeroDivisionError)
    assert (told, names["y"]) == ([], 1)
    assert "-->    2 1 / 0" in user_traceback(error)
