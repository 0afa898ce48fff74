"""The value of an expression as it is described, with what its names say are secrets masked."""

from __future__ import annotations

from ..secrets.masker import Masker
from ..secrets.named import Named, named_in
from .describe import describe
from .description import Description

__all__ = ["Hiding"]


class Hiding:
    """Masks the secrets of one value before it is cut.

    Args:
        masker: Masks secrets; None hides nothing.
        expression: The expression of the value, or the name of a variable.

    Attributes:
        has_hidden: A value was masked.
    """

    def __init__(self, masker: Masker | None, expression: str) -> None:
        self.has_hidden = False
        self._masker = masker
        self._name = named_in(expression) if masker is not None else None

    def value(self, value: str) -> str:
        """Return a text, or a mask if its expression says that it is a secret."""
        if self._name is None:
            return value
        mask = self._hide(value, self._name)
        return value if mask is None else mask

    def describe(self, value: object, budget: int | None = None) -> Description:
        """Describe the value like `describe`."""
        hide = None if self._masker is None else self._hide
        return describe(value, budget, hide=hide, name=self._name)

    def _hide(self, value: str | bytes | bytearray, name: Named) -> str | None:
        mask = None if self._masker is None else self._masker.hide(value, name)
        self.has_hidden = self.has_hidden or mask is not None
        return mask
