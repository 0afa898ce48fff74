"""What a request says of a conversation, and what an answer is."""

from __future__ import annotations

import pickle
import uuid

import pytest

from copilot_magic.chat.conversation import Answer, Conversation, Turn

SERVER = "http://localhost:1337/v1"


def talk(*turns: Turn, system: str = "") -> Conversation:
    return Conversation("test", system=system, turns=list(turns))


def turn(prompt: str, answer: str = "", **more: object) -> Turn:
    values = {"server": SERVER, "asked_provider": "Copilot", "status": "complete", **more}
    return Turn(prompt, answer, **values)  # type: ignore[arg-type]


def said(conversation: Conversation, prompt: str = "next", **more: object) -> list[tuple[str, str]]:
    asked = {"server": SERVER, "provider": "", **more}
    out = conversation.outgoing(prompt, **asked)  # type: ignore[arg-type]
    return [(message["role"], message["content"]) for message in out.messages]


def test_the_first_prompt_is_sent_alone() -> None:
    assert said(talk(), "Hello", provider="Copilot") == [("user", "Hello")]


def test_a_stateless_server_is_told_the_full_history() -> None:
    earlier = talk(turn("I am Heiner", "Hello Heiner"), system="Be brief")
    assert said(earlier) == [
        ("system", "Be brief"),
        ("user", "I am Heiner"),
        ("assistant", "Hello Heiner"),
        ("user", "next"),
    ]


def test_turns_without_an_answer_are_not_sent() -> None:
    failed = turn("lost", "", status="failed")
    assert said(talk(turn("a", "b"), failed)) == [
        ("user", "a"),
        ("assistant", "b"),
        ("user", "next"),
    ]


def test_a_partial_answer_is_sent() -> None:
    assert ("assistant", "half") in said(talk(turn("a", "half", status="interrupted")))


def test_a_repeated_prompt_is_made_unique() -> None:
    """gpt4free 8 drops a user message that equals an earlier one."""
    repeated = talk(turn("again", "1"), turn("again", "2"))
    users = [content for role, content in said(repeated, "again") if role == "user"]
    assert users == ["again", "again\n", "again\n\n"]


def test_a_thread_of_the_same_server_and_provider_goes_on_with_the_last_message_alone() -> None:
    conversation = talk(turn("a", "b", conversation={"id": 7}, thread="t"))
    out = conversation.outgoing("next", server=SERVER, provider="Copilot")
    assert out.messages == [{"role": "user", "content": "next"}]
    assert out.conversation == {"id": 7}
    assert out.thread == "t"


@pytest.mark.parametrize(
    ("server", "provider"), [(SERVER, "Other"), ("http://elsewhere/v1", "Copilot")]
)
def test_a_thread_is_never_sent_to_another_provider_or_server(server: str, provider: str) -> None:
    conversation = talk(turn("a", "b", conversation={"id": 7}, thread="t"))
    assert conversation.outgoing("next", server=server, provider=provider).conversation is None


def test_a_failed_turn_leaves_the_last_good_thread_usable() -> None:
    good = turn("a", "b", conversation={"id": 7}, thread="t")
    failed = turn("c", "", status="failed", thread="t")
    out = talk(good, failed).outgoing("next", server=SERVER, provider="Copilot")
    assert out.conversation == {"id": 7}


def test_an_interrupted_turn_leaves_the_last_good_thread_usable() -> None:
    good = turn("a", "b", conversation={"id": 7}, thread="t")
    stopped = turn("c", "half", status="interrupted", thread="t")
    out = talk(good, stopped).outgoing("next", server=SERVER, provider="Copilot")
    assert out.conversation == {"id": 7}


def test_copilot_without_a_thread_is_told_all_in_one_user_message() -> None:
    earlier = talk(turn("I am Heiner", "Hello Heiner"), system="Be brief")
    ((role, content),) = said(earlier, "Who am I?", provider="Copilot")
    assert role == "user"
    assert [
        content.index(part) for part in ("Be brief", "I am Heiner", "Hello Heiner", "Who am I?")
    ]


def test_copilot_is_typed_the_system_message_with_the_first_prompt() -> None:
    messages = said(talk(system="Be brief"), "Hi", provider="Copilot")
    assert messages == [("system", "Be brief"), ("user", "Be brief\n\nHi")]


def test_an_old_copilot_server_is_told_the_full_history() -> None:
    earlier = talk(turn("a", "b"))
    assert len(said(earlier, provider="Copilot", threadless=True)) == 3


def test_another_provider_in_between_ends_the_thread() -> None:
    conversation = talk(
        turn("a", "b", conversation={"id": 7}, thread="t"),
        turn("c", "d", asked_provider="Other"),
    )
    out = conversation.outgoing("next", server=SERVER, provider="Copilot")
    assert out.conversation is None
    assert len(out.messages) == 1
    assert "d" in out.messages[0]["content"]


def test_a_rerun_turn_leaves_its_thread_behind() -> None:
    first = turn("a", "b", thread="t")
    second = turn("c", "d", conversation={"id": 7}, thread="t")
    conversation = talk(first, second)
    first.conversation = {"id": 7}
    conversation.begin(turn("c2", thread="u"), 1)
    assert (
        conversation.outgoing("x", server=SERVER, provider="Copilot", before=1).conversation is None
    )


def test_run_all_goes_on_in_the_new_thread() -> None:
    """Running every cell again needs no folding: the new first turn began a thread of its own."""
    conversation = talk(turn("1", "x", thread="old"), turn("2", "y", thread="old"))
    again = turn("1", "x", thread="new", conversation={"id": 8})
    replaced = conversation.begin(again, 0)
    conversation.end(again, replaced)
    conversation.begin(turn("2"), 1)
    out = conversation.outgoing("2", server=SERVER, provider="Copilot", before=1)
    assert out.conversation == {"id": 8}


def test_a_thread_goes_on_from_its_latest_turn_only() -> None:
    first = turn("a", "b", thread="t", conversation={"id": 7})
    second = turn("c", "d", thread="t", conversation={"id": 7})
    conversation = talk(first, second)
    conversation.end(second)
    assert first.conversation is None
    assert second.conversation == {"id": 7}


def test_later_turns_are_stale_once_an_earlier_one_has_another_answer() -> None:
    later = turn("2", "y")
    conversation = talk(turn("1", "x"), later)
    again = turn("1")
    replaced = conversation.begin(again, 0)
    assert not later.stale
    again.answer = "z"
    conversation.end(again, replaced)
    assert later.stale


def test_the_same_answer_again_makes_nothing_stale() -> None:
    later = turn("2", "y")
    conversation = talk(turn("1", "x"), later)
    again = turn("1", "x")
    conversation.end(again, conversation.begin(again, 0))
    assert not later.stale


def test_a_rerun_that_received_nothing_gives_the_old_turn_its_place_back() -> None:
    old = turn("1", "x")
    conversation = talk(old, turn("2", "y"))
    again = turn("1", status="failed")
    conversation.end(again, conversation.begin(again, 0))
    assert conversation.turns[0] is old
    assert not conversation.turns[1].stale


def test_a_rerun_is_told_only_what_came_before_it() -> None:
    conversation = talk(turn("1", "x"), turn("2", "y"), turn("3", "z"))
    assert said(conversation, "2 again", before=1) == [
        ("user", "1"),
        ("assistant", "x"),
        ("user", "2 again"),
    ]


def test_a_budget_leaves_out_the_oldest_turns_and_keeps_system_and_last() -> None:
    conversation = talk(*[turn(f"q{i}", "a" * 100) for i in range(5)], system="S")
    out = conversation.outgoing("next", server=SERVER, provider="", budget=210)
    assert [m["content"][:2] for m in out.messages if m["role"] != "assistant"] == [
        "S",
        "q3",
        "q4",
        "ne",
    ]
    assert out.omitted == 3
    tiny = conversation.outgoing("next", server=SERVER, provider="", budget=1)
    assert tiny.omitted == 4


def test_the_conversation_id_is_a_random_uuid() -> None:
    assert uuid.UUID(Conversation().conversation_id).version == 4
    assert Conversation().conversation_id != Conversation().conversation_id


def test_the_last_turn_of_a_cell_is_found() -> None:
    conversation = talk(turn("1", cell_id="A"), turn("2", cell_id="B"))
    assert conversation.find_cell("A") == 0
    assert conversation.find_cell("C") is None
    assert conversation.find_cell(None) is None


@pytest.mark.parametrize(
    ("status", "finish_reason", "cut_off"),
    [
        ("complete", "stop", False),
        ("complete", "length", True),
        ("interrupted", None, True),
        ("failed", None, True),
    ],
)
def test_what_is_cut_off_can_be_continued(
    status: str, finish_reason: str | None, cut_off: bool
) -> None:
    assert turn("a", "b", status=status, finish_reason=finish_reason).cut_off is cut_off
    assert not turn("a", "", status=status, finish_reason=finish_reason).cut_off


def test_an_answer_is_a_str_that_knows_its_turn() -> None:
    answered = turn("p", "text", model="m", provider="P", usage={"total_tokens": 3}, elapsed=2.0)
    answer = Answer.of(answered, "id")
    assert answer == "text"
    assert isinstance(answer, str)
    assert (answer.model, answer.provider, answer.elapsed) == ("m", "P", 2.0)
    assert answer.conversation_id == "id"
    assert type(answer.markdown) is str
    again = pickle.loads(pickle.dumps(answer))
    assert again == answer
    assert again.usage == {"total_tokens": 3}


def test_an_answers_code_is_its_blocks_with_their_language() -> None:
    blocks = Answer.of(turn("p", "Do\n\n```python\nx = 1\n```\n\nand\n\n```\ny\n```\n"), "id").code
    assert [(block.language, block.code) for block in blocks] == [
        ("python", "x = 1"),
        ("", "y"),
    ]


def test_an_answers_display_is_harmless() -> None:
    bundle = Answer.of(turn("p", "<img src=x onerror=alert(1)>"), "id")._repr_mimebundle_()
    assert "<img" not in bundle["text/html"]
    assert set(bundle) == {"text/html", "text/markdown", "text/plain"}
