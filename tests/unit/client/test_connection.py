"""The connection: to whom it is made, through which proxy, and how it ends."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest
from posting import ask, body, client
from scripted_server import Exchange, ScriptedServer, answer

from copilot_magic.client.client import ChatClient
from copilot_magic.errors import ConnectTimeoutError, CopilotError, CutError, NameResolutionError
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
