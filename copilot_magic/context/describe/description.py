"""What a description is, and the ways to cut a text to size."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...text import count_of, printable

__all__ = [
    "BUDGET",
    "LINE",
    "LONG_BUDGET",
    "Description",
    "cut_lines",
    "cut_middle",
    "readable",
    "several",
]

BUDGET = 8_000
"""Most characters of a description."""

LONG_BUDGET = 20_000
"""Most characters of strings and source: such a text is usually what the user asks about."""

LINE = 80
"""Most characters of the line that says what was cut."""

_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]{4,}")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Description:
    """An object in words for a model.

    Attributes:
        kind: A noun phrase for the model and the footer, such as ``str, 32,000 characters``.
        text: What the model reads.
        left_out: What was cut, for the footer; empty if nothing was.
        language: The language of the fence that the text goes into.
    """

    kind: str
    text: str
    left_out: str = ""
    language: str = "text"


def several(count: int, noun: str) -> str:
    """Return the count and its noun; entries, classes and the like have plurals of their own."""
    plural = {"entry": "entries", "class": "classes", "category": "categories"}.get(noun)
    return f"{count:,} {plural}" if plural and count != 1 else count_of(count, noun)


def readable(text: str) -> str:
    """Return the text of an object without colours, control characters and memory addresses.

    An address says nothing to a model, and differs each time.
    """
    return printable(_ADDRESS.sub("", _COLOUR.sub("", text)))


def cut_middle(text: str, budget: int) -> tuple[str, str]:
    """Return the text with its middle left out, and what was left out; "" if it fits.

    Args:
        text: The text.
        budget: Most characters to keep. A line that says what was cut comes on top of that.
    """
    if len(text) <= budget:
        return text, ""
    head = text[: budget - budget // 3]
    tail = text[len(text) - budget // 3 :]
    # Whole lines are better, if that costs little.
    if (end := head.rfind("\n")) > len(head) * 0.8:
        head = head[:end]
    if 0 <= (start := tail.find("\n")) < len(tail) * 0.2:
        tail = tail[start + 1 :]
    count = len(text) - len(head) - len(tail)
    left_out = f"{count:,} of {len(text):,} characters left out"
    return f"{head}\n… {left_out} …\n{tail}".strip("\n"), left_out


def cut_lines(lines: list[str], count: int) -> list[str]:
    """Return at most `count` of the lines and one that says how many more there are."""
    if len(lines) <= count:
        return lines
    return [*lines[:count], f"… {len(lines) - count:,} more …"]
