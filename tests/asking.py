"""Short ways for tests to ask in a session, and to read what comes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from copilot_magic.chat.conversation import Conversation
from copilot_magic.chat.prompt import Options, Prompt
from copilot_magic.session.exchange import Event, Exchange
from copilot_magic.session.session import Session
from copilot_magic.wire.chunks import Delta

__all__ = ["ask", "prompt", "text_of"]


def prompt(text: str, *, options: Mapping[str, Any] | None = None, **more: Any) -> Prompt:
    """Return a prompt; its options are a mapping."""
    return Prompt(text, options=Options(**(options or {})), **more)


def ask(
    session: Session, text: str, *, conversation: Conversation | None = None, **more: Any
) -> Exchange:
    """Return the exchange that asks `text`."""
    return session.ask(prompt(text, **more), conversation)


def text_of(events: Iterable[Event]) -> str:
    """Return the text of the answer that the events bring."""
    return "".join(event.content for event in events if isinstance(event, Delta))
