"""One question asked of many rows: ``%%copilot --map``, `map_prompts` and `imap_prompts`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

from executing import Source

from ..batch.batch import Batch
from ..batch.items import Items
from ..batch.job import Row
from ..batch.progress import Progress
from ..batch.question import Limits, Question
from ..batch.template import ITEM, Template
from ..chat.prompt import Options
from ..errors import UsageError
from .asking import is_written_in, notebook_of
from .hints import with_hints
from .interrupts import stop_first
from .namespace import Namespace
from .prompting import answer_type
from .shell import Notebook, current_shell

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["batch_of", "imap_prompts", "map_prompts", "question_of"]

# Rows of `imap_prompts` that may wait for one before them.
_WINDOW = 1_000


def map_prompts(
    template: str,
    items: Iterable[Any],
    *,
    as_: Any = None,
    system: str = "",
    model: str | None = None,
    provider: str | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    max_workers: int = 8,
    executor: Executor | None = None,
    requests_per_minute: float | None = None,
    tokens_per_minute: float | None = None,
    max_tokens_total: int | None = None,
    retries: int | None = None,
    resume: bool = True,
    first: int | None = None,
    progress: bool = True,
    dry_run: bool = False,
) -> Batch:
    """Ask the same question about every item, several at once, and return all the answers.

    The answers are kept, so the same call after an interrupt or a failure asks only what is
    missing. Equal items are asked about once; empty ones (None, NaN) are left out.

    Args:
        template: The question. ``{{item}}`` stands for the item, ``{{item["review"]}}`` for one
            value of it; without either, the item follows the question. Other expressions stand
            for your variables if the template is written out in the call.
        items: A list, a Series, a DataFrame (a dict a row), or any other iterable.
        as_: The type of the answers, such as ``int`` or ``Literal["good", "bad"]``.
        system: The system message; by default that of the settings.
        model: The model to ask; ``provider``, ``temperature`` and ``max_tokens`` likewise.
        max_workers: How many prompts may be on their way at once.
        executor: Runs the workers elsewhere, such as Dask's ``client.get_executor()``. They need
            this package, and take the API key from their own environment.
        requests_per_minute: Most requests a minute over all workers; ``tokens_per_minute`` too.
        max_tokens_total: Most tokens in all; what is left then is not asked about.
        retries: How often a prompt that failed is asked again; by default as the settings say.
        resume: Use the answers that are kept from earlier calls.
        first: Ask about the first so many items only, to try a question.
        progress: Show a progress bar.
        dry_run: Ask nothing; the batch then says how many prompts and tokens it would take.

    Raises:
        UsageError: An argument or a setting cannot be used, or the first item cannot be asked
            about. What fails later is the error of its item, in ``.errors``.
        KeyboardInterrupt: It was interrupted; in a notebook, ``_batch`` has what is done.
    """
    notebook, question = _question(
        template,
        sys._getframe(1),
        as_=as_,
        system=system,
        options=Options(model, provider, temperature, max_tokens),
        limits=_limits(
            max_workers, requests_per_minute, tokens_per_minute, max_tokens_total, retries
        ),
        executor=executor,
        resume=resume,
    )
    batch = batch_of(notebook, question, Items(items, first), progress=progress)
    with with_hints():
        if dry_run:
            batch.preview()
        else:
            batch.ask()
    return batch


def imap_prompts(
    template: str,
    items: Iterable[Any],
    *,
    as_: Any = None,
    system: str = "",
    model: str | None = None,
    provider: str | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    max_workers: int = 8,
    executor: Executor | None = None,
    requests_per_minute: float | None = None,
    tokens_per_minute: float | None = None,
    max_tokens_total: int | None = None,
    retries: int | None = None,
    resume: bool = True,
    first: int | None = None,
    progress: bool = True,
) -> Iterator[Row]:
    """Ask the same question about every item of a stream, and yield each with its answer.

    The items may be any number: they are read as they are needed, and no more than some thousand
    are held at a time. The arguments are those of `map_prompts`.

    Yields:
        For each item, in order, a tuple of ``item``, ``answer`` and ``error``.

    Raises:
        UsageError: An argument or a setting cannot be used, or the first item cannot be
            asked about.
        PromptError: Something happened that every further prompt would meet, such as a key that
            is not valid.
    """
    notebook, question = _question(
        template,
        sys._getframe(1),
        as_=as_,
        system=system,
        options=Options(model, provider, temperature, max_tokens),
        limits=_limits(
            max_workers, requests_per_minute, tokens_per_minute, max_tokens_total, retries
        ),
        executor=executor,
        resume=resume,
    )
    items = Items(items, first)
    bar = partial(Progress, items.total, shown=progress, publish=notebook.publisher)
    return _rows(question, items, bar)


def _rows(question: Question, items: Items, open_bar: Callable[[], Progress]) -> Iterator[Row]:
    with closing(open_bar()) as bar:
        run = question.run(items, bar, window=max(_WINDOW, 2 * question.limits.max_workers))
        yield from run.rows()
        if run.fatal is not None:
            raise run.fatal


def _limits(*values: Any) -> dict[str, Any]:
    names = (
        *("max_workers", "requests_per_minute", "tokens_per_minute", "max_tokens_total"),
        "retries",
    )
    return dict(zip(names, values, strict=True))


def _question(template: str, caller: FrameType, **how: Any) -> tuple[Notebook, Question]:
    """Return the notebook, and the question that a caller of `map_prompts` asks."""
    if not template.strip():
        raise UsageError("The template is empty", "Write what you want to know")
    shell = current_shell()
    notebook = notebook_of(shell)[0].up_to_date()
    is_cell = shell is not None and caller.f_locals is shell.user_ns
    local = None if is_cell else caller.f_locals
    namespace = Namespace.of_shell(shell) if is_cell else Namespace(caller.f_globals, local)
    expand = is_written_in(Source.executing(caller).node, template)
    return notebook, question_of(notebook, template, namespace=namespace, expand=expand, **how)


def question_of(
    notebook: Notebook,
    template: str,
    *,
    namespace: Namespace,
    expand: bool,
    as_: Any,
    system: str,
    options: Options,
    limits: dict[str, Any],
    executor: Executor | None = None,
    resume: bool = True,
) -> Question:
    """Return a question, asked with the settings of `notebook`.

    Args:
        notebook: The notebook that asks.
        template: The words.
        namespace: The variables that expressions can name.
        expand: Evaluate the expressions in the words; if not, only names and keys of the item are
            looked up.
        as_: The type of the answers, its source, or None.
        system: The system message; the settings' if it is empty.
        options: What goes into the requests.
        limits: The fields of `Limits` that are given.
        executor: Who runs the workers, or None.
        resume: Use the answers of earlier runs.

    Raises:
        UsageError: One of them cannot be used.
    """
    settings = notebook.session.settings
    wanted = answer_type(as_, namespace)
    words = Template(
        template,
        namespace,
        notebook.masker(namespace.variables) if settings.mask_secrets else None,
        instruction=wanted.instruction if wanted is not None else "",
        system=system or settings.system,
        evaluate=namespace.evaluator(ITEM) if expand else None,
    )
    limits = {"retries": settings.retries} | {
        name: value for name, value in limits.items() if value is not None
    }
    return Question(
        words,
        settings,
        options,
        wanted=wanted,
        limits=Limits(**limits),
        executor=executor,
        resume=resume,
    )


def batch_of(
    notebook: Notebook, question: Question, items: Items, *, progress: bool = True
) -> Batch:
    """Return a batch that has not begun; it is in ``_batch``, however it ends."""
    batch: Batch
    guard = partial(stop_first, message=lambda: _interrupted(batch))
    batch = Batch(question, items, progress=progress, publish=notebook.publisher, guard=guard)
    notebook.assign("_batch", batch)
    return batch


def _interrupted(batch: Batch) -> str:
    answered = sum(answer is not None for answer in batch.answers)
    return f": {answered:,} of {len(batch):,} answered; run it again for the others"
