"""The rows of conversations: found by name, id, text and notebook, and summarized."""

from __future__ import annotations

from dataclasses import replace

import pytest
from store_helpers import asked, fields, loaded

from copilot_magic.chat.conversation import Conversation
from copilot_magic.chat.turn import Turn
from copilot_magic.store.rows import Summary
from copilot_magic.store.store import Store


def test_a_conversation_is_found_by_its_name_and_by_its_id(store: Store) -> None:
    conversation = Conversation("Talk")
    store.save(conversation)
    by_name, by_id = loaded(store, "Talk"), loaded(store, conversation.conversation_id)
    assert fields(by_name) == fields(by_id) == fields(conversation)
    assert store.load("talk") is None


def test_a_taken_name_gets_a_number(store: Store) -> None:
    conversations = [Conversation("Talk") for _ in range(3)]
    for conversation in conversations:
        asked(store, conversation, "one")
    assert [c.name for c in conversations] == ["Talk", "Talk 2", "Talk 3"]
    assert loaded(store, "Talk 2").conversation_id == conversations[1].conversation_id


def test_the_list_has_the_last_used_first_and_says_what_they_are_about(store: Store) -> None:
    old, new = Conversation("Old"), Conversation("New")
    first = asked(store, old, "How old?")
    asked(store, new, "How new?")
    asked(store, new, "And now?")
    store.save(new, notebook="work.ipynb")
    listed = store.list()
    assert [summary.name for summary in listed] == ["New", "Old"]
    assert listed[0].turns == 2
    assert listed[0].first_prompt == "How new?"
    assert listed[0].notebook == "work.ipynb"
    assert listed[1].started == first.started <= listed[1].last_used
    assert replace(listed[1], last_used=0) == replace(Summary.of(old), last_used=0)


@pytest.mark.parametrize("search", ["100%", "snake_case", "ÜBUNG", "straSSe", "big tal"])
def test_the_list_finds_text_in_names_prompts_and_answers(store: Store, search: str) -> None:
    asked(store, Conversation("Big Talk"), "is 100% of snake_case fine", "übung in der Straße")
    asked(store, Conversation("Other"), "100 snakeXcase", "nothing")
    assert [summary.name for summary in store.list(search)] == ["Big Talk"]


def test_a_notebook_finds_the_conversation_it_used_last(store: Store) -> None:
    first, second = Conversation("First"), Conversation("Second")
    for conversation, notebook in (
        (first, "a.ipynb"),
        (second, "a.ipynb"),
        (second, "b.ipynb"),
        (first, "a.ipynb"),
    ):
        turn = Turn("one")
        conversation.begin(turn)
        store.begin_turn(conversation, turn, notebook=notebook)
    asked(store, second, "asked aside, in no notebook")
    found = {notebook: store.latest(notebook) for notebook in ("a.ipynb", "b.ipynb", "c.ipynb", "")}
    assert {notebook: c and c.name for notebook, c in found.items()} == {
        "a.ipynb": "First",
        "b.ipynb": "Second",
        "c.ipynb": None,
        "": None,
    }
