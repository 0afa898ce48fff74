"""The conversations of a kernel, and what other kernels and files do to them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from asking import ask, text_of
from scripted_server import ScriptedServer

from copilot_magic.errors import StoreError, UnknownConversationError, UsageError
from copilot_magic.session.session import Session
from copilot_magic.settings import Settings
from copilot_magic.store.store import Store

Start = Callable[..., Session]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "conversations.db"


@pytest.fixture
def start(server: ScriptedServer, path: Path) -> Iterator[Start]:
    """Return a function that starts a session, as a kernel does."""
    sessions = []

    def start(notebook: str = "/n/talk.ipynb") -> Session:
        settings = Settings(base_url=server.base_url, provider="Other", store=str(path))
        sessions.append(Session(settings, notebook=notebook))
        return sessions[-1]

    yield start
    for session in sessions:
        session.close()


def say(session: Session, prompt: str, cell_id: str | None = None) -> list[str]:
    """Ask, and return the notes on the answer."""
    exchange = ask(session, prompt, cell_id=cell_id)
    text_of(exchange)
    return exchange.turn.notes


def prompts(session: Session) -> list[str]:
    return [turn.prompt for turn in session.library.current.turns]


def stored(path: Path) -> dict[str, list[str]]:
    with closing(Store.open(str(path))) as store:
        found = [store.load(summary.name) for summary in store.list()]
        return {talk.name: [turn.prompt for turn in talk.turns] for talk in found if talk}


def break_file(path: Path) -> None:
    for ending in ("-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)
    path.write_bytes(b"\xff" * 300 + path.read_bytes()[300:])


# Other kernels


def test_two_kernels_in_one_conversation_see_each_others_turns(
    start: Start, server: ScriptedServer
) -> None:
    first = start()
    say(first, "one")
    second = start()
    say(second, "two")
    assert say(first, "three") == []
    assert prompts(second) == prompts(first) == ["one", "two", "three"]
    said = [m["content"] for m in server.posts[2]["messages"] if m["role"] == "user"]
    assert said == ["one", "two", "three"]


def test_a_cell_that_another_kernel_ran_again_is_replaced_here_too(start: Start) -> None:
    first = start()
    say(first, "one", "A")
    second = start()
    say(second, "one again", "A")
    say(first, "two", "B")
    assert prompts(first) == prompts(second) == ["one again", "two"]


def test_a_conversation_forgotten_in_another_kernel_is_not_revived(
    start: Start, path: Path, server: ScriptedServer
) -> None:
    first = start()
    say(first, "secret")
    second = start()
    second.library.forget("talk")
    old = server.posts[0]["conversation_id"]
    (note,) = say(first, "next")
    assert note == "talk was forgotten in another kernel; this is a new conversation"
    assert len(server.posts[1]["messages"]) == 1
    assert server.posts[1]["conversation_id"] != old
    assert stored(path) == {"talk": ["next"]}
    assert say(first, "on") == []
    assert prompts(first) == ["next", "on"]


def test_a_named_conversation_forgotten_elsewhere_begins_anew_or_is_unknown(start: Start) -> None:
    first = start()
    text_of(ask(first, "one", conversation=first.library.find_or_add("aside")))
    start().library.forget("aside")
    with pytest.raises(UnknownConversationError):
        first.library.use("aside")
    text_of(ask(first, "two", conversation=first.library.find_or_add("aside")))
    assert [turn.prompt for turn in first.library.find("aside").turns] == ["two"]


def test_an_answer_that_another_kernel_forgot_cannot_be_continued(start: Start) -> None:
    first = start()
    say(first, "one")
    last = first.library.current.turns[-1]
    last.finish_reason = "length"
    talk = first.library.current
    start().library.forget("talk")
    with pytest.raises(UsageError, match="deleted in another kernel"):
        list(first.continue_last(talk))
    assert last.status == "complete"


def test_a_retry_after_another_kernel_replaced_the_turn_is_a_turn_of_its_own(start: Start) -> None:
    first = start()
    say(first, "one", "A")
    talk = first.library.current
    say(start(), "one again", "A")
    text_of(first.retry(talk))
    assert prompts(first) == ["one again", "one"]


# What is continued


def test_what_would_be_continued_is_announced_and_nothing_changes(start: Start) -> None:
    first = start()
    assert first.library.announcement() == ""
    assert not Path(first.library.storage.file).exists()
    say(first, "one")
    assert first.library.announcement() == ""  # it is in use
    second = start()
    assert second.library.announcement() == "talk: continues an earlier conversation (1 turn)"
    assert second.library.announcement() != ""
    assert say(second, "two") == ["continues an earlier conversation (1 turn)"]
    assert start("/n/other.ipynb").library.announcement() == ""


def test_a_new_notebook_at_the_path_of_a_deleted_one_starts_its_own(
    start: Start, tmp_path: Path
) -> None:
    file = tmp_path / "Untitled.ipynb"

    def write(cell: str, seconds: float) -> None:
        file.unlink(missing_ok=True)
        file.write_text(json.dumps({"cells": [{"id": cell}], "nbformat": 4, "nbformat_minor": 5}))
        os.utime(file, (time.time() + seconds, time.time() + seconds))

    write("aaaaaaaa", -5)
    first = start(str(file))
    say(first, "one", "aaaaaaaa")
    write("aaaaaaaa", 5)  # it was saved
    assert "(1 turn)" in start(str(file)).library.announcement()
    write("bbbbbbbb", 10)
    third = start(str(file))
    assert third.library.announcement() == ""
    assert say(third, "two", "bbbbbbbb") == []
    assert prompts(third) == ["two"]
    assert third.library.current.name == "Untitled 2"
    fourth = start(str(file))
    assert prompts(fourth) == ["two"]


def test_a_new_conversation_after_a_restart_continues_nothing(start: Start) -> None:
    say(start(), "one")
    second = start()
    assert second.library.announcement() != ""
    second.library.new()
    assert say(second, "two") == []
    assert prompts(second) == ["two"]


def test_a_taken_name_with_a_number_counts_on(start: Start, path: Path) -> None:
    for _ in range(3):
        say(start("/a/Untitled.ipynb"), "one")
        session = start("/a/Untitled.ipynb")
        session.library.new()
        say(session, "two")
    assert "Untitled 2 2" not in stored(path)
    library = start("/b/x.ipynb").library
    library.new("Untitled 2 copy")
    assert library._free_name("Untitled 2 copy") == "Untitled 2 copy 2"


# Damage and other trouble


def test_a_damaged_file_is_called_damaged_and_costs_no_prompt(start: Start, path: Path) -> None:
    say(start(), "one")
    break_file(path)
    session = start()
    for call in (session.library.use, session.library.find, session.library.forget):
        with pytest.raises(StoreError, match="damaged") as raised:
            call("talk")
        assert raised.value.damaged
    (note,) = say(session, "two")
    assert "not kept" in note
    assert "damaged" in note
    assert say(session, "three") == []


def test_restoring_continues_the_notebooks_conversation(
    start: Start, path: Path, server: ScriptedServer
) -> None:
    first = start()
    say(first, "one")
    first.close()
    break_file(path)
    session = start()
    assert session.library.current.turns == []
    restored = session.library.restore()
    assert (restored.conversations, restored.turns) == (1, 1)
    assert prompts(session) == ["one"]
    say(session, "two")
    assert stored(path) == {"talk": ["one", "two"]}


def test_restoring_writes_what_was_asked_since(start: Start, path: Path) -> None:
    first = start()
    say(first, "one")
    first.close()
    say(first, "two")
    first.library.storage.close()
    break_file(path)
    say(first, "three")
    first.library.restore()
    assert stored(path) == {"talk": ["one", "two", "three"]}
    assert say(first, "four") == []


def test_without_a_file_there_is_nothing_to_restore() -> None:
    with pytest.raises(UsageError, match="No conversations are kept"):
        Session(Settings(store=None)).library.restore()


def test_what_is_forgotten_after_a_restore_may_be_in_the_file_kept_aside(
    start: Start, path: Path
) -> None:
    first = start()
    say(first, "one")
    first.close()
    kept = first.library.restore().kept
    assert first.library.forget("talk") == [
        f"It may still be in {kept}, kept when the file was restored"
    ]


def test_a_name_that_cannot_be_written_stays_as_it_was(start: Start, path: Path) -> None:
    session = start()
    say(session, "one")
    session.library.storage.close()
    break_file(path)
    with pytest.raises(StoreError, match="damaged"):
        session.library.rename("chat", session.library.current)
    assert session.library.current.name == "talk"
