"""The running cell's id, and the user's variables."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from copilot_magic.notebook.shell import Notebook
from copilot_magic.session.session import Session
from copilot_magic.settings import Settings


def notebook(cell_id: str | None, execution_count: int = 1) -> Notebook:
    parent = {"metadata": {"cellId": cell_id} if cell_id else {}}
    shell: Any = SimpleNamespace(
        get_parent=lambda: parent, execution_count=execution_count, user_ns={}
    )
    return Notebook(shell, Session(Settings(store=None)))


def test_each_prompt_of_a_cell_has_an_id_that_a_rerun_gives_again() -> None:
    cell = notebook("A")
    assert [cell.next_cell_id() for _ in range(3)] == ["A", "A#2", "A#3"]
    assert cell.shell is not None
    cell.shell.execution_count = 2
    assert cell.next_cell_id() == "A"


def test_a_front_end_that_names_no_cell_gives_no_id() -> None:
    assert notebook(None).next_cell_id() is None


def test_a_variable_is_replaced_only_while_it_holds_what_it_held() -> None:
    cell = notebook("A")
    old, new = object(), object()
    cell.assign("x", old)
    cell.replace("x", object(), new)
    assert cell.shell is not None and cell.shell.user_ns == {"x": old}
    cell.replace("x", old, new)
    assert cell.shell.user_ns == {"x": new}


def test_the_running_cell_has_an_id_and_the_number_of_its_run() -> None:
    assert notebook("A", 3).running_cell() == ("A", 3)
    assert notebook(None, 3).running_cell() == ("", 3)


def test_plain_python_has_neither_cells_nor_variables() -> None:
    plain = Notebook(None, Session(Settings(store=None)))
    assert plain.next_cell_id() is None
    assert plain.running_cell() == ("", 0)
    plain.replace("x", None, 1)
    plain.assign("x", 1)
    plain.after_cell(lambda: None)
