"""News of the conversations: who is told what, and when."""

from __future__ import annotations

from collections import deque

import pytest
from asking import ask
from scripted_server import Exchange, ScriptedServer

from copilot_magic.chat.turn import Turn
from copilot_magic.errors import AuthenticationError
from copilot_magic.session.session import Session
from copilot_magic.session.watching import News, Watchers


def told(session: Session) -> list[News]:
    news: list[News] = []
    session.library.watchers.add(news.append)
    return news


def test_a_watcher_that_was_removed_hears_no_more() -> None:
    watchers, heard = Watchers(), list[News]()
    watchers.add(heard.append)
    watchers.tell(News())
    watchers.remove(heard.append)
    watchers.tell(News())
    assert len(heard) == 1
    assert not watchers


def test_a_turn_is_news_when_it_begins_goes_on_and_ends(session: Session) -> None:
    exchange = ask(session, "hi")
    news = told(session)
    seen: list[tuple[str, str]] = []
    session.library.watchers.add(lambda n: seen.append((exchange.turn.status, n.turn.answer)))  # type: ignore[union-attr]
    deque(exchange, maxlen=0)
    assert {(n.conversation, n.turn) for n in news} == {(exchange.conversation, exchange.turn)}
    assert seen[0] == ("streaming", "") and seen[-1] == ("complete", "You said: hi")
    assert ("streaming", "You said: hi") in seen  # it is in the turn by the time it is told
    assert news[0].event is None and news[1].event is not None and news[-1].event is None


def test_the_news_of_a_failure_have_the_error(session: Session, server: ScriptedServer) -> None:
    news = told(session)
    server.script(lambda exchange: exchange.reply(401, {"error": {"message": "no key"}}))
    with pytest.raises(AuthenticationError) as caught:
        deque(ask(session, "hi"), maxlen=0)
    assert news[-1].error is caught.value


def test_a_conversation_that_is_started_used_renamed_dropped_from_or_forgotten_is_news(
    session: Session,
) -> None:
    news, library = told(session), session.library
    one = library.new("one")
    library.new("two")
    library.use("one")
    library.rename("uno", one)
    assert len(news) == 4
    turn = Turn("?")
    one.turns.append(turn)
    session.drop(turn, one)
    assert news[-1].conversation is one
    library.forget("uno")
    assert len(news) >= 6


def test_an_exchange_is_stopped_by_its_turn(session: Session, server: ScriptedServer) -> None:
    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("half")
        exchange.client_gone()

    server.script(script)
    exchange = ask(session, "hi")
    session.library.watchers.add(
        lambda news: session.stop(exchange.turn) if exchange.turn.answer else None
    )
    deque(exchange, maxlen=0)
    assert (exchange.turn.status, exchange.turn.answer) == ("interrupted", "half")
