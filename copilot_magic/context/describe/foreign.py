"""Objects of unknown origin: what they are and what they say, found out with care.

Nothing here trusts `__class__`, `__getattr__` or a metaclass: an object may pretend to be anything.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ...text import one_line
from ..limits import Expired, TooSlow, within

__all__ = [
    "Patience",
    "Unanswered",
    "classes_of",
    "defines",
    "full_type_name",
    "is_a",
    "is_kind",
    "namespace",
    "type_name",
]

T = TypeVar("T")

ONE_CALL = 2.0
"""Seconds that one call of an object's own code may take."""

SEVERAL_CALLS = 4.0
"""Seconds for one way to describe an object; if it fails, another one still has some time."""

ALL_CALLS = 6.0
"""Seconds that all calls for one description may take together."""


class Unanswered(Exception):
    """An object did not answer; the message says why in a few words."""


class Patience:
    """The time that one description may spend in the objects' own code."""

    def __init__(self, one: float = ONE_CALL, together: float = ALL_CALLS) -> None:
        self._one = one
        self._deadline = time.monotonic() + together

    def ask(self, call: Callable[[], T], what: str) -> T:
        """Return what `call` returns.

        Args:
            call: Runs code of the object, such as its `__repr__`.
            what: What is asked for, such as "its repr".

        Raises:
            Unanswered: The call failed, took too long, or was not even tried.
        """
        return self._ask(call, what, self._one)

    def ask_for_all(self, call: Callable[[], T], what: str) -> T:
        """Like `ask`, for calls that consist of smaller ones."""
        return self._ask(call, what, SEVERAL_CALLS)

    def _ask(self, call: Callable[[], T], what: str, most: float) -> T:
        seconds = min(most, self._deadline - time.monotonic())
        if seconds <= 0:
            raise Unanswered(f"{what} not asked for: the description took too long")
        try:
            return within(seconds, call)
        except TooSlow:
            raise Unanswered(f"{what} took longer than {max(seconds, 0.1):.2g} seconds") from None
        except (KeyboardInterrupt, Expired, Unanswered):
            raise
        except BaseException as error:  # noqa: BLE001  # SystemExit, too, is the object's own affair
            raise Unanswered(f"{what} failed: {self._summary(error)}") from None

    def _summary(self, error: BaseException) -> str:
        name = type_name(error)
        try:
            message = within(min(self._one, 0.5), lambda: str(error))
        except (KeyboardInterrupt, Expired):
            raise
        except BaseException:  # noqa: BLE001  # an error may fail to say what it is
            message = ""
        return one_line(f"{name}: {message}" if message else name, 200)


def type_name(value: object) -> str:
    """Return the name of the object's class, even if its metaclass hides it."""
    return one_line(str(type.__dict__["__name__"].__get__(type(value))), 100)


def full_type_name(value: object) -> str:
    """Return the name of the object's class with its module, if that is a real one."""
    module = namespace(type(value)).get("__module__")
    if type(module) is not str or module in ("builtins", "__main__"):
        return type_name(value)
    return one_line(f"{module}.{type_name(value)}", 200)


def is_kind(value: object, classes: Any) -> bool:
    """Say whether the class of the object, not the one it pretends, is one of these."""
    try:
        return issubclass(type(value), classes)
    except Exception:  # noqa: BLE001  # an abstract class may ask others, who may fail
        return False


def is_a(value: object, module: str, *names: str) -> bool:
    """Say whether the object is of a class of a library, which is never imported for that."""
    loaded = sys.modules.get(module)
    classes = [getattr(loaded, name, None) for name in names] if loaded is not None else []
    return is_kind(value, tuple(cls for cls in classes if isinstance(cls, type)))


def classes_of(value: object) -> tuple[type, ...]:
    """Return the object's class and its bases in the order in which they are searched."""
    found: tuple[type, ...] = type.__dict__["__mro__"].__get__(type(value))
    return found


def namespace(cls: type) -> Mapping[str, Any]:
    """Return what the class itself defines, whatever its metaclass says."""
    found: Mapping[str, Any] = type.__dict__["__dict__"].__get__(cls)
    return found


def defines(value: object, name: str) -> bool:
    """Say whether a class of the object's defines the attribute: `__getattr__` does not count."""
    return any(name in namespace(cls) for cls in classes_of(value))
