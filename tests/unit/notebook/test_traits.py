"""The settings as traits: each is there, explained once, checked, and from the environment."""

from __future__ import annotations

import contextlib
from dataclasses import fields

import pytest
import traitlets
from IPython.core.interactiveshell import InteractiveShell

from copilot_magic.errors import CopilotError
from copilot_magic.notebook.magics import CopilotMagics
from copilot_magic.notebook.traits import settings_of
from copilot_magic.settings import Settings


def test_every_setting_is_a_trait_with_the_same_explanation() -> None:
    traits = CopilotMagics.class_traits(config=True)
    for field in fields(Settings):
        assert traits[field.name].help == field.metadata["help"]


def test_the_traits_start_as_the_environment_says(
    magics: CopilotMagics, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings_of(magics) == Settings.from_environment()


@pytest.mark.parametrize(
    ("assignment", "name", "value"),
    [
        ("providers = ['A', 'B']", "providers", ("A", "B")),
        ("store = None", "store", None),
        ("replay = 'answers.json'", "replay", "answers.json"),
        ("idle_timeout = 7", "idle_timeout", 7.0),
        ("temperature = 0.5", "temperature", 0.5),
        ("max_tokens = None", "max_tokens", None),
        ("get_api_key = lambda: 'k'", None, None),
    ],
)
def test_config_changes_them(
    magics: CopilotMagics,
    shell: InteractiveShell,
    assignment: str,
    name: str | None,
    value: object,
) -> None:
    shell.run_line_magic("config", f"CopilotMagics.{assignment}")
    if name is None:
        assert settings_of(magics).api_key() == "k"
    else:
        assert getattr(settings_of(magics), name) == value


SECRET_URL = "http://me:top-secret@127.0.0.1:9/v1"


@pytest.mark.parametrize("url", [SECRET_URL, "http://127.0.0.1:9/v1?key=top-secret"])
def test_a_password_in_the_address_is_used_and_never_shown(
    magics: CopilotMagics, shell: InteractiveShell, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    shell.run_line_magic("config", f"CopilotMagics.base_url = {url!r}")
    assert settings_of(magics).base_url == url
    shown = shell.run_line_magic("config", "CopilotMagics.base_url")
    assert shown == "http://127.0.0.1:9/v1"
    shell.run_line_magic("config", "CopilotMagics")
    shell.run_line_magic("copilot", "status")
    shell.run_cell_magic("copilot", "--dry-run", "Hello")
    with contextlib.suppress(CopilotError):
        shell.run_cell_magic("copilot", "", "Hello")
    shell.run_line_magic("copilot", "doctor")
    printed = capsys.readouterr()
    assert "http://127.0.0.1:9/v1" in printed.out
    session = magics.notebook.session
    shown = [repr(session.settings), repr(session.client), repr(magics.notebook)]
    shown += [
        repr(magics.trait_values(config=True)),
        repr(magics),
        repr(session.library.current.turns),
    ]
    assert "top-secret" not in "".join([*shown, printed.out, printed.err])


def test_another_address_has_no_password_of_the_last_one(
    magics: CopilotMagics, shell: InteractiveShell
) -> None:
    for url in (SECRET_URL, "http://me:other@127.0.0.1:9/v1", "http://127.0.0.1:9/v1", ""):
        magics.base_url = url
        assert settings_of(magics).base_url == url


def test_a_password_in_the_environments_address_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, shell: InteractiveShell
) -> None:
    monkeypatch.setenv("COPILOT_BASE_URL", SECRET_URL)
    magics = CopilotMagics(shell)
    assert settings_of(magics).base_url == SECRET_URL
    assert magics.base_url == "http://127.0.0.1:9/v1"
    assert "top-secret" not in CopilotMagics.class_get_help(magics)


@pytest.mark.parametrize(
    ("name", "value"), [("idle_timeout", 0.0), ("retries", -1), ("model", 3), ("max_tokens", 0)]
)
def test_values_that_cannot_be_used_are_refused(
    magics: CopilotMagics, name: str, value: object
) -> None:
    with pytest.raises(traitlets.TraitError):
        setattr(magics, name, value)
