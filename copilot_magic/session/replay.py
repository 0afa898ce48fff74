"""Stored answers to exactly the same request: found, replayed as events, and kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..chat.turn import Turn
from ..errors import StoreError
from ..settings import Settings
from ..wire.chunks import Delta
from .storage import Storage

if TYPE_CHECKING:
    from ..store.replay import ReplayFile

__all__ = ["events_of", "find_answer", "keep_answer"]


def find_answer(key: str, settings: Settings, storage: Storage) -> Turn | None:
    """Return the stored turn that answered this request, or None.

    Args:
        key: The request, as from `wire.request.request_key`.
        settings: They may name a replay file, which is read before the conversation file.
        storage: The conversation file.

    Raises:
        StoreError: The replay file cannot be used.
    """
    file = _replay_file(settings)
    found = file.answer_to(key) if file is not None else None
    return found or storage.read(lambda store: store.answer_to(key), None)


def keep_answer(key: str, turn: Turn, settings: Settings, storage: Storage) -> list[str]:
    """Keep the answer of `turn` for the next time; return notes on what went wrong."""
    notes = storage.write(lambda store: store.keep_answer(key, turn.id))
    file = _replay_file(settings)
    if file is not None:
        try:
            file.keep(key, turn)
        except StoreError as error:
            notes.append(f"the answer is not kept for replay: {error}")
    return notes


def events_of(stored: Turn) -> Iterator[Delta]:
    """Yield the events that replay a stored answer."""
    if stored.reasoning:
        yield Delta(reasoning=stored.reasoning)
    yield Delta(content=stored.answer)
    yield Delta(
        finish_reason=stored.finish_reason,
        usage=stored.usage,
        model=stored.model or None,
        provider=stored.provider or None,
    )


def _replay_file(settings: Settings) -> ReplayFile | None:
    if not isinstance(settings.replay, str):
        return None
    from ..store.replay import ReplayFile

    return ReplayFile(settings.replay)
