"""What a server must be told of a conversation."""

from __future__ import annotations

import pytest

from copilot_magic.chat.conversation import Conversation
from copilot_magic.chat.history import Outgoing, full_history, outgoing
from copilot_magic.chat.prompt import Content, Part, text_of
from copilot_magic.chat.turn import Turn

SERVER = "http://localhost:1337/v1"


def turn(prompt: str, answer: str = "", **more: object) -> Turn:
    values = {"server": SERVER, "asked_provider": "Copilot", "status": "complete", **more}
    return Turn(prompt, answer, **values)  # type: ignore[arg-type]


def talk(*turns: Turn, system: str = "") -> Conversation:
    return Conversation("test", system=system, turns=list(turns))


def told(conversation: Conversation, text: str = "next", **more: object) -> Outgoing:
    asked = {"provider": "Copilot", "system": conversation.system, **more}
    return from_turns(conversation.turns, text, **asked)


def from_turns(turns: list[Turn], content: Content, **more: object) -> Outgoing:
    """Return what a gpt4free server is told."""
    asked = {"server": SERVER, "provider": "", "gpt4free": True, **more}
    return outgoing(turns, content, **asked)  # type: ignore[arg-type]


def said(conversation: Conversation, text: str = "next", **more: object) -> list[tuple[str, str]]:
    out = told(conversation, text, **{"provider": "", **more})
    return [(message["role"], message["content"]) for message in out.messages]


def test_the_first_prompt_is_sent_alone() -> None:
    assert said(talk(), "Hello", provider="Copilot") == [("user", "Hello")]


def test_a_stateless_server_gets_the_full_history() -> None:
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


def test_a_thread_of_the_same_server_and_provider_gets_the_new_message_alone() -> None:
    conversation = talk(turn("a", "b", continuation={"id": 7}, thread="t"))
    out = told(conversation)
    assert out.messages == [{"role": "user", "content": "next"}]
    assert out.continuation == {"id": 7}
    assert out.thread == "t"


@pytest.mark.parametrize(
    ("server", "provider"), [(SERVER, "Other"), ("http://elsewhere/v1", "Copilot")]
)
def test_a_thread_is_never_sent_to_another_provider_or_server(server: str, provider: str) -> None:
    conversation = talk(turn("a", "b", continuation={"id": 7}, thread="t"))
    assert told(conversation, server=server, provider=provider).continuation is None


def test_a_failed_turn_leaves_the_last_good_thread_usable() -> None:
    good = turn("a", "b", continuation={"id": 7}, thread="t")
    failed = turn("c", "", status="failed", thread="t")
    out = told(talk(good, failed))
    assert out.continuation == {"id": 7}


def test_an_interrupted_turn_leaves_the_last_good_thread_usable() -> None:
    good = turn("a", "b", continuation={"id": 7}, thread="t")
    stopped = turn("c", "half", status="interrupted", thread="t")
    out = told(talk(good, stopped))
    assert out.continuation == {"id": 7}


def test_copilot_without_a_thread_gets_everything_in_one_user_message() -> None:
    earlier = talk(turn("I am Heiner", "Hello Heiner"), system="Be brief")
    ((role, content),) = said(earlier, "Who am I?", provider="Copilot")
    assert role == "user"
    assert [
        content.index(part) for part in ("Be brief", "I am Heiner", "Hello Heiner", "Who am I?")
    ]


def test_copilot_is_typed_the_system_message_with_the_first_prompt() -> None:
    messages = said(talk(system="Be brief"), "Hi", provider="Copilot")
    assert messages == [("user", "Be brief\n\nHi")]


def test_an_old_copilot_server_gets_the_full_history() -> None:
    earlier = talk(turn("a", "b"))
    assert len(said(earlier, provider="Copilot", has_threads=False)) == 3


@pytest.mark.parametrize("gpt4free", [False, None])
def test_nothing_is_folded_for_a_server_that_is_not_known_to_be_gpt4free(
    gpt4free: bool | None,
) -> None:
    earlier = talk(turn("a", "b"), system="Be brief")
    assert said(earlier, provider="Copilot", gpt4free=gpt4free) == [
        ("system", "Be brief"),
        ("user", "a"),
        ("assistant", "b"),
        ("user", "next"),
    ]
    first = said(talk(system="Be brief"), "Hi", provider="Copilot", gpt4free=gpt4free)
    assert first == [("system", "Be brief"), ("user", "Hi")]


def test_what_to_send_is_undecided_only_where_a_gpt4free_server_would_need_something_else() -> None:
    earlier = talk(turn("a", "b"))
    for conversation in (earlier, talk(system="Be brief")):
        assert told(conversation, gpt4free=None).undecided
        assert not told(conversation, gpt4free=True).undecided
        assert not told(conversation, gpt4free=False).undecided
        assert not told(conversation, gpt4free=None, provider="Pi").undecided
        assert not told(conversation, gpt4free=None, has_threads=False).undecided
    assert not told(talk(), gpt4free=None).undecided
    threaded = talk(turn("a", "b", continuation={"id": 7}, thread="t"))
    assert not told(threaded, gpt4free=None).undecided


def test_another_provider_in_between_ends_the_thread() -> None:
    conversation = talk(
        turn("a", "b", continuation={"id": 7}, thread="t"),
        turn("c", "d", asked_provider="Other"),
    )
    out = told(conversation)
    assert out.continuation is None
    assert len(out.messages) == 1
    assert "d" in out.messages[0]["content"]


def test_a_budget_leaves_out_the_oldest_turns_and_keeps_system_and_last() -> None:
    conversation = talk(*[turn(f"q{i}", "a" * 100) for i in range(5)], system="S")
    out = told(conversation, provider="", budget=210)
    assert [m["content"][:2] for m in out.messages if m["role"] != "assistant"] == [
        "S",
        "q3",
        "q4",
        "ne",
    ]
    assert out.omitted == 3
    tiny = told(conversation, provider="", budget=1)
    assert tiny.omitted == 4


PICTURE: Part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def test_parts_go_along_with_their_text_in_the_history_too() -> None:
    earlier = talk(turn("Look", "A cat", parts=(PICTURE,)))
    messages = told(earlier, provider="").messages
    assert messages[0]["content"] == [{"type": "text", "text": "Look"}, PICTURE]
    assert full_history(earlier.turns, "next")[0]["content"][1] == PICTURE


def test_copilots_one_message_keeps_the_pictures_of_all_turns() -> None:
    earlier = talk(turn("Look", "A cat", parts=(PICTURE,)))
    other: Part = {**PICTURE, "detail": "low"}
    content: list[Part] = [{"type": "text", "text": "And this?"}, other]
    (message,) = from_turns(earlier.turns, content, provider="Copilot").messages
    text, *pictures = message["content"]
    assert pictures == [PICTURE, other]
    assert text["text"].endswith("as the assistant:\n\nAnd this?")


def test_the_size_of_a_request_is_the_text_in_it() -> None:
    content: list[Part] = [{"type": "text", "text": "12345"}, PICTURE]
    assert from_turns([], content).size == 5
    assert from_turns([turn("12", "345")], "67").size == 7


def test_a_repeated_prompt_with_a_picture_is_made_unique_in_its_text() -> None:
    content: list[Part] = [{"type": "text", "text": "again"}, PICTURE]
    earlier = [turn("again", "1", parts=(PICTURE,))]
    messages = from_turns(earlier, content).messages
    assert [text_of(m["content"]) for m in messages] == ["again", "1", "again\n"]
    assert content[0]["text"] == "again"


def test_the_text_of_earlier_parts_counts_for_the_budget() -> None:
    long: Part = {"type": "text", "text": "x" * 100}
    earlier = [turn("1", "a", parts=(long,)), turn("2", "b"), turn("3", "c")]
    assert from_turns(earlier, "next", budget=50).omitted == 1
