"""One distinct prompt of a batch: what it asks, how often it was tried, and the result."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..chat.prompt import Content, Message, Options, Prompt, text_of
from ..errors import CopilotError
from ..settings import Settings
from ..wire.dialect import Dialect
from ..wire.request import make_request, providers_of

__all__ = ["Form", "Job", "Row"]

# Characters of English that make a token, about.
_PER_TOKEN = 4


class Row(NamedTuple):
    """One row of a batch, answered or not.

    Attributes:
        item: The row.
        answer: The answer, or its typed value; None if there is none.
        error: Why there is none; None also for an empty row, which is not asked about.
    """

    item: Any
    answer: Any = None
    error: CopilotError | None = None


@dataclass(eq=False)
class Job:
    """One distinct prompt, which may be that of many rows.

    Attributes:
        key: The key of its exact request.
        content: What it asks.
        rows: The positions of the rows that ask it.
        tokens: About how many tokens it has.
        tries: How often it has failed.
        refusals: How often the server has refused it because there were too many.
        provider: Which of the providers is asked next.
        schema: What its answer must fit, if that has changed for the second try.
        repaired: Its answer did not fit the type, and it is asked for the second time.
    """

    key: str
    content: Content
    rows: list[int]
    tokens: int
    tries: int = 0
    refusals: int = 0
    provider: int = 0
    schema: Mapping[str, Any] | None = None
    repaired: bool = False
    # The result.
    done: bool = field(default=False, init=False)
    value: Any = field(default=None, init=False)
    error: CopilotError | None = field(default=None, init=False)

    def finish(self, value: Any = None, error: CopilotError | None = None) -> None:
        """Record its result; it is not asked again."""
        self.done, self.value, self.error = True, value, error


class Form:
    """What all requests of a batch have in common.

    Args:
        settings: Where and how to ask.
        options: What the batch sets for itself.
        system: The system message, or an empty string.
        schema: What the answers must fit, or None.

    Attributes:
        common: The fields that are the same in all requests.
        providers: Whom to ask, one after the other if one fails.
    """

    def __init__(
        self,
        settings: Settings,
        options: Options,
        *,
        system: str = "",
        schema: Mapping[str, Any] | None = None,
    ) -> None:
        self.providers = providers_of(options, settings)
        body = make_request(
            Prompt("", options=options, schema=schema),
            [],
            system=system,
            conversation_id="",
            settings=settings,
            provider=self.providers[0],
            dialect=Dialect(),
        ).body
        self._before: list[Message] = body["messages"][:-1]
        own = ("messages", "conversation_id", "provider", "stream")
        self.common = {name: value for name, value in body.items() if name not in own}
        asked = json.dumps(
            [self.common, self.providers[0], self._before], sort_keys=True, separators=(",", ":")
        )
        self._hash = hashlib.sha256(asked.encode("ascii"))

    def job(self, content: Content, row: int) -> Job:
        """Return the job that asks `content` for the row at a position."""
        hashed = self._hash.copy()
        hashed.update(json.dumps(content).encode("ascii"))
        return Job(hashed.hexdigest(), content, [row], len(text_of(content)) // _PER_TOKEN + 1)

    def request(self, job: Job) -> dict[str, Any]:
        """Return the fields in the request that are the job's own."""
        own: dict[str, Any] = {
            "provider": self.providers[job.provider],
            "messages": [*self._before, {"role": "user", "content": job.content}],
            "conversation_id": f"{random.getrandbits(128):032x}",
        }
        if job.schema is not None:
            own["response_format"] = {"type": "json_schema", "json_schema": dict(job.schema)}
        return own
