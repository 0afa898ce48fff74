"""The notebooks run from a clean state, with the real model, and are kept with what they showed."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from notebooks import NOTEBOOKS, PATHS, execute

by_name = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def shown(cell: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return what an answer shows in its cell."""
    return [output.data for output in cell.outputs if output.get("data", {}).get("text/html")]


@pytest.mark.model
@by_name
def test_a_notebook_runs_from_top_to_bottom(path: Path, tmp_path: Path) -> None:
    nbformat.validate(execute(path, tmp_path))


@pytest.mark.model
def test_the_first_steps_are_answered_in_one_conversation(tmp_path: Path) -> None:
    notebook = execute(NOTEBOOKS / "01_first_steps.ipynb", tmp_path)
    prompts = [cell for cell in notebook.cells if cell.source.startswith("%%copilot")]
    assert len(prompts) >= 2
    for cell in prompts:
        (bundle,) = shown(cell)
        assert set(bundle) == {"text/html", "text/markdown", "text/plain"}
        assert len(bundle["text/plain"]) > 10


@by_name
def test_a_notebook_is_kept_with_its_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        failed = any(output.output_type == "error" for output in cell.outputs)
        assert failed == ("raises-exception" in cell.metadata.get("tags", []))
        if cell.source.startswith("%%copilot"):
            assert cell.outputs


@by_name
def test_a_notebook_shows_nothing_of_the_machine_that_ran_it(path: Path) -> None:
    text = path.read_text("utf-8")
    for words in ("/tmp/", "/home/", "/root/", "/Users/", "site-packages"):
        assert words not in text
