"""The answers of a batch, in the order of its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from importlib import import_module
from typing import Any, overload

from ..errors import CopilotError, UsageError
from .columns import plain, series_of
from .items import Items, is_missing
from .job import Row
from .notebook_bar import Publish
from .progress import Progress
from .question import Plan, Question
from .run import Run
from .summary import html_of, summary_of

__all__ = ["Batch"]

Guard = Callable[[Callable[[], None]], AbstractContextManager[None]]
"""Returns a context in which an interrupt calls the given function, and is raised at its end."""


class Batch(Sequence[Any]):
    """The answers of a batch: a sequence with one element for each row, in order.

    Args:
        question: What is asked.
        items: The rows.
        progress: Show a progress bar.
        publish: Shows that bar in a notebook; None elsewhere.
        guard: Handles interrupts while the prompts are on their way.

    Attributes:
        items: The rows.
        answers: For each row an `Answer`, or the typed value; None if there is none.
        errors: For each row why there is no answer, or None.
        known: How many distinct prompts earlier runs had answered already.
        asked: How many requests were made.
        stopped: Why it ended before all rows were asked about, or None.
        plan: With ``dry_run``, what would be asked; else None.
    """

    def __init__(
        self,
        question: Question,
        items: Items,
        *,
        progress: bool = True,
        publish: Publish | None = None,
        guard: Guard = lambda stop: nullcontext(),
    ) -> None:
        self.items: list[Any] = list(items)
        self.answers: list[Any] = [None] * len(self.items)
        self.errors: list[CopilotError | None] = [None] * len(self.items)
        self._notes: list[str] = []
        self.stopped: CopilotError | None = None
        self.plan: Plan | None = None
        self.known = self.asked = 0
        self._usage: Counter[str] = Counter()
        self._index = items.index
        self._is_polars = items.is_polars
        self._question = question
        self._open_progress = partial(Progress, shown=progress, publish=publish)
        self._guard = guard

    @property
    def usage(self) -> Mapping[str, int]:
        """Return the tokens used, as the server counted them, second tries included.

        Answers kept from earlier runs cost nothing.
        """
        return dict(self._usage)

    @property
    def notes(self) -> list[str]:
        """Return what the reader should know."""
        return [*self._question.template.notes, *self._notes]

    @property
    def failed(self) -> list[int]:
        """Return the positions of the rows that have no answer, though they were not empty."""
        return [
            position
            for position, answer in enumerate(self.answers)
            if answer is None
            and (self.errors[position] is not None or not is_missing(self.items[position]))
        ]

    def retry(self) -> Batch:
        """Ask again about the rows without an answer, and return this batch.

        Raises:
            UsageError: The settings do not allow asking.
        """
        self.ask(self.failed)
        return self

    def ask(self, positions: Iterable[int] | None = None) -> None:
        """Ask about the rows at `positions`; by default about all.

        Raises:
            UsageError: The settings do not allow asking, or the first row cannot be asked about.
            KeyboardInterrupt: It was interrupted; what is done is in here.
        """
        self.plan, self.stopped = None, None
        asked = range(len(self.items)) if positions is None else list(positions)
        with closing(self._open_progress(len(asked))) as progress:
            run = self._question.run([self.items[position] for position in asked], progress)
            with self._guard(run.stop):
                try:
                    for place, row in enumerate(run.rows()):
                        self._put(asked[place], row)
                finally:
                    self._end(run, asked)

    def preview(self) -> None:
        """Find out what would be asked, and ask nothing."""
        self.plan = self._question.plan(self.items)

    def frame(self) -> Any:
        """Return a DataFrame with the rows, their answers and errors.

        It has the index of the Series or DataFrame that the rows came from. Rows from Polars give
        a Polars DataFrame, all others one of pandas.

        Raises:
            UsageError: pandas is not installed.
        """
        columns: dict[str, Any] = self._columns()
        if self._is_polars:
            return import_module("polars").DataFrame(columns, strict=False)
        try:
            pandas = import_module("pandas")
        except ImportError:
            raise UsageError("pandas is not installed", "Install it: pip install pandas") from None
        columns["answer"] = series_of(columns["answer"], self._index)
        return pandas.DataFrame(columns, index=self._index)

    def _columns(self) -> dict[str, list[Any]]:
        if self.items and all(isinstance(item, dict) for item in self.items):
            names = dict.fromkeys(name for item in self.items for name in item)
            rows = {name: [item.get(name) for item in self.items] for name in names}
        else:
            rows = {"item": self.items}
        errors = [None if error is None else error.message for error in self.errors]
        return {**rows, "answer": [plain(answer) for answer in self.answers], "error": errors}

    def _put(self, position: int, row: Row) -> None:
        self.answers[position], self.errors[position] = row.answer, row.error

    def _end(self, run: Run, asked: Sequence[int]) -> None:
        """Record the results of a run that has ended."""
        for place, row in run.unfinished():
            self._put(asked[place], row)
        self.stopped = run.fatal
        if run.fatal is not None:
            for position in asked:
                if self.answers[position] is None and not is_missing(self.items[position]):
                    self.errors[position] = self.errors[position] or run.fatal
        self.known += run.known
        self.asked += run.asked
        self._usage.update(run.usage)
        self._notes += [note for note in run.notes if note not in self._notes]

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self.answers[index]

    def __len__(self) -> int:
        return len(self.answers)

    def __repr__(self) -> str:
        return f"<Batch: {summary_of(self)}>"

    def _repr_html_(self) -> str:
        return html_of(self)
