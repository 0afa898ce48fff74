"""A batch in a line and in a small table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..errors import CopilotError
from ..text import count_of, escape, one_line
from .question import Plan

__all__ = ["html_of", "summary_of"]

# Rows of the table, and how many of them are kept for failures.
_ROWS = 8
_FAILED_ROWS = 3
# Characters of a cell.
_CELL = 100
# JupyterLab aligns the cells of tables to the right, as numbers need it.
_LEFT = '<td style="text-align: left">'


class Shown(Protocol):
    """What a summary needs to know of a batch."""

    items: list[Any]
    answers: list[Any]
    errors: list[CopilotError | None]
    known: int
    asked: int
    plan: Plan | None

    @property
    def failed(self) -> Sequence[int]:
        """Return the positions of the rows that have no answer, though they were not empty."""

    @property
    def usage(self) -> Mapping[str, int]:
        """Return the tokens used."""

    @property
    def notes(self) -> Sequence[str]:
        """Return what the reader should know."""

    def __len__(self) -> int: ...


def summary_of(batch: Shown) -> str:
    """Return the state of a batch, in one line."""
    if batch.plan is not None:
        plan = batch.plan
        parts = [f"{count_of(plan.prompts, 'prompt')}, {plan.distinct:,} distinct"]
        if plan.known:
            parts.append(f"{plan.known:,} known already")
        parts.append(f"about {count_of(plan.tokens, 'token')} to send, and the answers")
        return " · ".join([*parts, "nothing was sent"])
    failed = batch.failed
    answered = sum(answer is not None for answer in batch.answers)
    parts = [f"{answered:,} of {len(batch):,} answered"]
    errors = sum(batch.errors[position] is not None for position in failed)
    if errors:
        parts.append(f"{errors:,} failed")
    if len(failed) > errors:
        parts.append(f"{len(failed) - errors:,} not asked")
    if empty := len(batch) - answered - len(failed):
        parts.append(f"{count_of(empty, 'empty row')} left out")
    if batch.known:
        parts.append(f"{batch.known:,} known already")
    parts.append(count_of(batch.asked, "request"))
    if total := batch.usage.get("total_tokens"):
        parts.append(count_of(total, "token"))
    return " · ".join(parts)


def html_of(batch: Shown) -> str:
    """Return a batch as HTML: a line, its failures counted, and a table of some rows."""
    lines = [f"<p>{escape(summary_of(batch))}</p>"]
    reasons = Counter(str(error) for error in batch.errors if error is not None)
    notes = [f"{count:,} × {reason}" for reason, count in reasons.most_common(3)]
    if len(reasons) > 3:
        notes.append(f"and {len(reasons) - 3:,} other reasons")
    if reasons:
        notes.append(".retry() asks again what failed")
    notes += batch.notes
    if notes:
        shown = "".join(f"<li>{escape(one_line(note))}</li>" for note in notes)
        lines.append(f"<ul>{shown}</ul>")
    if batch.plan is None and len(batch):
        lines.append(_table(batch))
    return "".join(lines)


def _table(batch: Shown) -> str:
    failed = batch.failed[:_FAILED_ROWS]
    first = range(min(len(batch), _ROWS))
    shown = [*first[: _ROWS - len([p for p in failed if p not in first])]]
    shown += [position for position in failed if position not in shown]
    rows = []
    for position in shown:
        error = batch.errors[position]
        answer = batch.answers[position]
        said = f"<em>{_cell(error.message)}</em>" if error is not None else _cell(answer)
        item = _cell(batch.items[position])
        rows.append(f"<tr><th>{position:,}</th>{_LEFT}{item}</td>{_LEFT}{said}</td></tr>")
    if len(shown) < len(batch):
        rows.append("<tr><th>…</th><td></td><td></td></tr>")
    head = f"<tr><th></th>{_LEFT}<b>item</b></td>{_LEFT}<b>answer</b></td></tr>"
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def _cell(value: Any) -> str:
    """Return a value for a cell of the table; whatever a model wrote is text there."""
    if value is None:
        return ""
    try:
        text = value if isinstance(value, str) else repr(value)
    except Exception:  # noqa: BLE001  (the object may be the user's own)
        text = f"<{type(value).__name__}>"
    return escape(one_line(text, _CELL))
