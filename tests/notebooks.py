"""The tutorial notebooks, executed from a clean state: ``python tests/notebooks.py [NAME…]``.

Executes them with the small local model and saves their outputs. Without names it does all of them.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.utils import ensure_async
from nbclient import NotebookClient
from tqdm.auto import tqdm

__all__ = ["NOTEBOOKS", "PATHS", "FrontEnd", "clean_home", "execute"]

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))


class FrontEnd(NotebookClient):
    """A client that, as a browser does, lets an answer arrive when its cell has ended."""

    async def async_start_new_kernel_client(self) -> Any:
        """Start the client, and listen to all that changes an output."""
        client = await super().async_start_new_kernel_client()
        channel = client.iopub_channel
        receive = channel.get_msg

        async def receive_and_update(*args: Any, **options: Any) -> Any:
            message = await ensure_async(receive(*args, **options))
            if message["msg_type"] == "update_display_data":
                self._update_display_id(message["content"]["transient"]["display_id"], message)
            return message

        channel.get_msg = receive_and_update
        return client


@contextmanager
def clean_home() -> Iterator[Path]:
    """Give this process, and the kernels that it starts, an empty home."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        ours = [name for name in before if name.startswith(("COPILOT_", "XDG_", "IPYTHON"))]
        for name in (*ours, "JPY_SESSION_NAME"):
            os.environ.pop(name, None)
        os.environ["HOME"] = str(home)
        try:
            yield home
        finally:
            os.environ.clear()
            os.environ.update(before)


def execute(path: Path, directory: Path) -> nbformat.NotebookNode:
    """Execute a notebook in a directory, and return it with its new outputs.

    Raises:
        CellExecutionError: A cell failed that is not tagged ``raises-exception``.
    """
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    FrontEnd(
        notebook,
        timeout=600,
        coalesce_streams=True,
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(directory)}},
    ).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            # Not all viewers show nothing for an output that has nothing in it.
            cell.outputs = [out for out in cell.outputs if any(out.get("data", {"": out}).values())]
    notebook.metadata.pop("widgets", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    return notebook


def main() -> None:
    """Execute the notebooks that are named, or all, and save them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="how a notebook's name begins, such as 03")
    names = tuple(parser.parse_args().names) or ("",)
    chosen = [path for path in PATHS if path.name.startswith(names)]
    if not chosen:
        sys.exit(f"no notebook begins with {' or '.join(names)}")
    with clean_home():
        for path in tqdm(chosen, unit="notebook"):
            with tempfile.TemporaryDirectory() as directory:
                nbformat.write(execute(path, Path(directory)), path)


if __name__ == "__main__":
    main()
