"""What one server turned out to need, learned from what it refused and what it sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Dialect", "without_extensions", "without_schema"]

# Most characters of history to send: some 25,000 tokens, which all but small models can take.
HISTORY_BUDGET = 100_000

# gpt4free's fields, which OpenAI's own API refuses as unknown.
_EXTENSIONS = ("provider", "conversation_id", "conversation")


@dataclass
class Dialect:
    """What the server at one address is known to be and to need; threads share it.

    Attributes:
        gpt4free: It is a gpt4free server; None while that is not known.
        strict: It refuses fields that it does not know.
        model: The model to name if a prompt names none; empty if it has a default.
        schemas: False once it refused ``response_format``, whichever the model.
        has_threads: False once a whole answer of Copilot's came without a ``conversation`` object.
            Servers send one with each such answer, or never.
    """

    gpt4free: bool | None = None
    strict: bool = False
    model: str = ""
    schemas: bool = True
    has_threads: bool = True
    _budgets: dict[str, int] = field(default_factory=dict)
    _without_schemas: set[str] = field(default_factory=set)

    def budget(self, model: str) -> int:
        """Return the most characters of history to send to `model`."""
        return self._budgets.get(model, HISTORY_BUDGET)

    def halve(self, model: str, size: int) -> None:
        """Remember that `size` characters were too many for `model`."""
        self._budgets[model] = size // 2

    def takes_schemas(self, model: str) -> bool:
        """Say whether `model` may be asked for an answer that fits a JSON schema."""
        return self.schemas and model not in self._without_schemas

    def refuse_schemas(self, model: str | None) -> None:
        """Remember that `model` takes no ``response_format``; without a name, that none does."""
        if model:
            self._without_schemas.add(model)
        else:
            self.schemas = False

    def adapt(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return `body` as this server needs it; adapting it again changes nothing."""
        adapted = dict(body)
        if self.model and not adapted.get("model"):
            adapted["model"] = self.model
        if self.gpt4free is False:
            adapted.pop("provider", None)
        if "response_format" in adapted and not self.takes_schemas(adapted.get("model", "")):
            adapted = without_schema(adapted)
        return without_extensions(adapted) if self.strict else adapted


def without_schema(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return `body` without what asks the server to enforce a JSON schema."""
    return {name: value for name, value in body.items() if name != "response_format"}


def without_extensions(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return `body` without gpt4free's fields, and without a model that is an empty string."""
    return {
        name: value
        for name, value in body.items()
        if name not in _EXTENSIONS and not (name == "model" and not value)
    }
