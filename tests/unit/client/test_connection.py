"""The connection: to whom it is made, through which proxy, and how it ends."""

from __future__ import annotations

import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing

import pytest
from posting import ask, body, client
from scripted_server import Exchange, ScriptedServer, answer, whole

from copilot_magic.client.client import ChatClient
from copilot_magic.errors import (
    ConnectTimeoutError,
    CopilotError,
    CutError,
    FirstTokenTimeoutError,
    NameResolutionError,
    PromptError,
)
from copilot_magic.settings import Settings
from copilot_magic.wire.chunks import Delta, Waiting


def test_localhost_is_found_on_whichever_address_the_server_listens() -> None:
    with ScriptedServer() as server:  # listens on 127.0.0.1 alone
        assert ask(client(f"http://localhost:{server.port}/v1")) == "You said: Hello"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_asked_without_the_environments_proxies(
    server: ScriptedServer, proxy: ScriptedServer, host: str
) -> None:
    assert ask(client(f"http://{host}:{server.port}/v1")) == "You said: Hello"
    assert not proxy.requests


def test_other_machines_are_asked_through_the_environments_proxies(proxy: ScriptedServer) -> None:
    assert ask(client("http://chat.invalid/v1")) == "You said: Hello"
    assert proxy.requests[-1].path == "http://chat.invalid/v1/chat/completions"


def test_hosts_in_no_proxy_are_asked_directly(
    proxy: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "chat.invalid")
    with pytest.raises(NameResolutionError, match=r"no host named chat\.invalid") as caught:
        ask(client("http://chat.invalid/v1"))
    assert caught.value.base_url == "http://chat.invalid/v1"
    assert not proxy.requests


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
    """A real process, interrupted in each phase, ends at once, and the server notices."""
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
                time.sleep(0.3)  # long enough to fill the buffers in between
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


def test_a_lookup_that_hangs_ends_with_the_connect_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: released.wait(30))
    begun = time.monotonic()
    try:
        with pytest.raises(
            ConnectTimeoutError, match=r"chat\.invalid took longer than 0\.05 seconds"
        ) as caught:
            ask(client("http://chat.invalid/v1", connect_timeout=0.05))
    finally:
        released.set()
    assert time.monotonic() - begun < 30
    assert caught.value.base_url == "http://chat.invalid/v1"


# --- Connections that are kept --------------------------------------------------------------


def test_a_kept_connection_that_the_server_closed_costs_nothing(server: ScriptedServer) -> None:
    server.script(whole)
    asked = client(server.base_url, keep_connections=1)
    for _ in range(3):
        assert asked.complete(body()).content == "You said: Hello"
        server.hang_up()
    assert (len(server.clients), len(server.requests)) == (3, 3)


def test_a_server_that_was_restarted_costs_nothing() -> None:
    with ScriptedServer(whole) as server:
        asked = client(server.base_url, keep_connections=1)
        assert asked.complete(body()).content == "You said: Hello"
    with ScriptedServer(whole, port=server.port) as again:
        assert asked.complete(body()).content == "You said: Hello"
        assert len(again.requests) == 1


@pytest.mark.parametrize("end", [Exchange.cut, Exchange.abort])
def test_a_kept_connection_that_closes_when_it_is_used_is_replaced_once(
    server: ScriptedServer, end: Callable[[Exchange], None]
) -> None:
    server.scripts(whole, end, whole)
    asked = client(server.base_url, keep_connections=1)
    assert asked.complete(body("first")).content == "You said: first"
    assert asked.complete(body("second")).content == "You said: second"
    texts = [post["messages"][-1]["content"] for post in server.posts]
    assert texts == ["first", "second", "second"]
    assert len(server.clients) == 2


def test_a_kept_connection_is_not_replaced_by_another_kept_one(server: ScriptedServer) -> None:
    """A server that was restarted closes all of them."""
    both = threading.Barrier(2, timeout=20)
    server.script(lambda exchange: (both.wait(), whole(exchange)))
    asked = client(server.base_url, keep_connections=2)
    threads = [threading.Thread(target=asked.complete, args=(body(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = set(server.clients)

    def script(exchange: Exchange) -> None:
        if exchange.request.client in kept:
            exchange.cut()
        else:
            whole(exchange)

    server.script(script)
    assert asked.complete(body()).content == "You said: Hello"
    assert (len(server.clients), len(server.requests)) == (3, 4)


def test_a_new_connection_that_closes_is_a_failure(server: ScriptedServer) -> None:
    asked = client(server.base_url, keep_connections=2)
    server.scripts(whole, Exchange.cut)
    assert asked.complete(body())
    with pytest.raises(CutError, match="without an answer"):
        asked.complete(body())
    assert (len(server.clients), len(server.requests)) == (2, 3)
    with pytest.raises(CutError, match="without an answer"):
        asked.complete(body())
    assert len(server.requests) == 4, "there was no connection left to be replaced"


@pytest.mark.parametrize(
    "start", [b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"]
)
def test_a_request_is_not_sent_again_once_a_byte_of_the_response_came(
    server: ScriptedServer, start: bytes
) -> None:
    def script(exchange: Exchange) -> None:
        exchange.send_raw(start)
        exchange.cut()

    asked = client(server.base_url, keep_connections=1)
    server.scripts(whole, script)
    assert asked.complete(body())
    with pytest.raises(PromptError):
        asked.complete(body())
    assert len(server.requests) == 2


def test_silence_on_a_kept_connection_is_not_taken_for_its_end(server: ScriptedServer) -> None:
    asked = client(server.base_url, keep_connections=1, first_token_timeout=0.1)
    server.scripts(whole, lambda exchange: exchange.client_gone())
    assert asked.complete(body())
    with pytest.raises(FirstTokenTimeoutError):
        asked.complete(body())
    assert len(server.requests) == 2


def test_an_answer_to_an_earlier_call_is_no_answer_to_the_next(server: ScriptedServer) -> None:
    """A call that gave up leaves no connection on which its answer could still arrive."""
    released = threading.Event()

    def late(exchange: Exchange) -> None:
        exchange.wait(released)
        whole(exchange, "late")

    asked = client(server.base_url, keep_connections=1, first_token_timeout=0.1)
    server.scripts(late, whole)
    with pytest.raises(FirstTokenTimeoutError):
        asked.complete(body())
    released.set()
    assert asked.complete(body()).content == "You said: Hello"


@pytest.mark.parametrize("end", ["stop", "close"])
def test_stopping_ends_all_calls_and_closes_all_connections(
    server: ScriptedServer, end: str
) -> None:
    calls = 8
    reached = threading.Semaphore(0)

    def script(exchange: Exchange) -> None:
        reached.release()
        exchange.client_gone()

    asked = client(server.base_url, keep_connections=calls)
    at_once = threading.Barrier(calls, timeout=20)
    server.script(lambda exchange: (at_once.wait(), whole(exchange)))
    failures: list[BaseException] = []

    def call() -> None:
        asked.complete(body())
        server.script(script)
        together.wait()
        try:
            asked.complete(body())
        except CopilotError as error:
            failures.append(error)

    together = threading.Barrier(calls + 1, timeout=20)
    threads = [threading.Thread(target=call) for _ in range(calls)]
    for thread in threads:
        thread.start()
    together.wait()
    for _ in range(calls):
        assert reached.acquire(timeout=20)
    getattr(asked, end)()
    for thread in threads:
        thread.join(20)
    assert [(type(error), str(error)) for error in failures] == [
        (CutError, "The prompt was stopped")
    ] * calls
    deadline = time.monotonic() + 20
    while server.open_connections:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert len(server.clients) == calls, "the second calls had the kept connections"
    server.script(whole)
    if end == "close":
        assert asked.complete(body()).content == "You said: Hello"
    else:
        with pytest.raises(CutError, match="stopped"):
            asked.complete(body())


def test_closing_closes_idle_connections(server: ScriptedServer) -> None:
    server.script(whole)
    asked = client(server.base_url, keep_connections=1)
    for expected in (1, 2):
        assert asked.complete(body())
        assert len(server.clients) == expected
        asked.close()
    deadline = time.monotonic() + 20
    while server.open_connections:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_interrupt_leaves_no_connection_with_half_an_answer(server: ScriptedServer) -> None:
    def script(exchange: Exchange) -> None:
        exchange.start(200, {"Content-Length": "100"})
        exchange.send(b'{"choices": ')
        exchange.client_gone()

    class Interrupted(BaseException):
        pass

    asked = client(server.base_url, keep_connections=1)
    server.scripts(whole, script, whole)
    assert asked.complete(body())
    receive = socket.SocketIO.readinto
    reads = 0

    def interrupted(self: socket.SocketIO, buffer: object) -> int | None:
        nonlocal reads
        if threading.current_thread() is threading.main_thread():
            reads += 1
            if reads == 2:
                raise Interrupted
        return receive(self, buffer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.SocketIO, "readinto", interrupted)
        with pytest.raises(Interrupted):
            asked.complete(body())
    assert asked.complete(body()).content == "You said: Hello"


def test_a_fork_does_not_write_to_its_parents_connection(server: ScriptedServer) -> None:
    """Both go on using the client, whose connection in the parent was open at the fork."""
    server.script(whole)
    program = (
        "import os, sys\n"
        "from copilot_magic.client.client import ChatClient\n"
        "from copilot_magic.settings import Settings\n"
        "asked = ChatClient(Settings(base_url=sys.argv[1]), keep_connections=1)\n"
        "def ask(text):\n"
        "    body = {'messages': [{'role': 'user', 'content': text}]}\n"
        "    assert asked.complete(body).content == f'You said: {text}'\n"
        "ask('before')\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    ask('child')\n"
        "    ask('child again')\n"
        "    asked.stop()\n"
        "    os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "ask('parent')\n"
    )
    subprocess.run([sys.executable, "-c", program, server.base_url], check=True, timeout=60)
    assert (len(server.clients), len(server.requests)) == (2, 4)


def test_a_client_that_travels_takes_no_connection_along(server: ScriptedServer) -> None:
    server.script(whole)
    asked = ChatClient(Settings(base_url=server.base_url), keep_connections=1)
    assert asked.complete(body())
    arrived = pickle.loads(pickle.dumps(asked))
    for asks in (arrived, asked, arrived):
        assert asks.complete(body()).content == "You said: Hello"
    assert len(server.clients) == 2
