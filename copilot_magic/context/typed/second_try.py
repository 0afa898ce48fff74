"""The second try for an answer that does not fit its type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...text import printable
from ..describe.description import cut_middle
from ..gather import Attachment

if TYPE_CHECKING:
    from .answer_type import AnswerType

__all__ = ["asked_again"]

# Characters of an answer that did not fit which are sent back with the reason.
_SENT_BACK = 1_000


def asked_again(
    asked: str, answer: str, problem: str, wanted: AnswerType
) -> tuple[str, dict[str, Any]]:
    """Return the words that ask once more, and the ``json_schema`` that goes with them.

    Args:
        asked: What was asked.
        answer: The answer that did not fit.
        problem: What does not fit.
        wanted: The type.
    """
    before = cut_middle(printable(answer), _SENT_BACK)[0]
    correction, schema = wanted.repair(problem)
    said = [asked, Attachment("You answered before:", before).block(), correction]
    return "\n\n".join(said), schema
