"""Errors: one readable line each, and facts as attributes."""

from __future__ import annotations

import ast
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

import copilot_magic.errors as errors
from copilot_magic.errors import CopilotError, StatusError


def test_every_error_of_the_tree_is_public_and_ours() -> None:
    def below(kind: type[CopilotError]) -> set[type[CopilotError]]:
        return {kind}.union(*(below(child) for child in kind.__subclasses__()))

    ours = {kind for kind in below(CopilotError) if kind.__module__ == errors.__name__}
    assert {kind.__name__ for kind in ours} == set(errors.__all__) - {"COMMAND"}


def test_the_tree_drawn_at_the_top_is_the_tree() -> None:
    assert errors.__doc__ is not None
    for name in set(errors.__all__) - {"COMMAND", "CopilotError"}:
        parent = getattr(errors, name).__base__.__name__
        assert errors.__doc__.index(f" {parent} ") if parent != "CopilotError" else True
        assert f"── {name} " in errors.__doc__


# What a message may begin with in lower case: names as they are written in code.
NAMES = {"base_url", "get_api_key", "first", "retries", "seconds", "pandas", "plotly"}


def texts_of_errors() -> Iterator[tuple[str, list[str]]]:
    """Yield where each error of ours is made, and the words of its message and its hint."""
    package = Path(errors.__file__).parent
    for path in sorted(package.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in errors.__all__:
                where = f"{path.relative_to(package)}:{call.lineno}"
                yield where, [ast.unparse(words).lstrip("f") for words in call.args[:2]]


def test_messages_and_hints_begin_with_a_capital_letter_and_end_without_a_full_stop() -> None:
    found = list(texts_of_errors())
    assert len(found) > 100
    for where, texts in found:
        for text in texts:
            if text[0] not in "'\"":
                continue  # it is made elsewhere
            words = text.strip("'\"")
            is_name = words.split()[0] in NAMES or "(" in words.split()[0]
            assert is_name or not words[0].islower(), (where, words)
            assert not words.endswith("."), (where, words)


def test_an_error_is_one_line_that_ends_in_what_to_do() -> None:
    error = CopilotError("it\nbroke", "Fix it")
    assert str(error) == "it broke. Fix it"
    assert error._render_traceback_() == ["CopilotError: it broke. Fix it"]


def test_an_error_with_several_ways_out_has_a_line_for_each() -> None:
    error = CopilotError("it broke", "Fix it:\n    fix  it\n    and\rtry\nAsk again")
    assert error._render_traceback_() == [
        "CopilotError: it broke",
        "Fix it:",
        "    fix it",
        "    and try",
        "Ask again",
    ]
    assert str(error) == "it broke. Fix it: fix it, then and try; or ask again"


def test_no_line_is_so_long_that_it_is_broken_in_a_word() -> None:
    command = "    command " + "word " * 40
    error = CopilotError("it broke " * 20, f"Read this long hint {'again ' * 30}:\n{command}")
    lines = error._render_traceback_()
    assert [line for line in lines if len(line) > 79] == [command.rstrip()]
    assert " ".join(lines[:3]).startswith("CopilotError: it broke it broke")
    long_word = CopilotError("no server is at http://" + "x" * 100, "Ask again")
    assert long_word._render_traceback_()[-1] == "Ask again"


def test_a_status_error_knows_its_status() -> None:
    error = StatusError("busy", status=429, retry_after=2.5)
    assert (error.status, error.retry_after, str(error)) == (429, 2.5, "busy")


def test_an_error_knows_only_the_facts_that_its_class_declares() -> None:
    with pytest.raises(TypeError, match="colour"):
        StatusError("busy", colour="red")


def test_an_error_travels_between_processes_with_its_facts() -> None:
    error = StatusError("busy", "Wait", status=429)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.status) == (StatusError, "busy. Wait", 429)
