"""What the comboboxes of a chat panel offer: conversations and models."""

from __future__ import annotations

import time

from ...errors import CopilotError
from ...session.library import Library
from ...session.session import Session
from ...text import count_of, one_line
from .growing import Message

__all__ = ["conversations_message", "models_message"]

LISTED = 50
"""Conversations that are listed at most; a search finds the others."""


def conversations_message(library: Library, text: str) -> Message:
    """Return the message with the conversations that have `text` in them."""
    found = [
        {
            "value": summary.conversation_id,
            "label": summary.name,
            "detail": _detail(summary.turns, summary.last_used, summary.first_prompt),
        }
        for summary in library.summaries(text)[:LISTED]
    ]
    return {"kind": "options", "of": "conversation", "options": found}


def _detail(turns: int, last_used: float, first_prompt: str) -> str:
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(last_used))
    return f"{count_of(turns, 'turn')} · {day} · {one_line(first_prompt, 60)}"


def models_message(session: Session) -> Message:
    """Return the message with the models that the server offers, or with why it names none."""
    problem = ""
    names: list[str] = []
    try:
        names = session.client.models()
    except CopilotError as error:
        problem = error.message
    default = session.settings.model
    first = {
        "value": None,
        "label": default or "Server's default",
        "detail": "set in this notebook" if default else "",
    }
    found = [first, *({"value": name, "label": name, "detail": ""} for name in names)]
    return {"kind": "options", "of": "model", "options": found, "problem": problem}
