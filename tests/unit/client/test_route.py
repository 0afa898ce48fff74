"""The way to a server: which connections stay open between calls, and to whom they belong."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from posting import KEY, ask, body, client
from scripted_server import Exchange, ScriptedServer, whole

from copilot_magic.client.client import ChatClient
from copilot_magic.client.route import Route, Routes
from copilot_magic.errors import MalformedAnswerError, ProxyError, RateLimitError
from copilot_magic.settings import Settings

CERTIFICATE = Path(__file__).parents[2] / "server" / "localhost.pem"


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def at_once(count: int, work: Callable[[int], object]) -> None:
    """Do `work` in `count` threads."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_connection_is_kept_for_the_next_answer(server: ScriptedServer) -> None:
    server.script(whole)
    asked = client(server.base_url, keep_connections=1)
    assert [asked.complete(body(text)).content for text in "abc"] == [
        f"You said: {text}" for text in "abc"
    ]
    assert (len(server.clients), len(server.requests)) == (1, 3)


def test_without_kept_connections_each_answer_has_its_own(server: ScriptedServer) -> None:
    server.script(whole)
    asked = client(server.base_url)
    for _ in range(3):
        asked.complete(body())
        wait_until(lambda: server.open_connections == 0)
    assert len(server.clients) == 3


def test_a_request_is_sent_in_one_piece(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import http.client

    sent: list[bytes] = []
    send = http.client.HTTPConnection.send
    monkeypatch.setattr(
        http.client.HTTPConnection, "send", lambda self, data: (sent.append(data), send(self, data))
    )
    server.script(whole)
    client(server.base_url).complete(body())
    (piece,) = sent
    assert piece.startswith(b"POST ") and piece.endswith(server.requests[0].body)


def test_many_threads_share_the_connections_and_no_more_than_those_stay_open(
    server: ScriptedServer,
) -> None:
    all_at_once = threading.Barrier(64, timeout=30)

    def script(exchange: Exchange) -> None:
        all_at_once.wait()
        whole(exchange)

    server.script(script)
    asked = client(server.base_url, keep_connections=8)
    answers: dict[int, str] = {}

    def one(number: int) -> None:
        answers[number] = asked.complete(body(str(number))).content

    at_once(64, one)
    assert answers == {number: f"You said: {number}" for number in range(64)}
    assert len(server.clients) == 64
    wait_until(lambda: server.open_connections == 8)
    server.script(whole)
    for number in range(64):
        one(number)
    assert len(server.clients) == 64, "the eight serve all that follow"


def test_a_refusal_leaves_the_connection_open(server: ScriptedServer) -> None:
    asked = client(server.base_url, keep_connections=1)
    server.script(lambda exchange: exchange.reply(429, {"error": {"message": "slow down"}}))
    for _ in range(3):
        with pytest.raises(RateLimitError):
            asked.complete(body())
    assert (len(server.clients), len(server.requests)) == (1, 3)


def test_a_response_that_was_not_read_to_its_end_costs_its_connection(
    server: ScriptedServer,
) -> None:
    def refuse_at_length(exchange: Exchange) -> None:
        exchange.reply(429, b"x" * 200_000)

    asked = client(server.base_url, keep_connections=1)
    server.scripts(refuse_at_length, whole)
    with pytest.raises(RateLimitError):
        asked.complete(body())
    assert asked.complete(body()).content == "You said: Hello"
    assert len(server.clients) == 2


def test_a_server_that_closes_each_connection_is_obeyed(server: ScriptedServer) -> None:
    def just_closes(exchange: Exchange) -> None:
        whole(exchange)
        exchange.close_connection = True

    def says_so(exchange: Exchange) -> None:
        text = b'{"choices": [{"message": {"content": "bye"}}]}'
        exchange.start(200, {"Content-Length": str(len(text)), "Connection": "close"})
        exchange.send(text)

    asked = client(server.base_url, keep_connections=1)
    for closing in (just_closes, says_so):
        server.clients.clear()
        server.script(closing)
        assert [bool(asked.complete(body()).content) for _ in range(3)] == [True] * 3
        assert len(server.clients) == 3


@pytest.mark.parametrize("size", [10, 100_000])
def test_what_a_server_sent_beyond_an_answer_is_not_the_next_one(
    server: ScriptedServer, size: int
) -> None:
    def one(text: str) -> bytes:
        content = b'{"choices": [{"message": {"content": "%b"}}]}' % text.encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content)

    def two_answers(exchange: Exchange) -> None:
        exchange.close_connection = False
        exchange.send_raw(one("first") + one("x" * size))

    asked = client(server.base_url, keep_connections=1)
    server.scripts(two_answers, whole)
    assert asked.complete(body()).content == "first"
    assert asked.complete(body("second")).content == "You said: second"


def test_an_answer_that_is_longer_than_its_length_says_is_no_answer(server: ScriptedServer) -> None:
    def script(exchange: Exchange) -> None:
        exchange.start(200, {"Content-Length": "30"})
        exchange.send(b'{"choices": [{"message": {"content": "cut here"}}]}')

    asked = client(server.base_url, keep_connections=1)
    server.scripts(script, whole)
    with pytest.raises(MalformedAnswerError):
        asked.complete(body())
    assert asked.complete(body()).content == "You said: Hello"


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_costs_no_connection(server: ScriptedServer, status: int) -> None:
    def script(exchange: Exchange) -> None:
        if exchange.request.path.endswith("/v2"):
            whole(exchange)
        else:
            exchange.reply(status, "moved", {"Location": f"{exchange.request.path}/v2"})

    server.script(script)
    asked = client(server.base_url, keep_connections=1)
    for _ in range(3):
        assert asked.complete(body()).content == "You said: Hello"
    assert (len(server.clients), len(server.requests)) == (1, 6)


def test_redirects_to_ever_new_addresses_share_the_connection(server: ScriptedServer) -> None:
    def script(exchange: Exchange) -> None:
        if "for=" in exchange.request.path:
            whole(exchange)
        else:
            place = f"{exchange.request.path}?for={len(server.requests)}"
            exchange.reply(307, "", {"Location": place})

    server.script(script)
    asked = client(server.base_url, keep_connections=1)
    for _ in range(50):
        asked.complete(body())
    assert len(server.clients) == 1
    asked.close()
    wait_until(lambda: server.open_connections == 0)


def test_ever_new_addresses_do_not_fill_the_memory() -> None:
    routes = Routes(1)
    for number in range(200):
        routes.find(f"http://127.0.0.1:9/v1?for={number}")
    assert sum(isinstance(each, Route) for each in gc.get_objects()) < 100


def test_a_key_that_changes_is_used_at_once(server: ScriptedServer) -> None:
    keys = [KEY, "another-key", None]
    server.script(whole)
    asked = ChatClient(
        Settings(base_url=server.base_url, get_api_key=lambda: keys.pop(0)), keep_connections=1
    )
    for _ in range(3):
        asked.complete(body())
    sent = [request.headers["Authorization"] for request in server.requests]
    assert sent == [f"Bearer {KEY}", "Bearer another-key", None]
    assert len(server.clients) == 1


def test_a_connection_through_a_proxy_is_kept(proxy: ScriptedServer) -> None:
    proxy.script(whole)
    asked = client("http://chat.invalid/v1", keep_connections=1)
    for _ in range(3):
        assert asked.complete(body()).content == "You said: Hello"
    assert {request.path for request in proxy.requests} == {
        "http://chat.invalid/v1/chat/completions"
    }
    assert proxy.requests[-1].headers["Proxy-Authorization"].startswith("Basic ")
    assert (len(proxy.clients), len(proxy.requests)) == (1, 3)


def test_a_proxy_that_the_environment_names_later_is_for_new_clients(
    server: ScriptedServer, use_proxy: Callable[[str], None]
) -> None:
    """Kept connections prepare the way once; without them, each prompt looks anew."""
    with ScriptedServer(whole) as first:
        use_proxy(f"http://127.0.0.1:{first.port}")
        kept = client("http://chat.invalid/v1", keep_connections=1)
        each = client("http://chat.invalid/v1")
        assert kept.complete(body()) and each.complete(body())
        use_proxy("http://127.0.0.1:9")
        assert kept.complete(body())
        with pytest.raises(ProxyError):
            each.complete(body())


def test_an_encrypted_connection_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    with ScriptedServer(whole, certificate=CERTIFICATE) as server:
        asked = client(server.base_url, KEY, keep_connections=1)
        for _ in range(3):
            assert asked.complete(body()).content == "You said: Hello"
        assert len(server.clients) == 1
        server.hang_up()
        assert asked.complete(body()).content == "You said: Hello"


def test_streams_and_whole_answers_use_one_client(server: ScriptedServer) -> None:
    asked = client(server.base_url, keep_connections=2)
    assert ask(asked, messages=[{"role": "user", "content": "a"}]) == "You said: a"
    assert asked.complete(body("b")).content == "You said: b"
    assert ask(asked) == "You said: Hello"
