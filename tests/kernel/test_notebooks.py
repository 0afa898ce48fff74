"""The notebooks run from a clean state, with the real model, and are kept with what they showed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from copilot_magic.sandbox.support import why_not
from notebooks import PATHS, execute

by_name = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def shown(cell: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return what an answer shows in its cell."""
    return [output.data for output in cell.outputs if output.get("data", {}).get("text/html")]


def printed(cell: nbformat.NotebookNode) -> str:
    """Return what a cell prints."""
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def texts(notebook: nbformat.NotebookNode) -> str:
    """Return all that is printed or shown as plain text, and the errors."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    errors = ["\n".join(output.get("traceback", ())) for output in outputs]
    others = [out.get("text") or out.get("data", {}).get("text/plain", "") for out in outputs]
    return "\n".join([*errors, *others])


def prompts_are_answered(notebook: nbformat.NotebookNode) -> None:
    prompts = [cell for cell in notebook.cells if cell.source.startswith("%%copilot")]
    assert len(prompts) >= 2
    for cell in prompts:
        (bundle,) = shown(cell)
        assert set(bundle) == {"text/html", "text/markdown", "text/plain"}
        assert bundle["text/plain"].strip()


def conversations_are_found_again_forgotten_and_imported(notebook: nbformat.NotebookNode) -> None:
    text = {cell.id: printed(cell) for cell in notebook.cells if cell.cell_type == "code"}
    for found in (text["list"], text["other"]):
        assert {"rome", "story", "pizza"} <= {line[2:7].strip() for line in found.splitlines()}
    assert "Forgotten: rome\nConversation rome, 1 turn\n" in text["forget"]
    assert "\n* rome " in text["forget"]
    assert text["private"].endswith("kept in       nowhere: the setting store is None\n")


def data_goes_along_masked_and_values_come_back(notebook: nbformat.NotebookNode) -> None:
    cells = {cell.id: cell for cell in notebook.cells}
    assert "temperature  float64  1 missing" in printed(cells["dry"])
    secret = printed(cells["secret"])
    assert "masked: database.password" in secret
    assert "correct-horse" not in secret
    assert "and 1 picture" in printed(cells["image"])
    assert cells["rows"].outputs[-1].data["text/plain"].lstrip("-").isdecimal()
    assert cells["label"].outputs[-1].data["text/plain"] in ("'positive'", "'negative'")
    assert "Person(name=" in cells["people"].outputs[-1].data["text/plain"]


def rows_are_asked_once_and_what_is_known_is_kept(notebook: nbformat.NotebookNode) -> None:
    text = texts(notebook)
    assert "1,000 prompts, 40 distinct" in text
    assert "8 of 8 answered" in text
    assert "of 1,000 answered; run it again for the others" in text
    assert "100% 1000/1000 [" in text and "100% 8/8 [" in text
    assert "1,000 of 1,000 answered" in text


def rehearsals_change_and_write_nothing(notebook: nbformat.NotebookNode) -> None:
    text = texts(notebook)
    assert "defines `monthly` (Series, 4 values), leaves `df` as it is, shows 1 picture" in text
    assert "columns here: ['day', 'region', 'sales']" in text
    for wish in ("write report.csv", "connect to example.org:443", "start a process: rm -r data"):
        assert f"('{wish}',)" in text
    assert "(False, (120, 3), [120, 80, 95, 130])" in text


def reports_are_replayed_without_a_server(notebook: nbformat.NotebookNode) -> None:
    text = texts(notebook)
    answers = re.findall("^.*Italy: .*$", text, re.MULTILINE)
    assert len(answers) == 2 and len(set(answers)) == 1
    assert re.findall(r"exit status (\d)", text) == ["0", "0", "0", "1"]
    assert "No server is listening" in text


# What holds with any answers of any model.
CLAIMS: dict[str, Callable[[nbformat.NotebookNode], None]] = {
    "01_first_steps": prompts_are_answered,
    "02_conversations": conversations_are_found_again_forgotten_and_imported,
    "03_your_data": data_goes_along_masked_and_values_come_back,
    "06_a_thousand_rows": rows_are_asked_once_and_what_is_known_is_kept,
    "07_code_that_ran": rehearsals_change_and_write_nothing,
    "08_unattended": reports_are_replayed_without_a_server,
}


@pytest.mark.model
@by_name
def test_a_notebook_runs_from_top_to_bottom(path: Path, tmp_path: Path) -> None:
    if path.stem == "07_code_that_ran" and (reason := why_not()):
        pytest.skip(reason)
    notebook = execute(path, tmp_path)
    nbformat.validate(notebook)
    if path.stem in CLAIMS:
        CLAIMS[path.stem](notebook)
    if path.stem == "02_conversations":
        assert not list(tmp_path.iterdir())  # it takes away what it wrote


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
    if path.stem in CLAIMS:
        CLAIMS[path.stem](notebook)


@by_name
def test_a_notebook_shows_nothing_of_the_machine_that_ran_it(path: Path) -> None:
    text = path.read_text("utf-8")
    for words in ("/tmp/", "/home/", "/root/", "/Users/", "site-packages"):
        assert words not in text
