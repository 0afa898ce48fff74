"""Settings and the environment variables that change them."""

from __future__ import annotations

import pytest

from copilot_magic.settings import LOCAL_KEY, LOCAL_URL, Settings, is_loopback


def test_the_defaults_are_gpt4frees() -> None:
    settings = Settings.from_environment({})
    assert settings.base_url == "http://localhost:1337/v1"
    assert (settings.provider, settings.model) == ("Copilot", "")


def test_the_environment_changes_them() -> None:
    settings = Settings.from_environment(
        {"COPILOT_BASE_URL": "http://x/v1", "COPILOT_PROVIDER": "", "COPILOT_MODEL": "m"}
    )
    assert (settings.base_url, settings.provider, settings.model) == ("http://x/v1", "", "m")


def test_the_key_is_read_when_it_is_needed_and_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings()
    monkeypatch.setenv("COPILOT_API_KEY", "top-secret")
    assert settings.get_api_key() == "top-secret"
    assert "top-secret" not in repr(settings)


def test_a_kernels_children_find_its_local_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOCAL_URL, "http://localhost:4711/v1")
    monkeypatch.setenv(LOCAL_KEY, "local-secret")
    monkeypatch.setenv("COPILOT_API_KEY", "a-vendors-key")
    settings = Settings.from_environment()
    assert settings.base_url == "http://localhost:4711/v1"
    local = settings.for_local_model()
    assert local.get_api_key() == "local-secret"
    assert local.provider == ""
    assert "local-secret" not in repr(local)


def test_the_local_models_key_goes_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOCAL_URL, "http://localhost:4711/v1")
    monkeypatch.setenv(LOCAL_KEY, "local-secret")
    monkeypatch.delenv("COPILOT_API_KEY", raising=False)
    assert Settings(base_url="https://vendor/v1").for_local_model().get_api_key() is None


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost:1337/v1", True),
        ("http://LOCALHOST./v1", True),
        ("http://a.localhost/v1", True),
        ("http://127.8.8.8/v1", True),
        ("http://[::1]:80/v1", True),
        ("http://localhost.example.org/v1", False),
        ("http://127.0.0.1.example.org/v1", False),
        ("http://10.0.0.1/v1", False),
        ("http://0.0.0.0:1337/v1", True),
        ("http://[::]:1337/v1", True),
        ("nonsense", False),
    ],
)
def test_loopback_is_told_from_look_alikes(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback
