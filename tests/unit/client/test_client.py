"""The client's own rules: where it asks, with which key, through which proxy, and how often."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from scripted_server import Exchange, ScriptedServer, answer

from copilot_magic.client import client as client_module
from copilot_magic.client.client import ChatClient
from copilot_magic.errors import (
    AuthenticationError,
    BadRequestError,
    ConnectTimeoutError,
    CopilotError,
    CutError,
    FirstTokenTimeoutError,
    MalformedAnswerError,
    NotFoundError,
    PromptError,
    ProxyError,
    RateLimitError,
    ServerError,
    StatusError,
    UsageError,
)
from copilot_magic.settings import Settings
from copilot_magic.wire.chunks import Delta, Waiting, request_body

KEY = "sk-very-secret-0123456789"


def body(text: str = "Hello", **options: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return request_body(
        **{
            "model": "",
            "provider": "Copilot",
            "conversation_id": "c",
            "messages": messages,
            **options,
        }
    )


def client(base_url: str, key: str | None = None, **settings: Any) -> ChatClient:
    return ChatClient(Settings(base_url=base_url, get_api_key=lambda: key, **settings))


def ask(asked: ChatClient, **options: Any) -> str:
    return "".join(d.content for d in asked.stream(body(**options)) if isinstance(d, Delta))


def refuse_once(status: int, message: str, **headers: str) -> Any:
    """Return a script that refuses the first request, and answers those that follow."""
    left = [True]

    def script(exchange: Exchange) -> None:
        if left and left.pop():
            exchange.reply(status, {"error": {"message": message}}, headers)
        else:
            answer(exchange, "fine")

    return script


# --- What is sent, and where ----------------------------------------------------------------


def test_the_request_is_what_the_reference_client_posts(server: ScriptedServer) -> None:
    assert ask(client(server.base_url)) == "You said: Hello"
    request = server.requests[-1]
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.json == body()
    assert request.headers["Content-Type"] == "application/json"
    assert "Authorization" not in request.headers
    assert request.headers["Accept-Encoding"] == "identity", "compression holds tokens back"


@pytest.mark.parametrize("ending", ["", "/", "/chat/completions", "/chat/completions/"])
def test_an_address_with_any_usual_ending_works(server: ScriptedServer, ending: str) -> None:
    ask(client(server.base_url + ending))
    assert server.requests[-1].path == "/v1/chat/completions"


def test_the_query_of_the_address_is_kept(server: ScriptedServer) -> None:
    ask(client(f"{server.base_url}?api-version=2"))
    assert server.requests[-1].path == "/v1/chat/completions?api-version=2"


@pytest.mark.parametrize(
    "base_url",
    [
        "localhost:1337/v1",
        "",
        "ftp://host/v1",
        "http://",
        "http://host:port/v1",
        "http://host:0/v1",
        "http://[::1/v1",
        "http://evil.invalid\\.localhost/v1",
        "http://evil.invalid\n.localhost/v1",
        "http://a b/v1",
    ],
)
def test_what_is_no_address_is_refused_before_anything_is_sent(base_url: str) -> None:
    with pytest.raises(UsageError, match="base_url") as caught:
        ask(client(base_url))
    assert "http://localhost:1337/v1" in caught.value.hint


def test_localhost_is_found_whichever_kind_of_address_the_server_listens_on() -> None:
    with ScriptedServer() as server:  # listens on 127.0.0.1 alone
        assert ask(client(f"http://localhost:{server.port}/v1")) == "You said: Hello"


# --- The key --------------------------------------------------------------------------------


def test_the_key_is_asked_for_at_each_request_and_sent_as_a_bearer_token(
    server: ScriptedServer,
) -> None:
    keys = iter(["one", "two", None])
    asked = ChatClient(Settings(base_url=server.base_url, get_api_key=lambda: next(keys)))
    for _ in range(3):
        ask(asked)
    sent = [request.headers["Authorization"] for request in server.requests]
    assert sent == ["Bearer one", "Bearer two", None]


def test_the_key_comes_from_the_environment(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COPILOT_API_KEY", KEY)
    ask(ChatClient(Settings(base_url=server.base_url)))
    assert server.requests[-1].headers["Authorization"] == f"Bearer {KEY}"


def test_user_and_password_of_the_address_are_sent_where_there_is_no_key_and_never_shown(
    server: ScriptedServer,
) -> None:
    asked = client(server.base_url.replace("//", "//user:pass%20word@"))
    ask(asked)
    assert server.requests[-1].headers["Authorization"] == "Basic dXNlcjpwYXNzIHdvcmQ="
    server.script(lambda exchange: exchange.reply(401, "dXNlcjpwYXNzIHdvcmQ= pass word"))
    with pytest.raises(AuthenticationError) as caught:
        ask(asked)
    for shown in (repr(asked), str(caught.value)):
        assert "pass" not in shown.replace("password", "") and "dXNl" not in shown


def test_passwords_in_netrc_are_not_used(server: ScriptedServer, home: Path) -> None:
    netrc = home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    ask(client(server.base_url))
    assert "Authorization" not in server.requests[-1].headers


@pytest.mark.parametrize("key", ["two\nlines", "ends \n", "naïve", " padded ", "tab\tin"])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(
    server: ScriptedServer, key: str
) -> None:
    with pytest.raises(UsageError, match="API key") as caught:
        ask(client(server.base_url, key))
    assert key.strip() not in str(caught.value)
    assert not server.requests


@pytest.mark.parametrize("scheme", ["http", " HTTP"])
@pytest.mark.parametrize("secret", [{"key": KEY}, {"user": f"me:{KEY}@"}])
def test_a_secret_is_not_sent_unencrypted_to_another_machine(
    secret: dict[str, str], scheme: str
) -> None:
    base_url = f"{scheme}://{secret.get('user', '')}example.invalid/v1"
    with pytest.raises(UsageError, match="unencrypted") as caught:
        ask(client(base_url, secret.get("key")))
    assert KEY not in str(caught.value)
    with pytest.raises(PromptError):  # nothing but the unknown name stops it now
        ask(client(base_url, secret.get("key"), allow_plain_http=True))


@pytest.mark.parametrize(
    "script",
    [
        lambda exchange: exchange.reply(401, {"error": {"message": f"Incorrect API key: {KEY}"}}),
        lambda exchange: exchange.reply(500, f"{'x' * 290}{KEY}"),
        lambda exchange: exchange.reply(200, f"no stream, but {KEY}"),
        lambda exchange: (exchange.start(), exchange.event({"error": f"bad key {KEY}"})),
        lambda exchange: (exchange.start(), exchange.event(f"bad key {KEY}")),
        lambda exchange: exchange.reply(200, f"<title>{KEY}</title>"),
        lambda exchange: exchange.reply(302, "", {"Location": f"/login?key={KEY}"}),
        lambda exchange: exchange.reply(302, "", {"Location": f"http://x.invalid/{KEY}"}),
    ],
)
def test_a_key_that_a_server_repeats_is_in_no_error(server: ScriptedServer, script: Any) -> None:
    server.script(script)
    with pytest.raises(PromptError) as caught:
        ask(client(server.base_url, KEY, retries=0))
    assert server.requests[-1].headers["Authorization"] == f"Bearer {KEY}"
    assert "sk-" not in str(caught.value)


def test_the_key_is_in_no_repr(server: ScriptedServer) -> None:
    asked = client(server.base_url, KEY)
    assert KEY not in repr(asked) + repr(asked.settings)


# --- Redirects ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_on_the_same_server_is_followed_as_a_post(
    server: ScriptedServer, status: int
) -> None:
    def script(exchange: Exchange) -> None:
        if exchange.request.path == "/v1/chat/completions":
            exchange.reply(status, "", {"Location": "/elsewhere"})
        else:
            answer(exchange, "moved")

    server.script(script)
    assert ask(client(server.base_url, KEY)) == "moved"
    assert server.requests[-1].json == body()
    assert server.requests[-1].headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_server_gets_neither_key_nor_prompt(
    server: ScriptedServer, status: int
) -> None:
    with ScriptedServer() as other:
        location = f"{other.base_url}/chat/completions"
        server.script(lambda exchange: exchange.reply(status, "", {"Location": location}))
        with pytest.raises(StatusError, match=f"127.0.0.1:{other.port}") as caught:
            ask(client(server.base_url, KEY))
        assert caught.value.status == status
        assert not other.requests


def test_a_redirect_in_a_circle_ends(server: ScriptedServer) -> None:
    server.script(lambda exchange: exchange.reply(307, "", {"Location": exchange.request.path}))
    with pytest.raises(StatusError, match="307"):
        ask(client(server.base_url))
    assert len(server.requests) == 4


# --- Proxies --------------------------------------------------------------------------------

PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """Yield a server that the environment names as the proxy for everything."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with ScriptedServer() as proxy:
        for name in PROXIES:
            monkeypatch.setenv(name, f"http://me:proxypass@127.0.0.1:{proxy.port}")
        yield proxy


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_environments_proxies_are_not_used_for_this_machine(
    server: ScriptedServer, proxy: ScriptedServer, host: str
) -> None:
    assert ask(client(f"http://{host}:{server.port}/v1")) == "You said: Hello"
    assert not proxy.requests


def test_the_environments_proxies_are_used_for_other_machines(proxy: ScriptedServer) -> None:
    assert ask(client("http://chat.invalid/v1")) == "You said: Hello"
    assert proxy.requests[-1].path == "http://chat.invalid/v1/chat/completions"


def test_hosts_in_no_proxy_are_asked_directly(
    proxy: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "chat.invalid")
    with pytest.raises(PromptError, match=r"no host named chat\.invalid"):
        ask(client("http://chat.invalid/v1"))
    assert not proxy.requests


def test_a_proxy_that_refuses_is_named_without_its_password(proxy: ScriptedServer) -> None:
    with pytest.raises(ProxyError, match=f"127.0.0.1:{proxy.port}") as caught:
        ask(client("https://chat.invalid/v1"))  # the scripted server knows no CONNECT
    assert "proxypass" not in str(caught.value)
    proxy.script(lambda exchange: exchange.reply(407, ""))
    with pytest.raises(ProxyError, match="407"):
        ask(client("http://chat.invalid/v1"))


def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("NO_PROXY", "")
    for url in ("http://chat.invalid/v1", "https://chat.invalid/v1"):
        with pytest.raises(ProxyError, match=r"The proxy http://127\.0\.0\.1:\d+ failed"):
            ask(client(url))


def test_a_kind_of_proxy_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "")
    for name in PROXIES:
        monkeypatch.setenv(name, "gopher://127.0.0.1:1")
    with pytest.raises(ProxyError, match="gopher"):
        ask(client("http://chat.invalid/v1"))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


# --- Reading as it arrives ------------------------------------------------------------------


@pytest.mark.parametrize("framing", ["chunked", "close", "length", "gzip", "gzip in chunks"])
def test_each_delta_is_there_before_the_server_sends_the_next(
    server: ScriptedServer, framing: str
) -> None:
    received = threading.Semaphore(0)
    words = ["one ", "two ", "three"]
    events = [f'data: {{"choices":[{{"delta":{{"content":"{word}"}}}}]}}\n\n' for word in words]
    last = "data: [DONE]\n\n"

    def script(exchange: Exchange) -> None:
        headers = {"Content-Encoding": "gzip"} if "gzip" in framing else {}
        if framing == "length":
            headers["Content-Length"] = str(sum(map(len, [*events, last])))
        exchange.start(headers=headers, chunked="chunk" in framing)
        packer = zlib.compressobj(wbits=31)
        for event in events:
            data = event.encode()
            if headers.get("Content-Encoding"):
                data = packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
            exchange.send(data)
            assert received.acquire(timeout=20), "the delta was held back"
        data = last.encode()
        exchange.send(packer.compress(data) + packer.flush() if "gzip" in framing else data)

    server.script(script)
    seen = []
    for delta in client(server.base_url).stream(body()):
        seen.append(delta.content)
        received.release()
    assert seen == words


def test_a_body_that_is_one_piece_of_json_is_an_answer(server: ScriptedServer) -> None:
    whole = {
        "model": "m",
        "usage": {"total_tokens": 3},
        "choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}],
    }
    for script in (
        lambda exchange: exchange.reply(200, whole),
        lambda exchange: (
            exchange.start(headers={"Content-Type": "application/json"}),
            *(exchange.send(bytes([byte])) for byte in b"\n " + json.dumps(whole).encode()),
        ),
    ):
        server.script(script)
        assert list(client(server.base_url).stream(body())) == [
            Delta("Hello", finish_reason="stop", usage={"total_tokens": 3}, model="m")
        ]


def test_a_compressed_body_that_is_one_piece_is_an_answer(server: ScriptedServer) -> None:
    packed = gzip.compress(b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\ndata: [DONE]\n\n')
    server.script(lambda exchange: exchange.reply(200, packed, {"Content-Encoding": "gzip"}))
    assert ask(client(server.base_url)) == "Hi"


def test_the_usage_after_the_end_is_read_and_nothing_is_read_after_done() -> None:
    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("a")
        exchange.finish()
        exchange.event({"choices": [], "usage": {"total_tokens": 9}})
        exchange.done()
        if exchange.client_gone():
            gone.set()

    gone = threading.Event()
    with ScriptedServer(script) as server:
        deltas = list(client(server.base_url).stream(body()))
        assert deltas[-1] == Delta(usage={"total_tokens": 9})
        assert gone.wait(10)


# --- Ending early ---------------------------------------------------------------------------


def test_closing_the_generator_closes_the_connection(server: ScriptedServer) -> None:
    gone = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("a")
        if exchange.client_gone():
            gone.set()

    server.script(script)
    with closing(client(server.base_url).stream(body())) as events:
        assert next(events) == Delta("a")
    assert gone.wait(10)


def test_an_interrupt_while_waiting_closes_the_connection(server: ScriptedServer) -> None:
    """Interrupt a real process in each phase; it must end at once, and the server must notice."""
    reached, gone = threading.Event(), threading.Event()

    def script(exchange: Exchange) -> None:
        if exchange.request.json["messages"][0]["content"] == "stream":
            exchange.start()
            exchange.delta("a")
        reached.set()
        if exchange.client_gone():
            gone.set()

    server.script(script)
    program = (
        "import sys\n"
        "from copilot_magic.client.client import ChatClient\n"
        "from copilot_magic.settings import Settings\n"
        "body = {'messages': [{'role': 'user', 'content': sys.argv[2]}]}\n"
        "try:\n"
        "    for _ in ChatClient(Settings(base_url=sys.argv[1])).stream(body): pass\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    for phase in ("headers", "stream"):
        reached.clear()
        gone.clear()
        process = subprocess.Popen(
            [sys.executable, "-c", program, server.base_url, phase],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert reached.wait(30)
        process.send_signal(2)
        assert process.communicate(timeout=30)[0] == "interrupted\n"
        assert gone.wait(10), phase


@pytest.mark.parametrize("phase", ["headers", "stream", "backing off"])
def test_close_ends_an_answer_in_another_thread(server: ScriptedServer, phase: str) -> None:
    reached = threading.Event()

    def script(exchange: Exchange) -> None:
        if phase == "backing off":
            exchange.reply(503, "", {"Retry-After": "50"})
            return
        if phase == "stream":
            exchange.start()
            exchange.delta("a")
        reached.set()
        exchange.client_gone()

    server.script(script)
    asked = client(server.base_url)
    ended: list[CopilotError] = []

    def read() -> None:
        try:
            for event in asked.stream(body()):
                if isinstance(event, Waiting):
                    reached.set()
        except CopilotError as error:
            ended.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    assert reached.wait(20)
    asked.close()
    thread.join(20)
    assert not thread.is_alive()
    assert [type(error) for error in ended] == [CutError]
    assert "stopped" in ended[0].message
    server.script(lambda exchange: answer(exchange, "again"))
    assert ask(asked) == "again", "the client can be used again"


def test_close_ends_an_answer_that_has_no_connection_yet(server: ScriptedServer) -> None:
    def close() -> None:
        asked.close()

    asked = ChatClient(Settings(base_url=server.base_url, get_api_key=close))
    with pytest.raises(CutError, match="stopped"):
        ask(asked)
    assert not server.requests


def test_a_large_prompt_may_take_longer_to_send_than_to_connect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as stream:
                time.sleep(0.3)  # the buffers in between are full long before
                head = b"".join(iter(stream.readline, b"\r\n")).lower()
                stream.read(int(head.partition(b"content-length:")[2].split()[0]))
                event = b'data: {"choices":[{"delta":{"content":"read"}}]}\n\ndata: [DONE]\n\n'
                connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + event)

        thread = threading.Thread(target=serve)
        thread.start()
        asked = client(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", connect_timeout=0.1)
        large = [{"role": "user", "content": "x" * 20_000_000}]
        assert ask(asked, messages=large) == "read"
        thread.join()


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


# --- Looking a name up ----------------------------------------------------------------------


def test_a_lookup_that_hangs_ends_with_the_connect_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: released.wait(30))
    begun = time.monotonic()
    try:
        with pytest.raises(ConnectTimeoutError, match=r"Looking up the name chat\.invalid"):
            ask(client("http://chat.invalid/v1", connect_timeout=0.05))
    finally:
        released.set()
    assert time.monotonic() - begun < 30


def test_a_name_that_cannot_be_one_is_an_error_of_one_line() -> None:
    for host in ("x" * 70, "a..b", "-.invalid", "ü" * 70):
        with pytest.raises(CopilotError):
            ask(client(f"http://{host}/v1"))


# --- Retries --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_a_status_that_says_try_later_is_tried_again_after_an_announced_wait(
    server: ScriptedServer, status: int
) -> None:
    server.script(refuse_once(status, "later", **{"Retry-After": "0.01"}))
    events = list(client(server.base_url).stream(body()))
    assert events[0] == Waiting(0.01, events[0].reason)
    assert str(status) in events[0].reason and "later" in events[0].reason
    assert "".join(event.content for event in events[1:]) == "fine"
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500, 501])
def test_other_statuses_are_not(server: ScriptedServer, status: int) -> None:
    server.script(refuse_once(status, "no", **{"Retry-After": "0.01"}))
    with pytest.raises(StatusError):
        ask(client(server.base_url))
    assert len(server.requests) == 1


def test_the_tries_are_as_many_as_the_setting_says(server: ScriptedServer) -> None:
    server.script(lambda exchange: exchange.reply(503, "", {"Retry-After": "0"}))
    for retries in (0, 3):
        server.requests.clear()
        with pytest.raises(ServerError):
            ask(client(server.base_url, retries=retries))
        assert len(server.requests) == retries + 1


def test_a_server_that_wants_a_long_wait_is_not_waited_for(server: ScriptedServer) -> None:
    server.script(lambda exchange: exchange.reply(429, "", {"Retry-After": "3600"}))
    with pytest.raises(RateLimitError, match="Wait 3600 seconds") as caught:
        ask(client(server.base_url))
    assert caught.value.retry_after == 3600
    assert len(server.requests) == 1


def test_a_spent_account_is_not_tried_again(server: ScriptedServer) -> None:
    server.script(refuse_once(429, "You exceeded your current quota"))
    with pytest.raises(RateLimitError, match="quota"):
        ask(client(server.base_url))
    assert len(server.requests) == 1


def test_waits_without_an_order_grow_and_differ(server: ScriptedServer) -> None:
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


def test_a_connection_that_breaks_before_the_answer_is_not_asked_again(
    server: ScriptedServer,
) -> None:
    server.script(lambda exchange: exchange.abort())
    with pytest.raises(CutError, match="without an answer"):
        ask(client(server.base_url))
    assert len(server.requests) == 1


# --- What a server turns out to need --------------------------------------------------------


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


def test_a_server_that_must_be_told_a_model_is_told_one_of_its_own(server: ScriptedServer) -> None:
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


def test_strict_and_in_need_of_a_model_is_served_as_well(server: ScriptedServer) -> None:
    def script(exchange: Exchange) -> None:
        if "provider" in exchange.request.json:
            exchange.reply(400, {"error": {"message": "Unknown parameter: 'provider'."}})
        else:
            wants_model(exchange)

    server.script(script)
    assert ask(client(server.base_url)) == "scripted-model"


def test_elsewhere_nobody_chooses_among_several_models_for_the_user(proxy: ScriptedServer) -> None:
    proxy.script(wants_model)
    models = json.dumps({"data": [{"id": name} for name in ("big", "small")]}).encode()
    proxy.get["http://chat.invalid/v1/models"] = (200, {}, models)
    with pytest.raises(BadRequestError, match="it has big, small") as caught:
        ask(client("http://chat.invalid/v1"))
    assert "model = 'big'" in caught.value.hint


def test_a_server_without_a_list_of_models_leaves_its_own_refusal(server: ScriptedServer) -> None:
    server.script(wants_model)
    server.get.clear()
    with pytest.raises(BadRequestError, match="you must provide a model"):
        ask(client(server.base_url))


def test_what_another_thread_has_learned_meanwhile_is_made_use_of(server: ScriptedServer) -> None:
    """Refuse two requests that were both sent before the first refusal was known."""
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


# --- Lists ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "listed",
    [
        {"object": "list", "data": [{"id": "a"}, {"id": "b"}, {"id": "Copilot", "provider": True}]},
        {"models": [{"name": "a"}, {"name": "b"}]},
        ["a", "b"],
        [{"id": "a", "provider": False}, {"id": "b"}, {"no": "name"}, None, 7, {"id": 5}],
    ],
)
def test_models_are_named_whichever_way_they_are_listed(
    server: ScriptedServer, listed: Any
) -> None:
    server.get["/v1/models"] = (200, {}, json.dumps(listed).encode())
    assert client(server.base_url).models() == ["a", "b"]


def test_names_cannot_smuggle_escape_sequences(server: ScriptedServer) -> None:
    server.get["/v1/models"] = (200, {}, json.dumps([{"id": "\x1b[31mred"}]).encode())
    assert client(server.base_url).models() == ["[31mred"]


@pytest.mark.parametrize("page", [b"<html>", b"", b"[" * 100_000, b"\xff"])
def test_a_list_that_is_none_is_a_typed_error(server: ScriptedServer, page: bytes) -> None:
    server.get["/v1/models"] = (200, {}, page)
    with pytest.raises(MalformedAnswerError):
        client(server.base_url).models()


def test_a_list_that_does_not_come_is_not_waited_for_long(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_LIST_TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asked = client(f"http://127.0.0.1:{silent.getsockname()[1]}/v1")
        with pytest.raises(FirstTokenTimeoutError, match=r"/models within 0\.1 seconds"):
            asked.models()


def test_a_server_without_models_says_so(server: ScriptedServer) -> None:
    server.get.clear()
    with pytest.raises(NotFoundError):
        client(server.base_url).models()


def test_providers_are_gpt4frees_and_elsewhere_there_are_none(server: ScriptedServer) -> None:
    asked = client(server.base_url, KEY)
    assert asked.providers() == []
    server.get["/v1/providers"] = (200, {}, json.dumps([{"id": "Copilot"}, {"id": "Pi"}]).encode())
    assert asked.providers() == ["Copilot", "Pi"]
    assert server.requests[-1].headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("name", ["connect_timeout", "first_token_timeout", "idle_timeout"])
@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_a_timeout_that_is_none_is_refused(name: str, seconds: float) -> None:
    with pytest.raises(UsageError, match=name):
        client("http://localhost/v1", **{name: seconds})


def test_an_error_that_is_being_handled_does_not_colour_the_next_one(
    server: ScriptedServer,
) -> None:
    server.script(lambda exchange: exchange.abort())
    try:
        raise ConnectionRefusedError
    except ConnectionRefusedError:
        with pytest.raises(CutError):
            ask(client(server.base_url))


# --- Itself ---------------------------------------------------------------------------------


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
    """Fail where file descriptors are left open."""
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
