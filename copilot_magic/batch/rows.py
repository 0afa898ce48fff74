"""The rows of a run: read as they are needed, asked about once if equal, handed out in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from ..errors import UsageError
from .items import is_missing
from .job import Form, Job, Row
from .template import Template
from .watcher import Watcher

__all__ = ["Rows"]

# Finished prompts that are remembered for equal rows to come, if memory is to be bounded.
_REMEMBERED = 10_000


class Rows:
    """The rows of a run, from the first reading to the last answer.

    Args:
        items: The rows.
        template: What is asked about each.
        form: Makes a job of it.
        watcher: Who shows the progress.
        window: How many rows may wait for their answers, or for that of one before them; None is
            no limit.

    Attributes:
        all_read: There are no further rows.
    """

    def __init__(
        self,
        items: Iterable[Any],
        template: Template,
        form: Form,
        watcher: Watcher,
        window: int | None = None,
    ) -> None:
        self.all_read = False
        self._items = enumerate(items)
        self._template = template
        self._form = form
        self._watcher = watcher
        self._window = window
        self._jobs: dict[str, Job] = {}
        self._waiting: dict[int, tuple[Any, Job]] = {}
        self._next = 0

    @property
    def can_read(self) -> bool:
        """Say whether there may be further rows, and room for them."""
        has_room = self._window is None or len(self._waiting) < self._window
        return has_room and not self.all_read

    def read(self, count: int) -> list[Job]:
        """Read up to `count` rows and return the jobs that are new.

        Raises:
            UsageError: The first row cannot be asked about; that of a later one is its error.
        """
        if self._window is not None:
            count = min(count, self._window - len(self._waiting))
        new: list[Job] = []
        taken = 0
        for position, item in islice(self._items, count):
            taken += 1
            job, is_new = self._job_of(position, item)
            self._waiting[position] = (item, job)
            if is_new:
                new.append(job)
            elif job.done:
                self._watcher.advance(failed=job.error is not None)
        self.all_read = taken < count
        self._forget_old()
        return new

    def finished(self) -> Iterator[Row]:
        """Hand out the rows that are done, up to the first that is not."""
        while (entry := self._waiting.get(self._next)) is not None and entry[1].done:
            item, job = self._waiting.pop(self._next)
            self._next += 1
            yield Row(item, job.value, job.error)

    def waiting(self) -> Iterator[tuple[int, Any, Job]]:
        """Yield the rows that were not handed out: position, row and job."""
        for position, (item, job) in self._waiting.items():
            yield position, item, job

    def _job_of(self, position: int, item: Any) -> tuple[Job, bool]:
        """Return the job of a row, and whether it is a new one that has to be asked."""
        if is_missing(item):
            return _settled(position), False
        try:
            job = self._form.job(self._template.content(item), position)
        except UsageError as error:
            if position == 0:
                raise
            return _settled(position, error), False
        known = self._jobs.setdefault(job.key, job)
        if known is job:
            return job, True
        known.rows.append(position)
        return known, False

    def _forget_old(self) -> None:
        if self._window is None:
            return
        surplus = len(self._jobs) - _REMEMBERED - self._window
        for key in list(islice(self._jobs, max(surplus, 0))):
            if self._jobs[key].done:
                del self._jobs[key]


def _settled(position: int, error: UsageError | None = None) -> Job:
    """Return the job of a row that is not asked about."""
    job = Job("", "", [position], 0)
    job.finish(error=error)
    return job
