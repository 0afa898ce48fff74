"""The settings as traits, so that ``%config`` and ``ipython_config.py`` can change them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any

import traitlets

from ..settings import Settings
from ..text import without_credentials

__all__ = ["setting_traits", "settings_of"]


class Shown(str):
    """An address as it may be shown.

    Attributes:
        given: The address as it was given, perhaps with a password.
    """

    given: str


class Address(traitlets.Unicode):  # type: ignore[type-arg]
    """An address whose value has no password: IPython prints traits in several ways."""

    def validate(self, obj: Any, value: Any) -> Any:
        """Return what may be shown of an address; traitlets sets that a second time itself."""
        given = super().validate(obj, value)
        if isinstance(given, Shown):
            return given
        shown = Shown(without_credentials(given) if re.search("[@?#]", given) else given)
        shown.given = given
        return shown


# By the annotations of Settings: a new type of field needs a line here.
_KINDS: dict[str, Callable[..., traitlets.TraitType[Any, Any]]] = {
    "str": traitlets.Unicode,
    "str | None": lambda default, **more: traitlets.Unicode(default, allow_none=True, **more),
    "bool": traitlets.Bool,
    "int": traitlets.Int,
    "float": traitlets.Float,
    "int | None": lambda default, **more: traitlets.Int(default, allow_none=True, **more),
    "float | None": lambda default, **more: traitlets.Float(default, allow_none=True, **more),
    "tuple[str, ...]": lambda default, **more: traitlets.List(
        traitlets.Unicode(), list(default), **more
    ),
    "bool | str": lambda default, **more: traitlets.Union(
        [traitlets.Bool(), traitlets.Unicode()], default_value=default, **more
    ),
    "Callable[[], str | None] | None": lambda default, **more: traitlets.Callable(
        default, allow_none=True, **more
    ),
}


def setting_traits() -> dict[str, Any]:
    """Return a trait for each setting, by name, and what makes its default.

    The defaults are those of the environment at the moment when the magics are loaded.
    """
    namespace: dict[str, Any] = {}
    for field in fields(Settings):
        kind: Callable[..., Any] = _KINDS[str(field.type)]
        if field.name == "base_url":
            kind = Address
        trait = kind(field.default, **field.metadata)
        namespace[field.name] = trait.tag(config=True)
        default = traitlets.default(field.name)(_default(field))
        namespace[f"_{field.name}_from_environment"] = default
    return namespace


def _default(field: Field[Any]) -> Callable[[Any], Any]:
    def default(magics: Any) -> Any:
        value = getattr(magics.environment, field.name)
        return list(value) if isinstance(value, tuple) else value

    return default


def settings_of(magics: traitlets.HasTraits) -> Settings:
    """Return the settings as the traits have them now."""
    values = {field.name: getattr(magics, field.name) for field in fields(Settings)}
    values["base_url"] = getattr(values["base_url"], "given", values["base_url"])
    return Settings(**{**values, "providers": tuple(values["providers"])})
