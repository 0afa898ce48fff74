"""Whatever fails, and whenever: a typed error, nothing lost, and the conversation goes on."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from scripted_server import Exchange, ScriptedServer, whole

from copilot_magic import errors
from copilot_magic.chat.prompt import Prompt
from copilot_magic.client.client import ChatClient
from copilot_magic.session.session import Session
from copilot_magic.settings import Settings
from copilot_magic.wire.chunks import Delta

CERTIFICATE = Path(__file__).parent / "localhost.pem"
SILENCE = 0.3  # seconds before these tests time out; a healthy answer takes far less

Script = Callable[[Exchange], Any]


def session(base_url: str, **settings: Any) -> Session:
    defaults: dict[str, Any] = {
        "provider": "",
        "store": None,
        "retries": 0,
        "first_token_timeout": 20.0,
        "idle_timeout": 20.0,
        "get_api_key": lambda: None,
    }
    return Session(Settings(base_url=base_url, **{**defaults, **settings}))


def ask(asked: Session, text: str) -> str:
    exchange = asked.ask(Prompt(text))
    return "".join(event.content for event in exchange if isinstance(event, Delta))


def completer(base_url: str, **settings: Any) -> ChatClient:
    """Return a client that keeps connections."""
    return ChatClient(
        Settings(base_url=base_url, get_api_key=lambda: None, **settings), keep_connections=2
    )


def complete(asked: ChatClient, text: str) -> str:
    return asked.complete({"messages": [{"role": "user", "content": text}]}).content


# --- Before the first token -----------------------------------------------------------------


def reply(status: int, body: Any = "") -> Script:
    return lambda exchange: exchange.reply(status, body)


def silent(exchange: Exchange) -> None:
    assert exchange.client_gone(), "the client keeps waiting"


def silent_after_headers(exchange: Exchange) -> None:
    exchange.start()
    silent(exchange)


def only_a_role(exchange: Exchange) -> None:
    exchange.start()
    exchange.event({"model": "m", "choices": [{"delta": {"role": "assistant", "content": ""}}]})
    silent(exchange)


def keep_alives(exchange: Exchange) -> None:
    """Send comments: they keep a connection alive, but are not tokens."""
    if not exchange.started:
        exchange.start()
    for _ in range(500):
        if exchange.client_gone(0.02):
            return
        exchange.send(b": ping\n\n")


EMPTY = b'data: {"choices":[{"delta":{"content":""}}]}\n\n'
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def drip(start: bytes, again: bytes, pause: float = 0.02) -> Script:
    """Return a script that sends `start`, then `again` until the client has gone.

    Args:
        pause: Seconds between two sendings; with 0, something to read is always there.
    """

    def script(exchange: Exchange) -> None:
        data = start or again
        for _ in range(500 if pause else 1_000_000):
            exchange.send_raw(data)
            data = again
            if pause and exchange.client_gone(pause):
                return
        raise AssertionError("the client keeps waiting")

    return script


def stream(*events: Any, end: Callable[[Exchange], None] | None = None) -> Script:
    """Return a script that sends `events` and then does `end`."""

    def script(exchange: Exchange) -> None:
        exchange.start()
        for event in events:
            exchange.event(event)
        if end is not None:
            end(exchange)

    return script


def raw(data: bytes) -> Script:
    """Return a script that sends `data` and hangs up."""

    def script(exchange: Exchange) -> None:
        exchange.send_raw(data)
        exchange.cut()

    return script


def endless(exchange: Exchange) -> None:
    if not exchange.started:
        exchange.start()
    exchange.send(b"data: ")
    for _ in range(20):
        exchange.send(b"x" * 2**20)


REASON = {"error": {"message": "the reason"}}
STOP = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"

BEFORE: dict[str, tuple[Script, type[errors.PromptError], str]] = {
    "401": (reply(401, REASON), errors.AuthenticationError, "the reason"),
    "403": (reply(403, REASON), errors.AuthenticationError, "the reason"),
    "404": (reply(404, {"detail": "Not Found"}), errors.NotFoundError, "Not Found"),
    "405": (reply(405, {"detail": "Method Not Allowed"}), errors.NotFoundError, "405"),
    "408": (reply(408), errors.ServerError, "408"),
    "413": (reply(413), errors.ContextLengthError, "413"),
    "context length": (
        reply(400, {"error": {"message": "too long", "code": "context_length_exceeded"}}),
        errors.ContextLengthError,
        "too long (context_length_exceeded)",
    ),
    "context length in words": (
        reply(400, {"error": "the request exceeds the available context size"}),
        errors.ContextLengthError,
        "context size",
    ),
    "422": (
        reply(422, {"detail": [{"loc": ["body", 9], "msg": "bad"}]}),
        errors.BadRequestError,
        "body.9: bad",
    ),
    "429": (reply(429, REASON), errors.RateLimitError, "the reason"),
    "500": (reply(500, REASON), errors.ServerError, "the reason"),
    "502 as a page": (
        reply(502, "<html><title>Bad Gateway</title>"),
        errors.ServerError,
        "502 (Bad Gateway)",
    ),
    "503 in plain text": (reply(503, "overloaded"), errors.ServerError, "overloaded"),
    "500 without a message": (reply(500), errors.ServerError, "500"),
    "a page": (
        reply(200, "<!doctype html><title>Please log in</title>"),
        errors.MalformedAnswerError,
        "Please log in",
    ),
    "plain text": (reply(200, "it works"), errors.MalformedAnswerError, "it works"),
    "JSON of another kind": (reply(200, {"hello": 1}), errors.MalformedAnswerError, "another kind"),
    "JSON that is not an object": (reply(200, "[1, 2]"), errors.MalformedAnswerError, "[1, 2]"),
    "a whole body that is an error": (reply(200, REASON), errors.ErrorEventError, "the reason"),
    "half a JSON body": (
        raw(HEAD + b'Content-Length: 100\r\n\r\n{"choices": [{"mess'),
        errors.CutError,
        "broke",
    ),
    "an event that is not an object": (stream("[]"), errors.MalformedAnswerError, "[]"),
    "an event that is not JSON": (stream("oops"), errors.MalformedAnswerError, "oops"),
    "an error event": (stream(REASON), errors.ErrorEventError, "the reason"),
    "an error event and done": (stream(REASON, "[DONE]"), errors.ErrorEventError, "the reason"),
    "an error event about the length": (
        stream({"error": "maximum context length is 5 tokens"}),
        errors.ContextLengthError,
        "maximum context length",
    ),
    "closed without an answer": (lambda exchange: exchange.cut(), errors.CutError, "closed"),
    "reset without an answer": (lambda exchange: exchange.abort(), errors.CutError, "closed"),
    "cut after the headers": (stream(end=Exchange.cut), errors.CutError, "broke"),
    "reset after the headers": (stream(end=Exchange.abort), errors.CutError, "broke"),
    "an end without a word": (stream(), errors.MalformedAnswerError, "an empty body"),
    "done without a word": (stream("[DONE]"), errors.EmptyAnswerError, "empty"),
    "stop without a word": (stream(STOP, "[DONE]"), errors.EmptyAnswerError, "empty"),
    "nothing but white space": (
        stream({"choices": [{"delta": {"content": " \n"}}]}, STOP),
        errors.EmptyAnswerError,
        "empty",
    ),
    "filtered": (
        stream({"choices": [{"delta": {}, "finish_reason": "content_filter"}]}),
        errors.EmptyAnswerError,
        "content_filter",
    ),
    "an event that never ends": (endless, errors.MalformedAnswerError, "more than"),
    "something that is not HTTP": (
        raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
        errors.MalformedAnswerError,
        "not HTTP",
    ),
    "chunks that are malformed": (
        raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        errors.CutError,
        "broke",
    ),
    "gzip that is malformed": (
        raw(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\noops"),
        errors.CutError,
        "compressed",
    ),
}


@pytest.mark.parametrize("fault", BEFORE)
def test_before_the_first_token(fault: str, server: ScriptedServer) -> None:
    script, kind, words = BEFORE[fault]
    check_before(session(server.base_url), server, script, kind, words)


@pytest.mark.parametrize("fault", BEFORE)
def test_a_whole_answer_fails_likewise_and_the_next_one_does_not(
    fault: str, server: ScriptedServer
) -> None:
    """Also on a connection that was kept; no fault costs the prompts before and after it."""
    script, kind, words = BEFORE[fault]
    asked = completer(server.base_url)
    server.script(whole)
    assert complete(asked, "I am Heiner.") == "You said: I am Heiner."
    server.script(script)
    with pytest.raises(errors.PromptError) as caught:
        complete(asked, "lost")
    assert type(caught.value) is kind
    assert words in caught.value.message
    server.script(whole)
    assert complete(asked, "Who am I?") == "You said: Who am I?"


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
GZIPPED = HEAD + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x10" + b"\0" * 6

DRIPS: dict[str, Script] = {
    "comments": drip(HEAD + b"\r\n", b": ping\n\n"),
    "comments at full speed": drip(HEAD + b"\r\n", b": ping\n\n" * 1000, 0),
    "blank lines": drip(HEAD + b"\r\n", b"\n"),
    "blank lines at full speed": drip(HEAD + b"\r\n", b"\n" * 8000, 0),
    "empty deltas": drip(HEAD + b"\r\n", EMPTY),
    "empty deltas at full speed": drip(HEAD + b"\r\n", EMPTY * 1000, 0),
    "interim responses": drip(b"", CONTINUE),
    "interim responses at full speed": drip(b"", CONTINUE * 1000, 0),
    "a header": drip(HEAD + b"X-Long: ", b"x"),
    "the size of a chunk": drip(CHUNKED, b"0"),
    "the head of a compressed body": drip(GZIPPED, b"x"),
}


@pytest.mark.parametrize("kind", DRIPS)
def test_whatever_arrives_instead_of_an_answer_the_wait_ends(
    kind: str, server: ScriptedServer
) -> None:
    asked = session(server.base_url, first_token_timeout=SILENCE)
    begun = time.monotonic()
    words = f"within {SILENCE} seconds"
    check_before(asked, server, DRIPS[kind], errors.FirstTokenTimeoutError, words)
    assert time.monotonic() - begun < 10 * SILENCE


@pytest.mark.parametrize("kind", DRIPS)
def test_whatever_arrives_instead_of_a_whole_answer_the_wait_ends(
    kind: str, server: ScriptedServer
) -> None:
    asked = completer(server.base_url, first_token_timeout=SILENCE)
    server.script(DRIPS[kind])
    with pytest.raises(errors.FirstTokenTimeoutError, match=f"within {SILENCE} seconds"):
        complete(asked, "lost")
    server.script(whole)
    assert complete(asked, "Hello") == "You said: Hello"


@pytest.mark.parametrize(
    "again", [b": ping\n\n" * 1000, EMPTY * 1000, b"\n" * 8000], ids=["comments", "deltas", "lines"]
)
@pytest.mark.parametrize("pause", [0, 0.02])
def test_whatever_arrives_instead_of_the_rest_the_wait_ends(
    again: bytes, pause: float, server: ScriptedServer
) -> None:
    def end(exchange: Exchange) -> None:
        drip(b"%x\r\n%b\r\n" % (len(again), again), b"%x\r\n%b\r\n" % (len(again), again), pause)(
            exchange
        )

    asked = session(server.base_url, idle_timeout=SILENCE)
    script = stream(*word("half "), end=end)
    check_after(asked, server, script, errors.IdleTimeoutError, f"for {SILENCE} seconds")


@pytest.mark.parametrize(
    "script", [silent, silent_after_headers, only_a_role, keep_alives], ids=lambda s: s.__name__
)
def test_an_answer_that_does_not_begin_times_out(script: Script, server: ScriptedServer) -> None:
    asked = session(server.base_url, first_token_timeout=SILENCE)
    check_before(asked, server, script, errors.FirstTokenTimeoutError, f"within {SILENCE} seconds")


def check_before(
    asked: Session,
    server: ScriptedServer,
    script: Script,
    kind: type[errors.PromptError],
    words: str,
) -> None:
    assert ask(asked, "I am Heiner.")
    server.script(script)
    with pytest.raises(errors.PromptError) as caught:
        ask(asked, "lost")
    assert type(caught.value) is kind
    assert words in caught.value.message
    assert caught.value.hint
    failed = asked.library.current.turns[-1]
    assert (failed.prompt, failed.answer.strip(), failed.status) == ("lost", "", "failed")
    check_next(asked, server)


def check_next(asked: Session, server: ScriptedServer) -> None:
    """Check that the next prompt works in the same conversation."""
    server.script(lambda exchange: stream(*word("Hello "), STOP, "[DONE]")(exchange))
    assert ask(asked, "Who am I?") == "Hello "
    messages = [message["content"] for message in server.posts[-1]["messages"]]
    assert messages[0] == "I am Heiner." and messages[-1] == "Who am I?"
    assert asked.library.current.turns[-1].status == "complete"


# --- After the first token ------------------------------------------------------------------


def word(*texts: str) -> list[dict[str, Any]]:
    return [{"choices": [{"delta": {"content": text}}]} for text in texts]


def bad_chunk(exchange: Exchange) -> None:
    exchange.send_raw(b"zz\r\n")


AFTER: dict[str, tuple[Script, type[errors.PromptError], str]] = {
    "an error event": (stream(*word("half "), REASON), errors.ErrorEventError, "the reason"),
    "an error event and done": (
        stream(*word("half "), REASON, "[DONE]"),
        errors.ErrorEventError,
        "the reason",
    ),
    "an error beside a last word": (
        stream(*word("ha"), {**word("lf ")[0], **REASON}),
        errors.ErrorEventError,
        "the reason",
    ),
    "a cut": (stream(*word("half "), end=Exchange.cut), errors.CutError, "broke"),
    "a reset": (stream(*word("half "), end=Exchange.abort), errors.CutError, "broke"),
    "half an event": (
        stream(*word("half "), end=lambda exchange: exchange.send(b'data: {"choi')),
        errors.CutError,
        "broke",
    ),
    "an event that never ends": (
        stream(*word("half "), end=endless),
        errors.MalformedAnswerError,
        "more than",
    ),
    "a chunk that is malformed": (stream(*word("half "), end=bad_chunk), errors.CutError, "broke"),
    "too long after all": (
        stream(*word("half "), {"error": "context_length_exceeded"}),
        errors.ContextLengthError,
        "context_length",
    ),
}


@pytest.mark.parametrize("fault", AFTER)
def test_after_the_first_token(fault: str, server: ScriptedServer) -> None:
    script, kind, words = AFTER[fault]
    check_after(session(server.base_url), server, script, kind, words)


@pytest.mark.parametrize("end", [silent, keep_alives], ids=lambda end: end.__name__)
def test_an_answer_that_falls_silent_times_out(end: Script, server: ScriptedServer) -> None:
    asked = session(server.base_url, idle_timeout=SILENCE)
    script = stream(*word("half "), end=end)
    check_after(asked, server, script, errors.IdleTimeoutError, f"for {SILENCE} seconds")


def check_after(
    asked: Session,
    server: ScriptedServer,
    script: Script,
    kind: type[errors.PromptError],
    words: str,
) -> None:
    assert ask(asked, "I am Heiner.")
    server.script(script)
    received = ""
    with pytest.raises(errors.PromptError) as caught:
        for event in asked.ask(Prompt("Tell me.")):
            received += event.content if isinstance(event, Delta) else ""
    assert type(caught.value) is kind
    assert words in caught.value.message
    assert received == "half "
    failed = asked.library.current.turns[-1]
    assert (failed.prompt, failed.answer, failed.status) == ("Tell me.", "half ", "failed")
    assert failed.cut_off
    assert len(server.posts) == 2, "a failure after the first token is never tried again"
    check_next(asked, server)
    assert "half " in [message["content"] for message in server.posts[-1]["messages"]]


def test_text_held_back_is_not_lost_with_the_connection(server: ScriptedServer) -> None:
    asked = session(server.base_url)
    server.script(stream(*word("<thi"), end=Exchange.cut))
    with pytest.raises(errors.CutError):
        ask(asked, "Tell me.")
    assert asked.library.current.turns[-1].answer == "<thi"


def test_reasoning_alone_is_kept_and_said_to_be_all(server: ScriptedServer) -> None:
    asked = session(server.base_url)
    server.script(stream({"choices": [{"delta": {"reasoning": "hm"}}]}, STOP, "[DONE]"))
    assert ask(asked, "Think.") == ""
    turn = asked.library.current.turns[-1]
    assert (turn.reasoning, turn.status) == ("hm", "complete")
    assert turn.notes == ["the model only thought aloud and gave no answer"]


def test_an_end_that_the_server_does_not_name_is_one_with_a_note(server: ScriptedServer) -> None:
    asked = session(server.base_url)
    server.script(stream(*word("whole")))
    assert ask(asked, "Tell me.") == "whole"
    turn = asked.library.current.turns[-1]
    assert turn.status == "complete"
    assert turn.notes == ["the server did not say that this is all of the answer"]


@pytest.mark.parametrize("line", ["[]", "oops", '{"a": %s}' % ("9" * 6000), "[" * 10_000])
def test_an_unreadable_line_costs_only_itself(line: str, server: ScriptedServer) -> None:
    asked = session(server.base_url)
    server.script(stream(*word("half, "), line, *word("whole"), STOP))
    assert ask(asked, "Tell me.") == "half, whole"
    turn = asked.library.current.turns[-1]
    assert (turn.status, turn.notes) == ("complete", ["1 unreadable line skipped"])


# --- What looks like a fault but is not -----------------------------------------------------

WHOLE: dict[str, Script] = {
    "no done": stream(*word("whole"), STOP),
    "no reason": stream(*word("whole"), "[DONE]"),
    "cut after the reason": stream(*word("whole"), STOP, end=Exchange.cut),
    "reset after the reason": stream(*word("whole"), STOP, end=Exchange.abort),
    "silent after done": stream(*word("whole"), "[DONE]", end=silent),
    "an error that is null": stream({**word("whole")[0], "error": None}, STOP),
    "half an event after the reason": stream(
        *word("whole"), STOP, end=lambda exchange: exchange.send(b"data: {")
    ),
}


@pytest.mark.parametrize("case", WHOLE)
def test_a_whole_answer_is_whole_whatever_follows(case: str, server: ScriptedServer) -> None:
    server.script(WHOLE[case])
    asked = session(server.base_url)
    assert ask(asked, "Tell me.") == "whole"
    assert asked.library.current.turns[-1].status == "complete"


def test_a_slow_consumer_does_not_look_like_a_silent_server(server: ScriptedServer) -> None:
    paused = threading.Event()
    server.script(stream(*word("a", "b", "c"), STOP))
    received = []
    for event in session(server.base_url, idle_timeout=SILENCE).ask(Prompt("Tell me.")):
        if isinstance(event, Delta):
            received.append(event.content)
            paused.wait(SILENCE * 1.5)
    assert "".join(received) == "abc"


# --- No connection --------------------------------------------------------------------------


def refused() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


@pytest.mark.parametrize(
    ("address", "kind", "words"),
    [
        ("REFUSED", errors.RefusedError, "No server is listening at http://127.0.0.1:"),
        ("http://no-such-host.invalid/v1", errors.NameResolutionError, "no-such-host.invalid"),
    ],
)
def test_without_a_server_the_error_says_what_was_asked(
    address: str, kind: type[errors.PromptError], words: str, server: ScriptedServer
) -> None:
    asked = session(server.base_url)
    assert ask(asked, "I am Heiner.")
    good = asked.settings
    asked.settings = session(refused() if address == "REFUSED" else address).settings
    with pytest.raises(kind, match=words):
        ask(asked, "lost")
    assert asked.library.current.turns[-1].status == "failed"
    asked.settings = good
    check_next(asked, server)


def test_a_connection_that_is_never_accepted_times_out() -> None:
    with ExitStack() as stack:
        # A listener that accepts nothing and whose queue is full keeps the next one waiting.
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = listener.getsockname()
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        asked = session(f"http://127.0.0.1:{address[1]}/v1", connect_timeout=SILENCE)
        with pytest.raises(errors.ConnectTimeoutError, match=f"within {SILENCE} seconds"):
            ask(asked, "Hello")


# --- Encryption -----------------------------------------------------------------------------


@pytest.fixture
def encrypted() -> Iterator[ScriptedServer]:
    """Yield a server with a self-signed certificate."""
    with ScriptedServer(certificate=CERTIFICATE) as server:
        yield server


def test_a_self_signed_certificate_is_a_typed_error(encrypted: ScriptedServer) -> None:
    with pytest.raises(errors.TLSError, match=r"self.signed") as caught:
        ask(session(encrypted.base_url), "Hello")
    assert "REQUESTS_CA_BUNDLE" in caught.value.hint


def test_a_certificate_named_in_the_environment_is_trusted(
    encrypted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    script = stream(*word("half "), end=silent)
    asked = session(encrypted.base_url, idle_timeout=SILENCE)
    check_after(asked, encrypted, script, errors.IdleTimeoutError, "stopped")


def test_a_missing_file_of_certificates_is_a_typed_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/certificates.pem")
    with pytest.raises(errors.TLSError, match=r"/nowhere/certificates\.pem"):
        ask(session("https://localhost:1/v1"), "Hello")


def test_https_to_a_server_without_encryption_says_so(server: ScriptedServer) -> None:
    with pytest.raises(errors.TLSError) as caught:
        ask(session(f"https://127.0.0.1:{server.port}/v1"), "Hello")
    assert "http://" in caught.value.hint
