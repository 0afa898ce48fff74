"""The notebooks run from a clean state, with the real model."""

from __future__ import annotations

from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.mark.model
def test_the_first_steps_are_answered_in_one_conversation(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOKS / "01_first_steps.ipynb", as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    nbformat.validate(notebook)
    prompts = [cell for cell in notebook.cells if cell.source.startswith("%%copilot")]
    assert len(prompts) == 2
    for cell in prompts:
        shown = [output.data for output in cell.outputs if output.data.get("text/html")]
        assert len(shown) == 1
        assert set(shown[0]) == {"text/html", "text/markdown", "text/plain"}
        assert 10 < len(shown[0]["text/plain"]) < 600, "the demo model rambles"
    (status,) = [cell for cell in notebook.cells if cell.source == "%copilot status"]
    assert "turns         2" in status.outputs[0].text


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_a_notebook_is_valid_and_kept_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells)
