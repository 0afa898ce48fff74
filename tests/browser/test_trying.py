"""A rehearsal in a real front end: a line, and the picture folded below it."""

from __future__ import annotations

from browser.notebooks import Notebook
from playwright.sync_api import expect
from scripted_server import ScriptedServer, answer

CODE = """```python
totals = df.groupby("month")["sales"].sum()
totals.plot.bar()
print("<b id=bad>drawn</b>")
```"""


def test_what_the_code_did_is_said_in_a_line_and_its_picture_unfolds(
    notebook: Notebook, server: ScriptedServer
) -> None:
    notebook.run(
        "import pandas as pd, matplotlib.pyplot as plt\n%matplotlib inline\n"
        "df = pd.DataFrame({'month': ['a', 'a', 'b'], 'sales': [1, 2, 3]})"
    )
    server.scripts(
        lambda exchange: answer(exchange, CODE.replace("month", "mnth")),
        lambda exchange: answer(exchange, CODE),
    )
    cell = notebook.ask("Draw the sales of each month", "--try")
    output = notebook.output(cell)
    expect(output).to_contain_text("failed in a copy of this kernel")
    expect(output).to_contain_text("ran in a copy of this kernel")
    expect(output).to_contain_text("defines totals (Series, 2 values)")
    picture = output.locator("img")
    expect(picture).to_be_hidden()
    output.locator("summary").last.click()
    expect(picture).to_be_visible()
    expect(output).to_contain_text("<b id=bad>drawn</b>")
    assert notebook.page.locator("#bad").count() == 0
    expect(notebook.page.locator(".jp-Notebook .jp-Cell").last).to_contain_text("totals.plot.bar()")
