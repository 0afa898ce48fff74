"""The settings as traits, so that ``%config`` and ``ipython_config.py`` can change them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any

import traitlets

from ..settings import Settings

__all__ = ["setting_traits", "settings_of"]

# By the annotations of Settings: a field of a new kind wants a line here.
_KINDS: dict[str, Callable[..., traitlets.TraitType[Any, Any]]] = {
    "str": traitlets.Unicode,
    "str | None": lambda default, **more: traitlets.Unicode(default, allow_none=True, **more),
    "bool": traitlets.Bool,
    "int": traitlets.Int,
    "float": traitlets.Float,
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
        trait = _KINDS[str(field.type)](field.default, **field.metadata)
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
    return Settings(**{**values, "providers": tuple(values["providers"])})
