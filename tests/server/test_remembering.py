"""A conversation is never forgotten, whichever generation of servers answers.

The server is scripted after what each generation does; its answers hold all that the model knows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from asking import ask, text_of
from copilot_server import GENERATIONS, PROVIDERS, CopilotScript
from scripted_server import Exchange, ScriptedServer, answer

from copilot_magic.errors import PromptError
from copilot_magic.session.session import Session
from copilot_magic.settings import Settings


@pytest.fixture(params=GENERATIONS)
def copilot(request: pytest.FixtureRequest, server: ScriptedServer) -> CopilotScript:
    """Return the script of one generation, which the server follows."""
    script = CopilotScript(request.param)
    server.script(script)
    if request.param != "stateless":
        server.get["/v1/providers"] = PROVIDERS
    return script


# gpt4free 0.4.0 goes on in the thread it knows by the `conversation_id`, and types only what the
# user says last: what was typed there cannot be taken back, nor is anything else read.
NOT_040 = pytest.mark.parametrize("copilot", GENERATIONS[:2] + GENERATIONS[3:], indirect=True)


@pytest.fixture
def session(server: ScriptedServer, tmp_path: Path) -> Iterator[Session]:
    session = Session(Settings(base_url=server.base_url, store=str(tmp_path / "talks.db")))
    yield session
    session.close()


def test_each_cell_knows_those_before(session: Session, copilot: CopilotScript) -> None:
    text_of(ask(session, "My name is Heiner"))
    text_of(ask(session, "I live in Kiel"))
    seen = text_of(ask(session, "Who am I, and where?"))
    for part in ("Heiner", "Kiel", "Who am I"):
        assert part in seen


def test_nothing_is_typed_twice_into_a_thread(session: Session, server: ScriptedServer) -> None:
    copilot = CopilotScript("gpt4free 8")
    server.script(copilot)
    for prompt in ("My name is Heiner", "I live in Kiel", "Who am I?"):
        text_of(ask(session, prompt))
    (thread,) = copilot.threads.values()
    assert thread == ["My name is Heiner", "I live in Kiel", "Who am I?"]


def test_a_restored_conversation_is_known(
    session: Session, copilot: CopilotScript, server: ScriptedServer
) -> None:
    text_of(ask(session, "My name is Heiner"))
    name = session.library.current.name
    session.close()
    copilot.restart()
    restored = Session(session.settings)
    restored.library.use(name)
    assert "Heiner" in text_of(ask(restored, "Who am I?"))
    seen = text_of(ask(restored, "And now?"))
    assert "Heiner" in seen
    assert "Who am I?" in seen
    restored.close()


def test_a_conversation_goes_on_after_its_server_has_restarted(
    session: Session, copilot: CopilotScript
) -> None:
    text_of(ask(session, "My name is Heiner"))
    copilot.restart()
    assert "Heiner" in text_of(ask(session, "Who am I?"))


@pytest.mark.parametrize("interrupted", [0, 1])
def test_an_interrupted_turn_is_known(
    session: Session, copilot: CopilotScript, interrupted: int
) -> None:
    prompts = ["My name is Heiner", "I live in Kiel"]
    for number, prompt in enumerate(prompts):
        events = ask(session, prompt)
        if number == interrupted:
            next(events)
            events.close()
        else:
            text_of(events)
    seen = text_of(ask(session, "Who am I, and where?"))
    assert "Heiner" in seen
    assert "Kiel" in seen


@NOT_040
def test_a_rerun_turn_is_known_in_its_new_words_only(
    session: Session, copilot: CopilotScript
) -> None:
    text_of(ask(session, "My name is Heiner", cell_id="A"))
    text_of(ask(session, "I live in Kiel", cell_id="B"))
    text_of(ask(session, "I live in Rom", cell_id="B"))
    seen = text_of(ask(session, "Who am I, and where?", cell_id="C"))
    assert "Heiner" in seen
    assert "Rom" in seen
    assert "Kiel" not in seen


@NOT_040
def test_a_rerun_first_turn_knows_nothing(session: Session, copilot: CopilotScript) -> None:
    text_of(ask(session, "My name is Heiner", cell_id="A"))
    text_of(ask(session, "I live in Kiel", cell_id="B"))
    seen = text_of(ask(session, "My name is Greta", cell_id="A"))
    assert "Heiner" not in seen
    assert "Kiel" not in seen


@NOT_040
def test_a_switch_of_providers_and_back_forgets_nothing(
    session: Session, copilot: CopilotScript
) -> None:
    text_of(ask(session, "My name is Heiner"))
    assert "Heiner" in text_of(ask(session, "I live in Kiel", options={"provider": "Other"}))
    seen = text_of(ask(session, "Who am I, and where?"))
    assert "Heiner" in seen
    assert "Kiel" in seen


def test_a_failed_turn_loses_nothing(
    session: Session, copilot: CopilotScript, server: ScriptedServer
) -> None:
    text_of(ask(session, "My name is Heiner"))

    def broken(exchange: Exchange) -> None:
        exchange.reply(500, {"error": {"message": "Request execution failed"}})

    server.script(broken)
    with pytest.raises(PromptError):
        text_of(ask(session, "I live in Kiel"))
    server.script(copilot)
    assert "Heiner" in text_of(ask(session, "Who am I?"))


def test_a_repeated_prompt_is_not_dropped(session: Session, copilot: CopilotScript) -> None:
    for _ in range(3):
        seen = text_of(ask(session, "More!"))
    assert session.library.current.turns[-1].answer == seen
    users = [line for line in copilot.seen[-1].splitlines() if "More!" in line]
    assert len(users) >= 3


def test_a_system_message_reaches_the_model(session: Session, copilot: CopilotScript) -> None:
    assert "Be brief" in text_of(ask(session, "Hello", system="Be brief"))
    assert "Be brief" in text_of(ask(session, "Hello again"))


@NOT_040
def test_a_new_system_message_replaces_the_old_one(
    session: Session, copilot: CopilotScript
) -> None:
    text_of(ask(session, "My name is Heiner", system="Be brief"))
    seen = text_of(ask(session, "Who am I?", system="Be long-winded"))
    assert "Be long-winded" in seen
    assert "Heiner" in seen


def test_another_model_knows_the_conversation(session: Session, copilot: CopilotScript) -> None:
    text_of(ask(session, "My name is Heiner"))
    assert "Heiner" in text_of(ask(session, "Who am I?", options={"model": "another"}))


def test_the_conversation_id_is_always_sent_and_the_same(
    session: Session, copilot: CopilotScript, server: ScriptedServer
) -> None:
    for prompt in ("one", "two"):
        text_of(ask(session, prompt))
    ids = {body["conversation_id"] for body in server.posts}
    assert ids == {session.library.current.conversation_id}


def test_continuing_an_interrupted_first_answer_is_understood(
    session: Session, copilot: CopilotScript
) -> None:
    events = ask(session, "My name is Heiner")
    next(events)
    events.close()
    assert "Heiner" in text_of(session.continue_last())


def test_copilot_behind_another_url_is_told_all(
    session: Session, copilot: CopilotScript, server: ScriptedServer
) -> None:
    text_of(ask(session, "My name is Heiner"))
    with ScriptedServer(CopilotScript(copilot.generation)) as other:
        other.get.update(server.get)
        session.settings = replace(session.settings, base_url=other.base_url)
        assert "Heiner" in text_of(ask(session, "Who am I?"))
        assert "conversation" not in other.posts[0]


# --- Servers that are not gpt4free ----------------------------------------------------------


def openai_like(exchange: Exchange) -> None:
    """Answer as OpenAI's API does: it refuses what it does not know, and wants a model."""
    body = exchange.request.json
    unknown = set(body) - {"model", "messages", "stream", "temperature", "max_tokens"}
    if unknown:
        message = f"Unrecognized request argument supplied: {min(unknown)}"
        exchange.reply(400, {"error": {"message": message}})
    elif not body.get("model"):
        exchange.reply(400, {"error": {"message": "you must provide a model parameter"}})
    else:
        answer(exchange, "fine")


def ollama_like(exchange: Exchange) -> None:
    """Answer as Ollama does: it ignores what it does not know, and wants a model."""
    if not exchange.request.json.get("model"):
        exchange.reply(400, {"error": {"message": "model is required"}})
    else:
        answer(exchange, "fine")


Script = Callable[[Exchange], None]
OTHERS = pytest.mark.parametrize("script", [openai_like, ollama_like])


@OTHERS
@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("interrupted", [False, True])
def test_another_server_gets_the_conversation_as_messages_and_no_provider(
    session: Session, server: ScriptedServer, script: Script, restarted: bool, interrupted: bool
) -> None:
    server.script(script)
    events = ask(session, "My name is Heiner", system="Be brief")
    if interrupted:
        while not events.turn.answer:
            next(events)
        events.close()
    else:
        text_of(events)
    said = session.library.current.turns[0].answer
    if restarted:
        name = session.library.current.name
        session.close()
        session = Session(session.settings)
        session.library.use(name)
    text_of(ask(session, "Who am I?"))
    body = server.posts[-1]
    assert body["messages"] == [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "My name is Heiner"},
        {"role": "assistant", "content": said},
        {"role": "user", "content": "Who am I?"},
    ]
    assert "provider" not in body
    assert [turn.provider for turn in session.library.current.turns] == ["", ""]
    asked = [request.path for request in server.requests if request.method == "GET"]
    assert asked.count("/v1/providers") == 1 + restarted
    session.close()


@OTHERS
def test_the_first_system_message_goes_to_another_server_once(
    session: Session, server: ScriptedServer, script: Script
) -> None:
    server.script(script)
    text_of(ask(session, "Hello", system="Be brief"))
    assert server.posts[-1]["messages"] == [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "Hello"},
    ]


def test_the_first_prompt_alone_asks_nothing_else_and_names_the_provider(
    session: Session, server: ScriptedServer
) -> None:
    server.script(lambda exchange: answer(exchange, "fine"))
    text_of(ask(session, "Hello"))
    (request,) = server.requests
    assert request.json["provider"] == "Copilot"
    assert session.library.current.turns[0].provider == ""


def test_a_server_that_does_not_say_what_it_is_costs_little_time(
    session: Session, server: ScriptedServer
) -> None:
    """It accepts connections for the question, and answers nothing but prompts."""
    quiet = threading.Event()
    server.script(lambda exchange: answer(exchange, "fine"))
    server.get["/v1/providers"] = lambda exchange: exchange.wait(quiet)
    begun = time.monotonic()
    try:
        text_of(ask(session, "Hello", system="Be brief"))
    finally:
        quiet.set()
    assert 0.5 < time.monotonic() - begun < 5
    assert [message["role"] for message in server.posts[0]["messages"]] == ["system", "user"]
    assert session.dialect.gpt4free is None


@pytest.mark.parametrize("generation", GENERATIONS[:3])
def test_the_providers_name_comes_from_the_server(
    session: Session, server: ScriptedServer, generation: str
) -> None:
    server.script(CopilotScript(generation))
    text_of(ask(session, "Hello"))
    assert session.library.current.turns[0].provider == "Copilot"
    assert session.dialect.gpt4free is True


@pytest.mark.parametrize("generation", GENERATIONS)
def test_an_old_gpt4free_that_may_know_what_was_replaced_is_named(
    session: Session, server: ScriptedServer, generation: str
) -> None:
    server.script(CopilotScript(generation))
    text_of(ask(session, "I live in Kiel", cell_id="A"))
    again = ask(session, "I live in Rom", cell_id="A")
    text_of(again)
    noted = any("may still know" in note for note in again.turn.notes)
    assert noted is (generation in ("gpt4free 0.4.8", "gpt4free 0.4.0"))
