"""The lists of models and of providers: in which forms they come, and what is no list."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from posting import KEY, client
from scripted_server import ScriptedServer

from copilot_magic.client.client import ChatClient
from copilot_magic.errors import FirstTokenTimeoutError, MalformedAnswerError, NotFoundError
from copilot_magic.settings import Settings


@pytest.mark.parametrize(
    "listed",
    [
        {"object": "list", "data": [{"id": "a"}, {"id": "b"}, {"id": "Copilot", "provider": True}]},
        {"models": [{"name": "a"}, {"name": "b"}]},
        ["a", "b"],
        [{"id": "a", "provider": False}, {"id": "b"}, {"no": "name"}, None, 7, {"id": 5}],
    ],
)
def test_models_are_read_from_every_form_of_list(server: ScriptedServer, listed: Any) -> None:
    server.get["/v1/models"] = (200, {}, json.dumps(listed).encode())
    assert client(server.base_url).models() == ["a", "b"]


def test_a_name_cannot_smuggle_in_escape_sequences(server: ScriptedServer) -> None:
    server.get["/v1/models"] = (200, {}, json.dumps([{"id": "\x1b[31mred"}]).encode())
    assert client(server.base_url).models() == ["[31mred"]


@pytest.mark.parametrize("page", [b"<html>", b"", b"[" * 100_000, b"\xff"])
def test_a_list_that_cannot_be_read_is_a_typed_error(server: ScriptedServer, page: bytes) -> None:
    server.get["/v1/models"] = (200, {}, page)
    with pytest.raises(MalformedAnswerError):
        client(server.base_url).models()


def test_a_list_is_not_waited_for_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = Settings(base_url=f"http://127.0.0.1:{silent.getsockname()[1]}/v1")
        asked = ChatClient(settings, list_timeout=0.1)
        with pytest.raises(FirstTokenTimeoutError, match=r"/models within 0\.1 seconds") as caught:
            asked.models()
        assert caught.value.seconds == 0.1


def test_a_server_without_a_list_of_models_is_a_typed_error(server: ScriptedServer) -> None:
    server.get.clear()
    with pytest.raises(NotFoundError):
        client(server.base_url).models()


def test_only_gpt4free_has_providers(server: ScriptedServer) -> None:
    asked = client(server.base_url, KEY)
    assert asked.providers() == []
    server.get["/v1/providers"] = (200, {}, json.dumps([{"id": "Copilot"}, {"id": "Pi"}]).encode())
    assert asked.providers() == ["Copilot", "Pi"]
    assert server.requests[-1].headers["Authorization"] == f"Bearer {KEY}"
