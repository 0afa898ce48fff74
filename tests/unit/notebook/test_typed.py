"""Typed answers in a real shell: read, asked for once more, or refused."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import pytest
from IPython.core.interactiveshell import InteractiveShell
from scripted_server import ScriptedServer, answer

from copilot_magic import ask
from copilot_magic.errors import TypedAnswerError, UsageError
from copilot_magic.notebook.arguments import PromptLine
from copilot_magic.notebook.asking import ask_prompt
from copilot_magic.notebook.magics import CopilotMagics


@dataclasses.dataclass
class Review:
    title: str
    stars: int


def replies(*texts: str) -> Any:
    left = list(texts)
    return lambda exchange: answer(exchange, left.pop(0))


@pytest.mark.parametrize(
    ("wanted", "text", "value"),
    [
        (int, '{"answer": 3}', 3),
        (int, "3", 3),
        (bool, 'Sure:\n```json\n{"answer": true}\n```', True),
        (list[str], '{"answer": ["a", "b"]}', ["a", "b"]),
        (Literal["good", "bad"], '{"answer": "bad"}', "bad"),
        (Review, '{"title": "It", "stars": 4}', Review("It", 4)),
    ],
)
def test_ask_returns_the_value(
    wanted: Any, text: str, value: Any, magics: CopilotMagics, server: ScriptedServer
) -> None:
    server.script(replies(text))
    assert ask("?", as_=wanted) == value


def test_a_type_by_its_source_is_evaluated_in_the_users_namespace(
    magics: CopilotMagics, shell: InteractiveShell, server: ScriptedServer
) -> None:
    shell.user_ns["Mine"] = Review
    server.script(replies('[{"title": "It", "stars": 4}]'))
    value = ask_prompt(magics.notebook.up_to_date(), "?", PromptLine(as_="list[Mine]", out="x"))
    assert shell.user_ns["x"] == value == [Review("It", 4)]


def test_the_words_for_the_model_come_last_and_the_schema_goes_along(
    magics: CopilotMagics, server: ScriptedServer
) -> None:
    server.script(replies('{"answer": 3}'))
    ask("How many?", as_=int)
    (body,) = server.posts
    text = body["messages"][-1]["content"]
    assert text.startswith("How many?\n\nAnswer with nothing but JSON")
    assert body["response_format"]["json_schema"]["schema"]["properties"] == {
        "answer": {"type": "integer"}
    }


def test_the_second_try_knows_the_first_and_why_it_did_not_fit(
    magics: CopilotMagics, server: ScriptedServer
) -> None:
    server.script(replies('{"answer": "many"}', '{"answer": 3}'))
    assert ask("How many?", as_=int) == 3
    text = server.posts[1]["messages"][-1]["content"]
    assert text.startswith(server.posts[0]["messages"][-1]["content"])
    assert '```text\n{"answer": "many"}\n```' in text
    assert "Your last answer does not fit: " in text
    assert len(server.posts[1]["messages"]) == 1
    (turn,) = magics.notebook.session.library.current.turns
    assert "the first answer was not of type int" in turn.notes
    assert turn.answer == '{"answer": 3}'


def test_two_answers_that_do_not_fit_are_an_error_and_nothing_is_assigned(
    magics: CopilotMagics, shell: InteractiveShell, server: ScriptedServer
) -> None:
    server.script(replies("none", "none at all"))
    with pytest.raises(TypedAnswerError, match="not of type int") as raised:
        ask_prompt(magics.notebook.up_to_date(), "?", PromptLine(as_="int", out="x"))
    assert raised.value.wanted == "int"
    assert "x" not in shell.user_ns
    assert shell.user_ns["_copilot"] == "none at all"


def test_an_answer_quietly_asked_for_is_read_as_well(
    magics: CopilotMagics, server: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.script(replies("?", '{"answer": 3}'))
    assert ask("How many?", as_=int, show=False) == 3
    assert capsys.readouterr().out == ""


def test_an_answer_is_either_code_or_a_value(magics: CopilotMagics, server: ScriptedServer) -> None:
    with pytest.raises(UsageError, match="either code or a value"):
        ask("?", as_=int, code=True)
    assert not server.posts


def test_a_server_without_schemas_is_asked_in_words_alone(
    magics: CopilotMagics, server: ScriptedServer
) -> None:
    message = "response_format json_schema is not supported"
    server.scripts(
        lambda exchange: exchange.reply(400, {"error": {"message": message}}),
        replies('{"answer": 3}', '{"answer": 4}'),
    )
    assert ask("How many?", as_=int) == 3
    assert ask("And now?", as_=int) == 4
    assert ["response_format" in body for body in server.posts] == [True, False, False]
