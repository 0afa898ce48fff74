"""Requests that bring no response: a typed error of one line that says what was tried."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from posting import ask, client, free_port
from scripted_server import ScriptedServer

from copilot_magic.client.unreached import unreached
from copilot_magic.errors import CopilotError, CutError, ProxyError, RefusedError
from copilot_magic.settings import Settings


def test_a_proxy_that_refuses_is_named_without_its_password(proxy: ScriptedServer) -> None:
    with pytest.raises(ProxyError, match=f"127.0.0.1:{proxy.port}") as caught:
        ask(client("https://chat.invalid/v1"))  # the scripted server knows no CONNECT
    assert "proxypass" not in str(caught.value)
    assert caught.value.base_url == "https://chat.invalid/v1"


def test_a_proxy_that_is_not_there_is_named(use_proxy: Callable[[str], None]) -> None:
    use_proxy(f"http://127.0.0.1:{free_port()}")
    for url in ("http://chat.invalid/v1", "https://chat.invalid/v1"):
        with pytest.raises(ProxyError, match=r"The proxy http://127\.0\.0\.1:\d+ failed"):
            ask(client(url))


def test_an_unusable_kind_of_proxy_is_named(use_proxy: Callable[[str], None]) -> None:
    use_proxy("gopher://127.0.0.1:1")
    with pytest.raises(ProxyError, match="gopher"):
        ask(client("http://chat.invalid/v1"))


def test_an_impossible_name_is_a_typed_error() -> None:
    for host in ("x" * 70, "a..b", "-.invalid", "ü" * 70):
        with pytest.raises(CopilotError) as caught:
            ask(client(f"http://{host}/v1"))
        assert "\n" not in str(caught.value)


def test_a_connection_that_breaks_before_the_answer_is_not_asked_again(
    server: ScriptedServer,
) -> None:
    server.script(lambda exchange: exchange.abort())
    with pytest.raises(CutError, match="without an answer"):
        ask(client(server.base_url))
    assert len(server.requests) == 1


def test_an_error_that_is_being_handled_is_not_taken_for_the_cause_of_the_next(
    server: ScriptedServer,
) -> None:
    server.script(lambda exchange: exchange.abort())
    try:
        raise ConnectionRefusedError
    except ConnectionRefusedError:
        with pytest.raises(CutError):
            ask(client(server.base_url))


def test_a_refused_connection_names_the_ways_out() -> None:
    base_url = f"http://127.0.0.1:{free_port()}/v1"
    with pytest.raises(RefusedError, match=f"No server is listening at {base_url}") as caught:
        ask(client(base_url.replace("//", "//me:pw@")))
    assert caught.value.base_url == base_url
    assert caught.value.hint == "Start that server, or set base_url to one that runs"


def test_where_gpt4free_listens_the_way_out_is_to_start_it() -> None:
    settings = Settings(base_url="http://localhost:1337/v1")
    error = unreached(ConnectionRefusedError(), settings.base_url, "", settings, 1.0)
    assert isinstance(error, RefusedError)
    for way in ('pip install "g4f[api]"', "g4f api --no-gui --port 1337", "base_url"):
        assert way in error.hint
