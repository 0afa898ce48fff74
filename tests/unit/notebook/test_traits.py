"""The settings as traits: each is there, explained once, checked, and from the environment."""

from __future__ import annotations

from dataclasses import fields

import pytest
import traitlets
from IPython.core.interactiveshell import InteractiveShell

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


@pytest.mark.parametrize(("name", "value"), [("idle_timeout", 0.0), ("retries", -1), ("model", 3)])
def test_values_that_cannot_be_used_are_refused(
    magics: CopilotMagics, name: str, value: object
) -> None:
    with pytest.raises(traitlets.TraitError):
        setattr(magics, name, value)
