"""The doctor names what is wrong, and how to fix it, at the first step that fails."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any

import pytest
from scripted_server import Exchange, ScriptedServer, whole

from copilot_magic.doctor import Check, diagnose
from copilot_magic.notebook.hints import after_check
from copilot_magic.settings import LOCAL_MARK, Settings

KEY = "sk-very-secret-0123456789"


def examine(base_url: str, key: str | None = None, **settings: Any) -> list[Check]:
    settings = {"retries": 0, "get_api_key": lambda: key, **settings}
    return list(diagnose(Settings(base_url=base_url, **settings)))


def listed(*names: str) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, json.dumps({"data": [{"id": name} for name in names]}).encode()


def paced(exchange: Exchange) -> None:
    exchange.start()
    for word in ["one, ", "two, ", "three"]:
        exchange.delta(word)
        time.sleep(0.05)
    exchange.finish()


@pytest.fixture
def healthy(server: ScriptedServer) -> ScriptedServer:
    server.script(paced)
    return server


def test_a_healthy_server_passes_every_step(healthy: ScriptedServer) -> None:
    checks = examine(healthy.base_url)
    assert [check.name for check in checks] == [
        "server",
        "API key",
        "provider",
        "model",
        "answer",
        "streaming",
    ]
    assert all(check.message and check.problem is None for check in checks)
    assert "1 model" in checks[0].message


def last(checks: list[Check]) -> Check:
    """Return the check that failed, which has to be the last one and the only one."""
    assert [check.problem is None for check in checks] == [True] * (len(checks) - 1) + [False]
    assert checks[-1].message and fix(checks[-1])
    return checks[-1]


def fix(check: Check) -> str:
    """Return what a notebook says about the problem that the check found."""
    assert check.problem is not None
    return after_check(check.problem)


def all_well(checks: list[Check]) -> bool:
    return all(check.problem is None for check in checks)


def test_another_notebooks_local_model(server: ScriptedServer) -> None:
    body = b'{"error":{"message":"Invalid API Key","type":"authentication_error","code":401}}'
    server.get["/v1/models"] = (401, dict([LOCAL_MARK]), body)
    found = last(examine(server.base_url))
    assert found.name == "server"
    assert found.message == f"{server.base_url} is another notebook's local model"
    assert fix(found) == "Start one here:\n    %copilot serve"


def test_an_address_that_cannot_be_one() -> None:
    found = last(examine("localhost:1337"))
    assert found.name == "address"
    assert "base_url = 'http://localhost:1337/v1'" in fix(found)


def test_a_server_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    found = last(examine(f"http://127.0.0.1:{port}/v1"))
    assert found.name == "server"
    assert "%copilot serve" in fix(found)


def test_an_address_without_v1(healthy: ScriptedServer) -> None:
    root = healthy.base_url.removesuffix("/v1")
    found = last(examine(root))
    assert found.name == "path"
    assert f"base_url = '{root}/v1'" in fix(found)


@pytest.mark.parametrize(
    ("key", "words"), [(None, "Give the server's"), (KEY, "Check the API key")]
)
def test_a_key_that_is_missing_or_refused(
    healthy: ScriptedServer, key: str | None, words: str
) -> None:
    healthy.get["/v1/models"] = (401, {}, f"no {KEY}".encode())
    found = last(examine(healthy.base_url, key))
    assert found.name == "API key"
    assert words in fix(found) and "COPILOT_API_KEY" in fix(found)
    assert key is None or KEY not in found.message


@pytest.mark.parametrize(("key", "words"), [(None, "none is set"), (KEY, "sent with each request")])
def test_a_public_list_of_models_does_not_prove_the_key(
    healthy: ScriptedServer, key: str | None, words: str
) -> None:
    healthy.script(lambda exchange: exchange.reply(401, ""))
    checks = examine(healthy.base_url, key)
    assert dict(check[:2] for check in checks)["API key"] == words
    assert last(checks).name == "answer"


def test_a_provider_that_the_server_does_not_know(healthy: ScriptedServer) -> None:
    healthy.get["/v1/providers"] = listed("Copilot", "PollinationsAI")
    found = last(examine(healthy.base_url, provider="Copillot"))
    assert found.name == "provider"
    assert "provider = 'Copilot'" in fix(found)
    assert all_well(examine(healthy.base_url, provider="Copilot"))
    assert all_well(examine(healthy.base_url, provider=""))
    assert all_well(examine(healthy.base_url, provider="http://localhost:1/v1"))
    both = examine(healthy.base_url, providers=("Copilot", "Nope"))
    assert "Nope" in last(both).message


def test_a_model_that_the_server_does_not_have(healthy: ScriptedServer) -> None:
    healthy.get["/v1/models"] = listed("gpt-4o", "gpt-4o-mini")
    found = last(examine(healthy.base_url, model="gpt4o-mini"))
    assert found.name == "model"
    assert "model = 'gpt-4o-mini'" in fix(found)
    assert all_well(examine(healthy.base_url, model="gpt-4o"))


def test_a_model_that_only_the_provider_knows_is_no_failure(healthy: ScriptedServer) -> None:
    healthy.get["/v1/providers"] = listed("Copilot")
    assert all_well(examine(healthy.base_url, model="Think Deeper"))


@pytest.mark.parametrize("page", [(404, {}, b""), (501, {}, b""), (200, {}, b"<html>")])
def test_a_server_without_a_list_of_models_is_asked_all_the_same(
    healthy: ScriptedServer, page: Any
) -> None:
    healthy.get["/v1/models"] = page
    checks = examine(healthy.base_url, model="m")
    assert checks[-1].name == ("server" if page[0] == 501 else "streaming")


def test_an_answer_that_fails(healthy: ScriptedServer) -> None:
    healthy.script(
        lambda exchange: exchange.reply(500, {"error": {"message": "Request execution failed"}})
    )
    found = last(examine(healthy.base_url))
    assert found.name == "answer"
    assert "gpt4free's log" in fix(found)


def test_an_answer_that_comes_in_one_piece(healthy: ScriptedServer) -> None:
    def lump(exchange: Exchange) -> None:
        delta = b'data: {"choices":[{"delta":{"content":"word "}}]}\n\n'
        exchange.start()
        exchange.send(delta * 10 + b"data: [DONE]\n\n")

    healthy.script(lump)
    found = last(examine(healthy.base_url))
    assert found.name == "streaming"
    assert "one piece" in found.message


def held_back(exchange: Exchange) -> None:
    whole(exchange, "one, two, three")


def breaks_off(exchange: Exchange) -> None:
    exchange.start()
    exchange.delta("one, ")
    exchange.cut()


def reports_a_failure(exchange: Exchange) -> None:
    exchange.start()
    exchange.delta("one, ")
    exchange.event({"error": {"message": "Something broke"}})


def says_nothing(exchange: Exchange) -> None:
    exchange.start()
    exchange.finish()
    exchange.done()


@pytest.mark.parametrize(
    ("script", "name", "words"),
    [
        (held_back, "streaming", "a proxy on the way to it, holds answers back"),
        (breaks_off, "answer", "Try again; if that fails too, look into the server's log"),
        (reports_a_failure, "answer", "Try again; if that fails too"),
        (says_nothing, "answer", "Ask another model or provider"),
        (lambda exchange: exchange.reply(413, ""), "answer", "Try again; if that fails too"),
        (lambda exchange: exchange.reply(500, ""), "answer", "Look into the server's log"),
        (lambda exchange: exchange.reply(429, ""), "answer", "Wait a little, then ask again"),
        (lambda exchange: exchange.reply(200, "<html>"), "answer", "Check that base_url names"),
    ],
)
def test_the_doctors_question_is_no_turn_to_continue_or_to_repeat(
    healthy: ScriptedServer, script: Any, name: str, words: str
) -> None:
    healthy.script(script)
    found = last(examine(healthy.base_url))
    assert found.name == name and found.problem is not None
    assert words in fix(found)
    for wrong in ("%copilot continue", "%copilot retry", "--new", "%copilot doctor", "is kept"):
        assert wrong not in fix(found) + found.problem.hint


def test_another_provider_is_advised_where_there_are_some(healthy: ScriptedServer) -> None:
    providers = [{"id": "Copilot", "object": "provider"}]
    healthy.get["/v1/providers"] = (200, {}, json.dumps(providers).encode())
    healthy.script(held_back)
    assert fix(last(examine(healthy.base_url))).startswith("Try another provider")


def test_a_long_answer_is_not_waited_for(healthy: ScriptedServer) -> None:
    gone = threading.Event()

    def endless(exchange: Exchange) -> None:
        exchange.start()
        try:
            while not exchange.client_gone(0.005):
                exchange.delta("word ")
        finally:
            gone.set()

    healthy.script(endless)
    assert examine(healthy.base_url)[-1].problem is None
    assert gone.wait(10)
