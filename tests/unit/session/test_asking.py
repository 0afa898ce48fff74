"""Who answers: provider after provider, with as much of the history as fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from asking import ask, text_of
from scripted_server import Exchange, ScriptedServer, answer

from copilot_magic.errors import ContextLengthError, ErrorEventError, RefusedError
from copilot_magic.session.session import Session
from copilot_magic.settings import Settings
from copilot_magic.wire.chunks import Waiting


def fails(status: int, message: str) -> Callable[[Exchange], None]:
    return lambda exchange: exchange.reply(status, {"error": {"message": message}})


def test_the_next_provider_is_tried_if_one_fails_before_its_first_token(
    settings: Settings, server: ScriptedServer
) -> None:
    session = Session(replace(settings, providers=("Copilot", "Second", "Third")))
    server.scripts(fails(401, "log in"), lambda exchange: answer(exchange, "second here"))
    events = list(ask(session, "hi"))
    assert any(isinstance(event, Waiting) and "Second" in event.reason for event in events)
    assert [body["provider"] for body in server.posts] == ["Copilot", "Second"]
    (turn,) = session.library.current.turns
    assert turn.asked_provider == "Second"
    assert any("Copilot failed" in note for note in turn.notes)
    session.close()


def test_the_servers_default_has_a_name_when_it_is_tried(
    settings: Settings, server: ScriptedServer
) -> None:
    session = Session(replace(settings, providers=("Copilot", "")))
    server.scripts(fails(401, "log in"), lambda exchange: answer(exchange, "second here"))
    (wait,) = [event for event in ask(session, "hi") if isinstance(event, Waiting)]
    assert wait.reason.endswith("; trying the default provider")
    session.close()


def test_no_other_provider_is_tried_after_the_first_token(
    settings: Settings, server: ScriptedServer
) -> None:
    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("half")
        exchange.event({"error": {"message": "broke"}})

    session = Session(replace(settings, providers=("First", "Second")))
    server.script(script)
    with pytest.raises(ErrorEventError):
        text_of(ask(session, "hi"))
    assert len(server.posts) == 1
    session.close()


def test_no_other_provider_is_tried_if_no_server_is_there(settings: Settings) -> None:
    session = Session(
        replace(settings, base_url="http://127.0.0.1:9/v1", providers=("First", "Second"))
    )
    with pytest.raises(RefusedError):
        text_of(ask(session, "hi"))
    session.close()


def test_a_history_that_is_too_long_is_halved_now_and_from_then_on(
    session: Session, server: ScriptedServer
) -> None:
    for index in range(6):
        text_of(ask(session, f"{index} " + "x" * 100))

    def small(exchange: Exchange) -> None:
        if len(exchange.request.body) > 1200:
            exchange.reply(400, {"error": {"message": "maximum context length exceeded"}})
        else:
            answer(exchange, "fits")

    server.script(small)
    assert text_of(ask(session, "last")) == "fits"
    assert any("not sent" in note for note in session.library.current.turns[-1].notes)
    before = len(server.posts)
    assert text_of(ask(session, "one more")) == "fits"
    assert len(server.posts) == before + 1


def test_a_prompt_that_is_too_long_by_itself_is_an_error(
    session: Session, server: ScriptedServer
) -> None:
    server.script(fails(413, "too large"))
    with pytest.raises(ContextLengthError):
        text_of(ask(session, "hi"))
    assert len(server.posts) == 1
