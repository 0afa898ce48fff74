"""What is found on a port."""

from __future__ import annotations

import socket
from threading import Thread

import pytest
from scripted_server import ScriptedServer

from copilot_magic.local.ports import Occupant, free_port, probe
from copilot_magic.settings import LOCAL_MARK


def test_probe_finds_a_chat_server(server: ScriptedServer) -> None:
    assert probe(server.base_url) is Occupant.CHAT


def test_probe_finds_a_server_that_wants_a_key(server: ScriptedServer) -> None:
    server.get["/v1/models"] = (401, {}, b'{"error": {"message": "Invalid API Key"}}')
    assert probe(server.base_url) is Occupant.LOCKED


def test_probe_finds_another_notebooks_local_model_by_its_mark(server: ScriptedServer) -> None:
    body = b'{"error": {"message": "Invalid API Key"}}'
    server.get["/v1/models"] = (401, dict([LOCAL_MARK]), body)
    assert probe(server.base_url) is Occupant.LOCAL


def test_probe_finds_nothing_if_nobody_listens(unused_port: int) -> None:
    assert probe(f"http://localhost:{unused_port}/v1") is Occupant.NOTHING


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"data": 1}'),
        (404, b'{"error": "?"}'),
        (401, b"Who?"),
    ],
)
def test_probe_does_not_mistake_another_web_server_for_a_chat_server(
    server: ScriptedServer, status: int, body: bytes
) -> None:
    server.get["/v1/models"] = (status, {}, body)
    assert probe(server.base_url) is Occupant.OTHER


def test_probe_does_not_mistake_a_silent_or_foreign_service_for_a_chat_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        assert probe(url, timeout=0.2) is Occupant.OTHER
        listening.settimeout(30)

        def greet() -> None:
            for _ in range(2):  # the first is the connection that timed out above
                connection, _address = listening.accept()
                with connection:
                    connection.sendall(b"220 mail.example ESMTP\r\n")
                    connection.recv(1000)

        thread = Thread(target=greet)
        thread.start()
        assert probe(url) is Occupant.OTHER
        thread.join()


def test_a_free_port_can_be_listened_on() -> None:
    socket.create_server(("127.0.0.1", free_port())).close()
