"""Sending a request: what the server gets, and which redirects are followed."""

from __future__ import annotations

import time

import pytest
from posting import KEY, ask, body, client
from scripted_server import Exchange, ScriptedServer, answer

from copilot_magic.errors import AuthenticationError, ProxyError, ServerError, StatusError
from copilot_magic.settings import LOCAL_MARK


def test_the_request_is_what_the_reference_client_posts(server: ScriptedServer) -> None:
    assert ask(client(server.base_url)) == "You said: Hello"
    request = server.requests[-1]
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.json == body()
    assert request.headers["Content-Type"] == "application/json"
    assert "Authorization" not in request.headers
    assert request.headers["Accept-Encoding"] == "identity", "compressing a body delays its tokens"


@pytest.mark.parametrize("ending", ["", "/", "/chat/completions", "/chat/completions/"])
def test_an_address_with_any_usual_ending_works(server: ScriptedServer, ending: str) -> None:
    ask(client(server.base_url + ending))
    assert server.requests[-1].path == "/v1/chat/completions"


def test_the_query_of_the_address_is_kept(server: ScriptedServer) -> None:
    ask(client(f"{server.base_url}?api-version=2"))
    assert server.requests[-1].path == "/v1/chat/completions?api-version=2"


@pytest.mark.parametrize("key", [None, KEY])
def test_another_notebooks_local_model_is_not_a_matter_of_keys(
    server: ScriptedServer, key: str | None
) -> None:
    refusal = {"error": {"message": "Invalid API Key", "code": 401}}
    server.script(lambda exchange: exchange.reply(401, refusal, dict([LOCAL_MARK])))
    with pytest.raises(AuthenticationError, match="is another notebook's local model") as caught:
        ask(client(server.base_url, key))
    assert caught.value.local_model
    assert "COPILOT_API_KEY" not in str(caught.value)


def test_a_refused_picture_is_told_from_other_failures(server: ScriptedServer) -> None:
    refusal = {"error": {"code": 500, "message": "image input is not supported"}}
    server.script(lambda exchange: exchange.reply(500, refusal))
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    content = [{"type": "text", "text": "What is this?"}, picture]
    for sent, pictures in ((content, True), ("What is this?", False)):
        with pytest.raises(ServerError, match="image input is not supported") as caught:
            ask(client(server.base_url), messages=[{"role": "user", "content": sent}])
        assert caught.value.pictures is pictures


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


def test_after_a_redirect_too_an_answer_may_take_longer_than_connecting(
    server: ScriptedServer,
) -> None:
    def script(exchange: Exchange) -> None:
        if exchange.request.path == "/v1/chat/completions":
            exchange.reply(307, "", {"Location": "/elsewhere"})
        else:
            time.sleep(0.5)
            answer(exchange, "moved")

    server.script(script)
    assert ask(client(server.base_url, connect_timeout=0.2)) == "moved"


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


def test_a_proxy_that_wants_a_password_is_a_proxy_error(proxy: ScriptedServer) -> None:
    proxy.script(lambda exchange: exchange.reply(407, ""))
    with pytest.raises(ProxyError, match="407") as caught:
        ask(client("http://chat.invalid/v1"))
    assert caught.value.base_url == "http://chat.invalid/v1"
