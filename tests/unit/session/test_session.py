"""A session over real HTTP: how turns end, who answers, what is sent, kept and replayed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asking import ask, text_of
from asking import prompt as prompt_of
from scripted_server import Exchange, ScriptedServer, answer

from copilot_magic.chat.completion import Completion
from copilot_magic.chat.prompt import Prompt
from copilot_magic.chat.turn import Turn
from copilot_magic.errors import (
    AuthenticationError,
    CutError,
    UsageError,
)
from copilot_magic.session.session import Session
from copilot_magic.settings import Settings
from copilot_magic.wire.chunks import Delta


def stored(settings: Settings) -> set[str]:
    """Return the names of the conversations that a new kernel finds."""
    session = Session(settings)
    names = {summary.name for summary in session.library.summaries()}
    session.close()
    return names


def fails(status: int, message: str) -> Callable[[Exchange], None]:
    return lambda exchange: exchange.reply(status, {"error": {"message": message}})


def test_a_complete_turn(session: Session, server: ScriptedServer) -> None:
    assert text_of(ask(session, "hi")) == "You said: hi"
    (turn,) = session.library.current.turns
    assert (turn.status, turn.answer, turn.finish_reason) == ("complete", "You said: hi", "stop")
    assert (turn.server, turn.asked_provider) == (server.base_url, "Other")
    assert turn.model == "scripted-model"
    assert turn.first_token is not None
    assert 0 < turn.first_token <= turn.elapsed


def test_an_interrupted_turn_keeps_its_half(session: Session, server: ScriptedServer) -> None:
    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("half")
        exchange.client_gone()

    server.script(script)
    events = ask(session, "hi")
    assert next(events) == Delta("half")
    with pytest.raises(KeyboardInterrupt):
        events.throw(KeyboardInterrupt())
    (turn,) = session.library.current.turns
    assert (turn.status, turn.answer) == ("interrupted", "half")


def test_a_consumer_that_drops_the_answer_closes_the_turn(
    session: Session, server: ScriptedServer
) -> None:
    events = ask(session, "hi")
    next(events)
    events.close()
    assert session.library.current.turns[0].status == "interrupted"


def test_a_cut_turn_keeps_its_half_and_its_error(session: Session, server: ScriptedServer) -> None:
    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("half")
        exchange.cut()

    server.script(script)
    with pytest.raises(CutError):
        text_of(ask(session, "hi"))
    (turn,) = session.library.current.turns
    assert (turn.status, turn.answer) == ("failed", "half")
    assert turn.error


def test_the_next_prompt_after_a_failure_works_and_says_nothing_of_it(
    session: Session, server: ScriptedServer
) -> None:
    server.scripts(fails(401, "no key"), lambda exchange: answer(exchange, "fine"))
    with pytest.raises(AuthenticationError):
        text_of(ask(session, "first"))
    assert text_of(ask(session, "second")) == "fine"
    assert [m["content"] for m in server.posts[1]["messages"]] == ["second"]


def test_a_prompt_that_may_not_be_sent_is_a_failed_turn(settings: Settings) -> None:
    session = Session(replace(settings, base_url="ftp://nowhere"))
    with pytest.raises(UsageError):
        text_of(ask(session, "hi"))
    assert [turn.status for turn in session.library.current.turns] == ["failed"]
    session.close()


def test_go_on_completes_the_same_turn(session: Session, server: ScriptedServer) -> None:
    def long(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("one two")
        exchange.finish("length")
        exchange.done()

    server.scripts(long, lambda exchange: answer(exchange, " three"))
    text_of(ask(session, "count"))
    assert text_of(session.continue_last()) == " three"
    (turn,) = session.library.current.turns
    assert (turn.prompt, turn.answer, turn.finish_reason) == ("count", "one two three", "stop")
    sent = server.posts[1]["messages"]
    assert [m["role"] for m in sent] == ["user", "assistant", "user"]
    assert sent[1]["content"] == "one two"


@pytest.mark.parametrize("works", [True, False])
def test_an_answer_gone_on_with_elsewhere_is_told_there_and_known_afterwards(
    settings: Settings, server: ScriptedServer, works: bool
) -> None:
    """Copilot's thread does not hold what another provider wrote, whether or not it goes on."""

    def thread(exchange: Exchange) -> None:
        answer(exchange, "fine", conversation={"conversation_id": "thread-1"})

    def half(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("half", conversation={"conversation_id": "of-other"})
        exchange.finish("length")
        exchange.done()

    session = Session(replace(settings, provider="Copilot"))
    server.script(thread)
    text_of(ask(session, "first"))
    server.script(half)
    session.settings = replace(settings, provider="Other")
    text_of(ask(session, "second"))
    session.settings = replace(settings, provider="Copilot")
    server.script(thread if works else fails(401, "log in"))
    if works:
        assert text_of(session.continue_last()) == "fine"
    else:
        with pytest.raises(AuthenticationError):
            text_of(session.continue_last())
    assert "conversation" not in server.posts[-1]
    assert "half" in json.dumps(server.posts[-1]["messages"])
    server.script(thread)
    text_of(ask(session, "third"))
    told = json.dumps(server.posts[-1])
    assert ("thread-1" in told) is works
    assert ("half" in told) is not works
    assert "of-other" not in told
    session.close()


def test_there_is_nothing_to_go_on_with_where_the_answer_is_complete(session: Session) -> None:
    with pytest.raises(UsageError, match="no answer"):
        session.continue_last()
    text_of(ask(session, "hi"))
    with pytest.raises(UsageError, match="complete"):
        session.continue_last()


def test_retry_asks_again_with_the_same_options(session: Session, server: ScriptedServer) -> None:
    text_of(ask(session, "hi", options={"model": "m", "temperature": 0.5}))
    text_of(session.retry())
    assert server.posts[0] == server.posts[1]
    assert len(session.library.current.turns) == 1


def test_a_failed_retry_leaves_the_answer_there(session: Session, server: ScriptedServer) -> None:
    text_of(ask(session, "hi"))
    server.script(fails(401, "no key"))
    with pytest.raises(AuthenticationError):
        text_of(session.retry())
    (turn,) = session.library.current.turns
    assert (turn.status, turn.answer) == ("complete", "You said: hi")
    server.script(lambda exchange: answer(exchange, "again"))
    session.close()
    reopened = Session(session.settings)
    restored = reopened.library.use(session.library.current.name)
    assert [turn.answer for turn in restored.turns] == ["You said: hi"]
    reopened.close()


def test_a_rerun_cell_replaces_its_turn(session: Session, server: ScriptedServer) -> None:
    for cell, prompt in (("A", "1"), ("B", "2"), ("C", "3"), ("B", "2 again")):
        text_of(ask(session, prompt, cell_id=cell))
    assert [turn.prompt for turn in session.library.current.turns] == ["1", "2 again", "3"]
    assert [turn.stale for turn in session.library.current.turns] == [False, False, True]
    asked = [m["content"] for m in server.posts[-1]["messages"] if m["role"] == "user"]
    assert asked == ["1", "2 again"]


def test_without_cell_ids_every_prompt_is_a_turn(session: Session) -> None:
    for _ in range(2):
        text_of(ask(session, "same"))
    assert len(session.library.current.turns) == 2


def test_exactly_the_same_request_is_replayed_and_nothing_is_sent(
    settings: Settings, server: ScriptedServer
) -> None:
    def run(session: Session, **more: Any) -> list[str]:
        answers = [text_of(ask(session, prompt, **more)) for prompt in ("one", "two")]
        session.close()
        return answers

    asked = run(Session(settings))
    assert run(Session(settings), replay=True) == asked
    assert len(server.posts) == 2
    assert run(Session(settings), replay=False) == asked
    assert len(server.posts) == 4
    other = Session(settings)
    text_of(ask(other, "one", replay=True, options={"model": "else"}))
    assert len(server.posts) == 5
    other.close()


def test_a_replayed_answer_is_marked(settings: Settings) -> None:
    session = Session(settings)
    text_of(ask(session, "one"))
    again = ask(session, "one", conversation=session.library.new(), replay=True)
    text_of(again)
    assert again.turn.replayed
    session.close()


def test_a_replay_file_serves_a_machine_without_server_and_store(
    settings: Settings, server: ScriptedServer, tmp_path: Path
) -> None:
    path = tmp_path / "answers.json"
    settings = replace(settings, replay=str(path), store=None, get_api_key=lambda: "top-secret")
    asked = text_of(ask(Session(settings), "one"))
    assert "top-secret" not in path.read_text(encoding="utf-8")
    offline = replace(settings, base_url="http://127.0.0.1:9/v1")
    assert text_of(ask(Session(offline), "one")) == asked
    assert len(server.posts) == 1


def test_a_conversation_goes_on_after_a_restart(settings: Settings, server: ScriptedServer) -> None:
    first = Session(settings, notebook="/somewhere/talk.ipynb")
    text_of(ask(first, "I am Heiner"))
    assert first.library.current.name == "talk"
    first.close()
    second = Session(settings, notebook="/somewhere/talk.ipynb")
    text_of(ask(second, "Who am I?"))
    assert server.posts[0]["conversation_id"] == server.posts[1]["conversation_id"]
    assert [m["role"] for m in server.posts[1]["messages"]] == ["user", "assistant", "user"]
    assert any("continues an earlier" in note for note in second.library.current.turns[-1].notes)
    second.close()


def test_another_notebook_starts_its_own(settings: Settings, server: ScriptedServer) -> None:
    for notebook in ("/a/talk.ipynb", "/b/talk.ipynb"):
        session = Session(settings, notebook=notebook)
        text_of(ask(session, "hi"))
        session.close()
    assert server.posts[0]["conversation_id"] != server.posts[1]["conversation_id"]
    assert stored(settings) == {"talk", "talk 2"}


def test_conversations_are_used_renamed_and_forgotten(settings: Settings) -> None:
    session = Session(settings)
    text_of(ask(session, "one", conversation=session.library.new("first")))
    text_of(ask(session, "two", conversation=session.library.new("second")))
    with pytest.raises(UsageError):
        session.library.new("first")
    session.library.use("first")
    with pytest.raises(UsageError):
        session.library.rename("second", session.library.current)
    session.library.rename("third", session.library.current)
    assert [summary.name for summary in session.library.summaries("one")] == ["third"]
    session.library.forget("second")
    with pytest.raises(UsageError):
        session.library.use("second")
    session.close()
    assert stored(settings) == {"third"}


def test_forgetting_the_current_conversation_starts_a_new_one(session: Session) -> None:
    text_of(ask(session, "hi"))
    old = session.library.current
    session.library.forget(old.name)
    assert session.library.current.conversation_id != old.conversation_id


def test_an_unusable_store_is_one_warning_and_the_prompt_goes_on(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "broken.db").write_bytes(b"this is not a database" * 100)
    session = Session(replace(settings, store=str(tmp_path / "broken.db")))
    for prompt in ("one", "two"):
        assert text_of(ask(session, prompt)) == f"You said: {prompt}"
    notes = [turn.notes for turn in session.library.current.turns]
    assert len(notes[0]) == 1
    assert "not kept" in notes[0][0]
    assert notes[1] == []
    assert (tmp_path / "broken.db").read_bytes().startswith(b"this is not a database")
    session.close()


def test_no_store_keeps_nothing(settings: Settings, home: Path) -> None:
    session = Session(replace(settings, store=None))
    text_of(ask(session, "hi"))
    assert [summary.turns for summary in session.library.summaries()] == [1]
    session.close()
    assert not list(home.rglob("*.db"))


def test_an_imported_conversation_goes_on(settings: Settings, server: ScriptedServer) -> None:
    from copilot_magic.transcript import from_json, to_json

    first = Session(settings)
    text_of(ask(first, "I am Heiner"))
    exported = to_json(first.library.current)
    first.close()
    other = Session(replace(settings, store=None))
    other.library.adopt(from_json(exported))
    text_of(ask(other, "Who am I?"))
    assert len(server.posts[1]["messages"]) == 3
    with pytest.raises(UsageError, match="already"):
        other.library.adopt(from_json(exported))


def test_another_system_message_leaves_the_thread(
    settings: Settings, server: ScriptedServer
) -> None:
    def script(exchange: Exchange) -> None:
        answer(exchange, "fine", conversation={"id": 7})

    server.script(script)
    session = Session(replace(settings, provider="Copilot"))
    text_of(ask(session, "one"))
    body = session.preview(prompt_of("two", system="Be brief"))
    assert "conversation" not in body
    assert session.preview(prompt_of("two"))["conversation"] == {"id": 7}
    text_of(ask(session, "two", system="Be brief"))
    assert server.posts[1] == body
    assert "Be brief" in json.dumps(server.posts[1]["messages"])
    session.close()


def test_other_settings_take_effect_with_the_next_prompt(
    session: Session, settings: Settings
) -> None:
    text_of(ask(session, "one"))
    with ScriptedServer() as other:
        session.settings = replace(settings, base_url=other.base_url)
        text_of(ask(session, "two"))
        assert len(other.posts) == 1
        assert len(other.posts[0]["messages"]) == 3


def test_secrets_of_earlier_turns_are_masked_in_what_is_sent_and_not_in_memory(
    session: Session, server: ScriptedServer
) -> None:
    session.library.current.turns.append(Turn("I am key-1", answer="Hi, key-1", status="complete"))
    session.find_secrets = lambda: lambda text: text.replace("key-1", "[masked]")
    text_of(ask(session, "And key-1?"))
    sent = [message["content"] for message in server.posts[-1]["messages"]]
    assert sent == ["I am [masked]", "Hi, [masked]", "And [masked]?"]
    assert session.preview(Prompt("key-1"))["messages"][-1]["content"] == "[masked]"
    assert session.library.current.turns[0].prompt == "I am key-1"
    session.settings = replace(session.settings, mask_secrets=False)
    text_of(ask(session, "And key-1?"))
    assert "key-1" in server.posts[-1]["messages"][0]["content"]


def test_an_answer_that_is_still_arriving_is_neither_asked_again_nor_continued(
    session: Session, server: ScriptedServer
) -> None:
    exchange = ask(session, "one")
    next(exchange)
    for again in (session.retry, session.continue_last):
        with pytest.raises(UsageError, match="still being answered"):
            again()
    exchange.close()
    assert text_of(session.retry()) == "You said: one"


def test_a_prompt_can_have_the_settings_of_another_one(
    session: Session, settings: Settings, server: ScriptedServer
) -> None:
    first = ask(session, "one")
    text_of(first)
    session.settings = replace(settings, base_url="http://127.0.0.1:9/v1", model="other")
    second = session.ask(prompt_of("two"), settings=first.settings)
    assert text_of(second) == "You said: two"
    assert server.posts[1]["model"] == ""


def test_another_answer_to_the_same_prompt_can_take_the_place_of_the_first(
    session: Session, server: ScriptedServer
) -> None:
    text_of(ask(session, "hi"))
    conversation = session.library.current
    (turn,) = conversation.turns
    session.adopt(turn, conversation, Completion("better", usage={"total_tokens": 3}, model="m"))
    assert (turn.answer, turn.usage, turn.model) == ("better", {"total_tokens": 3}, "m")
    text_of(ask(session, "and now?"))
    said = [message["content"] for message in server.posts[-1]["messages"]]
    assert said == ["hi", "better", "and now?"]
    stored = session.library.storage.read(lambda store: store.load(conversation.name), None)
    assert stored is not None and stored.turns[0].answer == "better"
