"""What a copy may use, and what is known about it when it has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Ended", "Limits", "Report"]

Report = Callable[[Mapping[str, Any]], None]
"""Sends a message that JSON can hold to the parent; usable in the copy only, from any thread."""


@dataclass(frozen=True)
class Limits:
    """What a copy may use.

    Attributes:
        seconds: The longest time that it may run, counted from the fork.
        memory: Bytes of address space that it may take on top of what the process has.
        output: Bytes of messages that are taken; what does not fit any more is not sent.
        files: Bytes that the files in its scratch directory may have, each and together.
    """

    seconds: float = 30.0
    memory: int = 2 * 1024**3
    output: int = 5_000_000
    files: int = 100_000_000


@dataclass(frozen=True)
class Ended:
    """How a copy ended, and what it said.

    All of it comes from a process that ran code which nobody has checked: treat the messages and
    the refusals as text of unknown origin.

    Attributes:
        messages: What the function reported, in order.
        refused: What the copy wanted to do and was not allowed to, in words, each once. It is what
            Python noticed: a refusal in native code is only an error there.
        seconds: How long it ran.
        how: ``finished``, ``exited`` (it ended itself, or its function raised), ``timed out``,
            ``killed`` (by a signal, or because it took too much) or ``out of memory``.
        code: The exit code, or the number of the signal that ended it.
        cut: More was reported than is taken, or the rest could not be read.
    """

    messages: list[dict[str, Any]]
    refused: list[str]
    seconds: float
    how: str
    code: int
    cut: bool
