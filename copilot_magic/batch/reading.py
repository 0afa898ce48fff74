"""The answers of a batch as their text, or as a value of the type that is wanted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ..chat.answer import Answer
from ..chat.completion import Completion
from ..chat.prompt import content_of, parts_of, text_of
from ..context.typed.second_try import asked_again
from ..errors import TypedAnswerError
from .job import Job

if TYPE_CHECKING:
    from ..context.typed.answer_type import AnswerType

__all__ = ["Reader"]

_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")


class Reader:
    """Reads the answers of a batch and counts their tokens.

    Args:
        wanted: The type of the answers, or None.

    Attributes:
        usage: The tokens used, as the servers counted them.
    """

    def __init__(self, wanted: AnswerType | None = None) -> None:
        self.usage: Counter[str] = Counter()
        self._wanted = wanted

    def value_of(self, completion: Completion) -> Any:
        """Return an answer as users get it, or its value if a type is wanted.

        Raises:
            ValueError: It is not of that type.
        """
        if self._wanted is None:
            return _answer_of(completion)
        return self._wanted.parse(completion.content)

    def count(self, completion: Completion) -> int | None:
        """Count the tokens of an answer and return how many; None if the server has not said."""
        usage = completion.usage or {}
        counts = {name: usage.get(name) for name in _COUNTS}
        self.usage.update({n: value for n, value in counts.items() if isinstance(value, int)})
        total = counts["total_tokens"]
        return total if isinstance(total, int) else None

    def repair(self, job: Job, completion: Completion, problem: str) -> TypedAnswerError | None:
        """Let a job ask once more for an answer that fits; return the error if it already has."""
        assert self._wanted is not None
        if job.repaired:
            return self._wanted.misfit(problem)
        job.repaired = True
        asked = text_of(job.content)
        again, job.schema = asked_again(asked, completion.content, problem, self._wanted)
        job.content = content_of(again, parts_of(job.content))
        return None


def _answer_of(completion: Completion) -> Answer:
    answer = Answer(completion.content)
    answer.usage = completion.usage
    answer.model = completion.model
    answer.provider = completion.provider
    answer.finish_reason = completion.finish_reason
    answer.status = "complete"
    answer.reasoning = completion.reasoning
    answer.elapsed = completion.elapsed
    answer.first_token = None
    answer.conversation_id = ""
    return answer
