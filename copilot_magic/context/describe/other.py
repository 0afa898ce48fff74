"""Any other object: what it says about itself, or else its class and its attributes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...text import one_line
from .description import BUDGET, Description, cut_middle, readable
from .foreign import (
    Patience,
    Unanswered,
    classes_of,
    defines,
    full_type_name,
    is_kind,
    namespace,
    type_name,
)
from .printer import Printer

__all__ = ["describe_other", "describe_own_words", "has_own_words"]

_LANGUAGES = {"text/markdown": "markdown", "text/plain": "text"}
_MOST = 1_000_000  # characters that are looked at


def has_own_words(value: object) -> bool:
    """Say whether the object describes itself for a model."""
    return not is_kind(value, type) and defines(value, "_repr_llm_")


def describe_own_words(value: Any, budget: int | None, printer: Printer) -> Description:
    """Describe an object by its `_repr_llm_`.

    Raises:
        Unanswered: It has none, or that fails.
    """
    said = printer.patience.ask(lambda: _text(value._repr_llm_()), "its _repr_llm_")
    return _said(value, said, budget, "text")


def describe_other(value: Any, budget: int | None, printer: Printer) -> Description:
    """Describe an object by its richest text, or by its attributes."""
    failures: list[str] = []
    for said, language in _asked(value, printer.patience, failures):
        found = _said(value, said, budget, language)
        if not failures:
            return found
        text = "\n".join([*failures, found.text])
        return Description(found.kind, text, found.left_out, found.language)
    return _attributes(value, BUDGET if budget is None else budget, printer, failures)


def _asked(value: Any, patience: Patience, failures: list[str]) -> Iterator[tuple[str, str]]:
    """Yield what the object says and in which language, the richest first."""
    if defines(value, "_repr_markdown_"):
        try:
            said = patience.ask(lambda: _text(value._repr_markdown_()), "its _repr_markdown_")
            yield said, "markdown"
        except Unanswered as reason:
            failures.append(f"({reason})")
    if defines(value, "_repr_mimebundle_"):
        try:
            bundle = patience.ask(lambda: _bundle(value), "its _repr_mimebundle_")
            yield from bundle
        except Unanswered as reason:
            failures.append(f"({reason})")
    if not _has_default_repr(value):
        try:
            yield patience.ask(lambda: _text(repr(value)), "its repr"), "text"
        except Unanswered as reason:
            failures.append(f"({reason})")


def _text(said: Any) -> str:
    """Return a text that an object gave, cut to a reasonable size.

    Raises:
        TypeError: It is no text, or none that says anything.
    """
    if is_kind(said, tuple):  # some return metadata, too
        said = next(iter(tuple.__iter__(said)), None)
    if not is_kind(said, str):
        raise TypeError(f"a {type_name(said)} instead of a str")
    return str.__getitem__(said, slice(_MOST))


def _bundle(value: Any) -> list[tuple[str, str]]:
    bundle = value._repr_mimebundle_(include=None, exclude=None)
    if is_kind(bundle, tuple):
        bundle = next(iter(bundle), None)
    if not is_kind(bundle, dict):
        return []
    found = ((dict.get(bundle, kind), language) for kind, language in _LANGUAGES.items())
    return [(_text(said), language) for said, language in found if is_kind(said, str) and said]


def _said(value: Any, said: str, budget: int | None, language: str) -> Description:
    budget = BUDGET if budget is None else budget
    text, left_out = cut_middle(readable(said), budget)
    return Description(f"{type_name(value)} object", text, left_out, language)


def _has_default_repr(value: Any) -> bool:
    for cls in classes_of(value):
        if "__repr__" in namespace(cls):
            return cls is object
    return True


def _attributes(value: Any, budget: int, printer: Printer, failures: list[str]) -> Description:
    """Describe an object by its class, its attributes and the names of its methods."""
    lines = [f"{type_name(value)} object of class {full_type_name(value)}", *failures]
    doc = namespace(type(value)).get("__doc__")
    if type(doc) is str and doc.strip() and type(value) is not object:
        lines.append(f"about: {one_line(doc.strip().splitlines()[0])}")
    members = _members(value)
    methods = _methods(value)
    left_out = ""
    if members:
        room = max(budget - len("\n".join(lines)) - min(len(methods), 1_000) - 40, 40)
        public = {name: each for name, each in members.items() if not name.startswith("_")}
        printed = printer.print(public or members, room, printer.name)
        lines += ["attributes:", printed.text]
        left_out = printed.left_out
    if methods:
        lines.append(f"methods: {one_line(methods, 1_000)}")
    text, cut = cut_middle(readable("\n".join(lines)), budget)
    return Description(f"{type_name(value)} object", text, left_out or cut)


def _members(value: Any) -> dict[str, Any]:
    """Return the attributes that are stored; no property is evaluated."""
    found: dict[str, Any] = {}
    for cls in classes_of(value):
        if (slots := namespace(cls).get("__dict__")) is not None and hasattr(slots, "__get__"):
            members = slots.__get__(value) if is_kind(slots, _GETSET) else None
            if type(members) is dict:
                found |= {name: each for name, each in members.items() if type(name) is str}
        for name, member in namespace(cls).items():
            if is_kind(member, _SLOT) and name not in found:
                try:
                    found[name] = member.__get__(value)
                except AttributeError:
                    continue
    return found


def _methods(value: Any) -> str:
    names: dict[str, None] = {}
    for cls in classes_of(value)[:-1]:
        for name, member in namespace(cls).items():
            is_public = type(name) is str and not name.startswith("_")
            if is_public and is_kind(member, (_FUNCTION, staticmethod, classmethod)):
                names[name] = None
    return ", ".join(list(names)[:60])


class _Slotted:
    __slots__ = ("slot",)


_SLOT = type(_Slotted.__dict__["slot"])
_GETSET = type(type.__dict__["__doc__"])
_FUNCTION = type(_text)
