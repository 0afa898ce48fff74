"""The house: which wing may import which, how large its rooms are, and what loading it costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import copilot_magic

PACKAGE = Path(copilot_magic.__file__).parent
FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))

# What the files of each wing, and each file at the top, may import of ours besides their own wing.
BASE = {"text", "errors", "settings"}
MAY_IMPORT = {
    "text": set(),
    "errors": {"text"},
    "settings": {"text", "errors"},
    "chat": {*BASE, "markdown"},
    "markdown": BASE,
    "wire": {*BASE, "chat"},
    "context": {*BASE, "chat", "markdown"},
    "client": {*BASE, "chat", "wire"},
    "store": {*BASE, "chat"},
    "local": BASE,
    "sandbox": BASE,
    "session": {*BASE, "chat", "wire", "client", "store"},
    "batch": {*BASE, "chat", "wire", "context", "client", "store"},
    "transcript": {*BASE, "chat", "markdown"},
    "doctor": {*BASE, "chat", "wire", "client"},
    "views": {*BASE, "chat", "wire", "markdown"},
    "notebook": {
        *BASE,
        *("chat", "wire", "markdown", "context", "client", "local", "sandbox", "session", "batch"),
        "views",
        *("transcript", "doctor"),
    },
}
PURE = {"text", "errors", "chat", "wire", "markdown", "context", "transcript"}
KNOWS_IPYTHON = {"notebook", "views/open.py", "__init__.py"}
OUTSIDE = {"requests", "urllib3", "socket", "sqlite3", "pathlib", "subprocess", "shutil"}
SLOW = {
    *("requests", "urllib3", "ipywidgets", "anywidget", "markdown_it", "pygments"),
    *("platformdirs", "sqlite3", "tqdm"),
}


def wing_of(file: str) -> str:
    return file.split("/")[0].removesuffix(".py")


def imports_of(file: str) -> tuple[set[str], set[str]]:
    """Return the files of ours, and the packages of others, that a file imports anywhere.

    Imports for types count like all others.
    """
    ours, others = set(), set()
    for node in ast.walk(ast.parse((PACKAGE / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = (PACKAGE / file).parents[node.level - 1]
            base = folder.joinpath(*(node.module or "").split("."))
            for alias in node.names:
                for found in (base / f"{alias.name}.py", base.with_suffix(".py")):
                    if found.is_file():
                        ours.add(found.relative_to(PACKAGE).as_posix())
                        break
                else:
                    assert (base / "__init__.py").is_file(), f"{file} imports {node.module}"
                    ours.add((base / "__init__.py").relative_to(PACKAGE).as_posix())
        elif isinstance(node, ast.ImportFrom) and node.module:
            others.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            others |= {alias.name.split(".")[0] for alias in node.names}
    return ours, others


def test_every_wing_has_its_rule() -> None:
    assert {wing_of(file) for file in FILES} - {"__init__"} == set(MAY_IMPORT)


@pytest.mark.parametrize("file", FILES)
def test_a_file_imports_only_what_its_wing_may(file: str) -> None:
    wing = wing_of(file)
    if wing == "__init__":
        return
    for other in imports_of(file)[0]:
        assert wing_of(other) in MAY_IMPORT[wing] | {wing}, f"{file} imports {other}"


def test_no_files_import_each_other_in_a_circle() -> None:
    edges = {file: imports_of(file)[0] - {file} for file in FILES if file != "__init__.py"}
    done: set[str] = set()

    def visit(file: str, path: tuple[str, ...]) -> None:
        assert file not in path, " -> ".join((*path, file))
        if file not in done:
            for other in edges[file]:
                visit(other, (*path, file))
            done.add(file)

    for file in edges:
        visit(file, ())


@pytest.mark.parametrize("file", [file for file in FILES if wing_of(file) in PURE])
def test_a_pure_file_knows_no_http_no_notebook_and_no_disk(file: str) -> None:
    assert not imports_of(file)[1] & (OUTSIDE | {"IPython", "ipywidgets", "platformdirs"})


@pytest.mark.parametrize("file", FILES)
def test_only_the_notebook_and_one_view_know_ipython(file: str) -> None:
    knows = bool(imports_of(file)[1] & {"IPython", "anywidget", "ipywidgets", "traitlets"})
    assert not knows or {file, wing_of(file)} & KNOWS_IPYTHON


@pytest.mark.parametrize("file", FILES)
def test_a_file_holds_one_thing(file: str) -> None:
    """The limits are not a goal: a file that holds one thing is far from them."""
    source = (PACKAGE / file).read_text(encoding="utf-8")
    tree = ast.parse(source)
    assert source.count("\n") <= 450
    for node in ast.walk(tree):
        lines = getattr(node, "end_lineno", 0) - getattr(node, "lineno", 0)
        if isinstance(node, ast.ClassDef):
            assert lines <= 260, node.name
        elif isinstance(node, ast.FunctionDef):
            assert lines <= 70, node.name


@pytest.mark.parametrize("file", FILES)
def test_a_file_exports_what_other_files_import(file: str) -> None:
    for node in ast.walk(ast.parse((PACKAGE / file).read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.level or not node.module:
            continue
        path = (PACKAGE / file).parents[node.level - 1].joinpath(*node.module.split("."))
        source = path.with_suffix(".py")
        if source.is_file() and file != "__init__.py":
            exported = re.search(r"^__all__ = (\[.*?\])", source.read_text("utf-8"), re.M | re.S)
            assert exported is not None
            names = {alias.name for alias in node.names if not alias.name.startswith("_")}
            assert names <= set(ast.literal_eval(exported[1])), source.name


@pytest.mark.parametrize("file", FILES)
def test_requests_is_imported_by_its_own_name(file: str) -> None:
    """Two threads that import it from two ends, at the same time, get halves of it."""
    text = (PACKAGE / file).read_text("utf-8")
    assert not re.search(r"^ +(from|import) requests\.", text.partition("\n__all__")[2], re.M)


def test_the_package_has_few_names_at_its_top() -> None:
    at_top = [path for path in PACKAGE.iterdir() if path.name not in ("__pycache__", "py.typed")]
    assert len(at_top) <= 20


def test_the_repository_has_few_names_at_its_top() -> None:
    """What is not for everybody to see begins with a dot."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        pytest.skip("these tests are not in a repository")
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    visible = {name.split("/")[0] for name in tracked if not name.startswith(".")}
    folders = {"copilot_magic", "notebooks", "tests"}
    assert visible <= {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", *folders}


def test_a_script_does_without_ipython() -> None:
    code = (
        "import sys\n"
        "from copilot_magic import Batch, ChatClient, ask, imap_prompts, map_prompts, rehearse\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not set(ast.literal_eval(result.stdout)) & {*SLOW, "IPython", "asyncio"}


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
