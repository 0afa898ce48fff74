"""What code did to variables: which ones it defined, rebound, changed in place or removed."""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from types import FunctionType
from typing import Any

from ...context.code.names import names_in
from ...context.describe.foreign import is_kind, type_name
from ...context.describe.short import short
from ...context.fingerprint import changes, fingerprint

__all__ = ["Before"]

# What IPython and Python put among the user's variables.
_NOT_THE_USERS = re.compile(r"_i{0,3}|_{2,3}|_i?\d+|_[iod]h|_exit_code|_copilot|__\w+__|In|Out")
_WATCHED = 100  # objects whose values are looked at
_FUNCTIONS = 50
# What cannot change in place, or is not data.
_UNCHANGING = (str, bytes, int, float, complex, type, type(sys), type(None))


class Before:
    """The variables before code runs.

    A name that is rebound is always found. Whether an object was changed in place is found by
    its fingerprint, and only of those that the code mentions, or that functions of the notebook
    mention which the code calls. A fingerprint takes the same time for any size of object, so of a
    large one it sees the shape, the types and some of the values: it can miss a change of single
    values. Objects that have none, such as a fitted model, are not watched at all.

    Args:
        namespace: The variables; they are not copied, only their names are.
        code: The code that is going to run.
        hidden: Names that are not the user's.
    """

    def __init__(
        self, namespace: Mapping[str, Any], code: str, hidden: Collection[str] = ()
    ) -> None:
        self._hidden = frozenset(hidden)
        self._values = {name: value for name, value in namespace.items() if self._counts(name)}
        self._builtins = dict(vars(builtins))
        self._imports = names_in(code).imports
        self._mentioned = _mentioned(code, self._values)
        self._prints: dict[int, dict[str, Any]] = {}
        self._shorts: dict[int, str] = {}
        for name in self._mentioned[:_WATCHED]:
            value = self._values[name]
            if id(value) not in self._prints:
                self._prints[id(value)] = fingerprint(value)
                self._shorts[id(value)] = short(value)

    def restore_builtins(self) -> dict[str, tuple[str, str]]:
        """Put Python's builtins back as they were; return those that were not, as `tell` says it.

        Until then, our own code cannot be relied on.
        """
        now, kept = builtins.__dict__, self._builtins
        # Without a call of a builtin, because each of them may be anything by now.
        others = {name: now[name] for name in kept if name in now and now[name] is not kept[name]}
        now.update(kept)
        return {
            f"builtins.{name}": (short(kept[name]), short(value))
            for name, value in others.items()
            if not name.startswith("_")
        }

    def tell(
        self,
        namespace: Mapping[str, Any],
        more: Mapping[str, tuple[str, str]],
        names: Callable[..., None],
    ) -> None:
        """Compare, and tell `names` what is new, changed, removed and as it was.

        Args:
            namespace: The variables now.
            more: Further changes.
            names: Takes the four.
        """
        new = {
            name: f"imported {short(value)}" if name in self._imports else short(value)
            for name, value in namespace.items()
            if self._counts(name) and name not in self._values
        }
        changed: dict[str, tuple[str, str]] = {}
        in_place: dict[int, tuple[str, str] | None] = {}
        for name, old in self._values.items():
            if name not in namespace:
                continue
            value = namespace[name]
            if value is not old:
                changed[name] = self._rebound(old, value)
            elif id(old) in self._prints:
                if id(old) not in in_place:
                    in_place[id(old)] = self._changed(old)
                if (change := in_place[id(old)]) is not None:
                    changed[name] = change
        names(
            new,
            {**changed, **more},
            [name for name in self._values if name not in namespace],
            [
                name
                for name in self._mentioned
                if self._prints.get(id(self._values[name]))
                and name in namespace
                and name not in changed
                and _is_data(self._values[name])
            ],
        )

    def _counts(self, name: object) -> bool:
        return (
            isinstance(name, str)
            and name not in self._hidden
            and not _NOT_THE_USERS.fullmatch(name)
        )

    def _rebound(self, old: object, new: object) -> tuple[str, str]:
        before, after = self._shorts.get(id(old)) or short(old), short(new)
        return before, _with_change(
            before, after, changes(self._prints.get(id(old)) or {}, fingerprint(new))
        )

    def _changed(self, value: object) -> tuple[str, str] | None:
        change = changes(self._prints[id(value)], fingerprint(value))
        if not change:
            return None
        before, after = self._shorts[id(value)], short(value)
        return before, _with_change(before, after, change)


def _with_change(before: str, after: str, change: str) -> str:
    """Return what an object is now, with the difference if it would read as before."""
    return f"{after}, {change}" if after == before and change else after


def _mentioned(code: str, values: Mapping[str, Any]) -> list[str]:
    """Return the variables that code mentions, itself or by way of functions of the notebook."""
    names = names_in(code)
    found = dict.fromkeys(name for name in (*names.uses, *names.binds) if name in values)
    waiting = list(found)
    for _ in range(_FUNCTIONS):
        function = next((values[n] for n in waiting if type(values[n]) is FunctionType), None)
        if function is None:
            break
        waiting = [name for name in waiting if values[name] is not function]
        more = [n for n in _names_of(function.__code__) if n in values and n not in found]
        found |= dict.fromkeys(more)
        waiting += more
    return list(found)


def _names_of(code: Any) -> Iterable[str]:
    """Return the names in a function's code, those of functions inside of it included."""
    yield from code.co_names
    for constant in code.co_consts:
        if type(constant) is type(code):
            yield from constant.co_names


def _is_data(value: object) -> bool:
    return not is_kind(value, _UNCHANGING) and type_name(value) not in (
        "function",
        "builtin_function_or_method",
    )
