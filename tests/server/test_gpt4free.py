"""The real gpt4free server in front of the real small model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from copilot_magic import errors
from copilot_magic.chat.prompt import Options, Prompt
from copilot_magic.client.client import ChatClient
from copilot_magic.doctor import diagnose
from copilot_magic.local import launcher
from copilot_magic.local.process import LocalServer
from copilot_magic.session.session import Session
from copilot_magic.settings import Settings
from copilot_magic.wire.chunks import Delta
from copilot_magic.wire.request import request_body

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def model() -> Iterator[LocalServer]:
    """Yield the small model's server, on any free port."""
    server = launcher.start(port=0)
    assert isinstance(server, LocalServer)
    with server:
        yield server


@pytest.fixture
def settings(gpt4free: str, model: LocalServer) -> Settings:
    """Return the settings with which gpt4free passes a prompt on to the small model."""
    return Settings(
        base_url=gpt4free,
        provider=model.base_url,
        model=model.model,
        store=None,
        # gpt4free passes on the key that it gets.
        get_api_key=lambda: model.api_key,
    )


def body(settings: Settings, text: str, **options: float) -> dict[str, object]:
    """Return the body of a request that asks `text`."""
    return request_body(
        model=settings.model,
        provider=settings.provider,
        messages=[{"role": "user", "content": text}],
        conversation_id="11111111-1111-4111-8111-111111111111",
        **options,
    )


def test_an_answer_streams_through_gpt4free(settings: Settings) -> None:
    with ChatClient(settings) as client:
        asked = body(settings, "Hello, i am Heiner. How are you?", temperature=0.0, max_tokens=30)
        deltas = [delta for delta in client.stream(asked) if isinstance(delta, Delta)]
    assert len([delta for delta in deltas if delta.content]) > 5
    assert deltas[-1].finish_reason in ("stop", "length")
    assert [delta.model for delta in deltas if delta.model] == [settings.model]
    assert any(delta.provider for delta in deltas)


def test_without_a_model_the_provider_uses_its_own(settings: Settings) -> None:
    with ChatClient(settings) as client:
        asked = {**body(settings, "Hello", temperature=0.0, max_tokens=5), "model": ""}
        assert any(isinstance(event, Delta) and event.content for event in client.stream(asked))


def test_a_conversation_is_remembered(settings: Settings) -> None:
    session = Session(settings)
    options = Options(temperature=0.0, max_tokens=40)
    for text in ("My name is Heiner.", "What is my name?"):
        exchange = session.ask(Prompt(text, options=options))
        answer = "".join(event.content for event in exchange if isinstance(event, Delta))
    assert "Heiner" in answer
    assert [turn.status for turn in session.library.current.turns] == ["complete", "complete"]


def test_the_lists_are_read(settings: Settings) -> None:
    with ChatClient(settings) as client:
        assert "Copilot" in client.providers()
        models = client.models()
    assert len(models) > 10
    assert "Copilot" not in models, "gpt4free lists its providers as models, too"


def test_an_unknown_provider_is_named(settings: Settings) -> None:
    with (
        ChatClient(settings) as client,
        pytest.raises(errors.NotFoundError, match="Provider not found: Nope") as caught,
    ):
        list(client.stream({**body(settings, "Hello"), "provider": "Nope"}))
    assert caught.value.missing == "provider"
    assert "Choose another provider" in caught.value.hint


def test_a_provider_that_fails_points_to_the_servers_own_log(settings: Settings) -> None:
    with (
        ChatClient(settings) as client,
        pytest.raises(errors.ServerError, match="Request execution failed") as caught,
    ):
        list(client.stream({**body(settings, "Hello"), "provider": "http://127.0.0.1:9/v1"}))
    assert caught.value.logged
    assert "its own log" in caught.value.hint


def test_an_address_without_v1_is_recognised(gpt4free: str) -> None:
    root = gpt4free.removesuffix("/v1")
    with (
        ChatClient(Settings(base_url=root)) as client,
        pytest.raises(errors.NotFoundError) as caught,
    ):
        list(client.stream({"messages": [{"role": "user", "content": "Hello"}]}))
    assert caught.value.suggestion == f"{root}/v1"


def test_the_doctor_finds_nothing_wrong(settings: Settings) -> None:
    checks = list(diagnose(settings))
    assert all(check.problem is None for check in checks), checks
    assert checks[-1].name == "streaming"
