"""What every view has in common: its protocol, the footer and the waiting line."""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from typing import Protocol, TypeGuard

from ..chat.turn import Turn
from ..text import count_of, escape
from ..wire.chunks import Delta, Waiting

__all__ = ["QUIET_START", "Footer", "View", "WaitingLine", "effects_mark", "in_kernel", "next_try"]

QUIET_START = 0.4
"""Seconds of waiting that pass before a view mentions the wait."""

# Seconds of writing from which a rate means something. Tokens that came with one read were written
# before: microseconds later, the answer has ended.
_LEAST_WRITING = 0.25
# Steps that looking for what code does may take: for each character, and besides.
_STEPS = 8
_MORE_STEPS = 100_000
_FENCE = re.compile(r"```|~~~")


class View(Protocol):
    """One answer on display: `start`, then `feed` with every event, then `finish`, once."""

    def start(self) -> None:
        """Show that the user is waiting for an answer."""

    def feed(self, event: Delta | Waiting) -> None:
        """Show an event of the stream, now or with the next paint."""

    def detach(self) -> None:
        """Prepare to continue after the cell has ended; call it while the cell still runs.

        The view may be started before or after that, in any thread.
        """

    def finish(self, turn: Turn, footer: Footer) -> None:
        """Show the final state: the whole answer, however it ended, and `footer`."""


@dataclass(frozen=True)
class Footer:
    """The line below an answer: facts, and marks that deserve a glance."""

    facts: list[str]
    marks: list[str]

    @classmethod
    def of(cls, turn: Turn, name: str = "", advice: str = "") -> Footer:
        """Return the footer of `turn`; it is empty if the turn failed without a word.

        Args:
            turn: The turn.
            name: The name of its conversation, which is one of the facts.
            advice: What to do about an answer that stopped at the length limit. After an interrupt
                or an error, the cell's own error message says so.
        """
        if turn.status == "failed" and not turn.answer:
            return cls([], [])
        facts = [turn.model, turn.provider, f"{turn.elapsed:.1f} s" if turn.elapsed else ""]
        if not turn.replayed:
            facts += _tokens(turn)
        facts.append(name)
        marks = list(turn.marks)
        if advice and turn.status == "complete" and turn.cut_off:
            # The outcome is the first mark.
            marks[0] = f"{marks[0]} – {advice}"
        return cls([fact for fact in facts if fact], [*marks, *turn.notes])

    def __str__(self) -> str:
        return " · ".join([*self.facts, *self.marks])

    @property
    def html(self) -> str:
        """Return the footer as HTML; empty if there is nothing to say."""
        parts = [escape(fact) for fact in self.facts]
        parts += [f'<span class="copilot-mark">{escape(mark)}</span>' for mark in self.marks]
        return f'<div class="copilot-footer">{" · ".join(parts)}</div>' if parts else ""


def effects_mark(answer: str) -> str:
    """Return the mark that tells what the code in an answer would do; empty if there is none.

    It is for views that write text. Rendered code has a line of its own that says so.
    """
    if not _FENCE.search(answer):
        return ""  # The parser need not be loaded for this.
    from ..markdown.effect_names import EFFECTS
    from ..markdown.effects import CodeEffects
    from ..markdown.render import code_blocks
    from ..markdown.work import TooMuchWork, Work

    work = Work(_STEPS * len(answer) + _MORE_STEPS)
    try:
        blocks = code_blocks(answer, work)
    except TooMuchWork:
        return ""
    found = {effect for b in blocks for effect in CodeEffects(b.language, work).feed(b.code)}
    *others, last = [effect for effect in EFFECTS if effect in found] or [""]
    return f"the code {', '.join(others)}{' and ' if others else ''}{last}" if found else ""


def _tokens(turn: Turn) -> list[str]:
    """Return how many tokens went in and out, and how fast, as far as the server says so."""
    usage = turn.usage or {}
    sent, received = (usage.get(name) for name in ("prompt_tokens", "completion_tokens"))
    facts = []
    if _is_count(sent) and _is_count(received):
        facts.append(f"{sent:,} → {count_of(received, 'token')}")
    elif _is_count(received):
        facts.append(count_of(received, "token"))
    writing = turn.elapsed - (turn.first_token or 0.0)
    if _is_count(received) and received > 1 and writing >= _LEAST_WRITING:
        facts.append(f"{received / writing:.0f} tokens/s")
    return facts


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**12


class WaitingLine:
    """The line that says what the user is waiting for, until the first word arrives.

    Args:
        asked: Whom the user is waiting for.
        quiet_start: Seconds before the line appears.
    """

    def __init__(self, asked: str, quiet_start: float = QUIET_START) -> None:
        self._asked = asked
        self._quiet_start = quiet_start
        self._started = time.monotonic()
        self._retry: tuple[float, str] | None = None

    def start(self) -> None:
        """Start the clock again: the wait begins now."""
        self._started = time.monotonic()

    def update(self, event: Delta | Waiting) -> None:
        """Note that the client announced a wait, or that the wait is over."""
        now = time.monotonic()
        if self._waits_for_another() or (isinstance(event, Waiting) and event.seconds == math.inf):
            self._started = now
        if isinstance(event, Waiting):
            self._retry = (now + event.seconds, event.reason)
        else:
            self._retry = None

    def text(self, *, thinking: bool = False) -> str:
        """Return the line with the seconds waited; empty if it is too early for one.

        Args:
            thinking: The model has begun to think aloud.
        """
        now = time.monotonic()
        waited = now - self._started
        seconds = f" {waited:.0f} s" if waited >= 1 else ""
        if self._retry is not None and self._retry[0] > now:
            line = next_try(self._retry[1], self._retry[0] - now)
            return line + seconds if self._waits_for_another() else line
        if waited < self._quiet_start:
            return ""
        what = "Thinking" if thinking else f"Waiting for {self._asked}"
        return f"{what} …{seconds}"

    def until_next(self) -> float:
        """Return the seconds until `text` changes."""
        waited = time.monotonic() - self._started
        return self._quiet_start - waited if waited < self._quiet_start else 1.0 - waited % 1.0

    def _waits_for_another(self) -> bool:
        return self._retry is not None and self._retry[0] == math.inf


def next_try(reason: str, seconds: float) -> str:
    """Return the line that announces a wait: before the next try, or for another answer."""
    if seconds == math.inf or seconds < 0.5:
        return f"{reason} …"
    return f"{reason} – next try in {seconds:.0f} s"


def in_kernel(shell: object) -> bool:
    """Say whether `shell` is a Jupyter kernel's, so that a front end renders what it publishes."""
    return hasattr(shell, "kernel")
