"""A batch in JupyterLab: its bar and its table, also after the notebook was saved and opened."""

from __future__ import annotations

import threading

from browser.notebooks import Notebook
from playwright.sync_api import expect
from rows import complete, row_of
from scripted_server import Exchange, ScriptedServer


def test_the_bar_moves_and_the_table_is_saved_with_the_notebook(
    notebook: Notebook, server: ScriptedServer
) -> None:
    go_on = threading.Event()

    def handler(exchange: Exchange) -> None:
        row = row_of(exchange)
        if row == "review 20":
            assert exchange.wait(go_on)
        if row == "review 7":
            exchange.reply(400, {"error": {"message": "not <b id=bad>this</b>"}})
        else:
            complete(exchange, f"label of {row} <img src=x onerror=alert(1)>")

    server.script(handler)
    notebook.run("reviews = [f'review {n}' for n in range(30)]")
    cell = notebook.ask("Good or bad?", "--map reviews --into labels", wait=False)
    output = notebook.output(cell)
    expect(output).to_contain_text("/30")
    go_on.set()
    expect(output).to_contain_text("29 of 30 answered")
    expect(output).to_contain_text("1 failed")
    expect(output.locator("table")).to_contain_text("label of review 1")
    expect(output).to_contain_text("not <b id=bad>this</b>")
    assert notebook.page.locator("#bad").count() == 0
    assert output.locator("img").count() == 0
    notebook.wait()
    notebook.save()
    notebook.open()
    expect(notebook.output(cell)).to_contain_text("29 of 30 answered")
    expect(notebook.output(cell)).to_contain_text("30/30")
    assert "widget" not in notebook.seen(cell).lower()
