"""The answer as users get it: a string that knows where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..markdown.render import CodeBlock
    from .turn import Status, Turn

__all__ = ["Answer"]


class Answer(str):
    """The text of an answer, and what is known about it.

    Attributes:
        usage: Token counts as the server sent them, or None.
        model: The model that answered.
        provider: The provider that answered.
        finish_reason: As the server said: ``stop``, ``length``, …, or None.
        status: ``complete``, ``interrupted`` or ``failed``.
        reasoning: What the model thought aloud.
        elapsed: Seconds the answer took.
        first_token: Seconds to its first token, or None.
        conversation_id: The conversation it belongs to.
    """

    usage: Mapping[str, Any] | None
    model: str
    provider: str
    finish_reason: str | None
    status: Status
    reasoning: str
    elapsed: float
    first_token: float | None
    conversation_id: str
    _shown: bool = False

    @classmethod
    def of(cls, turn: Turn, conversation_id: str) -> Answer:
        """Return the answer of `turn`."""
        answer = cls(turn.answer)
        answer.usage = turn.usage
        answer.model = turn.model
        answer.provider = turn.provider
        answer.finish_reason = turn.finish_reason
        answer.status = turn.status
        answer.reasoning = turn.reasoning
        answer.elapsed = turn.elapsed
        answer.first_token = turn.first_token
        answer.conversation_id = conversation_id
        return answer

    @property
    def done(self) -> bool:
        """Return True: it has ended, which a `PendingAnswer` may not have."""
        return True

    def wait(self, timeout: float | None = None) -> Answer:
        """Return this answer, as a `PendingAnswer` does when it has ended."""
        return self

    @property
    def markdown(self) -> str:
        """Return the answer's Markdown source as a plain ``str``."""
        return str.__str__(self)

    @property
    def code(self) -> list[CodeBlock]:
        """Return the answer's code blocks, each a ``str`` with a ``language``."""
        from ..markdown.render import code_blocks

        return code_blocks(self.markdown)

    def _ipython_display_(self) -> None:
        """Show nothing if the cell has just shown it; else leave it to the MIME bundle."""
        if not self._shown:
            raise NotImplementedError

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Show the answer rendered; IPython's own ``Markdown`` would run what is in it."""
        from ..markdown.render import bundle

        return bundle(self.markdown)
