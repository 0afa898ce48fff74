"""Code that has run before it is seen: ``--code --try`` and ``fix --try`` in a real kernel.

The answers are scripted; the copies, their confinement and what they do are real.
"""

from __future__ import annotations

import html
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from live_kernel import LiveKernel, Run
from scripted_server import Exchange, ScriptedServer, answer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="copies need Linux")

FRAME = "import pandas as pd\ndf = pd.DataFrame({'month': ['a', 'a', 'b'], 'sales': [1, 2, 3]})"
WRONG = "Here:\n\n```python\nmonthly = df.groupby('mnth')['sales'].sum()\n```"
RIGHT = "Corrected:\n\n```python\nmonthly = df.groupby('month')['sales'].sum()\n```"


def saying(text: str) -> Any:
    return lambda exchange: answer(exchange, text)


def next_cells(run: Run) -> list[str]:
    payloads = run.reply.get("payload", [])
    return [payload["text"] for payload in payloads if payload["source"] == "set_next_input"]


def seen(run: Run) -> str:
    """Return the text that a reader sees, the error included."""
    return html.unescape(re.sub("<[^>]*>", "", run.html)) + run.text + run.error


def asked(server: ScriptedServer, number: int) -> str:
    return str(server.posts[number]["messages"][-1]["content"])


def test_a_wrong_column_is_repaired_on_the_second_try(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    kernel.run(FRAME)
    server.scripts(saying(WRONG), saying(RIGHT))
    run = kernel.copilot("Sum the sales by month: {{df}}", "--code --try")
    assert run.reply["status"] == "ok", run.error
    assert next_cells(run) == ["monthly = df.groupby('month')['sales'].sum()"]
    text = seen(run)
    assert "failed in a copy of this kernel" in text and "KeyError: 'mnth'" in text
    assert "ran in a copy of this kernel" in text and "defines monthly (Series" in text
    assert "leaves df as it is" in text
    assert len(server.posts) == 2
    again = asked(server, 1)
    assert "df.groupby('mnth')" in again and "KeyError: 'mnth'" in again
    assert "You answered before" not in asked(server, 0)
    # Here, nothing has run, and the conversation has one turn.
    assert kernel.run("print('monthly' in dir(), len(df.columns))").text == "False 2\n"
    assert kernel.run("%copilot show").text.count("Sum the sales by month") == 1


def test_code_that_runs_at_once_is_offered_with_its_picture_folded_below(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    kernel.run(f"{FRAME}\nimport matplotlib.pyplot as plt\n%matplotlib inline")
    server.script(saying("```python\nplt.plot(df['sales'])\nprint('drawn')\n```"))
    run = kernel.copilot("Plot it", "--try")
    assert run.reply["status"] == "ok", run.error
    assert next_cells(run) == ["plt.plot(df['sales'])\nprint('drawn')"]
    assert "shows 1 picture" in seen(run) and "data:image/png;base64," in run.html
    assert "<details>" in run.html and "drawn" in run.html
    # The picture is in the rehearsal alone: nothing was displayed by the code itself.
    assert not any("image/png" in output for output in run.outputs)


def test_what_is_refused_is_an_outcome_and_no_failure(
    kernel: LiveKernel, server: ScriptedServer, tmp_path: Path
) -> None:
    target = tmp_path / "report.csv"
    kernel.run(FRAME)
    server.script(saying(f"```python\ndf.to_csv({str(target)!r})\n```"))
    run = kernel.copilot("Save it", "--try")
    assert run.reply["status"] == "ok", run.error
    assert next_cells(run) == [f"df.to_csv({str(target)!r})"] and len(server.posts) == 1
    assert "report.csv: not tried" in seen(run) and not target.exists()


def test_if_nothing_runs_nothing_is_offered_and_the_last_error_is_said(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    kernel.run(FRAME)
    server.script(saying(WRONG))
    run = kernel.copilot("Sum the sales", "--try")
    assert run.reply["status"] == "ok", run.error
    assert next_cells(run) == [] and len(server.posts) == 3
    assert run.html.count("failed in a copy of this kernel") == 3
    assert "None of 3 tries ran" in seen(run)
    assert next_cells(kernel.run("%copilot code")) == [
        "monthly = df.groupby('mnth')['sales'].sum()"
    ]


def test_of_three_candidates_the_first_that_runs_is_taken(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    kernel.run(FRAME)

    def script(exchange: Exchange) -> None:
        streams = exchange.request.json["stream"]
        answer(exchange, WRONG if streams else RIGHT)

    server.script(script)
    run = kernel.copilot("Sum the sales", "--try 3")
    assert run.reply["status"] == "ok", run.error
    assert len(server.posts) == 3 and next_cells(run) == [
        "monthly = df.groupby('month')['sales'].sum()"
    ]
    assert "Candidate 2 of 3" in seen(run)
    assert kernel.run("print('Corrected' in _copilot)").text == "True\n"
    # The conversation goes on from the answer that was taken.
    server.script(saying("fine"))
    kernel.copilot("And now?")
    said = [message["content"] for message in server.posts[-1]["messages"]]
    assert any("Corrected" in text for text in said) and not any("mnth" in text for text in said)


def test_a_correction_is_tried_too(kernel: LiveKernel, server: ScriptedServer) -> None:
    kernel.run(FRAME)
    kernel.run("total = df['sale'].sum()")
    server.scripts(
        saying("```python\ntotal = df['Sales'].sum()\n```"),
        saying("```python\ntotal = df['sales'].sum()\n```"),
    )
    run = kernel.run("%copilot fix --try")
    assert run.reply["status"] == "ok", run.error
    assert next_cells(run) == ["total = df['sales'].sum()"]
    assert "defines total" in seen(run) and "KeyError: 'Sales'" in asked(server, 1)


def test_a_correction_that_never_runs_fails_the_command(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    kernel.run(FRAME)
    kernel.run("total = df['sale'].sum()")
    server.script(saying("```python\ntotal = df['Sales'].sum()\n```"))
    run = kernel.run("%copilot fix --try")
    assert run.reply["status"] == "error" and "No correction ran" in run.error
    assert next_cells(run) == []


def test_secrets_in_an_error_do_not_go_back_to_the_model(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    secret = "sk-proj-" + "Ab3dE5gH" * 5
    kernel.run(f"api_key = {secret!r}")
    code = "```python\nraise ValueError(f'bad key {api_key}')\n```"
    server.scripts(saying(code), saying("```python\nx = 1\n```"))
    run = kernel.copilot("Use my key", "--try")
    assert run.reply["status"] == "ok", run.error
    assert "bad key" in asked(server, 1) and secret not in json.dumps(server.posts)


def test_an_answer_without_code_is_not_tried(kernel: LiveKernel, server: ScriptedServer) -> None:
    server.script(saying("I cannot."))
    run = kernel.copilot("Do it", "--try")
    assert run.reply["status"] == "ok" and next_cells(run) == []
    assert "There is no Python in the answer" in seen(run) and len(server.posts) == 1


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("--try -b", "--try cannot be used with -b"),
        ("--try 9", "must be a number from 1 to 5"),
        ("--map [1] --try", "--try cannot be used with --map"),
        ("--as int --try", "either code or a value"),
    ],
)
def test_lines_that_make_no_sense_are_refused(
    kernel: LiveKernel, server: ScriptedServer, line: str, problem: str
) -> None:
    run = kernel.copilot("Do it", line)
    assert run.reply["status"] == "error" and problem in run.error and not server.posts


def test_nothing_is_asked_where_nothing_can_be_tried(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    kernel.run("import copilot_magic.sandbox.support as s; s.why_not = lambda: 'only Linux can'")
    run = kernel.copilot("Do it", "--try")
    assert run.reply["ename"] == "RehearsalError" and "only Linux can" in run.error
    assert not server.posts
