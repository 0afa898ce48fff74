"""A failure explained and corrected: what is asked, shown and put into the next cell."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from scripted_server import ScriptedServer, answer

from copilot_magic.errors import UsageError
from copilot_magic.notebook.fixing import explain_failure, fix_failure
from copilot_magic.notebook.magics import CopilotMagics


def saying(text: str, **finish: Any) -> Any:
    return lambda exchange: answer(exchange, text, **finish)


def test_without_a_failure_nothing_is_asked(magics: CopilotMagics, server: ScriptedServer) -> None:
    with pytest.raises(UsageError, match="No cell has failed"):
        fix_failure(magics.notebook.up_to_date())
    with pytest.raises(UsageError, match="No cell has failed"):
        explain_failure(magics.notebook.up_to_date())
    assert not server.posts


def test_the_corrected_cell_is_compared_and_offered(
    magics: CopilotMagics,
    shell: InteractiveShell,
    server: ScriptedServer,
    taken: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    shell.run_cell("x = 1\nprint(y)")
    server.script(saying("It is x.\n\n```python\nx = 1\nprint(x)\n```"))
    fix_failure(magics.notebook.up_to_date())
    assert taken == ["x = 1\nprint(x)"]
    shown = capsys.readouterr().out
    assert "- print(y)" in shown
    assert "+ print(x)" in shown
    asked = server.posts[-1]["messages"][-1]["content"]
    assert asked.endswith("in one fenced block of Python, and change nothing else in it.")


def test_a_cell_that_is_right_as_it_is_is_not_offered(
    magics: CopilotMagics,
    shell: InteractiveShell,
    server: ScriptedServer,
    taken: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    shell.run_cell("1 / 0")
    server.script(saying("```python\n1 / 0\n```"))
    fix_failure(magics.notebook.up_to_date())
    assert taken == []
    assert "no change" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "finish", "problem"),
    [
        ("I cannot say.", {}, "no code"),
        ("```python\n1 / 1", {"reason": "length"}, "cut off"),
    ],
)
def test_an_answer_without_a_whole_cell_is_an_error(
    text: str,
    finish: dict[str, str],
    problem: str,
    magics: CopilotMagics,
    shell: InteractiveShell,
    server: ScriptedServer,
    taken: list[str],
) -> None:
    shell.run_cell("1 / 0")
    server.script(saying(text, **finish))
    with pytest.raises(UsageError, match=problem):
        fix_failure(magics.notebook.up_to_date())
    assert taken == []


def test_only_the_expression_in_braces_is_replaced(
    magics: CopilotMagics, shell: InteractiveShell, server: ScriptedServer, taken: list[str]
) -> None:
    shell.run_cell("d = {'a': 1}")
    shell.run_cell("%%copilot --raw\nWhat is d['b']? It is {{ d['b'] }} and {{d['b']}}.")
    server.script(saying("```python\nd['a']\n```"))
    fix_failure(magics.notebook.up_to_date())
    assert taken == ["%%copilot --raw\nWhat is d['b']? It is {{d['a']}} and {{d['a']}}."]


def test_an_explanation_is_a_turn_of_the_conversation(
    magics: CopilotMagics, shell: InteractiveShell, server: ScriptedServer
) -> None:
    shell.run_cell("1 / 0", store_history=True)
    explain_failure(magics.notebook.up_to_date())
    (turn,) = magics.notebook.session.library.current.turns
    assert "fail with ZeroDivisionError" in turn.prompt
    assert "```" not in turn.prompt
    assert "1 / 0" in turn.expanded


def test_a_secret_in_the_failed_cell_is_masked_and_named_in_the_footer(
    magics: CopilotMagics, shell: InteractiveShell, server: ScriptedServer
) -> None:
    # The traceback shows the lines around the failure, which the secret is not among.
    shell.run_cell("api_key = 'Kx82-zz91-Pq77'\n" + "x = 1\n" * 10 + "1 / 0", store_history=True)
    explain_failure(magics.notebook.up_to_date())
    (turn,) = magics.notebook.session.library.current.turns
    assert "Kx82" not in server.posts[-1]["messages"][-1]["content"]
    assert "masked: api_key" in turn.notes
