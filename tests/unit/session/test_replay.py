"""Stored answers: found in the replay file first, told again as events, kept for the next time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from copilot_magic.chat.conversation import Conversation
from copilot_magic.chat.turn import Turn
from copilot_magic.errors import StoreError
from copilot_magic.session.replay import events_of, find_answer, keep_answer
from copilot_magic.session.storage import Storage
from copilot_magic.settings import Settings
from copilot_magic.wire.chunks import Delta

KEY = "a" * 64


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(store=str(tmp_path / "talks.db"), replay=str(tmp_path / "answers.json"))


def kept(turn: Turn, storage: Storage) -> None:
    conversation = Conversation(turns=[turn])
    assert storage.write(lambda store: store.save(conversation)) == []


def test_an_answer_is_kept_in_both_files_and_found_in_either(settings: Settings) -> None:
    storage = Storage(settings.store)
    turn = Turn("hi", "hello", status="complete", model="m")
    kept(turn, storage)
    assert keep_answer(KEY, turn, settings, storage) == []
    for either in (replace(settings, replay=True), settings):
        found = find_answer(KEY, either, Storage(None) if either is settings else storage)
        assert found is not None
        assert (found.answer, found.model) == ("hello", "m")
    assert find_answer("b" * 64, settings, storage) is None
    storage.close()


def test_a_replay_file_that_cannot_be_used_is_an_error_and_costs_no_answer(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "answers.json").write_text("not ours")
    storage = Storage(settings.store)
    turn = Turn("hi", "hello", status="complete")
    kept(turn, storage)
    with pytest.raises(StoreError):
        find_answer(KEY, settings, storage)
    (note,) = keep_answer(KEY, turn, settings, storage)
    assert "not kept for replay" in note
    assert (tmp_path / "answers.json").read_text() == "not ours"
    storage.close()


def test_a_stored_answer_is_told_again_with_all_that_is_known_of_it() -> None:
    stored = Turn("hi", "hello", reasoning="hm", finish_reason="stop", usage={"n": 1}, model="m")
    assert list(events_of(stored)) == [
        Delta(reasoning="hm"),
        Delta(content="hello"),
        Delta(finish_reason="stop", usage={"n": 1}, model="m"),
    ]
