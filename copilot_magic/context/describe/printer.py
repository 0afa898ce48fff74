"""A pretty printer that is bounded in all: characters, elements, depth and time.

It tries generous limits first, and tighter ones until the text fits. Each try ends as soon as it
has printed more than fits, so a huge or endless container costs no more than a large one.
"""

from __future__ import annotations

import datetime
import decimal
import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ...text import one_line
from ..secrets.named import Named, named
from .description import readable, several
from .elements import Elements, elements_of
from .foreign import Patience, Unanswered, is_a, is_kind, namespace, type_name
from .outline import is_table_like, outline

__all__ = ["Hide", "Printed", "Printer", "number_text"]

WIDTH = 88


@dataclass(frozen=True)
class _Limits:
    items: int
    characters: int  # of a string
    depth: int


_LEVELS = (
    _Limits(2_000, 8_000, 8),
    _Limits(1_000, 2_000, 8),
    _Limits(400, 1_000, 6),
    _Limits(150, 500, 6),
    _Limits(60, 200, 5),
    _Limits(30, 120, 4),
    _Limits(12, 80, 3),
    _Limits(6, 60, 2),
    _Limits(3, 40, 1),
    _Limits(1, 40, 0),
)
_BRIEF = (_Limits(12, 80, 3), _Limits(6, 40, 2), _Limits(3, 24, 1), _Limits(1, 24, 0))

Hide = Callable[[str | bytes | bytearray, Named], "str | None"]
"""Returns a mask for a value if it is a secret, given what its name says, and otherwise None."""

# Modules of Python whose objects have a repr that says their value.
_STABLE = ("builtins", "datetime", "decimal", "fractions", "uuid", "pathlib", "zoneinfo")


class _Full(Exception):
    """The text has become longer than what fits."""


@dataclass(frozen=True)
class Printed:
    """What a printer has printed.

    Attributes:
        text: The text.
        left_out: What is missing, as a footer says it; empty if it is all there.
    """

    text: str
    left_out: str = ""


class Printer:
    """Prints values like `repr`, within bounds; what an object said once is not asked again."""

    def __init__(
        self,
        patience: Patience,
        is_stable: bool = False,
        hide: Hide | None = None,
        name: Named | None = None,
    ) -> None:
        """Make a printer.

        Args:
            patience: The time for the objects' own code.
            is_stable: Print only what is the same in another process, for a fingerprint: neither
                the reprs of other people's objects nor what is in a set.
            hide: Masks secrets before they are cut; None prints everything as it is.
            name: What the expression for the object that is described says about its value.
        """
        self.patience = patience
        self.is_stable = is_stable
        self.name = name
        self._hide = hide
        self._asked: dict[int, tuple[object, str]] = {}
        self._unanswered: set[type] = set()  # of what class objects were too slow or failed

    def named(self, name: object, outer: Named | None = None) -> Named | None:
        """Return what a name says about its values, if secrets are masked."""
        return None if self._hide is None else named(name, outer)

    def hidden(self, value: Any, name: Named | None) -> Any:
        """Return a mask for a text that is a secret with that name; any other value as it is."""
        if name is None or self._hide is None:
            return value
        for base in (str, bytes, bytearray):
            # A subclass, such as NumPy's, may have methods of its own.
            if is_kind(value, base) and not is_kind(value, enum.Enum):
                mask = self._hide(base.__getitem__(value, slice(None)), name)
                return value if mask is None else mask
        return value

    def print(self, value: object, budget: int, name: Named | None = None) -> Printed:
        """Return the value in at most about `budget` characters, over several lines if needed."""
        return self._print(value, budget, _LEVELS, WIDTH, name)

    def brief(self, value: object, limit: int, name: Named | None = None) -> str:
        """Return the value in one line of at most `limit` characters."""
        return one_line(self._print(value, limit, _BRIEF, 0, name).text, limit)

    def _print(
        self,
        value: object,
        budget: int,
        levels: Iterable[_Limits],
        width: int,
        name: Named | None,
    ) -> Printed:
        text = ""
        for limits in levels:
            page = _Page(self, limits, budget, width)
            try:
                text = readable(page.node(value, 0, name))
            except _Full:
                continue
            if len(text) <= budget:
                return Printed(text, page.left_out)
        if not text:
            text = f"<{type_name(value)}>"
        return Printed(text, "most of it left out")

    def repr_of(self, value: object) -> str:
        """Return what the object's own `repr` says, or why it says nothing; cut if it is long."""
        if self.is_stable and namespace(type(value)).get("__module__") not in _STABLE:
            return f"<{type_name(value)}>"
        if _is_pythons(value):
            return repr(value)
        if id(value) in self._asked:
            return self._asked[id(value)][1]
        if type(value) in self._unanswered:
            return f"<{type_name(value)}>"
        try:
            said = self.patience.ask(lambda: self._repr(value), "its repr")
        except Unanswered as reason:
            self._unanswered.add(type(value))
            said = f"<{type_name(value)}: {reason}>"
        # The object is kept, so that no other one can get its id.
        self._asked[id(value)] = (value, said)
        return said

    @staticmethod
    def _repr(value: object) -> str:
        said = repr(value)
        # A subclass of `str` may have methods of its own.
        return str.__getitem__(said, slice(10_000))


def _is_pythons(value: Any) -> bool:
    """Say whether `repr` runs only Python's own code; a time limit would cost more than that."""
    if type(value) is datetime.datetime:
        return value.tzinfo is None or type(value.tzinfo) is datetime.timezone
    return type(value) in (datetime.date, datetime.timedelta, decimal.Decimal)


class _Page:
    """One try to print a value within one set of limits."""

    def __init__(self, printer: Printer, limits: _Limits, room: int, width: int) -> None:
        self._printer = printer
        self._limits = limits
        self._room = room
        self._width = width
        self._open: set[int] = set()
        self._is_cut = False
        self._missing = ""  # of the value itself, not of what is in it

    @property
    def left_out(self) -> str:
        """Return what is missing."""
        return self._missing or ("parts of long or nested values left out" if self._is_cut else "")

    def node(self, value: object, depth: int, name: Named | None = None) -> str:
        """Return the value at that depth as text.

        Args:
            value: The value.
            depth: How many containers it is in.
            name: What its name, or that of a container of it, says about it.

        Raises:
            _Full: There is no room for it.
        """
        if (leaf := self._leaf(self._printer.hidden(value, name))) is not None:
            return self._spend(leaf)
        elements = self._elements(value, depth)
        if isinstance(elements, str):
            return self._spend(elements)
        if id(value) in self._open:
            return self._spend(f"{elements.opening}…{elements.closing}")
        if elements.count != 0 and depth >= self._limits.depth:
            self._is_cut = True
            size = f" {several(elements.count or 0, elements.noun)} "
            return self._spend(f"{elements.opening}…{size}…{elements.closing}")
        self._spend(elements.opening + elements.closing)
        self._open.add(id(value))
        try:
            inner = self._inner(elements, depth, name)
        finally:
            self._open.discard(id(value))
        return self._laid_out(elements, inner, depth)

    def _elements(self, value: object, depth: int) -> Elements | str:
        if self._printer.is_stable and is_kind(value, (set, frozenset)):
            return f"<{type_name(value)} of {several(len(value), 'item')}>"  # type: ignore[arg-type]
        # Each takes a character and a separator at least.
        wanted = min(self._limits.items, self._room // 3 + 1) if depth < self._limits.depth else 1
        try:
            return elements_of(value, wanted, self._printer.patience) or self._other(value)
        except Unanswered as reason:
            return f"<{type_name(value)}: {reason}>"

    def _inner(self, elements: Elements, depth: int, name: Named | None) -> list[str]:
        self._room -= 2 * (len(elements.first) + len(elements.last))  # separators
        inner = [self._element(element, depth, name) for element in elements.first]
        if elements.missing:
            self._is_cut = True
            if depth == 0:
                of = several(elements.count, elements.noun)
                self._missing = f"{elements.missing:,} of {of} left out"
            missing = several(elements.missing, elements.noun)
            inner.append(self._spend(f"… {missing} left out …"))
        return inner + [self._element(element, depth, name) for element in elements.last]

    def _element(self, element: tuple[Any, ...], depth: int, outer: Named | None) -> str:
        if len(element) == 1:
            return self.node(element[0], depth + 1, outer)
        key, mark, value = element
        left = self._spend(key) if mark == "=" else self.node(key, depth + 1)
        name = self._printer.named(key, outer)
        return f"{left}{mark}{self.node(value, depth + 1, name)}"

    def _laid_out(self, elements: Elements, inner: list[str], depth: int) -> str:
        opening, closing = elements.opening, elements.closing
        flat = ", ".join(inner)
        if elements.is_tuple and len(inner) == 1 and elements.count == 1:
            flat += ","
        flat = f"{opening}{flat}{closing}"
        if not self._width or (len(flat) + 4 * depth <= self._width and "\n" not in flat):
            return flat
        lines = _filled(inner, self._width - 4 * (depth + 1))
        indent = "    "
        body = "\n".join(lines).replace("\n", f"\n{indent}")
        return f"{opening}\n{indent}{body}\n{closing}"

    def _leaf(self, value: object) -> str | None:
        if is_kind(value, enum.Enum):
            return f"{type_name(value)}.{value.__dict__.get('_name_')}"
        if is_kind(value, str):
            return self._string(value, str)
        if is_kind(value, (bytes, bytearray)):
            return self._string(value, bytes if is_kind(value, bytes) else bytearray)
        if (number := number_text(value)) is not None:
            return number
        if is_table_like(value):
            return f"<{outline(value, self._printer.patience)}>"
        if is_a(value, "numpy", "generic"):
            item = self._ask(lambda: value.item(), "its value")  # type: ignore[attr-defined]
            return None if is_a(item, "numpy", "generic") else self._leaf(item)
        return None

    def _ask(self, call: Callable[[], Any], what: str) -> Any:
        try:
            return self._printer.patience.ask(call, what)
        except Unanswered as reason:
            return f"<{reason}>"

    def _string(self, value: Any, kind: Any) -> str:
        size, limit = kind.__len__(value), self._limits.characters
        if size <= limit:  # a slice is of the base class, whatever the value is
            return repr(kind.__getitem__(value, slice(None)))
        self._is_cut = True
        head = repr(kind.__getitem__(value, slice(limit - limit // 3)))
        tail = repr(kind.__getitem__(value, slice(size - limit // 3, size)))
        noun = "characters" if kind is str else "bytes"
        opening = tail.index(tail[-1]) + 1  # after b' or '
        return f"{head[:-1]} … {size - limit:,} {noun} left out … {tail[opening:]}"

    def _other(self, value: object) -> str:
        said = self._printer.repr_of(value)
        limit = max(self._limits.characters, 40)
        if len(said) <= limit:
            return said
        self._is_cut = True
        return f"{said[: limit - limit // 3]} … {said[len(said) - limit // 3 :]}"

    def _spend(self, text: str) -> str:
        self._room -= len(text)
        if self._room < 0:
            raise _Full
        return text


def number_text(value: Any) -> str | None:
    """Return a number, None or an ellipsis as Python writes it; None for anything else."""
    if value is None or value is ... or value is NotImplemented or is_kind(value, bool):
        return repr(value)
    if is_kind(value, int) and not is_kind(value, enum.Enum):
        bits = int.bit_length(value)
        if bits <= 2_000:
            return int.__repr__(value)
        sign = "negative " if int.__lt__(value, 0) else ""
        return f"<{sign}int of about {int(bits * 0.30103):,} digits>"
    if is_kind(value, float):
        return float.__repr__(value)
    if is_kind(value, complex):
        return complex.__repr__(value)
    return None


def _filled(texts: list[str], width: int) -> list[str]:
    """Return texts as lines; short ones share a line."""
    lines = [""]
    are_short = all(len(text) <= 24 or text.startswith("…") for text in texts)
    for text in texts:
        is_mark = text.startswith("…") or lines[-1].startswith("…")
        is_full = len(lines[-1]) + len(text) + 2 > width
        if lines[-1] and (is_full or is_mark or not are_short):
            lines.append("")
        lines[-1] += f"{' ' if lines[-1] else ''}{text}{'' if text.startswith('…') else ','}"
    return lines
