"""Settings and the environment variables that change them."""

from __future__ import annotations

import pickle
from dataclasses import fields

import pytest

from copilot_magic.errors import SettingError
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
    assert settings.api_key() == "top-secret"
    assert "top-secret" not in repr(settings)


def test_a_kernels_children_find_its_local_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOCAL_URL, "http://localhost:4711/v1")
    monkeypatch.setenv(LOCAL_KEY, "local-secret")
    monkeypatch.setenv("COPILOT_API_KEY", "a-vendors-key")
    settings = Settings.from_environment()
    assert settings.base_url == "http://localhost:4711/v1"
    assert settings.api_key() == "local-secret"
    assert settings.asked_providers == ("",)
    assert "local-secret" not in repr(settings)


def test_the_local_models_key_goes_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOCAL_URL, "http://localhost:4711/v1")
    monkeypatch.setenv(LOCAL_KEY, "local-secret")
    monkeypatch.delenv("COPILOT_API_KEY", raising=False)
    assert Settings(base_url="https://vendor/v1").api_key() is None


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://127.0.0.1:4711/v1", True),
        ("http://localhost:4711/v1/", True),
        (" http://LOCALHOST.:4711/v1 ", True),
        ("http://127.0.0.1:4711", True),
        ("http://0.0.0.0:4711/v1/chat/completions", True),
        ("http://[::1]:4711/v1", False),  # it does not listen there, but something else may
        ("http://127.0.0.1:4712/v1", False),
        ("https://127.0.0.1:4711/v1", False),
        ("http://127.0.0.1:4711/v2", False),
        ("http://localhost.example.org:4711/v1", False),
        ("http://vendor:4711/v1", False),
        ("http://[broken", False),
        ("http://localhost:port/v1", False),
        ("", False),
    ],
)
def test_the_local_model_is_recognised_by_any_spelling_of_its_address(
    url: str, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not Settings(base_url=url).is_local_model
    monkeypatch.setenv(LOCAL_URL, "http://127.0.0.1:4711/v1")
    monkeypatch.setenv(LOCAL_KEY, "local-secret")
    monkeypatch.setenv("COPILOT_API_KEY", "a-vendors-key")
    settings = Settings(base_url=url)
    assert settings.is_local_model is own
    assert settings.api_key() == ("local-secret" if own else "a-vendors-key")


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


def test_settings_pickle_and_compare_equal() -> None:
    for settings in (Settings(), Settings(model="m", providers=("a", "b"), store=None)):
        assert pickle.loads(pickle.dumps(settings)) == settings
    assert Settings.from_environment({}) == Settings()


def test_the_local_models_settings_compare_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOCAL_URL, "http://localhost:4711/v1")
    monkeypatch.setenv(LOCAL_KEY, "local-secret")
    assert Settings.from_environment() == Settings.from_environment()


def test_the_function_that_fetches_the_key_stays_behind_when_settings_travel() -> None:
    settings = Settings(model="m", get_api_key=lambda: "top-secret")
    again = pickle.loads(pickle.dumps(settings))
    assert again == Settings(model="m")
    assert b"top-secret" not in pickle.dumps(settings)


def test_a_repr_names_what_was_changed_and_no_secret() -> None:
    settings = Settings("http://me:top-secret@host/v1?key=top-secret", get_api_key=lambda: "x")
    assert repr(settings) == "Settings(base_url='http://host/v1')"


def test_a_function_that_fails_to_fetch_the_key_is_named_with_its_reason() -> None:
    def locked() -> str:
        raise PermissionError("the key ring is locked")

    with pytest.raises(SettingError) as caught:
        Settings(get_api_key=locked).api_key()
    assert caught.value.message == "get_api_key failed: PermissionError: the key ring is locked"
    assert caught.value.setting == "get_api_key"
    with pytest.raises(SettingError, match=r"get_api_key failed: StopIteration\."):
        Settings(get_api_key=lambda: next(iter(()))).api_key()
    with pytest.raises(SettingError, match="an object of type bytes"):
        Settings(get_api_key=lambda: b"key").api_key()  # type: ignore[arg-type,return-value]


def test_an_interrupt_while_the_key_is_fetched_stays_one() -> None:
    def interrupted() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Settings(get_api_key=interrupted).api_key()


def test_every_setting_explains_itself() -> None:
    assert all(field.metadata["help"].endswith(".") for field in fields(Settings))
