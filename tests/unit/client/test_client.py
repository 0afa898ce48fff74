"""The client's own rules: when it asks again, what it learns, and which lists it reads."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from posting import ask, body, client
from scripted_server import Exchange, ScriptedServer, answer, whole

from copilot_magic.chat.completion import Completion
from copilot_magic.client.client import ChatClient
from copilot_magic.errors import (
    BadRequestError,
    CopilotError,
    CutError,
    EmptyAnswerError,
    ErrorEventError,
    FirstTokenTimeoutError,
    IdleTimeoutError,
    MalformedAnswerError,
    RateLimitError,
    ServerError,
    SettingError,
    StatusError,
)
from copilot_magic.settings import Settings
from copilot_magic.wire.chunks import Delta, Waiting
from copilot_magic.wire.dialect import Dialect


def refuse_once(status: int, message: str, **headers: str) -> Any:
    """Return a script that refuses the first request and answers all others."""
    left = [True]

    def script(exchange: Exchange) -> None:
        if left and left.pop():
            exchange.reply(status, {"error": {"message": message}}, headers)
        else:
            answer(exchange, "fine")

    return script


def test_several_threads_use_one_client_at_once(server: ScriptedServer) -> None:
    asked = client(server.base_url)
    answers: dict[int, str] = {}

    def one(number: int) -> None:
        answers[number] = ask(asked, messages=[{"role": "user", "content": f"number {number}"}])

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: f"You said: number {number}" for number in range(8)}


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_a_status_that_says_to_try_later_is_tried_again_after_an_announced_wait(
    server: ScriptedServer, status: int
) -> None:
    server.script(refuse_once(status, "later", **{"Retry-After": "0.01"}))
    events = list(client(server.base_url).stream(body()))
    assert events[0] == Waiting(0.01, events[0].reason)
    assert str(status) in events[0].reason and "later" in events[0].reason
    assert "".join(event.content for event in events[1:]) == "fine"
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500, 501])
def test_other_statuses_are_not_tried_again(server: ScriptedServer, status: int) -> None:
    server.script(refuse_once(status, "no", **{"Retry-After": "0.01"}))
    with pytest.raises(StatusError):
        ask(client(server.base_url))
    assert len(server.requests) == 1


def test_there_are_as_many_tries_as_the_setting_says(server: ScriptedServer) -> None:
    server.script(lambda exchange: exchange.reply(503, "", {"Retry-After": "0"}))
    for retries in (0, 3):
        server.requests.clear()
        with pytest.raises(ServerError):
            ask(client(server.base_url, retries=retries))
        assert len(server.requests) == retries + 1


def test_a_server_that_wants_a_long_wait_is_not_waited_for(server: ScriptedServer) -> None:
    server.script(lambda exchange: exchange.reply(429, "", {"Retry-After": "3600"}))
    with pytest.raises(RateLimitError, match="Wait 1 hour") as caught:
        ask(client(server.base_url))
    assert caught.value.retry_after == 3600
    assert len(server.requests) == 1


def test_an_exhausted_quota_is_not_tried_again(server: ScriptedServer) -> None:
    server.script(refuse_once(429, "You exceeded your current quota"))
    with pytest.raises(RateLimitError, match="quota") as caught:
        ask(client(server.base_url))
    assert caught.value.quota_exhausted
    assert len(server.requests) == 1


def test_waits_that_the_server_does_not_order_differ(server: ScriptedServer) -> None:
    server.script(lambda exchange: exchange.reply(503, ""))
    first = []
    for _ in range(5):
        with closing(client(server.base_url).stream(body())) as events:
            first.append(next(events).seconds)
    assert all(0.5 <= seconds <= 1.0 for seconds in first)
    assert len(set(first)) > 1


def test_a_failure_after_the_first_token_is_never_tried_again(server: ScriptedServer) -> None:
    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("a")
        exchange.abort()

    server.script(script)
    with pytest.raises(CutError):
        ask(client(server.base_url))
    assert len(server.requests) == 1


def test_a_server_that_refuses_unknown_fields_is_asked_without_them_from_then_on(
    server: ScriptedServer,
) -> None:
    def script(exchange: Exchange) -> None:
        unknown = {"provider", "conversation_id"} & set(exchange.request.json)
        if unknown:
            message = f"Unrecognized request argument supplied: {min(unknown)}"
            exchange.reply(400, {"error": {"message": message}})
        else:
            answer(exchange, "fine")

    server.script(script)
    asked = client(server.base_url)
    assert [ask(asked, model="m"), ask(asked, model="m")] == ["fine", "fine"]
    assert [sorted(post) for post in server.posts] == [
        ["conversation_id", "messages", "model", "provider", "stream"],
        ["messages", "model", "stream"],
        ["messages", "model", "stream"],
    ]


def wants_model(exchange: Exchange) -> None:
    if exchange.request.json.get("model"):
        answer(exchange, exchange.request.json["model"])
    else:
        exchange.reply(400, {"error": {"message": "you must provide a model parameter"}})


def test_a_server_that_needs_a_model_is_told_one_of_its_own(server: ScriptedServer) -> None:
    server.script(wants_model)
    asked = client(server.base_url)
    assert [ask(asked), ask(asked), ask(asked, model="mine")] == ["scripted-model"] * 2 + ["mine"]
    assert [request.method for request in server.requests] == [
        "POST",
        "GET",
        "POST",
        "POST",
        "POST",
    ]


def test_a_server_may_be_strict_and_need_a_model(server: ScriptedServer) -> None:
    def script(exchange: Exchange) -> None:
        if "provider" in exchange.request.json:
            exchange.reply(400, {"error": {"message": "Unknown parameter: 'provider'."}})
        else:
            wants_model(exchange)

    server.script(script)
    assert ask(client(server.base_url)) == "scripted-model"


def test_on_another_machine_the_user_chooses_among_several_models(proxy: ScriptedServer) -> None:
    proxy.script(wants_model)
    models = json.dumps({"data": [{"id": name} for name in ("big", "small")]}).encode()
    proxy.get["http://chat.invalid/v1/models"] = (200, {}, models)
    with pytest.raises(BadRequestError, match="it has big, small") as caught:
        ask(client("http://chat.invalid/v1"))
    assert caught.value.models == ("big", "small")
    assert "'big'" in caught.value.hint


def test_without_a_list_of_models_the_servers_own_refusal_is_the_error(
    server: ScriptedServer,
) -> None:
    server.script(wants_model)
    server.get.clear()
    with pytest.raises(BadRequestError, match="you must provide a model"):
        ask(client(server.base_url))


def test_clients_that_share_a_dialect_share_what_they_learn(server: ScriptedServer) -> None:
    def script(exchange: Exchange) -> None:
        if "provider" in exchange.request.json:
            exchange.reply(400, {"error": {"message": "Unknown parameter: 'provider'."}})
        else:
            wants_model(exchange)

    server.script(script)
    dialect = Dialect()
    settings = Settings(base_url=server.base_url)
    for _ in range(2):
        assert ask(ChatClient(settings, dialect=dialect)) == "scripted-model"
    assert (dialect.strict, dialect.model) == (True, "scripted-model")
    assert len(server.posts) == 4, "two refusals, and one prompt of each client"
    assert ask(ChatClient(settings)) == "scripted-model"
    assert len(server.posts) == 7, "a client without it learns anew"


TYPED = {"type": "json_schema", "json_schema": {"name": "int", "schema": {"type": "object"}}}


def refuses_schemas(message: str, *models: str) -> Any:
    """Return a script that refuses schemas, for some models alone if they are named."""

    def script(exchange: Exchange) -> None:
        asked = exchange.request.json
        if "response_format" in asked and (not models or asked["model"] in models):
            exchange.reply(400, {"error": {"message": message}})
        else:
            answer(exchange, "typed" if "response_format" in asked else "fine")

    return script


def test_a_server_that_takes_no_schemas_is_asked_without_them_from_then_on(
    server: ScriptedServer,
) -> None:
    server.script(refuses_schemas("This response_format type is unavailable now"))
    asked = client(server.base_url)
    for model in ("m", "m", "other"):
        assert ask(asked, model=model, response_format=TYPED) == "fine"
    assert ["response_format" in post for post in server.posts] == [True, False, False, False]
    first, second = server.posts[:2]
    assert second == {name: value for name, value in first.items() if name != "response_format"}


def test_a_model_that_takes_no_schemas_leaves_the_others_theirs(server: ScriptedServer) -> None:
    message = "'response_format' of type 'json_schema' is not supported with this model"
    server.script(refuses_schemas(message, "old"))
    asked = client(server.base_url)
    answers = [ask(asked, model=m, response_format=TYPED) for m in ("old", "old", "new")]
    assert answers == ["fine", "fine", "typed"]
    assert ["response_format" in post for post in server.posts] == [True, False, False, True]


def test_a_schema_that_is_refused_is_left_out_once(server: ScriptedServer) -> None:
    message = "Invalid schema for response_format 'int': In context=(), 'default' is not permitted"
    server.script(refuses_schemas(message))
    asked = client(server.base_url)
    assert [ask(asked, response_format=TYPED) for _ in range(2)] == ["fine", "fine"]
    assert ["response_format" in post for post in server.posts] == [True, False, True, False]


def test_without_a_schema_a_refusal_of_schemas_is_the_error(server: ScriptedServer) -> None:
    def script(exchange: Exchange) -> None:
        exchange.reply(400, {"error": {"message": "Provider returned error"}})

    server.script(script)
    with pytest.raises(BadRequestError, match="Provider returned error"):
        ask(client(server.base_url))
    assert len(server.posts) == 1
    with pytest.raises(BadRequestError, match="Provider returned error"):
        ask(client(server.base_url), response_format=TYPED)
    assert len(server.posts) == 3


def test_a_server_may_refuse_unknown_fields_schemas_and_want_a_model(
    server: ScriptedServer,
) -> None:
    def script(exchange: Exchange) -> None:
        unknown = {"provider", "response_format"} & set(exchange.request.json)
        if unknown:
            said = f"body.{min(unknown)}: Extra inputs are not permitted"
            exchange.reply(422, {"error": {"message": said}})
        else:
            wants_model(exchange)

    server.script(script)
    asked = client(server.base_url)
    assert ask(asked, response_format=TYPED) == "scripted-model"
    assert len(server.posts) == 4


def test_two_requests_on_their_way_both_learn_from_their_refusals(server: ScriptedServer) -> None:
    """Both requests were sent before the first refusal was known."""
    both = threading.Barrier(2, timeout=20)

    def script(exchange: Exchange) -> None:
        if "provider" in exchange.request.json:
            both.wait()
            exchange.reply(400, {"error": {"message": "Unknown parameter: 'provider'."}})
        else:
            answer(exchange, "fine")

    server.script(script)
    asked = client(server.base_url)
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(ask(asked))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["fine", "fine"]


@pytest.mark.parametrize("name", ["connect_timeout", "first_token_timeout", "idle_timeout"])
@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_a_timeout_must_be_more_than_nothing(name: str, seconds: float) -> None:
    with pytest.raises(SettingError, match=name) as caught:
        client("http://localhost/v1", **{name: seconds})
    assert caught.value.setting == name
    assert caught.value.suggestion > 0


def test_what_follows_the_finish_reason_is_not_waited_for_long(server: ScriptedServer) -> None:
    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("whole")
        exchange.finish()
        assert exchange.client_gone(), "the client keeps waiting"

    server.script(script)
    assert ask(ChatClient(Settings(base_url=server.base_url), after_the_end=0.1)) == "whole"


def test_the_message_of_a_failure_is_not_waited_for_long(server: ScriptedServer) -> None:
    def script(exchange: Exchange) -> None:
        exchange.start(500)
        exchange.send(b"half")
        assert exchange.client_gone(), "the client keeps waiting"

    server.script(script)
    with pytest.raises(ServerError, match=r"500.*half"):
        ask(ChatClient(Settings(base_url=server.base_url), after_the_end=0.1))


def test_a_failure_in_the_middle_knows_that_the_answer_had_begun(server: ScriptedServer) -> None:
    def endless(exchange: Exchange) -> None:
        exchange.send(b"data: ")
        for _ in range(20):
            exchange.send(b"x" * 2**20)

    ends = {
        MalformedAnswerError: endless,
        ErrorEventError: lambda exchange: exchange.event({"error": "no"}),
        CutError: lambda exchange: exchange.cut(),
    }
    for kind, end in ends.items():
        server.script(lambda exchange: (exchange.start(), exchange.delta("a"), end(exchange)))  # noqa: B023
        with pytest.raises(kind) as caught:
            ask(client(server.base_url))
        assert caught.value.begun


def skipped(server: ScriptedServer, *events: Any) -> tuple[str, list[str]]:
    """Return the answer that `events` give, and its notes."""
    server.script(lambda exchange: (exchange.start(), *map(exchange.event, events)))
    deltas = [d for d in client(server.base_url).stream(body()) if isinstance(d, Delta)]
    return "".join(d.content for d in deltas), [note for d in deltas for note in d.notes]


WORDS = [{"choices": [{"delta": {"content": word}}]} for word in ("Hello ", "world")]


@pytest.mark.parametrize(
    "line",
    [
        "{not json",
        "[]",
        '{"usage": {"total_tokens": %s}}' % ("9" * 6000),
        '{"a": ' * 100_000 + "1" + "}" * 100_000,
        "[" * 100_000,
    ],
    ids=["not json", "no object", "a long number", "deep objects", "deep lists"],
)
def test_an_unreadable_line_is_skipped_and_counted(server: ScriptedServer, line: str) -> None:
    found = skipped(server, line, WORDS[0], line, WORDS[1], "[DONE]")
    assert found == ("Hello world", ["2 unreadable lines skipped"])
    assert skipped(server, *WORDS, line, "[DONE]")[1] == ["1 unreadable line skipped"]


def test_nothing_but_unreadable_lines_is_an_error_that_shows_the_first(
    server: ScriptedServer,
) -> None:
    for end in ([], ["[DONE]"]):
        with pytest.raises(MalformedAnswerError, match="'oops'"):
            skipped(server, "oops", "more", *end)


def test_a_server_that_forgets_the_blank_lines_is_read_line_by_line(
    server: ScriptedServer,
) -> None:
    lines = "\ndata: ".join([json.dumps(WORDS[0]), "oops", json.dumps(WORDS[1])])
    assert skipped(server, lines, "[DONE]") == ("Hello world", ["1 unreadable line skipped"])


def test_lines_that_were_skipped_are_named_before_a_later_failure(server: ScriptedServer) -> None:
    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("a")
        exchange.event("oops")
        exchange.cut()

    server.script(script)
    notes: list[str] = []
    with pytest.raises(CutError):
        for event in client(server.base_url).stream(body()):
            notes += event.notes if isinstance(event, Delta) else []
    assert notes == ["1 unreadable line skipped"]


def test_numbers_that_nothing_can_be_done_with_are_dropped(server: ScriptedServer) -> None:
    huge = int("9" * 4000)
    deep: Any = 1
    for _ in range(300):
        deep = {"a": deep}
    events = [{**WORDS[0], "usage": {"completion_tokens": huge}, "conversation": deep}, "[DONE]"]
    server.script(lambda exchange: (exchange.start(), *map(exchange.event, events)))
    assert list(client(server.base_url).stream(body())) == [Delta("Hello ")]


NOT_SAID = "the server did not say that this is all of the answer"


@pytest.mark.parametrize("framing", ["chunked", "close", "length"])
def test_a_body_that_ends_properly_is_complete_with_a_note(
    server: ScriptedServer, framing: str
) -> None:
    data = b"".join(b"data: %b\n\n" % json.dumps(word).encode() for word in WORDS)

    def script(exchange: Exchange) -> None:
        headers = {"Content-Length": str(len(data))} if framing == "length" else {}
        exchange.start(headers=headers, chunked=framing == "chunked")
        exchange.send(data)

    server.script(script)
    deltas = list(client(server.base_url).stream(body()))
    assert deltas == [Delta("Hello "), Delta("world"), Delta(notes=(NOT_SAID,))]


@pytest.mark.parametrize("framing", ["chunked", "close", "length"])
def test_a_connection_that_breaks_is_a_cut(server: ScriptedServer, framing: str) -> None:
    def script(exchange: Exchange) -> None:
        headers = {"Content-Length": "1000"} if framing == "length" else {}
        exchange.start(headers=headers, chunked=framing == "chunked")
        exchange.delta("Hello")
        # Without a length, only a reset differs from a proper end.
        exchange.abort() if framing == "close" else exchange.cut()

    server.script(script)
    with pytest.raises(CutError, match="broke"):
        ask(client(server.base_url))


def test_a_prompt_that_was_stopped_is_not_complete(server: ScriptedServer) -> None:
    asked = client(server.base_url)

    def script(exchange: Exchange) -> None:
        exchange.start(chunked=False)
        exchange.delta("Hello")
        exchange.client_gone()

    server.script(script)
    with pytest.raises(CutError, match="stopped"):
        for _ in asked.stream(body()):
            asked.close()


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        (lambda e: e.reply(200, ""), MalformedAnswerError, "with an empty body"),
        (lambda e: e.reply(204, ""), MalformedAnswerError, "with 204 and an empty body"),
        (lambda e: e.start(), MalformedAnswerError, "with an empty body"),
        (
            lambda e: e.reply(200, b"\x1b\x03\x00", {"Content-Encoding": "br"}),
            MalformedAnswerError,
            "a body compressed as br, which was not asked for",
        ),
        (
            lambda e: e.reply(200, "it works", {"Content-Type": "text/event-stream"}),
            MalformedAnswerError,
            "with this text: it works",
        ),
        (lambda e: e.reply(500, b"\x1b\x03", {"Content-Encoding": "br"}), ServerError, "500"),
        (lambda e: (e.start(), e.send(b": ping\n\n")), EmptyAnswerError, "The answer was empty"),
        (
            lambda e: (e.start(), e.send(b"event: error\ndata: {}\n\n")),
            ErrorEventError,
            "no reason",
        ),
        (lambda e: (e.start(), e.send(b"event: error\ndata:\n\n")), ErrorEventError, "no reason"),
        (
            lambda e: (e.start(), e.send(b"event: error\ndata: no way\n\n")),
            ErrorEventError,
            "no way",
        ),
        (
            lambda e: (e.start(), e.finish("tool_calls"), e.done()),
            EmptyAnswerError,
            "The model asked for a tool",
        ),
    ],
    ids=[
        *("nothing", "204", "no event", "brotli", "text", "500 in brotli", "keep-alive"),
        *("error {}", "error without data", "error in words", "tool"),
    ],
)
def test_what_is_no_answer_says_what_it_is(
    server: ScriptedServer, script: Any, kind: type[CopilotError], words: str
) -> None:
    server.script(script)
    with pytest.raises(kind, match=words) as caught:
        ask(client(server.base_url))
    assert "broke" not in caught.value.message


def test_an_answer_that_is_only_reasoning_is_one_and_says_so(server: ScriptedServer) -> None:
    thought = {"choices": [{"delta": {"reasoning": "hm"}, "finish_reason": "stop"}]}
    server.script(lambda exchange: (exchange.start(), exchange.event(thought), exchange.done()))
    deltas = list(client(server.base_url).stream(body()))
    assert deltas[0] == Delta(reasoning="hm", finish_reason="stop")
    assert deltas[1:] == [Delta(notes=("the model only thought aloud and gave no answer",))]


# --- A whole answer -------------------------------------------------------------------------


def one_piece(message: dict[str, Any], **extra: Any) -> dict[str, Any]:
    return {"choices": [{"message": message, "finish_reason": "stop"}], **extra}


def test_a_whole_answer_is_all_that_the_server_says(server: ScriptedServer) -> None:
    message = {"role": "assistant", "content": "blue", "reasoning_content": "the sky"}
    usage = {"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5}
    reply = one_piece(message, model="big", provider="Copilot", usage=usage)
    server.script(lambda exchange: exchange.reply(200, reply))
    answered = client(server.base_url).complete(body())
    assert answered == Completion(
        content="blue",
        reasoning="the sky",
        finish_reason="stop",
        usage=usage,
        model="big",
        provider="Copilot",
        elapsed=answered.elapsed,
    )
    assert answered.elapsed > 0
    assert server.posts[0] == {**body(), "stream": False}


def test_a_block_of_thinking_is_reasoning_in_a_whole_answer(server: ScriptedServer) -> None:
    message = {"content": "<think>hm</think>\n\nblue <think>"}
    server.script(lambda exchange: exchange.reply(200, one_piece(message)))
    answered = client(server.base_url).complete(body())
    assert (answered.reasoning, answered.content) == ("hm", "blue <think>")


def test_a_server_that_streams_all_the_same_is_read(server: ScriptedServer) -> None:
    server.script(lambda exchange: answer(exchange, "one two three"))
    answered = client(server.base_url).complete(body())
    assert (answered.content, answered.finish_reason) == ("one two three", "stop")
    assert answered.model == "scripted-model"


def test_options_of_a_stream_are_not_sent_for_a_whole_answer(server: ScriptedServer) -> None:
    server.script(whole)
    client(server.base_url).complete(body(stream_options={"include_usage": True}))
    assert server.posts[0]["stream"] is False
    assert "stream_options" not in server.posts[0]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_whole_answer_is_tried_once(server: ScriptedServer, status: int) -> None:
    server.script(refuse_once(status, "later", **{"Retry-After": "7"}))
    with pytest.raises(StatusError, match="later") as caught:
        client(server.base_url).complete(body())
    assert (caught.value.status, caught.value.retry_after) == (status, 7)
    assert len(server.requests) == 1


def test_what_a_refusal_teaches_is_used_at_once_for_a_whole_answer(server: ScriptedServer) -> None:
    def script(exchange: Exchange) -> None:
        asked = exchange.request.json
        if "provider" in asked:
            exchange.reply(400, {"error": {"message": "Unknown parameter: 'provider'."}})
        elif "response_format" in asked:
            exchange.reply(400, {"error": {"message": "response_format is not supported"}})
        elif not asked.get("model"):
            exchange.reply(400, {"error": {"message": "you must provide a model parameter"}})
        else:
            whole(exchange)

    server.script(script)
    asked = client(server.base_url, keep_connections=1)
    schema = {"type": "json_schema", "json_schema": {}}
    for _ in range(2):
        assert asked.complete(body(response_format=schema)).content == "You said: Hello"
    assert [post["stream"] for post in server.posts] == [False] * 5
    assert server.posts[-1]["model"] == "scripted-model"


def test_a_whole_answer_shows_that_the_server_is_gpt4free(server: ScriptedServer) -> None:
    dialect = Dialect()
    server.script(lambda exchange: whole(exchange, conversation={"id": "thread-1"}))
    ChatClient(Settings(base_url=server.base_url), dialect=dialect).complete(body())
    assert dialect.gpt4free
    assert (server.posts[0]["provider"], server.posts[0]["conversation_id"]) == ("Copilot", "c")


@pytest.mark.parametrize("end", [Exchange.cut, lambda exchange: exchange.event({"error": "no"})])
def test_nothing_of_a_whole_answer_that_failed_is_kept(server: ScriptedServer, end: Any) -> None:
    server.script(lambda exchange: (exchange.start(), exchange.delta("half"), end(exchange)))
    with pytest.raises((CutError, ErrorEventError)) as caught:
        client(server.base_url).complete(body())
    assert not caught.value.begun
    assert caught.value.hint == "Ask again"


def drip(piece: bytes) -> Any:
    """Return a script that sends `piece` again and again after the headers."""

    def script(exchange: Exchange) -> None:
        exchange.start(200, {"Content-Type": "application/json"})
        exchange.send(b" ")
        while not exchange.client_gone(0.01):
            exchange.send(piece)

    return script


def test_silence_after_the_headers_of_a_whole_answer_is_limited(server: ScriptedServer) -> None:
    def script(exchange: Exchange) -> None:
        exchange.start(200, {"Content-Length": "100"})
        exchange.send(b'{"choices": ')
        assert exchange.client_gone(), "the client keeps waiting"

    server.script(script)
    with pytest.raises(IdleTimeoutError, match=r"for 0\.1 seconds") as caught:
        client(server.base_url, idle_timeout=0.1).complete(body())
    assert not caught.value.begun


def test_white_space_is_not_waited_on_without_end(server: ScriptedServer) -> None:
    server.script(drip(b" "))
    with pytest.raises(FirstTokenTimeoutError):
        client(server.base_url, first_token_timeout=0.3).complete(body())


def test_white_space_before_a_whole_answer_keeps_it_alive(server: ScriptedServer) -> None:
    def script(exchange: Exchange) -> None:
        exchange.start(200, {"Content-Type": "application/json"})
        for _ in range(10):
            exchange.send(b"\n  ")
            time.sleep(0.05)
        exchange.send(json.dumps(one_piece({"content": "at last"})).encode())

    server.script(script)
    answered = client(server.base_url, idle_timeout=0.3).complete(body())
    assert answered.content == "at last"


def test_importing_the_client_imports_no_http_library() -> None:
    program = (
        "import sys, copilot_magic.client.client\nprint({'requests', 'urllib3'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


@contextmanager
def no_leak() -> Iterator[None]:
    """Fail if file descriptors are left open."""
    fds = Path("/proc/self/fd")
    before = len(list(fds.iterdir()))
    yield
    assert len(list(fds.iterdir())) <= before


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system does not list them")
def test_no_connection_is_left_open_however_an_answer_ends(server: ScriptedServer) -> None:
    def cut(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("a")
        exchange.cut()

    asked = client(server.base_url, retries=0)
    ask(asked)
    with no_leak():
        for script in (
            lambda exchange: answer(exchange, "fine"),
            cut,
            lambda exchange: exchange.reply(500, "no"),
            lambda exchange: exchange.abort(),
        ):
            server.script(script)
            for _ in range(5):
                with suppress(CopilotError):
                    ask(asked)
        server.script(lambda exchange: answer(exchange, "never read"))
        for _ in range(5):
            with closing(asked.stream(body())) as events:
                next(events)
        time.sleep(0.1)  # the server's own side of the connections


def test_a_client_that_was_stopped_sends_nothing(server: ScriptedServer) -> None:
    stopped = client(server.base_url)
    stopped.stop()
    with pytest.raises(CutError):
        list(stopped.stream(body()))
    assert not server.requests
