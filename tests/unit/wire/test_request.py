"""The body of a request: the same for the wire, the preview and the replay key."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from copilot_magic.chat.prompt import Options, Prompt, text_of
from copilot_magic.chat.turn import Turn
from copilot_magic.settings import Settings
from copilot_magic.wire.dialect import Dialect
from copilot_magic.wire.request import (
    Request,
    has_pictures,
    make_request,
    model_of,
    providers_of,
    request_body,
    request_key,
)

SERVER = "http://localhost:1337/v1"
SETTINGS = Settings(base_url=SERVER, model="m")
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 5000}}
ASKED: dict[str, Any] = {
    "model": "",
    "provider": "Copilot",
    "messages": [{"role": "user", "content": "Hello, i am Heiner. How are you?"}],
    "conversation_id": "2222",
}


def answered(prompt: str, answer: str = "Yes.", **fields: Any) -> Turn:
    """Return a turn that this server's Copilot answered."""
    known = {"status": "complete", "server": SERVER, "asked_provider": "Copilot"}
    return Turn(prompt, answer=answer, **{**known, **fields})


def make(prompt: Prompt | str, turns: list[Turn] | None = None, **changed: Any) -> Request:
    """Return the request of `prompt`, by default to a provider that gets the full history."""
    prompt = Prompt(prompt) if isinstance(prompt, str) else prompt
    given: dict[str, Any] = {
        "system": "",
        "conversation_id": "c",
        "settings": SETTINGS,
        "provider": "Pi",
        "dialect": Dialect(),
    }
    return make_request(prompt, turns or [], **{**given, **changed})


def texts(request: Request) -> list[str]:
    return [text_of(message["content"]) for message in request.body["messages"]]


# --- The body -------------------------------------------------------------------------------


def test_the_body_is_exactly_what_the_reference_client_posts() -> None:
    body = request_body(**ASKED)
    assert body == {**ASKED, "stream": True}
    assert list(body) == ["model", "provider", "stream", "messages", "conversation_id"]


def test_options_are_in_the_body_only_if_they_are_given() -> None:
    options = {"temperature": 0.0, "max_tokens": 5}
    body = request_body(**ASKED, continuation={"conversation_id": "t"}, **options)
    assert body == {
        **ASKED,
        "stream": True,
        "conversation": {"conversation_id": "t"},
        **options,
    }


def test_a_prompt_becomes_the_body_that_asks_it() -> None:
    request = make(Prompt("Hello", options=Options(temperature=0.0)))
    assert request.body == {
        "model": "m",
        "provider": "Pi",
        "stream": True,
        "messages": [{"role": "user", "content": "Hello"}],
        "conversation_id": "c",
        "temperature": 0.0,
    }
    assert (request.omitted, request.size) == (0, 5)


def test_the_earlier_turns_and_the_system_message_go_along() -> None:
    request = make("And now?", [answered("First?", "One.")], system="Be brief.")
    assert [message["role"] for message in request.body["messages"]] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert texts(request) == ["Be brief.", "First?", "One.", "And now?"]


def test_a_server_with_threads_is_asked_to_continue_its_own() -> None:
    turn = answered("First?", continuation={"conversation_id": "t"}, thread="its thread")
    request = make("And now?", [turn], provider="Copilot")
    assert request.body["conversation"] == {"conversation_id": "t"}
    assert texts(request) == ["And now?"]
    assert request.thread == "its thread"
    assert "conversation" not in make("And now?", [turn]).body, "another provider is asked"


def test_copilot_without_a_thread_gets_everything_in_one_message() -> None:
    turns = [answered("First?", "One.")]
    gpt4free = Dialect(gpt4free=True)
    (folded,) = texts(make("And now?", turns, provider="Copilot", dialect=gpt4free))
    assert folded.endswith("And now?") and "First?" in folded and "One." in folded
    for dialect in (Dialect(True, has_threads=False), Dialect(False), Dialect()):
        plain = make("And now?", turns, provider="Copilot", dialect=dialect)
        assert texts(plain) == ["First?", "One.", "And now?"]
        assert plain.undecided is (dialect.gpt4free is None)


def test_what_the_server_needs_is_already_in_the_body() -> None:
    dialect = Dialect(strict=True, model="small")
    request = make("Hello", settings=Settings(base_url=SERVER, model=""), dialect=dialect)
    assert sorted(request.body) == ["messages", "model", "stream"]
    assert request.body["model"] == "small"
    assert dialect.adapt(request.body) == request.body


def test_a_history_over_the_budget_loses_its_oldest_turns() -> None:
    dialect = Dialect()
    dialect.halve("m", 60)
    turns = [answered("a" * 10, "b" * 10), answered("c" * 10, "d" * 10)]
    request = make("Hello", turns, dialect=dialect)
    assert texts(request) == ["c" * 10, "d" * 10, "Hello"]
    assert (request.omitted, request.size) == (1, 25)


# --- Content that is a list of parts --------------------------------------------------------


def test_parts_go_along_with_the_text() -> None:
    request = make(Prompt("What is this?", parts=(PICTURE,)))
    (message,) = request.body["messages"]
    assert message["content"] == [{"type": "text", "text": "What is this?"}, PICTURE]


def test_the_size_counts_the_text_and_not_the_picture() -> None:
    turns = [answered("And this?", "A cat.", parts=(PICTURE,))]
    request = make(Prompt("What is this?", parts=(PICTURE,)), turns)
    assert request.size == len("And this?" + "A cat." + "What is this?")


def test_a_picture_does_not_use_up_the_budget() -> None:
    dialect = Dialect()
    dialect.halve("m", 80)
    turns = [answered("a" * 10, "b" * 10, parts=(PICTURE,)), answered("c" * 10, "d" * 10)]
    assert make("Hello", turns, dialect=dialect).omitted == 0


def test_a_repeated_text_is_made_distinct_with_and_without_a_picture() -> None:
    turns = [answered("Again"), answered("Again", parts=(PICTURE,))]
    request = make(Prompt("Again", parts=(PICTURE,)), turns)
    asked = [m["content"] for m in request.body["messages"] if m["role"] == "user"]
    assert asked == [
        "Again",
        [{"type": "text", "text": "Again\n"}, PICTURE],
        [{"type": "text", "text": "Again\n\n"}, PICTURE],
    ]
    assert turns[1].content == [{"type": "text", "text": "Again"}, PICTURE], "turns stay as is"


def test_folding_keeps_the_pictures() -> None:
    earlier = {**PICTURE, "detail": "low"}
    request = make(
        Prompt("And this?", parts=(PICTURE,)),
        [answered("What is this?", "A cat.", parts=(earlier,))],
        system="Be brief.",
        provider="Copilot",
        dialect=Dialect(gpt4free=True),
    )
    (message,) = request.body["messages"]
    text, *parts = message["content"]
    assert text["text"].startswith("Be brief.") and text["text"].endswith("And this?")
    assert parts == [earlier, PICTURE]


# --- Typed answers --------------------------------------------------------------------------

SCHEMA = {"name": "int", "strict": True, "schema": {"type": "object"}}


def test_a_schema_goes_along_as_the_response_format() -> None:
    request = make(Prompt("How many?", schema=SCHEMA))
    assert request.body["response_format"] == {"type": "json_schema", "json_schema": SCHEMA}
    assert list(request.body)[-1] == "response_format"


def test_without_a_schema_the_body_is_the_same_byte_for_byte() -> None:
    typed = make(Prompt("How many?", schema=SCHEMA)).body
    plain = make(Prompt("How many?")).body
    del typed["response_format"]
    assert json.dumps(typed) == json.dumps(plain)


def test_a_server_that_takes_no_schema_is_sent_none() -> None:
    dialect = Dialect(schemas=False)
    assert "response_format" not in make(Prompt("How many?", schema=SCHEMA), dialect=dialect).body


def test_pictures_are_found_in_each_message_of_a_request() -> None:
    assert not has_pictures({}) and not has_pictures(make("Hello").body)
    assert has_pictures(make(Prompt("What is this?", parts=(PICTURE,))).body)
    assert has_pictures(make("And now?", [answered("What?", parts=(PICTURE,))]).body)


# --- The replay key -------------------------------------------------------------------------


def key(prompt: Prompt, turns: list[Turn] | None = None, **changed: Any) -> str:
    return request_key(prompt, turns or [], **{"system": "", "settings": SETTINGS, **changed})


def test_equal_requests_have_equal_keys_in_any_process() -> None:
    program = (
        "from copilot_magic.chat.prompt import Prompt\n"
        "from copilot_magic.settings import Settings\n"
        "from copilot_magic.wire.request import request_key\n"
        f"settings = Settings(base_url={SERVER!r}, model='m')\n"
        "print(request_key(Prompt('Grüße'), [], system='', settings=settings), end='')\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == key(Prompt("Grüße"))
    assert len(done.stdout) == 64


def test_a_key_depends_on_words_parts_model_provider_and_options() -> None:
    prompt = Prompt("Hello")
    keys = [
        key(prompt),
        key(Prompt("Hello!")),
        key(prompt, [answered("First?")]),
        key(prompt, system="Be brief."),
        key(replace(prompt, parts=(PICTURE,))),
        key(prompt, settings=replace(SETTINGS, model="other")),
        key(prompt, settings=replace(SETTINGS, provider="Pi")),
        key(replace(prompt, options=Options(temperature=0.0))),
        key(replace(prompt, schema=SCHEMA)),
        key(replace(prompt, schema={**SCHEMA, "strict": False})),
    ]
    assert len(set(keys)) == len(keys)


def test_a_key_depends_on_neither_server_nor_thread_nor_cell() -> None:
    prompt = Prompt("Hello")
    turn = answered("First?")
    threaded = answered("First?", continuation={"conversation_id": "t"}, thread="t", server="x")
    assert key(prompt, [turn]) == key(prompt, [threaded])
    assert key(prompt) == key(replace(prompt, cell_id="cell", replay=True))
    assert key(prompt) == key(prompt, settings=replace(SETTINGS, base_url="http://elsewhere/v1"))
    assert key(prompt) == key(replace(prompt, options=Options(model="m", provider="Copilot")))


# --- Who is asked ---------------------------------------------------------------------------


@pytest.mark.parametrize(("own", "expected"), [(None, "m"), ("mine", "mine"), ("", "")])
def test_a_prompts_own_model_comes_before_that_of_the_settings(
    own: str | None, expected: str
) -> None:
    assert model_of(Options(model=own), SETTINGS) == expected


def test_a_prompts_own_provider_comes_before_those_of_the_settings() -> None:
    settings = replace(SETTINGS, providers=("A", "B"))
    assert providers_of(Options(), settings) == ("A", "B")
    assert providers_of(Options(), SETTINGS) == ("Copilot",)
    assert providers_of(Options(provider=""), settings) == ("",)


def test_settings_name_options_that_a_prompt_does_not() -> None:
    settings = Settings(provider="Other", temperature=0.5, max_tokens=9)
    body = make(Prompt("hi", options=Options(max_tokens=5)), settings=settings).body
    assert (body["temperature"], body["max_tokens"]) == (0.5, 5)
    key = request_key(Prompt("hi"), [], system="", settings=settings)
    assert key != request_key(Prompt("hi"), [], system="", settings=Settings(provider="Other"))
