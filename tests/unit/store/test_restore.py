"""A damaged file: what can be read of it, and how it is brought back."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from store_helpers import asked, loaded

from copilot_magic.chat.conversation import Conversation
from copilot_magic.chat.turn import Turn
from copilot_magic.errors import CopilotError, StoreError
from copilot_magic.store.copies import copy_path
from copilot_magic.store.store import Store

PROMPTS = [f"prompt {number}" for number in range(12)]


def filled(path: str) -> None:
    """Fill a file with two conversations, and leave a copy of it."""
    talks = [Conversation("Talk"), Conversation("Chat")]
    with closing(Store.open(path)) as store:
        for number, prompt in enumerate(PROMPTS):
            asked(store, talks[number % 2], prompt, f"answer {number} " * 200)


def damage_schema(path: Path) -> None:
    path.write_bytes(b"\xff" * 300 + path.read_bytes()[300:])


def damage_middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[52_288:60_480] = b"\xff" * 8192
    path.write_bytes(data)


def prompts_of(store: Store) -> set[str]:
    return {turn.prompt for found in store.list() for turn in loaded(store, found.name).turns}


@pytest.mark.parametrize("damage", [damage_schema, damage_middle, Path.unlink])
def test_restoring_brings_back_the_copy_and_keeps_the_damaged_file(
    path: str, damage: Callable[[Path], object]
) -> None:
    filled(path)
    damage(Path(path))
    broken = Path(path).read_bytes() if Path(path).exists() else None
    with closing(Store(path)) as store:
        restored = store.restore()
        assert prompts_of(store) == set(PROMPTS)
        asked(store, loaded(store, "Talk"), "and on")
    assert (restored.conversations, restored.turns, restored.added) == (2, 12, 0)
    assert restored.copied == pytest.approx(Path(copy_path(path)).stat().st_mtime)
    assert Path(path).stat().st_mode & 0o777 == 0o600
    if broken is None:
        assert restored.kept == ""
    else:
        assert Path(restored.kept).read_bytes() == broken
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_turns_that_are_newer_than_the_copy_come_from_the_file_if_they_can_be_read(
    path: str,
) -> None:
    filled(path)
    with closing(Store.open(path)) as store:
        talk = loaded(store, "Talk")
        asked(store, talk, "newer")
        asked(store, talk, "again", replaces=talk.turns[-2])
    damage_middle(Path(path))
    with closing(Store(path)) as store:
        restored = store.restore()
        talk = loaded(store, "Talk")
    assert restored.added == 2
    assert [turn.prompt for turn in talk.turns] == [*PROMPTS[:10:2], "again", "newer"]


def test_without_a_copy_what_can_be_read_is_brought_back(path: str) -> None:
    filled(path)
    Path(copy_path(path)).unlink()
    damage_middle(Path(path))
    with closing(Store(path)) as store:
        restored = store.restore()
        found = prompts_of(store)
    assert restored.copied is None
    assert 6 < len(found) < 12
    assert restored.added == restored.turns == len(found)


def test_with_nothing_to_bring_back_the_file_is_left_as_it_is(path: str) -> None:
    Path(path).write_text("Dear diary, " * 1000)
    with closing(Store(path)) as store, pytest.raises(StoreError, match="no copy"):
        store.restore()
    assert Path(path).read_text() == "Dear diary, " * 1000
    assert [file.name for file in Path(path).parent.iterdir()] == ["conversations.db"]


def test_what_is_forgotten_does_not_come_back(path: str) -> None:
    filled(path)
    with closing(Store.open(path)) as store:
        store.forget("Talk")
    damage_middle(Path(path))
    with closing(Store(path)) as store:
        store.restore()
        assert [found.name for found in store.list()] == ["Chat"]
        assert store.files_kept_aside() != []


def test_turns_in_memory_are_written_to_the_restored_file(path: str) -> None:
    filled(path)
    with closing(Store.open(path)) as store:
        talk = loaded(store, "Talk")
        asked(store, talk, "newer")
        damage_schema(Path(path))
        store.restore()
        assert len(loaded(store, "Talk").turns) == 6
        store.catch_up(talk)
        assert loaded(store, "Talk").turns[-1].prompt == "newer"


# Reading what is left


def test_of_a_file_damaged_in_its_middle_the_rest_is_read(path: str) -> None:
    filled(path)
    damage_middle(Path(path))
    with closing(Store(path)) as store:
        found = prompts_of(store)
        assert store.damage is not None
        assert 6 < len(found) < 12
        assert "damaged" in store.damage.message


def test_a_file_cut_short_is_read_as_far_as_it_goes(path: str) -> None:
    filled(path)
    Path(path).write_bytes(Path(path).read_bytes()[:-8192])
    with closing(Store(path)) as store:
        assert len(prompts_of(store)) > 6


def test_a_turn_whose_details_are_damaged_keeps_the_rest(store: Store, path: str) -> None:
    asked(store, Conversation("Talk"), "one")
    for details in ("{not json", "[1]", '{"options": 5, "notes": "x", "model": 1}', "[" * 99_999):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE turn SET details = ?", (details,))
            connection.commit()
        (turn,) = loaded(store, "Talk").turns
        assert (turn.prompt, turn.answer, turn.status) == ("one", "Yes.", "complete")
        assert (turn.notes, turn.model) == ([], "")


def test_values_of_other_types_are_read_as_text(store: Store, path: str) -> None:
    asked(store, Conversation("Talk"), "one")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE turn SET answer = x'ff21', status = 'gone', started = 'x'")
        connection.execute("UPDATE conversation SET last_used = 'x', system = 7")
        connection.commit()
    talk = loaded(store, "Talk")
    (turn,) = talk.turns
    assert (turn.answer, turn.status, turn.started) == ("\ufffd!", "interrupted", 0.0)
    assert store.list()[0].name == "Talk"


@pytest.mark.parametrize("seed", range(40))
def test_a_file_damaged_at_random_raises_only_our_errors_and_can_be_restored(
    path: str, seed: int
) -> None:
    filled(path)
    chance = random.Random(seed)
    data = bytearray(Path(path).read_bytes())
    for _ in range(chance.choice([1, 3, 30])):
        at, size = chance.randrange(len(data)), chance.choice([1, 50, 4096])
        data[at : at + size] = chance.randbytes(len(data[at : at + size]))
    Path(path).write_bytes(data)
    new, turn = Conversation("New"), Turn("one")
    new.begin(turn)
    tries: list[Callable[[Store], object]] = [
        lambda store: store.load("Talk"),
        lambda store: store.list("answer"),
        lambda store: store.latest("/a.ipynb"),
        lambda store: store.answer_to("key"),
        lambda store: store.newer(Conversation("Talk")),
        lambda store: store.begin_turn(new, turn),
        lambda store: store.end_turn(new, turn),
        lambda store: store.rename("Chat", "Chats"),
    ]
    with closing(Store(path)) as store:
        for attempt in tries:
            with suppress(CopilotError):
                attempt(store)
        store.restore()
        assert prompts_of(store) >= set(PROMPTS)
