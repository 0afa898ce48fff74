"""The list of conversations: those of the file, and those in memory that the file lacks."""

from __future__ import annotations

from collections.abc import Sequence

from ..chat.conversation import Conversation
from ..store.rows import Summary
from ..text import contains
from .storage import Storage

__all__ = ["summaries"]


def summaries(
    storage: Storage, in_memory: Sequence[Conversation], search: str = ""
) -> list[Summary]:
    """Return what conversations there are, the last used first.

    Args:
        storage: The conversation file.
        in_memory: The conversations of this kernel, in the order in which they were made.
        search: Only those with this text in their name, a prompt or an answer.
    """
    nothing: list[Summary] = []
    stored = storage.read(lambda store: store.list(search), nothing)
    kept = {summary.conversation_id for summary in stored}
    unstored = [
        Summary.of(conversation)
        for conversation in reversed(in_memory)
        if conversation.conversation_id not in kept and _mentions(conversation, search)
    ]
    return [*unstored, *stored]


def _mentions(conversation: Conversation, search: str) -> bool:
    said = [conversation.name]
    for turn in list(conversation.turns):
        said += [turn.prompt, turn.answer]
    return any(contains(text, search) for text in said)
