"""One run of a batch: rows in, prompts out to the workers, answers back in the order of the rows.

All decisions are made here, in the thread that wants the answers: what to ask next, what to ask
again, when to wait. Workers make one try and report. So limits hold over all of them, and a
worker that dies costs only what it had in hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any

from ..chat.completion import Completion
from ..errors import (
    CopilotError,
    PromptError,
    RateLimitError,
    TokenLimitError,
    UsageError,
    WorkerError,
)
from ..text import one_line
from .job import Form, Job, Row
from .kept import KeptAnswers
from .pace import Pace, Ticket
from .policy import MAX_REFUSALS, Verdict, retry_delay, verdict
from .queue import JobQueue
from .reading import Reader
from .rows import Rows
from .watcher import Watcher
from .worker import Outcome
from .workers import Workers

__all__ = ["Run"]

# The same failure of so many rows, and no answer at all, ends a run.
_SAME_FAILURES = 20
# Longest wait in seconds: Windows sees no interrupt while it waits.
_LOOK_INTERVAL = 1.0


class Run:
    """A batch on its way.

    Args:
        rows: The rows, and what is asked about each.
        form: What all requests have in common.
        workers: Who asks.
        pace: When the next prompt may go out.
        watcher: Who shows how far it is.
        reader: Reads the answers.
        retries: How often a prompt is asked again.
        kept: The answers of earlier runs, to which those of this one are added.

    Attributes:
        asked: How many requests went out.
        known: How many distinct prompts the journal had answered already.
        distinct: How many distinct prompts there are so far.
        fatal: Why the run ended before all rows were asked about, or None.
    """

    def __init__(
        self,
        rows: Rows,
        form: Form,
        workers: Workers,
        pace: Pace,
        watcher: Watcher,
        kept: KeptAnswers,
        reader: Reader,
        *,
        retries: int = 2,
    ) -> None:
        self.asked = self.known = self.distinct = 0
        self.fatal: CopilotError | None = None
        self._rows = rows
        self._form = form
        self._workers = workers
        self._pace = pace
        self._watcher = watcher
        self._kept = kept
        self._reader = reader
        self._retries = retries
        self._queue = JobQueue()
        self._on_their_way: dict[int, tuple[Job, Ticket]] = {}
        self._numbers = count()
        self._ended: SimpleQueue[tuple[list[int], Future[list[Outcome]]] | None] = SimpleQueue()
        self._stopped = False
        self._answered = False
        self._failures: Counter[str] = Counter()

    @property
    def usage(self) -> Counter[str]:
        """Return the tokens used, as the servers counted them."""
        return self._reader.usage

    @property
    def notes(self) -> list[str]:
        """Return what the reader should know."""
        return self._kept.notes

    def stop(self) -> None:
        """End the run, from any thread or a signal's handler; what is done is kept."""
        self._stopped = True
        self._ended.put(None)

    def rows(self) -> Iterator[Row]:
        """Yield the rows with their answers, in order, as they are done.

        After `stop`, or a failure that every prompt would meet, it ends early.

        Raises:
            UsageError: The settings do not allow asking, or the first row cannot be asked about.
        """
        try:
            while not self._stopped:
                self._read()
                self._send()
                yield from self._rows.finished()
                if self._is_over():
                    return
                self._take(self._patience())
        finally:
            self._workers.stop()
            # What has arrived meanwhile is kept.
            with suppress(CopilotError):
                self._take(0.0)
            self._kept.close()

    def unfinished(self) -> Iterator[tuple[int, Row]]:
        """Yield the rows that `rows` did not, with their positions, answered or not."""
        for position, item, job in self._rows.waiting():
            yield position, Row(item, job.value, job.error or (None if job.done else self.fatal))

    def _is_over(self) -> bool:
        if self._on_their_way:
            return False
        if self.fatal is not None:
            return True
        return self._rows.all_read and not self._queue

    def _patience(self) -> float:
        """Return the seconds to wait for an answer before something else may be due."""
        if self._can_read():
            return 0.0
        waits = [_LOOK_INTERVAL, self._queue.until_due()]
        if job := self._queue.first:
            waits.append(self._pace.delay(job.tokens))
        return max(0.0, min(waits))

    def _read(self) -> None:
        """Read rows until there is enough to do, or the window is full."""
        while self._can_read():
            jobs = self._rows.read(self._workers.capacity)
            self.distinct += len(jobs)
            known = self._kept.find([job.key for job in jobs])
            for job in jobs:
                try:
                    value = self._reader.value_of(known[job.key])
                except (KeyError, ValueError):
                    self._queue.add(job)
                    continue
                self.known += 1
                self._answered = True
                self._finish(job, value, known=True)

    def _can_read(self) -> bool:
        enough = self._queue.ready > self._workers.capacity // 2
        return not enough and self.fatal is None and self._rows.can_read

    # Prompts out

    def _send(self) -> None:
        """Send what may go out now."""
        if self.fatal is not None:
            self._queue.clear()
        while self._queue.first and self.fatal is None:
            requests: list[tuple[int, dict[str, Any]]] = []
            while len(requests) < self._workers.task_size and (job := self._queue.first):
                if self._pace.exhausted(job.tokens):
                    self._spent()
                    break
                if self._pace.delay(job.tokens) > 0:
                    break
                self._queue.pop()
                number = next(self._numbers)
                self._on_their_way[number] = (job, self._pace.begin(job.tokens))
                requests.append((number, self._form.request(job)))
            if not requests:
                return
            self._submit(requests)

    def _submit(self, requests: list[tuple[int, dict[str, Any]]]) -> None:
        numbers = [number for number, _ in requests]
        try:
            future = self._workers.submit(self._form.common, requests)
        except Exception as error:  # noqa: BLE001  (the executor may be anybody's)
            reason = one_line(f"{type(error).__name__}: {error}")
            self.fatal = WorkerError(
                f"The executor takes no more work: {reason}", "Start another executor"
            )
            for number in numbers:
                self._pace.end(self._on_their_way.pop(number)[1], 0, failed=True)
            return
        future.add_done_callback(lambda ended: self._ended.put((numbers, ended)))

    def _spent(self) -> None:
        self.fatal = TokenLimitError(
            "The batch has used as many tokens as it may", "Raise max_tokens_total to go on"
        )

    # Answers back

    def _take(self, patience: float) -> None:
        """Take all that has ended by now, waiting for the first; keep the answers together."""
        answers: dict[str, Completion] = {}
        try:
            ended = self._ended.get(timeout=patience)
            while True:
                for outcome in () if ended is None else _outcomes(*ended):
                    self._settle(outcome, answers)
                ended = self._ended.get_nowait()
        except Empty:
            pass
        finally:
            self._kept.keep(answers)

    def _settle(self, outcome: Outcome, answers: dict[str, Completion]) -> None:
        job, ticket = self._on_their_way.pop(outcome.number)
        if not outcome.asked or (self._stopped and outcome.error is not None):
            self._pace.end(ticket, 0, failed=True)
            self._queue.put_back(job)
            return
        self.asked += 1
        if outcome.completion is None:
            assert outcome.error is not None
            self._fail(job, ticket, outcome.error)
            return
        used = self._reader.count(outcome.completion)
        self._pace.end(ticket, used)
        try:
            value = self._reader.value_of(outcome.completion)
        except ValueError as problem:
            misfit = self._reader.repair(job, outcome.completion, str(problem))
            if misfit is None:
                self._queue.put_back(job)
            else:
                self._finish(job, error=misfit)
            return
        answers[job.key] = outcome.completion
        self._answered = True
        self._finish(job, value, tokens=used or 0)

    def _fail(self, job: Job, ticket: Ticket, error: PromptError) -> None:
        what = verdict(error)
        if isinstance(error, RateLimitError) and what is Verdict.SLOW_DOWN:
            job.refusals += 1
            self._pace.refuse(ticket, error.retry_after)
            self._watcher.waiting(self._pace.paused(), error.message)
            if job.refusals <= MAX_REFUSALS:
                self._queue.put_back(job)
                return
        else:
            self._pace.end(ticket, 0, failed=True)  # what fails costs nothing, as a rule
        if what is Verdict.AGAIN or what is Verdict.UNREACHABLE:
            if job.provider + 1 < len(self._form.providers) and what is Verdict.AGAIN:
                job.provider += 1
                self._queue.put_back(job)
                return
            job.tries += 1
            if job.tries <= self._retries:
                self._ask_later(job, error, all_wait=what is Verdict.UNREACHABLE)
                return
        if what is Verdict.STOP or what is Verdict.UNREACHABLE:
            self.fatal = self.fatal or error
        self._finish(job, error=error)

    def _ask_later(self, job: Job, error: PromptError, *, all_wait: bool) -> None:
        job.provider = 0
        delay = retry_delay(error, job.tries)
        self._queue.put_off(job, delay)
        if all_wait:
            self._pace.pause(delay)
            self._watcher.waiting(delay, error.message)

    def _finish(
        self,
        job: Job,
        value: Any = None,
        *,
        error: CopilotError | None = None,
        known: bool = False,
        tokens: int = 0,
    ) -> None:
        job.finish(value, error)
        for _ in job.rows:
            self._watcher.advance(failed=error is not None, known=known, tokens=tokens)
            tokens = 0
        if error is not None and not self._answered:
            self._failures[f"{type(error).__name__}: {error.message}"] += 1
            if self._failures.total() == max(self._failures.values()) >= _SAME_FAILURES:
                self.fatal = self.fatal or error


def _outcomes(numbers: list[int], ended: Future[list[Outcome]]) -> list[Outcome]:
    """Return the outcomes of the prompts of a task.

    Raises:
        UsageError: The settings do not allow asking: all other prompts would meet the same.
    """
    try:
        return ended.result()
    except UsageError:
        raise
    except BaseException as error:  # noqa: BLE001  (what a worker dies of may be anything)
        reason = one_line(f"{type(error).__name__}: {error}")
        died = WorkerError(f"The worker ended before it answered: {reason}", "Ask again")
        return [Outcome(number, error=died) for number in numbers]
