"""What the conversation file lacks of the conversations in memory."""

from __future__ import annotations

__all__ = ["Missed"]


class Missed:
    """Which conversations a file has wholly, and the turns of which a write failed."""

    def __init__(self) -> None:
        self._whole: dict[str, int] = {}
        self._turns: dict[str, dict[str, str | None]] = {}

    def add(self, conversation_id: str, turn_id: str, replaces: str | None = None) -> None:
        """Note that a turn, which may have replaced another one, could not be written."""
        turns = self._turns.setdefault(conversation_id, {})
        turns[turn_id] = replaces or turns.get(turn_id)

    def settle(self, conversation_id: str, generation: int, written: dict[str, str | None]) -> None:
        """Note that this generation of the file has all of a conversation.

        Args:
            conversation_id: The conversation.
            generation: Which file it is; see `Database`.
            written: What `turns` returned before it was written; what was missed since stays.
        """
        self._whole[conversation_id] = generation
        turns = self._turns.get(conversation_id, {})
        for turn_id in written:
            turns.pop(turn_id, None)

    def turns(self, conversation_id: str) -> dict[str, str | None]:
        """Return the turns that were missed, by id, and which turn each one replaced."""
        return dict(self._turns.get(conversation_id, {}))

    def is_whole(self, conversation_id: str, generation: int) -> bool:
        """Say whether this generation of the file has all of a conversation."""
        return (
            not self._turns.get(conversation_id) and self._whole.get(conversation_id) == generation
        )

    def distrust(self, conversation_id: str) -> None:
        """Note that the file may lack turns that were written to it."""
        self._whole.pop(conversation_id, None)

    def clear(self) -> None:
        """Note that nothing is known of the file."""
        self._whole.clear()
