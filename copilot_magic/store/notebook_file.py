"""Whether the file at a notebook's path is still the notebook that a conversation was used in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

__all__ = ["file_number", "is_another_file"]

# The most bytes of a notebook that are searched for its cells.
_MOST_READ = 100_000_000

# https://nbformat.readthedocs.io/en/latest/format_description.html#cell-ids, since nbformat 4.5
_CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_HAS_IDS = re.compile(rb'"nbformat_minor":\s*([5-9]|\d\d)')


def file_number(path: str) -> str:
    """Return what tells the file at `path` from others: device and inode; empty if unknown."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return ""
    return f"{found.st_dev}:{found.st_ino}" if found.st_ino else ""


def is_another_file(
    path: str, last_used: float, number: str, cell_ids: Callable[[], Iterable[str]]
) -> bool:
    """Say whether the file at `path` was created after `last_used`, as another notebook.

    A file that was not written since is the same one. One that was written since is the same if
    it was created before, or contains a cell that asked: to save, and to check out, may replace a
    file, and a new file may get the inode of a deleted one. A file that is not there, or whose
    path is not absolute, is taken for the same: nothing is known about it.

    Args:
        path: The notebook's path.
        last_used: When a conversation was last used in it, in seconds since the epoch.
        number: What `file_number` returned then; empty if unknown.
        cell_ids: Returns the ids of the cells that asked; called only if nothing else tells.
    """
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return False
    if not Path(path).is_absolute() or found.st_mtime <= last_used:
        return False
    created = getattr(found, "st_birthtime", None)
    if created is not None and created <= last_used:
        return False
    has_cell = _contains_any(path, cell_ids())
    if has_cell is not None:
        return not has_cell
    return created is not None or (bool(number) and number != file_number(path))


def _contains_any(path: str, cell_ids: Iterable[str]) -> bool | None:
    """Say whether the notebook contains one of these cells; None if that cannot be told."""
    # A cell's second prompt has a number behind the cell's id. Some front ends have other ids.
    wanted = {cell_id.partition("#")[0] for cell_id in cell_ids}
    wanted = {cell_id for cell_id in wanted if _CELL_ID.fullmatch(cell_id)}
    if not wanted:
        return None
    try:
        with Path(path).open("rb") as file:
            text = file.read(_MOST_READ)
    except OSError:
        return None
    if any(f'"{cell_id}"'.encode() in text for cell_id in wanted):
        return True
    return False if _HAS_IDS.search(text) else None
