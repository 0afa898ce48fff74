"""What a panel does, in its thread, for a front end that keeps what it is sent."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asking import ask
from benchmarks.texts import sample
from panels import PanelFrontEnd, until
from scripted_server import Exchange, ScriptedServer, answer

from copilot_magic.chat.conversation import Conversation
from copilot_magic.chat.prompt import Prompt
from copilot_magic.chat.turn import Turn
from copilot_magic.notebook.panel.worker import PanelWorker
from copilot_magic.notebook.shell import Notebook
from copilot_magic.session.session import Session
from copilot_magic.session.watching import News
from copilot_magic.settings import Settings


class Panel(PanelWorker):
    """A panel's worker, and one view of it."""

    def __init__(self, session: Session, conversation: Conversation | None = None, **more: Any):
        self.front_end = PanelFrontEnd()
        self.others: list[Callable[[dict[str, Any]], None]] = []
        self.pages: list[list[str]] = []
        self._count = 0
        notebook = Notebook(None, session, settings=lambda: session.settings)
        super().__init__(notebook, conversation, self._pass_on, self.pages.append, **more)

    def _pass_on(self, message: dict[str, Any]) -> None:
        for front_end in (self.front_end, *self.others):
            front_end(message)

    def say(self, kind: str, **more: Any) -> str:
        """Send a message as the front end does; return its id."""
        self._count += 1
        name = f"m{self._count}"
        prompt = Prompt(more["text"]) if kind == "ask" else None
        self.handle({"kind": kind, "id": name, **more}, prompt)
        return name

    def hello(self) -> Panel:
        """Show everything."""
        self.say("hello", view="a")
        until(lambda: self.front_end.is_whole)
        return self

    def shows(self, *answers: str) -> None:
        """Wait until these answers are shown, and none is on its way."""
        wanted = [f"<p>{text}</p>\n" for text in answers]
        until(
            lambda: (
                self.front_end.answers() == wanted
                and all(t["status"] != "streaming" for t in self.front_end.turns.values())
            )
        )


@pytest.fixture
def session(server: ScriptedServer) -> Iterator[Session]:
    session = Session(Settings(base_url=server.base_url, provider="Other", store=None))
    yield session
    session.close()


@pytest.fixture
def panels(session: Session) -> Iterator[Callable[..., Panel]]:
    made: list[Panel] = []

    def make(conversation: Conversation | None = None, **more: Any) -> Panel:
        made.append(Panel(session, conversation, **more))
        return made[-1].hello()

    yield make
    for panel in made:
        panel.end()
    until(lambda: not any(t.name == "copilot-panel" for t in threading.enumerate()))


Panels = Callable[..., Panel]


class Halting:
    """A script that waits after its first words until the test lets it go on."""

    def __init__(self, first: str = "First. ", last: str = "Last.") -> None:
        self.go_on = threading.Event()
        self._first, self._last = first, last

    def __call__(self, exchange: Exchange) -> None:
        exchange.start()
        exchange.delta(self._first)
        exchange.wait(self.go_on)
        exchange.delta(self._last)
        exchange.finish()
        exchange.done()


def test_a_prompt_is_asked_shown_and_is_the_notebooks(panels: Panels, session: Session) -> None:
    panel = panels()
    name = panel.say("ask", text="hi")
    panel.shows("You said: hi")
    (turn,) = panel.front_end.turns.values()
    assert (turn["prompt"], turn["asked"], turn["source"]) == ("hi", name, "You said: hi")
    assert [turn.prompt for turn in session.library.current.turns] == ["hi"]


def test_text_is_shown_while_the_rest_is_not_even_written(
    panels: Panels, server: ScriptedServer
) -> None:
    script = Halting()
    server.script(script)
    panel = panels()
    panel.say("ask", text="hi")
    until(lambda: panel.front_end.answers() == ["<p>First.</p>\n"])
    script.go_on.set()
    panel.shows("First. Last.")


def test_a_message_that_comes_twice_is_done_once(panels: Panels, server: ScriptedServer) -> None:
    panel = panels()
    message = {"kind": "ask", "id": "same", "text": "hi"}
    panel.handle(message, Prompt("hi"))
    panel.handle(message, Prompt("hi"))
    panel.shows("You said: hi")
    assert len(server.posts) == 1
    assert [m["id"] for m in panel.front_end.told if m["kind"] == "ack"].count("same") == 2


def test_stopping_keeps_what_arrived(panels: Panels, server: ScriptedServer) -> None:
    server.script(Halting("half"))
    panel = panels()
    panel.say("ask", text="hi")
    until(lambda: panel.front_end.answers() == ["<p>half</p>\n"])
    panel.stop()
    panel.shows("half")
    (turn,) = panel.front_end.turns.values()
    assert turn["status"] == "interrupted" and turn["marks"] == ["interrupted"]


def test_a_second_prompt_waits_for_the_answer_before_it(
    panels: Panels, server: ScriptedServer
) -> None:
    script = Halting()
    server.scripts(script, lambda exchange: answer(exchange, "Second."))
    panel = panels()
    panel.say("ask", text="a")
    until(lambda: panel.front_end.answers() == ["<p>First.</p>\n"])
    name = panel.say("ask", text="b")
    until(lambda: panel.front_end.told[-1].get("id") == name)
    assert len(server.posts) == 1
    script.go_on.set()
    panel.shows("First. Last.", "Second.")
    assert len(server.posts[1]["messages"]) == 3


def test_retrying_editing_and_undoing(panels: Panels, server: ScriptedServer) -> None:
    words = iter(["one", "two", "three", "four"])
    server.script(lambda exchange: answer(exchange, next(words)))
    panel = panels()
    panel.say("ask", text="a")
    panel.shows("one")
    panel.say("ask", text="b")
    panel.shows("one", "two")
    panel.say("retry")
    panel.shows("one", "three")
    panel.say("ask", text="c", replaces=panel.front_end.order[0])
    panel.shows("four", "three")
    first, last = (panel.front_end.turns[name] for name in panel.front_end.order)
    assert first["prompt"] == "c" and last["marks"] == [
        "outdated: an earlier answer has changed; ask it again"
    ]
    panel.say("undo")
    panel.shows("four")


@pytest.mark.parametrize("kind", ["retry", "undo"])
def test_with_nothing_asked_there_is_nothing_to_do_again_or_to_undo(
    panels: Panels, kind: str
) -> None:
    panel = panels()
    name = panel.say(kind)
    until(lambda: "refused" in panel.front_end.kinds())
    refused = panel.front_end.last("refused")
    assert refused["id"] == name and refused["lines"][0] == "Nothing has been asked yet"


def test_a_failure_says_what_to_do(panels: Panels, server: ScriptedServer) -> None:
    server.script(lambda exchange: exchange.reply(401, {"error": {"message": "no key"}}))
    panel = panels()
    panel.say("ask", text="hi")
    until(lambda: any(t["error"] for t in panel.front_end.turns.values()))
    (turn,) = panel.front_end.turns.values()
    assert "no key" in turn["error"][0] and any("API_KEY" in line for line in turn["error"])


def test_a_retry_that_fails_leaves_the_answer_and_says_why(
    panels: Panels, server: ScriptedServer
) -> None:
    panel = panels()
    panel.say("ask", text="hi")
    panel.shows("You said: hi")
    server.script(lambda exchange: exchange.reply(401, {"error": {"message": "no key"}}))
    name = panel.say("retry")
    until(lambda: "refused" in panel.front_end.kinds())
    assert panel.front_end.last("refused")["id"] == name
    panel.shows("You said: hi")


def test_what_a_cell_asks_is_shown(
    panels: Panels, session: Session, server: ScriptedServer
) -> None:
    one, other = panels(), panels()
    script = Halting()
    server.script(script)
    exchange = ask(session, "asked in a cell")
    asking = threading.Thread(target=lambda: deque(exchange, maxlen=0))
    asking.start()
    for panel in (one, other):
        until(lambda panel=panel: panel.front_end.answers() == ["<p>First.</p>\n"])
    script.go_on.set()
    asking.join()
    for panel in (one, other):
        panel.shows("First. Last.")


def test_a_panel_follows_the_current_conversation(panels: Panels, session: Session) -> None:
    panel = panels()
    panel.say("ask", text="a")
    panel.shows("You said: a")
    first = session.library.current
    session.library.new("other")
    until(lambda: panel.front_end.head["name"] == "other" and not panel.front_end.order)
    panel.say("use", conversation=first.conversation_id)
    panel.shows("You said: a")
    assert session.library.current is first
    session.library.rename("renamed", first)
    until(lambda: panel.front_end.head["name"] == "renamed")
    panel.say("new")
    until(lambda: not panel.front_end.order)
    assert session.library.current is not first


def test_a_panel_with_a_conversation_of_its_own_leaves_the_current_one(
    panels: Panels, session: Session
) -> None:
    current = session.library.current
    panel = panels(session.library.find_or_add("own"))
    panel.say("ask", text="a")
    panel.shows("You said: a")
    assert not current.turns
    panel.say("new")
    until(lambda: not panel.front_end.order)
    panel.say("use", conversation="own")
    panel.shows("You said: a")
    assert session.library.current is current


def test_conversations_are_found_by_what_was_said(panels: Panels, session: Session) -> None:
    panel = panels()
    panel.say("ask", text="about zebras")
    panel.shows("You said: about zebras")
    panel.say("search", text="ZEBRA")
    until(lambda: "options" in panel.front_end.kinds())
    (found,) = panel.front_end.last("options")["options"]
    assert found["value"] == session.library.current.conversation_id
    assert "1 turn" in found["detail"] and "about zebras" in found["detail"]
    panel.say("search", text="lion")
    until(lambda: panel.front_end.kinds().count("options") == 2)
    assert panel.front_end.last("options")["options"] == []


def test_a_model_that_is_chosen_is_asked(panels: Panels, server: ScriptedServer) -> None:
    panel = panels()
    panel.say("models")
    until(lambda: "options" in panel.front_end.kinds())
    labels = [option["label"] for option in panel.front_end.last("options")["options"]]
    assert labels == ["Server's default", "scripted-model"]
    panel.say("model", model="chosen")
    panel.say("ask", text="a")
    panel.shows("You said: a")
    panel.say("model", model=None)
    panel.say("ask", text="b")
    panel.shows("You said: a", "You said: b")
    assert [post.get("model") for post in server.posts] == ["chosen", ""]
    assert panel.front_end.head["model"] is None


def test_a_list_of_models_that_cannot_be_had_says_why(
    panels: Panels, server: ScriptedServer
) -> None:
    server.get["/v1/models"] = (500, {}, b"broken")
    panel = panels()
    panel.say("models")
    until(lambda: "options" in panel.front_end.kinds())
    assert "500" in panel.front_end.last("options")["problem"]


def turns(count: int, size: int = 100) -> list[Turn]:
    return [
        Turn(f"question {n}", answer=f"answer {n} {'word ' * (size // 5)}", status="complete")
        for n in range(count)
    ]


def test_a_long_conversation_comes_in_batches_the_last_turns_first(
    panels: Panels, session: Session
) -> None:
    session.library.current.turns += turns(45)
    panel = panels()
    shown = [panel.front_end.turns[name]["prompt"] for name in panel.front_end.order]
    assert shown == [f"question {n}" for n in range(45)]
    batches = [m["turns"] for m in panel.front_end.messages if m["kind"] == "turns"]
    assert max(map(len, batches)) == 10 and batches[0][-1]["prompt"] == "question 44"


def test_a_very_long_answer_comes_in_pieces(panels: Panels, session: Session) -> None:
    text = sample(200_000)
    session.library.current.turns.append(Turn("?", answer=text, status="complete"))
    panel = panels()
    until(lambda: "Part" in panel.front_end.answers()[0][-300:])
    assert max(len(str(m)) for m in panel.front_end.messages) < 300_000
    assert panel.front_end.messages[-1]["kind"] in ("turns", "ack", "grow")


def test_a_view_that_comes_later_gets_everything_also_of_an_answer_that_is_arriving(
    panels: Panels, server: ScriptedServer
) -> None:
    panel = panels()
    panel.say("ask", text="a")
    panel.shows("You said: a")
    script = Halting("Some.\n\nFirst. ")
    server.script(script)
    panel.say("ask", text="b")
    until(lambda: "First." in panel.front_end.answers()[-1])
    later = PanelFrontEnd("b")
    panel.others.append(later)
    panel.say("hello", view="b")
    until(lambda: later.is_whole and "First." in later.answers()[-1])
    script.go_on.set()
    until(lambda: "Last." in later.answers()[-1] and later.answers() == panel.front_end.answers())


def test_one_view_more_disturbs_no_other(panels: Panels, session: Session) -> None:
    session.library.current.turns += turns(3)
    panel = panels()
    later = PanelFrontEnd("b")
    panel.others.append(later)
    resets = [m["to"] for m in panel.front_end.messages if m["kind"] == "reset"]
    panel.say("hello", view="b")
    until(lambda: later.is_whole)
    assert later.order == panel.front_end.order
    assert [m["to"] for m in panel.front_end.messages if m["kind"] == "reset"] == [*resets, "b"]


def test_with_its_last_view_gone_its_work_ends_and_begins_again_with_the_next(
    panels: Panels, server: ScriptedServer
) -> None:
    server.script(Halting("half"))
    panel = panels(grace=0.1)
    panel.say("ask", text="a")
    until(lambda: panel.front_end.answers() == ["<p>half</p>\n"])
    panel.say("bye", view="a")
    until(lambda: not any(t.name.startswith("copilot-panel") for t in threading.enumerate()))
    server.script(lambda exchange: answer(exchange, "Again."))
    panel.hello()
    panel.shows("half")
    panel.say("ask", text="b")
    panel.shows("half", "Again.")


def test_a_view_that_is_still_there_keeps_the_work_going(
    panels: Panels, server: ScriptedServer
) -> None:
    panel = panels(grace=0.1)
    panel.say("hello", view="b")
    panel.say("here", view="a")
    panel.say("bye", view="b")
    panel.say("ask", text="a")
    panel.shows("You said: a")
    threading.Event().wait(0.3)
    assert any(t.name == "copilot-panel" for t in threading.enumerate())


def test_the_conversation_is_saved_soon_after_it_has_changed(panels: Panels) -> None:
    panel = panels()
    panel.say("ask", text="a")
    until(lambda: panel.pages and "You said: a" in "".join(panel.pages[-1]))


def test_a_fault_is_told_and_the_panel_goes_on(
    panels: Panels, monkeypatch: pytest.MonkeyPatch, session: Session
) -> None:
    panel = panels()
    monkeypatch.setattr(session.library, "summaries", lambda text: 1 / 0)
    panel.say("search", text="")
    until(lambda: "notice" in panel.front_end.kinds())
    assert "ZeroDivisionError" in panel.front_end.last("notice")["lines"][0]
    panel.say("ask", text="a")
    panel.shows("You said: a")


def test_news_do_not_keep_a_panel_going_that_nobody_sees(panels: Panels, session: Session) -> None:
    panel = panels(grace=0.2)
    panel.say("bye", view="a")
    stop = threading.Event()

    def chatter() -> None:
        while not stop.wait(0.001):
            session.library.watchers.tell(News())

    talking = threading.Thread(target=chatter)
    talking.start()
    until(lambda: not any(t.name == "copilot-panel" for t in threading.enumerate()), 5)
    stop.set()
    talking.join()
    panel.hello().say("ask", text="a")
    panel.shows("You said: a")
