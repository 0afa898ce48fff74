"""Whose code a file holds: the user's, Python's own, or a library's."""

from __future__ import annotations

import re
import sysconfig
from functools import cache

__all__ = ["file_label", "is_cell", "is_users", "library_of"]

_CELL = re.compile(
    r"<ipython-input-(\d+)-|<stdin>|<cell|/ipykernel_\d+/\d+\.py$|<python-input-\d+>"
)
_PACKAGES = re.compile(r"/(?:site|dist)-packages/([^/]+)")


def is_cell(file: str) -> bool:
    """Say whether the file is a cell of a notebook, or what was typed at a prompt."""
    return bool(_CELL.search(_slashed(file)))


def is_users(file: str, module: str = "") -> bool:
    """Say whether the user wrote it: neither an installed package nor Python itself.

    Args:
        file: The name of the file, as code objects have it.
        module: The name of the module; it tells for code that is in no file.
    """
    if is_cell(file):
        return True
    return not library_of(file, module)


def library_of(file: str, module: str = "") -> str:
    """Return the name of the library that the file belongs to; "" if it is the user's."""
    top = module.partition(".")[0]
    path = _slashed(file)
    if found := _PACKAGES.search(path):
        return top or found[1].removesuffix(".py")
    if top == __name__.partition(".")[0]:
        return top
    if path.startswith("<frozen ") or path.startswith(_standard_library()):
        return top or "Python"
    if path.endswith((".pyx", ".pxi", ".pxd")):  # compiled; its frames know their source only
        return top or path.partition("/")[0]
    if path.startswith("<") and top not in ("", "__main__"):
        return top  # generated code, such as a dataclass's methods
    return ""


def file_label(file: str) -> str:
    """Return how to call a file: "notebook cell", or its name and folder."""
    if found := _CELL.search(_slashed(file)):
        return f"notebook cell {found[1]}" if found[1] else "notebook cell"
    return "/".join(_slashed(file).split("/")[-2:]) or "unknown file"


def _slashed(file: str) -> str:
    return file.replace("\\", "/")


@cache
def _standard_library() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple({f"{_slashed(paths[name])}/" for name in ("stdlib", "platstdlib")})
