"""The jobs that wait to be sent: those that may go out now, and those whose time comes later."""

from __future__ import annotations

import heapq
import math
import time
from collections import deque
from itertools import count

from .job import Job

__all__ = ["JobQueue"]


class JobQueue:
    """Jobs in the order in which they should go out."""

    def __init__(self) -> None:
        self._ready: deque[Job] = deque()
        self._later: list[tuple[float, int, Job]] = []
        self._numbers = count()  # two jobs may be due at the same moment

    def __len__(self) -> int:
        return len(self._ready) + len(self._later)

    @property
    def first(self) -> Job | None:
        """Return the job that goes out next; None if none may go out now."""
        while self._later and self._later[0][0] <= time.monotonic():
            self._ready.appendleft(heapq.heappop(self._later)[2])
        return self._ready[0] if self._ready else None

    @property
    def ready(self) -> int:
        """Return how many may go out now."""
        return len(self._ready)

    def add(self, job: Job) -> None:
        """Add a job at the end."""
        self._ready.append(job)

    def put_back(self, job: Job) -> None:
        """Put a job back at the front."""
        self._ready.appendleft(job)

    def put_off(self, job: Job, seconds: float) -> None:
        """Add a job that must not go out until `seconds` from now."""
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._numbers), job))

    def pop(self) -> Job:
        """Take out the first job."""
        return self._ready.popleft()

    def clear(self) -> None:
        """Forget all jobs."""
        self._ready.clear()
        self._later.clear()

    def until_due(self) -> float:
        """Return the seconds until the next job that was put off is due; infinite without one."""
        return self._later[0][0] - time.monotonic() if self._later else math.inf
