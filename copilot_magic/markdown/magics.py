"""The magics of IPython and common extensions, by what runs in their cells or on their lines."""

from __future__ import annotations

import re

__all__ = [
    "CELL_MAGIC",
    "COMMAND_MAGICS",
    "INSTALLERS",
    "OTHER_LANGUAGES",
    "PYTHON_MAGICS",
    "SAVING",
    "SHELLS",
]

CELL_MAGIC = re.compile(r"\s*%%(!|\w+)([^\n]*)\n?")
"""The first line of a cell with a magic: its name, and the rest of the line."""

PYTHON_MAGICS = frozenset(["time", "timeit", "prun", "capture", "debug"])
PYTHON_MAGICS |= {"memit", "mprun", "lprun", "pyinstrument", "scalene"}
"""Magics that run Python in the user's namespace, or, for ``timeit``, in a function."""

SHELLS = frozenset(["!", "bash", "sh", "sx", "system", "script", "cmd", "zsh"])
"""Magics whose cell is a script for a shell."""

OTHER_LANGUAGES = frozenset(["perl", "ruby", "pypy", "python2", "node"])
"""Magics whose cell goes to the interpreter of a language, in a process of its own."""

INSTALLERS = frozenset(["pip", "conda", "mamba", "micromamba", "uv"])
"""Magics that run the package manager of that name."""

COMMAND_MAGICS = frozenset(["rm", "rmdir", "cp", "mv"])
"""Magics that run the system's command of that name."""

SAVING = frozenset(["writefile", "file", "save", "notebook", "logstart"])
"""Magics that write a file."""
