"""The key: where it comes from, where it is sent, and that it is never shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from posting import KEY, ask, client
from scripted_server import ScriptedServer

from copilot_magic.client.client import ChatClient
from copilot_magic.errors import AuthenticationError, PromptError, SettingError, UsageError
from copilot_magic.settings import Settings


def test_the_key_is_read_for_each_request_and_sent_as_a_bearer_token(
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


def test_without_a_key_the_addresss_user_and_password_are_sent_and_never_shown(
    server: ScriptedServer,
) -> None:
    asked = client(server.base_url.replace("//", "//user:pass%20word@"))
    ask(asked)
    assert server.requests[-1].headers["Authorization"] == "Basic dXNlcjpwYXNzIHdvcmQ="
    server.script(lambda exchange: exchange.reply(401, "dXNlcjpwYXNzIHdvcmQ= pass word"))
    with pytest.raises(AuthenticationError) as caught:
        ask(asked)
    assert caught.value.with_key
    for shown in (repr(asked), str(caught.value)):
        assert "pass" not in shown.replace("password", "") and "dXNl" not in shown


def test_passwords_in_netrc_are_not_used(server: ScriptedServer, home: Path) -> None:
    netrc = home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    ask(client(server.base_url))
    assert "Authorization" not in server.requests[-1].headers


@pytest.mark.parametrize("key", ["two\nlines", "ends \n", "naïve", " padded ", "tab\tin"])
def test_an_impossible_key_is_refused_without_being_shown(server: ScriptedServer, key: str) -> None:
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
    with pytest.raises(SettingError, match="unencrypted") as caught:
        ask(client(base_url, secret.get("key")))
    assert KEY not in str(caught.value)
    assert (caught.value.setting, caught.value.suggestion) == ("allow_plain_http", True)
    with pytest.raises(PromptError):  # only the unknown name stops it now
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
def test_a_key_that_a_server_repeats_appears_in_no_error(
    server: ScriptedServer, script: Any
) -> None:
    server.script(script)
    with pytest.raises(PromptError) as caught:
        ask(client(server.base_url, KEY, retries=0))
    assert server.requests[-1].headers["Authorization"] == f"Bearer {KEY}"
    assert "sk-" not in str(caught.value)


def test_the_key_appears_in_no_repr(server: ScriptedServer) -> None:
    asked = client(server.base_url, KEY)
    assert KEY not in repr(asked) + repr(asked.settings)
