"""The house: which file may import which, and what loading the extension costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import copilot_magic

PACKAGE = Path(copilot_magic.__file__).parent
FLOORS = {
    "pure": {"protocol", "sse", "markdown", "conversation", "transcript", "settings", "errors"},
    "edges": {"client", "store", "launcher", "local_server"},
    "application": {"session", "doctor"},
    "notebook": {"magics", "display", "arguments", "completion", "progress"},
}
ORDER = list(FLOORS)
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")
SLOW = {"requests", "urllib3", "ipywidgets", "markdown_it", "pygments", "platformdirs", "sqlite3"}


def floor_of(module: str) -> str:
    return next(floor for floor, modules in FLOORS.items() if module in modules)


def imports_of(module: str) -> tuple[set[str], set[str]]:
    """Return the modules of ours, and the packages of others, that a file names anywhere."""
    ours, others = set(), set()
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            ours |= {node.module} if node.module else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            others.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            others |= {alias.name.split(".")[0] for alias in node.names}
    return ours, others


def test_every_module_has_its_floor() -> None:
    assert set(MODULES) == set().union(*FLOORS.values())


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_floors_below_and_edges_not_each_other(module: str) -> None:
    floor = floor_of(module)
    for other in imports_of(module)[0]:
        below = ORDER.index(floor_of(other)) < ORDER.index(floor)
        same = floor_of(other) == floor != "edges"
        assert below or same, f"{module} ({floor}) imports {other} ({floor_of(other)})"


@pytest.mark.parametrize("module", sorted(FLOORS["pure"]))
def test_a_pure_module_knows_no_http_no_notebook_and_no_disk(module: str) -> None:
    others = imports_of(module)[1]
    assert not others & {"requests", "urllib3", "IPython", "ipywidgets", "socket", "sqlite3"}
    assert not others & {"pathlib", "subprocess", "shutil", "tempfile", "platformdirs"}


@pytest.mark.parametrize("module", sorted(FLOORS["edges"]))
def test_an_edge_knows_no_notebook(module: str) -> None:
    assert not imports_of(module)[1] & {"IPython", "ipywidgets"}


def test_loading_the_extension_imports_nothing_slow() -> None:
    code = (
        "import sys\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "before = set(sys.modules)\n"
        "shell.run_line_magic('load_ext', 'copilot_magic')\n"
        "print(sorted(set(sys.modules) - before))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(ast.literal_eval(result.stdout.strip().splitlines()[-1]))
    assert "copilot_magic.notebook.magics" in loaded
    assert not loaded & SLOW
