"""Code from an answer, in the next cell of a real front end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from browser.notebooks import Notebook
from playwright.sync_api import expect
from scripted_server import ScriptedServer, answer

SOURCES = (
    "() => window.jupyterapp.shell.currentWidget.content.widgets"
    ".map(cell => cell.model.sharedModel.getSource())"
)


def sources(notebook: Notebook) -> list[str]:
    """Return the sources of all cells."""
    return list(notebook.page.evaluate(SOURCES))


def saying(text: str) -> Any:
    return lambda exchange: answer(exchange, text)


CODE = "total = sum([1, 2, 3])\nif total:\n    print(total)"


@pytest.mark.parametrize("command", ["--code", "fix"])
def test_the_code_is_in_one_new_cell_below_and_has_not_run(
    command: str, notebook: Notebook, server: ScriptedServer
) -> None:
    server.script(saying(f"Here it is.\n\n```python\n{CODE}\n```\n"))
    notebook.run("pass" if command == "--code" else "total = sum([1, 2, 3]\nprint(total)")
    before = sources(notebook)
    if command == "--code":
        index = notebook.ask("Add some numbers.", "--code")
    else:
        index = notebook.run("%copilot fix")
    notebook.page.wait_for_function(f"({SOURCES})().includes({json.dumps(CODE)})")
    after = sources(notebook)
    assert after[: len(before)] == before
    assert after[len(before) :].count(CODE) == 1
    assert after[index + 1] == CODE
    expect(notebook.cell(index + 1).locator(".jp-OutputArea-output")).to_have_count(0)
    saved = notebook.save()["cells"][index + 1]
    assert saved["execution_count"] is None


def test_a_diff_is_shown_in_colours_of_the_theme(
    notebook: Notebook, server: ScriptedServer
) -> None:
    notebook.run("print(totl)")
    server.script(saying("A typo.\n\n```python\nprint(total)\n```"))
    index = notebook.run("%copilot fix")
    output = notebook.output(index)
    removed, added = output.locator(".gd").first, output.locator(".gi").first
    expect(removed).to_contain_text("print(totl)")
    expect(added).to_contain_text("print(total)")
    colours = {each.evaluate("node => getComputedStyle(node).color") for each in (removed, added)}
    assert len(colours) == 2


def test_tab_in_braces_offers_columns(notebook: Notebook, server: ScriptedServer) -> None:
    notebook.run("prices = {'apples': 1, 'pears': 2}")
    offered = notebook.page.evaluate(
        """async code => {
            const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            const reply = await kernel.requestComplete({code, cursor_pos: code.length});
            return reply.content.matches;
        }""",
        '%%copilot\nHow many are {{prices["pe',
    )
    assert any("pears" in each for each in offered)
    assert not any("apples" in each for each in offered)
