"""The user's own code is told from libraries and from Python."""

from __future__ import annotations

import json

import pytest

from copilot_magic.context.describe.userfiles import file_label, is_cell, is_users, library_of


@pytest.mark.parametrize(
    "file",
    [
        "<ipython-input-3-0123abcd>",
        "/tmp/ipykernel_123/456.py",
        r"C:\Users\jane\AppData\Local\Temp\ipykernel_123\456.py",
        "<stdin>",
        "<python-input-0>",
    ],
)
def test_a_cell_is_the_users(file: str) -> None:
    assert is_cell(file)
    assert is_users(file)
    assert file_label(file).startswith("notebook cell")


def test_a_module_of_the_users_is_theirs() -> None:
    file = "/home/jane/project/sales.py"
    assert is_users(file, "sales")
    assert not is_cell(file)
    assert file_label(file) == "project/sales.py"


@pytest.mark.parametrize(
    ("file", "module", "library"),
    [
        (json.__file__, "json", "json"),
        ("/home/jane/project/.venv/lib/python3.12/site-packages/pandas/core/x.py", "", "pandas"),
        ("/usr/lib/python3/dist-packages/six.py", "", "six"),
        (r"C:\venv\Lib\site-packages\numpy\core.py", "numpy.core", "numpy"),
        ("<frozen importlib._bootstrap>", "importlib._bootstrap", "importlib"),
        ("<__array_function__ internals>", "numpy", "numpy"),
        ("pandas/_libs/index.pyx", "", "pandas"),
        ("/src/copilot_magic/x.py", "copilot_magic.x", "copilot_magic"),
        ("<string>", "__main__", ""),
    ],
)
def test_the_library_is_named(file: str, module: str, library: str) -> None:
    assert library_of(file, module) == library
