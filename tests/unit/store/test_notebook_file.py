"""Whether a notebook's file is still the one that a conversation was used in."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from copilot_magic.store.notebook_file import file_number, is_another_file

USED = 1_700_000_000.0


def notebook(path: Path, *cells: str, written: float, minor: int = 5) -> str:
    """Write a notebook with these cells, as if at that time."""
    content = {"cells": [{"id": cell} for cell in cells], "nbformat": 4, "nbformat_minor": minor}
    path.write_text(json.dumps(content))
    os.utime(path, (written, written))
    return str(path)


def is_new(path: str, *cells: str, number: str = "") -> bool:
    return is_another_file(path, USED, number, lambda: cells)


def test_a_file_that_was_not_written_since_is_the_same(tmp_path: Path) -> None:
    path = notebook(tmp_path / "a.ipynb", written=USED - 60)
    assert not is_new(path, "4c0ffee1", number="1:2")


def test_a_file_written_since_is_the_same_if_it_has_a_cell_that_asked(tmp_path: Path) -> None:
    """Saving and checking out may replace a file, so the inode may be another one."""
    path = notebook(tmp_path / "a.ipynb", "11111111", "4c0ffee1", written=USED + 60)
    assert not is_new(path, "4c0ffee1", number="1:2")
    assert not is_new(path, "gone", "4c0ffee1#2", number="1:2")


def test_a_file_written_since_without_a_cell_that_asked_is_another(tmp_path: Path) -> None:
    """A new file often gets the inode of one that was just deleted."""
    path = notebook(tmp_path / "a.ipynb", "11111111", written=USED + 60)
    assert is_new(path, "4c0ffee1", number=file_number(path))


@pytest.mark.parametrize("cells", [(), ("vscode-notebook-cell:/a.ipynb#W0",)])
@pytest.mark.skipif(hasattr(os.stat_result, "st_birthtime"), reason="the file's birth tells")
def test_without_ids_of_cells_the_inode_tells(tmp_path: Path, cells: tuple[str, ...]) -> None:
    path = notebook(tmp_path / "a.ipynb", "11111111", written=USED + 60)
    assert not is_new(path, *cells, number=file_number(path))
    assert not is_new(path, *cells, number="")
    assert is_new(path, *cells, number="1:2")


def test_an_older_notebook_keeps_no_ids_so_they_tell_nothing(tmp_path: Path) -> None:
    path = notebook(tmp_path / "a.ipynb", written=USED + 60, minor=4)
    assert not is_new(path, "4c0ffee1", number=file_number(path))


def test_of_a_file_that_is_not_there_nothing_is_known(tmp_path: Path) -> None:
    assert not is_new(str(tmp_path / "a.ipynb"), "4c0ffee1", number="1:2")
    assert not is_new("a\0b", "4c0ffee1")
    assert file_number(str(tmp_path / "a.ipynb")) == ""
