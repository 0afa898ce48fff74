"""A cell that asks about many rows: ``%%copilot --map``."""

from __future__ import annotations

import ast
import json
from contextlib import suppress
from typing import Any

from ..batch.batch import Batch
from ..batch.columns import plain, series_of
from ..batch.items import Items
from ..batch.question import Question
from ..chat.prompt import text_of
from ..errors import UsageError
from ..text import count_of, one_line, without_credentials
from ..views.printing import say
from .arguments import PromptLine
from .mapping import batch_of, question_of
from .namespace import Namespace
from .shell import Notebook

__all__ = ["map_cell"]

# What makes no sense for many prompts, by the names of the options.
_FOR_ONE_PROMPT = (
    *("conversation", "new", "try_", "code", "image", "context", "error", "background", "raw"),
)


def map_cell(notebook: Notebook, text: str, line: PromptLine) -> None:
    """Ask what is in a cell about each row that ``--map`` names, and show the batch.

    Raises:
        UsageError: The line cannot be used.
        PromptError: No row has an answer, or the batch had to stop.
    """
    for name in _FOR_ONE_PROMPT:
        if getattr(line, name):
            option = f"--{name.rstrip('_')}"
            raise UsageError(f"{option} cannot be used with --map", f"Leave out {option}")
    namespace = notebook.namespace
    if line.into is not None:
        _check_target(line.into)
    source = namespace.evaluate(line.map_ or "")
    question = question_of(
        notebook,
        text,
        namespace=namespace,
        expand=True,
        as_=line.as_,
        system=line.system or "",
        options=line.options,
        limits={},
        resume=line.replay is not False,
    )
    batch = batch_of(notebook, question, Items(source, line.first))
    if line.out:
        notebook.assign(line.out, batch)
    if line.dry_run:
        batch.preview()
        say(_preview(question, batch))
        return
    try:
        batch.ask()
    finally:
        if line.into is not None and any(answer is not None for answer in batch.answers):
            _assign(namespace, line.into, batch, source)
        notebook.display(batch)
    failures = [error for error in batch.errors if error is not None]
    if batch.stopped is not None:
        raise batch.stopped
    if failures and not any(answer is not None for answer in batch.answers):
        raise failures[0]


def _check_target(target: str) -> None:
    """Check, before anything is asked, that a target can be assigned to."""
    with suppress(SyntaxError, ValueError):
        (statement,) = ast.parse(f"{target} = 0").body
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if len(targets) == 1 and isinstance(targets[0], (ast.Name, ast.Attribute, ast.Subscript)):
            return
    raise UsageError(
        f"{one_line(target, 80)} cannot be assigned to",
        'Give a variable or a column, such as df["label"]',
    )


def _assign(namespace: Namespace, target: str, batch: Batch, source: Any) -> None:
    """Assign the answers to a target; rows that were not asked about keep what they have there."""
    values: Any = [plain(answer) for answer in batch.answers]
    if (index := getattr(source, "index", None)) is not None and not callable(index):
        if len(values) < len(index):
            values += _present(namespace, target, len(index))[len(values) :]
        values = series_of(values, index)
    try:
        namespace.execute(f"{target} = __copilot_answers", __copilot_answers=values)
    except Exception as error:
        raise UsageError(
            f"The answers cannot be assigned to {one_line(target, 80)}: "
            f"{one_line(f'{type(error).__name__}: {error}')}",
            "They are in _batch.answers",
        ) from error


def _present(namespace: Namespace, target: str, count: int) -> list[Any]:
    """Return what a column holds already, or None for each row."""
    try:
        present = list(namespace.evaluate(target))  # type: ignore[call-overload]
    except Exception:  # noqa: BLE001  (there is no such column yet)
        present = []
    return present if len(present) == count else [None] * count


def _preview(question: Question, batch: Batch) -> str:
    """Return, for a reader, what a batch would send."""
    plan = batch.plan
    assert plan is not None
    url = without_credentials(question.settings.base_url).rstrip("/")
    known = f", {plan.known:,} known already" if plan.known else ""
    lines = [
        f"POST {url}/chat/completions (dry run: nothing is sent)",
        json.dumps(question.common, ensure_ascii=False),
        f"{count_of(plan.prompts, 'prompt')}, {plan.distinct:,} distinct{known}, "
        f"about {count_of(plan.tokens, 'token')} and the answers",
        *batch.notes,
    ]
    if plan.first is not None:
        if question.template.system:
            lines += ["", "[system]", question.template.system]
        lines += ["", "[user, the first one]", text_of(plan.first)]
    return "\n".join(lines)
