"""Code from an answer, and what a user should know before running it, in a real shell."""

from __future__ import annotations

from IPython.core.interactiveshell import InteractiveShell

from copilot_magic.chat.turn import Turn
from copilot_magic.notebook.coding import mention_code, put_code, warnings_for
from copilot_magic.notebook.magics import CopilotMagics


def answered(text: str, **fields: object) -> Turn:
    turn = Turn("?", answer=text, status="complete")
    for name, value in fields.items():
        setattr(turn, name, value)
    return turn


def test_the_code_goes_into_the_next_cell_with_a_word_on_its_names(
    magics: CopilotMagics, shell: InteractiveShell, taken: list[str]
) -> None:
    shell.run_cell("df = 1")
    turn = answered("Here:\n```python\ndf = load(path)\n```")
    assert put_code(magics.notebook, turn) == [
        "uses load, path, which do not exist",
        "overwrites df",
    ]
    assert taken == ["df = load(path)"]


def test_half_of_the_code_is_not_put_anywhere(magics: CopilotMagics, taken: list[str]) -> None:
    turn = answered("```python\nx = (1,", finish_reason="length")
    assert put_code(magics.notebook, turn) == ["the code is cut off: not put into the next cell"]
    assert taken == []


def test_an_answer_without_code_puts_nothing(magics: CopilotMagics, taken: list[str]) -> None:
    assert put_code(magics.notebook, answered("No.")) == ["no code in the answer"]
    assert taken == []


def test_another_language_is_not_looked_at_for_names(
    magics: CopilotMagics, taken: list[str]
) -> None:
    assert put_code(magics.notebook, answered("```bash\nls $x\n```")) == []
    assert taken == ["%%bash\nls $x"]


def test_what_the_replaced_cell_assigned_is_no_news(
    magics: CopilotMagics, shell: InteractiveShell
) -> None:
    shell.run_cell("a = b = 1")
    assert warnings_for(magics.notebook, "a = b = 2", "a = 3") == ["overwrites b"]
    assert warnings_for(magics.notebook, "a = b = 2", "a = b = 3") == []


def test_code_that_no_cell_can_get_any_more_is_left_to_the_command(
    magics: CopilotMagics, taken: list[str]
) -> None:
    current = magics.notebook.session.library.current
    turn = answered("```python\nx = 1\n```")
    current.turns.append(turn)
    assert mention_code(magics.notebook, turn) == ["%copilot code puts it into the next cell"]
    # The command is about the last answer.
    current.turns.append(answered("later"))
    assert mention_code(magics.notebook, turn) == []
    assert mention_code(magics.notebook, answered("No.")) == ["no code in the answer"]
    cut = answered("```python\nx = (1,", finish_reason="length")
    assert mention_code(magics.notebook, cut) == ["the code is cut off"]
    assert taken == []


def test_many_names_are_counted(magics: CopilotMagics) -> None:
    code = "print(q, r, s, t, u, v, w)"
    assert warnings_for(magics.notebook, code) == [
        "uses q, r, s, t, u and 2 more, which do not exist"
    ]
