"""The turns of a conversation as a panel's front end shows them, complete or on their way."""

from __future__ import annotations

from collections.abc import Sequence

from ...chat.turn import Turn
from ...text import count_of, printable
from ...views.cell import RENDERED
from ...views.view import Footer
from .growing import Growing, Message

__all__ = ["LiveTurn", "turn_state"]


def turn_state(turn: Turn, error: Sequence[str] = ()) -> Message:
    """Return what the front end shows of a turn besides its answer and its reasoning.

    Args:
        turn: The turn.
        error: The lines of its error, if more is known than the turn says: what happened first,
            then what to do about it.
    """
    footer = Footer.of(turn)
    failed = turn.status == "failed"
    said = list(error) or ([turn.error] if turn.error else ["There was no answer"])
    state = {
        "id": turn.id,
        "prompt": printable(turn.prompt),
        "attached": [str(thing.get("name", "")) for thing in turn.objects] or _kinds(turn),
        "status": turn.status,
        "facts": footer.facts,
        "marks": footer.marks,
        "error": said if failed else [],
    }
    if turn.status != "streaming":
        state["source"] = printable(turn.answer)
    return state


def _kinds(turn: Turn) -> list[str]:
    """Return a name for each part of a prompt whose parts have no names."""
    return ["picture" if part.get("type") == "image_url" else "part" for part in turn.parts]


class LiveTurn:
    """A turn whose answer is on its way, as the front end has it.

    Args:
        turn: The turn.
        remote_images: Show images from the web; otherwise they are links.
    """

    def __init__(self, turn: Turn, *, remote_images: bool) -> None:
        self.turn = turn
        self.is_dirty = True
        self.has_ended = False
        self.error: Sequence[str] = ()
        self._answer = Growing(remote_images=remote_images)
        self._reasoning = Growing(remote_images=remote_images)

    @property
    def is_sent(self) -> bool:
        """Say whether the turn has ended, and all of it but its last state was sent."""
        return self.has_ended and self._answer.is_sent and self._reasoning.is_sent

    def restart(self) -> None:
        """Send everything again."""
        self._answer.restart()
        self._reasoning.restart()
        self.is_dirty = True

    def finish(self, error: Sequence[str]) -> None:
        """Take the whole answer: the turn has ended."""
        self._answer.finish(self.turn.answer)
        self._reasoning.finish(self.turn.reasoning)
        self.has_ended = self.is_dirty = True
        self.error = error

    def change(self) -> Message:
        """Return a message with what has changed since the last one; empty if nothing."""
        if not self.has_ended:
            self.is_dirty = False
            self._answer.take(self.turn.answer)
            self._reasoning.take(self.turn.reasoning)
        message: Message = {}
        for name, growing in (("answer", self._answer), ("reasoning", self._reasoning)):
            if change := growing.change():
                message[name] = change
        if message:
            # There may be more than one message takes.
            self.is_dirty = True
            message |= {"kind": "grow", "id": self.turn.id}
        return message

    def final_state(self) -> Message:
        """Return the message that ends the turn."""
        state = turn_state(self.turn, self.error)
        hidden = len(self.turn.answer) - RENDERED
        if hidden > 0:
            note = f"the last {count_of(hidden, 'character')} are kept, not shown"
            state["marks"] = [*state["marks"], note]
        return {"kind": "end", **state}
