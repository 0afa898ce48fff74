"""Environments of their own for packages that cannot be installed beside this one's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["cached_environment", "make_environment"]


def make_environment(directory: Path, *requirements: str) -> Path:
    """Make an environment of this Python's version with some packages; return its Python.

    Raises:
        subprocess.CalledProcessError: They could not be installed; its `stderr` says why.
    """
    uv = [sys.executable, "-m", "uv"]
    python = directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    for command in (
        [*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(directory)],
        [*uv, "pip", "install", "--quiet", "--python", str(python), *requirements],
    ):
        subprocess.run(command, check=True, capture_output=True, text=True)
    return python


def cached_environment(requirement: str, variable: str) -> Path:
    """Return the Python of an environment with a package.

    Args:
        requirement: The package. Its environment is made once, in the user's cache.
        variable: The environment variable that may name a Python that has it already.
    """
    if given := os.environ.get(variable):
        return Path(given)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = cache / "copilot_magic_tests" / requirement
    complete = directory / "complete"
    if not complete.exists():
        make_environment(directory, requirement)
        complete.touch()
    return directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
