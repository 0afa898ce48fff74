"""From an annotation to the form of its values, and to its name as a reader writes it."""

from __future__ import annotations

import collections.abc as abc
import sys
import types
import typing
from datetime import date, datetime, time
from enum import Enum, Flag
from typing import Annotated, Any, ForwardRef, Literal, NewType, get_args, get_origin

from ...text import one_line
from .composed_types import Array, FixedTuple, Mapping, Union
from .frames import frame_of
from .plain_types import (
    Anything,
    Choice,
    Form,
    Moment,
    NotPlain,
    Null,
    Number,
    Text,
    Truth,
    Unusable,
    Whole,
)
from .records import is_record, record_of

__all__ = ["form_of", "is_annotation", "readable"]

_SIMPLE: dict[Any, type[Form]] = {
    **{str: Text, bool: Truth, int: Whole, float: Number, Any: Anything},
    **{None: Null, type(None): Null},
}
_LISTS: dict[Any, Any] = {
    **dict.fromkeys((list, abc.Sequence, abc.MutableSequence, abc.Iterable, abc.Collection), list),
    **{set: set, abc.MutableSet: set, frozenset: frozenset, abc.Set: frozenset},
}
_DICTS = (dict, abc.Mapping, abc.MutableMapping)
_UNIONS = (typing.Union, types.UnionType)


def form_of(annotation: Any, within: tuple[Any, ...] = ()) -> Form:
    """Return the form of the values that `annotation` allows.

    Args:
        annotation: A type, or what stands for one in an annotation.
        within: The classes with fields that it is a part of.

    Raises:
        NotPlain: It is not one of the plain types, or contains one that is not.
    """
    annotation = _resolved(annotation, within)
    origin, args = get_origin(annotation) or annotation, get_args(annotation)
    if isinstance(annotation, type) and (frame := frame_of(annotation)):
        return frame
    if not _is_hashable(origin):
        raise NotPlain(f"{readable(annotation)} is not a type")
    if origin in _SIMPLE:
        return _SIMPLE[origin]()
    if origin in (date, datetime, time):
        return Moment(origin)
    if origin is Annotated:
        return _described(args, within)
    if origin is Literal:
        return _literal(args)
    if origin in _UNIONS:
        return Union([form_of(member, within) for member in args])
    if origin in _LISTS:
        return Array(form_of(args[0] if args else Any, within), _LISTS[origin])
    if origin is tuple:
        return _tuple(annotation, args, within)
    if origin in _DICTS:
        return _dict(annotation, args, within)
    if isinstance(annotation, type) and not args:
        return _class(annotation, within)
    raise NotPlain(f"{readable(annotation)} is not a plain type")


def is_annotation(annotation: object) -> bool:
    """Say whether `annotation` can name a type at all: 5, or a table, cannot."""
    if annotation is None or isinstance(annotation, type | str):
        return True
    modules = ("typing", "types", "typing_extensions", "annotationlib")
    return get_origin(annotation) is not None or type(annotation).__module__ in modules


def readable(annotation: Any) -> str:
    """Return an annotation as a reader writes it: ``list[str]``, ``Review``, ``int | None``."""
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation is None or annotation is type(None):
        return "None"
    if annotation is ...:
        return "..."
    if isinstance(annotation, str | ForwardRef):
        return one_line(getattr(annotation, "__forward_arg__", str(annotation)))
    if origin is Annotated:
        return readable(args[0])
    if origin is Literal:
        return one_line(f"Literal[{', '.join(map(repr, args))}]")
    if origin in _UNIONS:
        return " | ".join(map(readable, args))
    name = getattr(origin or annotation, "__qualname__", None) or getattr(
        annotation, "__name__", None
    )
    name = name.split("<locals>.")[-1] if name else repr(annotation).removeprefix("typing.")
    if annotation == tuple[()]:
        return "tuple[()]"
    return one_line(f"{name}[{', '.join(map(readable, args))}]" if args else name)


def _resolved(annotation: Any, within: tuple[Any, ...]) -> Any:
    """Return what an annotation in quotes, or one under a new name, stands for."""
    while True:
        if isinstance(annotation, ForwardRef):
            annotation = annotation.__forward_arg__
        if isinstance(annotation, str):
            annotation = _looked_up(annotation, within)
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":  # since Python 3.12
            annotation = annotation.__value__
        else:
            return annotation


def _looked_up(text: str, within: tuple[Any, ...]) -> Any:
    names = dict(vars(typing))
    for module in ["__main__", *(cls.__module__ for cls in within)]:
        names |= vars(sys.modules[module]) if module in sys.modules else {}

    def holder() -> None: ...

    holder.__annotations__ = {"it": text}
    try:
        return typing.get_type_hints(holder, names, include_extras=True)["it"]
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        raise Unusable(one_line(f"{text!r} is not a type: {error}")) from None


def _described(args: tuple[Any, ...], within: tuple[Any, ...]) -> Form:
    """Return the form of ``Annotated[type, "what it is"]``; other marks are for pydantic."""
    if not all(isinstance(mark, str) for mark in args[1:]):
        raise NotPlain(f"{readable(args[0])} has constraints")
    form = form_of(args[0], within)
    form.schema = {**form.schema, "description": one_line("; ".join(args[1:]))}
    return form


def _literal(args: tuple[Any, ...]) -> Form:
    if any(type(value) not in (str, int, bool, type(None)) for value in args):
        raise NotPlain("a Literal has other values than text, whole numbers, True, False and None")
    return Choice([(value, value) for value in args])


def _tuple(annotation: Any, args: tuple[Any, ...], within: tuple[Any, ...]) -> Form:
    if not args and annotation != tuple[()]:
        return Array(Anything(), tuple)
    if len(args) == 2 and args[1] is ...:
        return Array(form_of(args[0], within), tuple)
    forms = [form_of(member, within) for member in args]
    if forms and all(member == args[0] for member in args):
        return Array(forms[0], tuple, len(forms))
    return FixedTuple(forms)


def _dict(annotation: Any, args: tuple[Any, ...], within: tuple[Any, ...]) -> Form:
    key, item = args or (str, Any)
    key = _resolved(key, within)
    if key not in (str, int, Any):
        raise NotPlain(f"{readable(annotation)} has keys that are neither text nor whole numbers")
    return Mapping(form_of(item, within), numbered=key is int)


def _class(cls: type, within: tuple[Any, ...]) -> Form:
    if issubclass(cls, Enum) and not issubclass(cls, Flag) and len(cls):
        members = list(cls)
        texts = all(type(member.value) is str for member in members)
        # Numbers mean nothing to a model; names do.
        return Choice([(str(m.value) if texts else m.name, m) for m in members])
    if is_record(cls):
        if cls in within:
            raise NotPlain(f"{cls.__name__} contains itself")
        return record_of(cls, lambda hint: form_of(hint, (*within, cls)))
    raise NotPlain(f"{readable(cls)} is not a plain type")


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
