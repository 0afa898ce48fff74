"""What a batch asks, of whom and within which limits; a run asks it about some rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from ..chat.prompt import Content, Options
from ..errors import UsageError
from ..settings import Settings
from .job import Form
from .kept import KeptAnswers
from .pace import Pace
from .reading import Reader
from .rows import Rows
from .run import Run
from .template import Template
from .watcher import Watcher
from .workers import ExecutorWorkers, Threads, Workers

if TYPE_CHECKING:
    from ..context.typed.answer_type import AnswerType

__all__ = ["Limits", "Plan", "Question"]

# Rows that are read together when nothing is sent.
_READ_TOGETHER = 1_000


@dataclass(frozen=True)
class Limits:
    """How fast a batch may go, and how far; None is no limit.

    Attributes:
        max_workers: How many prompts may be on their way at once, over all workers.
        requests_per_minute: Most requests a minute.
        tokens_per_minute: Most tokens a minute, questions and answers.
        max_tokens_total: Most tokens in all.
        retries: How often a prompt that failed is asked again.
    """

    max_workers: int = 8
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    max_tokens_total: int | None = None
    retries: int = 2

    def __post_init__(self) -> None:
        for name in ("max_workers", "requests_per_minute", "tokens_per_minute", "max_tokens_total"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"{name} must be more than 0, not {value!r}", "8 is a good start")
        if self.retries < 0:
            raise UsageError("retries must be 0 or more", "Leave it out to use the setting retries")


class Plan(NamedTuple):
    """What a run would do.

    Attributes:
        prompts: How many rows there are.
        distinct: How many different prompts they make.
        known: How many of those are answered already.
        tokens: About how many tokens the others have; their answers come on top.
        first: What the first prompt says, or None if there is none.
    """

    prompts: int
    distinct: int
    known: int
    tokens: int
    first: Content | None = None


class _Nobody:
    """A watcher that shows nothing."""

    def advance(self, *, failed: bool = False, known: bool = False, tokens: int = 0) -> None:
        """Show nothing."""

    def waiting(self, seconds: float, reason: str) -> None:
        """Show nothing."""


@dataclass(frozen=True)
class Question:
    """What a batch asks about each row, of whom, and within which limits.

    Attributes:
        template: The words.
        settings: Where and how to ask.
        options: What the batch sets for itself.
        wanted: The type of the answers, or None.
        limits: How fast and how far it may go.
        executor: Who runs the workers; None means threads of this process.
        resume: Use the answers of earlier runs.
    """

    template: Template
    settings: Settings
    options: Options = field(default_factory=Options)
    wanted: AnswerType | None = None
    limits: Limits = field(default_factory=Limits)
    executor: Executor | None = None
    resume: bool = True

    def run(
        self, items: Iterable[Any], watcher: Watcher | None = None, window: int | None = None
    ) -> Run:
        """Return a run that asks about `items`.

        Args:
            items: The rows.
            watcher: Who shows the progress.
            window: How many rows may wait to be handed out; None is no limit.
        """
        limits = self.limits
        watcher = watcher or _Nobody()
        workers = self._workers()
        pace = Pace(
            max_in_flight=workers.capacity,
            requests_per_minute=limits.requests_per_minute,
            tokens_per_minute=limits.tokens_per_minute,
            max_tokens_total=limits.max_tokens_total,
            max_tokens=self.options.max_tokens or self.settings.max_tokens,
        )
        form = self._form()
        return Run(
            Rows(items, self.template, form, watcher, window),
            form,
            workers,
            pace,
            watcher,
            KeptAnswers(self.settings.store, resume=self.resume),
            Reader(self.wanted),
            retries=limits.retries,
        )

    def plan(self, items: Iterable[Any]) -> Plan:
        """Return what a run about `items` would do; nothing is sent.

        Raises:
            UsageError: The first row cannot be asked about.
        """
        rows = Rows(items, self.template, self._form(), _Nobody())
        kept = KeptAnswers(self.settings.store, resume=self.resume)
        try:
            return _plan(rows, kept)
        finally:
            kept.close()

    @property
    def common(self) -> Mapping[str, Any]:
        """Return the fields that all requests have in common."""
        form = self._form()
        return {**form.common, "provider": form.providers[0]}

    def _form(self) -> Form:
        schema = None if self.wanted is None else self.wanted.response_format["json_schema"]
        system = self.template.system
        return Form(self.settings, self.options, system=system, schema=schema)

    def _workers(self) -> Workers:
        if self.executor is None:
            return Threads(self.settings, self.limits.max_workers)
        # A function that returns the key stays here; workers have their own environment.
        settings = replace(self.settings, get_api_key=None)
        return ExecutorWorkers(self.executor, settings, self.limits.max_workers)


def _plan(rows: Rows, kept: KeptAnswers) -> Plan:
    distinct = known = tokens = 0
    first = None
    while rows.can_read:
        jobs = rows.read(_READ_TOGETHER)
        found = kept.find([job.key for job in jobs])
        first = first or (jobs[0].content if jobs else None)
        distinct += len(jobs)
        known += len(found)
        tokens += sum(job.tokens for job in jobs if job.key not in found)
    return Plan(sum(1 for _ in rows.waiting()), distinct, known, tokens, first)
