"""Several prompts on their way at once, each with a turn, notes and an end of its own."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from asking import ask, prompt, text_of
from scripted_server import Exchange as Response
from scripted_server import ScriptedServer, answer

from copilot_magic.chat.turn import Turn
from copilot_magic.errors import CopilotError
from copilot_magic.session.exchange import Exchange
from copilot_magic.session.session import Session
from copilot_magic.settings import Settings
from copilot_magic.store.store import Store
from copilot_magic.views.view import Footer
from copilot_magic.wire.chunks import Delta, Waiting


class Threads:
    """Exchanges received in threads, as a panel or the background would."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def receive(self, exchange: Exchange) -> None:
        def run() -> None:
            with suppress(CopilotError):
                for _ in exchange:
                    pass

        thread = threading.Thread(target=run)
        self._threads.append(thread)
        thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()


def held(release: threading.Event) -> Callable[[Response], None]:
    """Return a script that answers half and the rest once it is released."""

    def script(response: Response) -> None:
        asked = response.request.json["messages"][-1]["content"]
        response.start()
        response.delta(f"half of {asked}")
        assert response.wait(release)
        response.delta(f", all of {asked}")
        response.finish()
        response.done()

    return script


def until(happened: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(3000):
        if happened():
            return
        waiting.wait(0.01)
    raise AssertionError("it did not happen")


def test_two_answers_in_two_threads_are_each_their_own(
    session: Session, settings: Settings, server: ScriptedServer
) -> None:
    """One is stopped half-way; the settings change in between; nothing of one marks the other."""
    release = threading.Event()
    server.script(held(release))
    threads = Threads()
    first = ask(session, "one", options={"model": "m1"})
    threads.receive(first)
    until(lambda: bool(first.turn.answer))
    session.settings = replace(settings, model="m2", providers=("Absent", "Second"))
    other = session.library.find_or_add("other")

    def second_script(response: Response) -> None:
        if response.request.json["provider"] == "Absent":
            response.reply(401, {"error": {"message": "log in"}})
        else:
            held(release)(response)

    server.script(second_script)
    second = ask(session, "two", conversation=other)
    threads.receive(second)
    until(lambda: bool(second.turn.answer))
    first.stop()
    until(lambda: first.turn.status == "interrupted")
    release.set()
    threads.join()
    assert (first.turn.status, first.turn.answer) == ("interrupted", "half of one")
    assert (second.turn.status, second.turn.answer) == ("complete", "half of two, all of two")
    assert first.turn.notes == []
    assert len(second.turn.notes) == 1
    assert "Absent failed" in second.turn.notes[0]
    assert [body["model"] for body in server.posts] == ["m1", "m2", "m2"]
    assert (first.turn.asked_provider, second.turn.asked_provider) == ("Other", "Second")
    assert "interrupted" in str(Footer.of(first.turn))
    assert Footer.of(second.turn).marks == second.turn.notes
    session.close()
    store = Store.open(settings.store or "")
    for exchange in (first, second):
        stored = store.load(exchange.conversation.conversation_id)
        assert stored is not None
        (row,) = [turn for turn in stored.turns if turn.id == exchange.turn.id]
        for name in ("prompt", "answer", "status", "notes", "model", "asked_provider"):
            assert getattr(row, name) == getattr(exchange.turn, name)
    store.close()


def test_a_prompt_waits_for_the_one_before_it_in_its_conversation(
    session: Session, server: ScriptedServer
) -> None:
    release = threading.Event()
    server.script(held(release))
    threads = Threads()
    first = ask(session, "one")
    threads.receive(first)
    until(lambda: bool(first.turn.answer))
    server.script(lambda response: answer(response, "fine"))
    second = ask(session, "two")
    assert next(second) == Waiting(math.inf, "Waiting for the answer to “one”")
    assert second.waits
    assert [turn.prompt for turn in session.library.current.turns] == ["one"]
    release.set()
    assert next(second) == Waiting(0.0, "")
    assert not second.waits
    assert text_of(second) == "fine"
    threads.join()
    assert [turn.prompt for turn in session.library.current.turns] == ["one", "two"]
    assert len(server.posts[1]["messages"]) == 3
    assert second.turn.elapsed < first.turn.elapsed


def test_a_prompt_does_not_wait_for_one_of_its_own_thread(
    session: Session, server: ScriptedServer
) -> None:
    """That wait would never end. What is still arriving is no part of the other's history."""
    first = ask(session, "one")
    next(first)
    assert text_of(ask(session, "two")) == "You said: two"
    assert [m["content"] for m in server.posts[1]["messages"]] == ["two"]
    first.close()


@pytest.mark.parametrize("end", ["stop", "close"])
def test_a_prompt_that_gives_up_waiting_was_never_asked(
    session: Session, server: ScriptedServer, end: str
) -> None:
    release = threading.Event()
    server.script(held(release))
    threads = Threads()
    first = ask(session, "one")
    threads.receive(first)
    until(lambda: bool(first.turn.answer))
    second, third = ask(session, "two"), ask(session, "three")
    next(second)
    getattr(second, end)()
    assert list(second) == []
    assert second.turn.status == "interrupted"
    assert next(third) == Waiting(math.inf, "Waiting for the answer to “one”")
    release.set()
    text_of(third)
    threads.join()
    assert [turn.prompt for turn in session.library.current.turns] == ["one", "three"]


def test_stop_ends_the_wait_for_another_prompt_at_once(
    session: Session, server: ScriptedServer
) -> None:
    release = threading.Event()
    server.script(held(release))
    threads = Threads()
    first, second = ask(session, "one"), ask(session, "two")
    threads.receive(first)
    until(lambda: bool(first.turn.answer))
    threads.receive(second)
    until(lambda: second.waits)
    second.stop()
    until(lambda: second.turn.status == "interrupted")
    assert first.turn.status == "streaming"
    release.set()
    threads.join()
    assert len(server.posts) == 1


@pytest.mark.parametrize("end", ["stop", "fail", "drop"])
def test_however_a_prompt_ends_the_next_one_goes_on(
    session: Session, server: ScriptedServer, end: str
) -> None:
    begun = threading.Event()

    def script(response: Response) -> None:
        begun.set()
        if end == "fail":
            response.reply(401, {"error": {"message": "no key"}})
        else:
            response.start()
            response.delta("half")
            response.client_gone()

    server.script(script)
    first = ask(session, "one")

    def receive() -> None:
        with suppress(CopilotError), closing(first):
            for _ in first:
                if end == "drop":
                    return

    thread = threading.Thread(target=receive)
    thread.start()
    assert begun.wait(30)
    server.script(lambda response: answer(response, "fine"))
    if end == "stop":
        first.stop()
    assert text_of(ask(session, "two")) == "fine"
    thread.join()


def test_other_settings_leave_what_is_on_its_way_alone(
    session: Session, settings: Settings, server: ScriptedServer, tmp_path: Path
) -> None:
    """Another server and another conversation file are for the next prompt."""
    release = threading.Event()
    server.script(held(release))
    threads = Threads()
    first = ask(session, "one")
    threads.receive(first)
    until(lambda: bool(first.turn.answer))
    elsewhere = str(tmp_path / "other.db")
    session.settings = replace(settings, base_url="http://127.0.0.1:9/v1", store=elsewhere)
    release.set()
    threads.join()
    assert first.turn.status == "complete"
    store = Store.open(settings.store or "")
    stored = store.load(first.conversation.conversation_id)
    assert stored is not None
    assert [turn.status for turn in stored.turns] == ["complete"]
    store.close()


def test_equal_settings_make_no_new_client(session: Session, settings: Settings) -> None:
    client = session.client
    session.settings = replace(settings)
    assert session.client is client
    session.settings = replace(settings, model="other")
    assert session.client is not client


@pytest.mark.parametrize("begun", [True, False])
def test_stop_ends_the_wait_for_a_server_that_says_nothing(
    session: Session, server: ScriptedServer, begun: bool
) -> None:
    def script(response: Response) -> None:
        if begun:
            response.start()
            response.delta("half")
        response.client_gone()

    server.script(script)
    threads = Threads()
    exchange = ask(session, "one")
    threads.receive(exchange)
    until(lambda: bool(exchange.turn.answer) if begun else bool(server.posts))
    exchange.stop()
    threads.join()
    assert exchange.turn.status == "interrupted"
    assert exchange.turn.error == ""
    assert ("before the first word" in exchange.turn.outcome) is not begun


def test_an_exchange_that_was_stopped_before_it_began_sends_nothing(
    session: Session, server: ScriptedServer
) -> None:
    exchange = ask(session, "one")
    exchange.stop()
    assert list(exchange) == []
    assert exchange.turn.status == "interrupted"
    assert not server.posts


def test_stop_while_waiting_for_the_next_try_ends_the_wait(
    session: Session, server: ScriptedServer
) -> None:
    busy = {"error": {"message": "busy"}}
    server.script(lambda response: response.reply(429, busy, {"Retry-After": "50"}))
    threads = Threads()
    exchange = ask(session, "one")
    threads.receive(exchange)
    until(lambda: bool(server.posts))
    exchange.stop()
    threads.join()
    assert exchange.turn.status == "interrupted"


def test_nothing_is_asked_before_the_first_event_is_wanted(
    session: Session, server: ScriptedServer
) -> None:
    exchange = ask(session, "one")
    exchange.close()
    assert session.library.current.turns == []
    assert not server.posts


def test_an_exchange_is_asked_once(session: Session, server: ScriptedServer) -> None:
    exchange = ask(session, "one")
    assert text_of(exchange) == "You said: one"
    assert list(exchange) == []
    assert len(server.posts) == 1


def test_the_preview_is_what_is_sent_after_the_server_has_refused_fields(
    session: Session, server: ScriptedServer
) -> None:
    def strict(response: Response) -> None:
        if "provider" in response.request.json:
            response.reply(400, {"error": {"message": "Unrecognized request argument: provider"}})
        else:
            answer(response, "fine")

    server.script(strict)
    text_of(ask(session, "one"))
    body = session.preview(prompt("two"))
    assert "provider" not in body
    assert text_of(ask(session, "two")) == "fine"
    assert server.posts[-1] == body
    assert len(server.posts) == 3


def test_pictures_go_along_are_remembered_and_can_be_asked_again(
    session: Session, server: ScriptedServer
) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    server.script(lambda response: answer(response, "a cat"))
    text_of(session.ask(prompt("Look", parts=(picture,))))
    text_of(session.ask(prompt("And?")))
    text_of(session.retry())
    content = [{"type": "text", "text": "Look"}, picture]
    for body in server.posts:
        assert body["messages"][0]["content"] == content
    session.close()
    restored = Session(session.settings)
    restored.library.use(session.library.current.name)
    text_of(restored.ask(prompt("Who?")))
    assert server.posts[-1]["messages"][0]["content"] == content
    restored.close()


def test_an_interrupt_between_two_events_keeps_what_arrived(
    session: Session, server: ScriptedServer
) -> None:
    def script(response: Response) -> None:
        response.start()
        response.delta("half")
        response.client_gone()

    server.script(script)
    exchange = ask(session, "one")
    assert next(exchange) == Delta("half")
    with pytest.raises(KeyboardInterrupt):
        exchange.throw(KeyboardInterrupt())
    assert (exchange.turn.status, exchange.turn.answer) == ("interrupted", "half")


def test_closing_the_session_stops_what_is_on_its_way(
    session: Session, server: ScriptedServer
) -> None:
    def script(response: Response) -> None:
        response.start()
        response.delta("half")
        response.client_gone()

    server.script(script)
    threads = Threads()
    exchange = ask(session, "one")
    threads.receive(exchange)
    until(lambda: bool(exchange.turn.answer))
    session.close()
    threads.join()
    assert exchange.turn.status == "interrupted"


def test_a_turn_asked_again_keeps_its_options_and_parts(session: Session) -> None:
    text_of(ask(session, "one", options={"temperature": 0.5}))
    again = session.retry().turn
    assert isinstance(again, Turn)
    assert again.options.given() == {"temperature": 0.5}


def test_a_very_long_answer_is_whole_and_copied_seldom(
    session: Session, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted are the characters that are copied, not seconds."""
    piece = "0123456789" * 100

    def script(response: Response) -> None:
        response.start()
        for _ in range(1000):
            response.delta(piece)
        response.finish()
        response.done()

    server.script(script)
    exchange = ask(session, "one")
    copied, join = 0, exchange._join

    def counted() -> None:
        nonlocal copied
        join()
        copied += len(exchange.turn.answer)

    monkeypatch.setattr(exchange, "_join", counted)
    for _ in exchange:
        pass
    assert exchange.turn.answer == piece * 1000
    assert copied < 100 * len(exchange.turn.answer)
