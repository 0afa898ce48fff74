"""The turns of a conversation, and what asking one again does to the others."""

from __future__ import annotations

import pickle
import threading
import uuid

from copilot_magic.chat.conversation import Conversation
from copilot_magic.chat.turn import Turn

SERVER = "http://localhost:1337/v1"


def turn(prompt: str, answer: str = "", **more: object) -> Turn:
    values = {"server": SERVER, "asked_provider": "Copilot", "status": "complete", **more}
    return Turn(prompt, answer, **values)  # type: ignore[arg-type]


def talk(*turns: Turn) -> Conversation:
    return Conversation("test", turns=list(turns))


def test_a_rerun_turn_leaves_its_thread_behind() -> None:
    first = turn("a", "b", thread="t", continuation={"id": 7})
    second = turn("c", "d", thread="t", continuation={"id": 7})
    conversation = talk(first, second)
    conversation.begin(turn("c2", thread="u"), second)
    assert first.continuation is None


def test_another_thread_of_the_conversation_stays() -> None:
    """Running every cell again needs no folding: the new first turn began its own thread."""
    one, two = turn("1", "x", thread="old"), turn("2", "y", thread="old")
    conversation = talk(one, two)
    again = turn("1", "x", thread="new", continuation={"id": 8})
    conversation.begin(again, one)
    conversation.end(again, one)
    conversation.begin(turn("2"), two)
    assert again.continuation == {"id": 8}


def test_a_thread_continues_from_its_latest_turn_only() -> None:
    first = turn("a", "b", thread="t", continuation={"id": 7})
    second = turn("c", "d", thread="t", continuation={"id": 7})
    talk(first, second).end(second)
    assert first.continuation is None
    assert second.continuation == {"id": 7}


def test_later_turns_are_stale_once_an_earlier_one_has_another_answer() -> None:
    first, later = turn("1", "x"), turn("2", "y")
    conversation = talk(first, later)
    again = turn("1")
    conversation.begin(again, first)
    assert not later.stale
    again.answer = "z"
    assert conversation.end(again, first) == 1
    assert later.stale


def test_the_same_answer_again_makes_nothing_stale() -> None:
    first, later = turn("1", "x"), turn("2", "y")
    conversation = talk(first, later)
    again = turn("1", "x")
    conversation.begin(again, first)
    assert conversation.end(again, first) == 0
    assert not later.stale


def test_a_rerun_that_received_nothing_gives_the_old_turn_its_place_back() -> None:
    old = turn("1", "x")
    conversation = talk(old, turn("2", "y"))
    again = turn("1", status="failed")
    conversation.begin(again, old)
    conversation.end(again, old)
    assert conversation.turns[0] is old
    assert not conversation.turns[1].stale


def test_the_turns_before_one_are_those_above_it() -> None:
    one, two, three = turn("1", "x"), turn("2", "y"), turn("3", "z")
    conversation = talk(one, two, three)
    assert conversation.before(two) == [one]
    assert conversation.before() == [one, two, three]
    assert conversation.before(turn("elsewhere")) == [one, two, three]


def test_an_answer_that_is_still_arriving_is_not_part_of_the_history() -> None:
    arriving = turn("2", "half", status="streaming")
    assert [t.prompt for t in talk(turn("1", "x"), arriving).before()] == ["1"]


def test_the_conversation_id_is_a_random_uuid() -> None:
    assert uuid.UUID(Conversation().conversation_id).version == 4
    assert Conversation().conversation_id != Conversation().conversation_id


def test_the_last_turn_of_a_cell_is_found() -> None:
    first, second = turn("1", cell_id="A"), turn("2", cell_id="A")
    conversation = talk(first, second)
    assert conversation.find_cell("A") is second
    assert conversation.find_cell("C") is None
    assert conversation.find_cell(None) is None


def test_another_system_message_forgets_the_threads_and_the_same_one_does_not() -> None:
    conversation = talk(turn("a", "b", continuation={"id": 7}))
    conversation.set_system("")
    assert conversation.turns[0].continuation == {"id": 7}
    copy = conversation.with_system("Be brief")
    assert copy.turns[0].continuation is None
    assert conversation.turns[0].continuation == {"id": 7}
    conversation.set_system("Be brief")
    assert conversation.turns[0].continuation is None


def test_threads_that_begin_and_end_turns_at_once_lose_none() -> None:
    conversation = Conversation()

    def ask(name: int) -> None:
        for number in range(200):
            asked = turn(f"{name}.{number}", "answer", thread=str(name), continuation={"n": number})
            conversation.begin(asked)
            conversation.end(asked)

    threads = [threading.Thread(target=ask, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({t.prompt for t in conversation.turns}) == 800
    assert sum(t.continuation is not None for t in conversation.turns) == 4


def test_a_conversation_pickles() -> None:
    conversation = talk(turn("a", "b"))
    again = pickle.loads(pickle.dumps(conversation))
    assert again.conversation_id == conversation.conversation_id
    assert [t.answer for t in again.turns] == ["b"]
    again.begin(turn("c"))


def test_a_dropped_turn_is_gone_and_its_thread_is_not_continued() -> None:
    first = turn("a", "b", thread="t", continuation={"id": 7})
    second = turn("c", "d", thread="t")
    conversation = talk(first, second)
    conversation.drop(second)
    assert conversation.turns == [first]
    assert first.continuation is None


def test_what_another_process_left_replaces_all_but_what_is_on_its_way() -> None:
    arriving = turn("2", "half", status="streaming")
    conversation = talk(turn("1", "x"), arriving)
    newer = talk(turn("0", "w"), turn("2", "ha", status="streaming", id=arriving.id))
    conversation.update(newer)
    assert [t.prompt for t in conversation.turns] == ["0", "2"]
    assert conversation.turns[1] is arriving
    conversation.update(talk(turn("3", "z")))
    assert conversation.turns[1] is arriving
