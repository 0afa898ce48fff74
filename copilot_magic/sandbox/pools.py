"""Threads of native libraries: a copy has none of them, and some libraries wait for theirs forever.

OpenBLAS and Arrow start theirs anew. GNU's OpenMP (scikit-learn, PyTorch) does not, but can be told
to do without. Polars can do neither, once it has used its threads: its work in a copy never ends.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from contextlib import suppress

from .mappings import own_mappings

__all__ = ["openmp_limits", "use_one_thread"]


def openmp_limits() -> list[Callable[[int], None]]:
    """Return what sets the number of threads in each OpenMP library that is loaded.

    To be called before the fork: a copy should load nothing.
    """
    found: list[Callable[[int], None]] = []
    for path in {mapping.path for mapping in own_mappings() if "/libgomp" in mapping.path}:
        with suppress(OSError, AttributeError):
            found.append(ctypes.CDLL(path).omp_set_num_threads)
    return found


def use_one_thread(limits: list[Callable[[int], None]]) -> None:
    """Make OpenMP do without its threads, which are gone; to be called in a copy."""
    for limit in limits:
        limit(1)
    if limits:
        os.environ["OMP_NUM_THREADS"] = "1"  # scikit-learn asks for a number itself
