"""A batch as users hold it: answers, errors, frame, retry, summary."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from typing import Any

import pandas
import pytest
from batch_workers import ScriptedWorkers, asked_about, echo

from copilot_magic.batch.batch import Batch
from copilot_magic.batch.items import Items
from copilot_magic.batch.question import Limits, Plan, Question
from copilot_magic.batch.template import Template
from copilot_magic.errors import AuthenticationError, BadRequestError, UsageError
from copilot_magic.settings import Settings


class NoVariables:
    def exists(self, name: str) -> bool:
        return False

    def evaluate(self, expression: str) -> object:
        raise NameError(expression)

    def read(self, path: str) -> bytes:
        raise FileNotFoundError(path)


BAD = BadRequestError("no <b>such</b> thing", "Ask about others", status=400)


@pytest.fixture
def fails() -> set[str]:
    """Return the rows that fail."""
    return set()


@pytest.fixture
def workers(fails: set[str], monkeypatch: pytest.MonkeyPatch) -> list[ScriptedWorkers]:
    """Let scripted workers answer; return those that were made."""
    made: list[ScriptedWorkers] = []

    def reply(request: Mapping[str, Any], before: int) -> Any:
        return BAD if asked_about(request) in fails else echo(request, before)

    def make(question: Question) -> ScriptedWorkers:
        made.append(ScriptedWorkers(reply, question.limits.max_workers))
        return made[-1]

    monkeypatch.setattr(Question, "_workers", make)
    return made


def question(**options: Any) -> Question:
    template = Template("Is {{item}} good?", NoVariables(), None)
    return Question(template, Settings(store=None), **options)


def batch_of(items: Any, first: int | None = None, **options: Any) -> Batch:
    batch = Batch(question(**options), Items(items, first), progress=False)
    batch.ask()
    return batch


@pytest.mark.usefixtures("workers")
def test_a_batch_is_the_sequence_of_its_answers(fails: set[str]) -> None:
    fails.add("b")
    batch = batch_of(["a", "b", "c"])
    assert list(batch) == batch.answers == ["a", None, "c"] and len(batch) == 3
    assert batch[0] == "a" and batch[1:] == [None, "c"]
    assert batch.errors == [None, BAD, None] and batch.failed == [1]
    assert batch.usage == {"prompt_tokens": 16, "completion_tokens": 4, "total_tokens": 20}


@pytest.mark.usefixtures("workers")
def test_the_frame_has_the_index_of_the_rows(fails: set[str]) -> None:
    fails.add("b")
    frame = batch_of(pandas.Series(["a", "b", "c"], index=[7, 8, 9]), first=2).frame()
    assert list(frame.index) == [7, 8] and list(frame.columns) == ["item", "answer", "error"]
    assert frame["answer"].iloc[0] == "a" and type(frame["answer"].iloc[0]) is str
    assert frame["error"].iloc[1] == BAD.message and pandas.isna(frame["answer"].iloc[1])


@pytest.mark.usefixtures("workers")
def test_the_frame_of_a_table_has_its_columns() -> None:
    frame = batch_of(pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})).frame()
    assert list(frame.columns) == ["a", "b", "answer", "error"] and list(frame["a"]) == [1, 2]


@pytest.mark.usefixtures("workers")
def test_rows_from_polars_give_a_polars_frame() -> None:
    polars = pytest.importorskip("polars")
    frame = batch_of(polars.Series(["a", "b"])).frame()
    assert isinstance(frame, polars.DataFrame) and frame["answer"].to_list() == ["a", "b"]


def test_retry_asks_only_what_failed(workers: list[ScriptedWorkers], fails: set[str]) -> None:
    fails |= {"b", "d"}
    batch = batch_of(["a", "b", None, "c", "d"])
    fails.remove("b")
    assert batch.retry() is batch
    assert batch.answers == ["a", "b", None, "c", None] and batch.failed == [4]
    assert batch.errors == [None, None, None, None, BAD]
    assert set(workers[1].asked) == {"b", "d"} and batch.asked == 6
    assert batch.usage["total_tokens"] == 30


def test_what_was_not_asked_when_a_batch_stopped_has_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = AuthenticationError("bad key", status=401)
    workers = ScriptedWorkers(lambda request, before: error, capacity=2)
    monkeypatch.setattr(Question, "_workers", lambda question: workers)
    batch = batch_of(range(50))
    assert batch.stopped is error and batch.errors == [error] * 50
    assert workers.asked.total() <= 2


@pytest.mark.usefixtures("workers")
def test_an_interrupted_batch_has_what_is_done() -> None:
    @contextmanager
    def guard(stop: Any) -> Any:
        stop()
        yield
        raise KeyboardInterrupt

    batch = Batch(question(), Items(["a", "b"]), progress=False, guard=guard)
    with pytest.raises(KeyboardInterrupt):
        batch.ask()
    assert batch.answers == [None, None] and batch.errors == [None, None]
    assert "2 not asked" in repr(batch)


def test_a_preview_asks_nothing(workers: list[ScriptedWorkers]) -> None:
    batch = Batch(question(), Items(["a", "b", "a", None]), progress=False)
    batch.preview()
    assert isinstance(batch.plan, Plan) and not workers
    assert batch.plan[:3] == (4, 2, 0) and batch.plan.tokens > 2
    assert "4 prompts, 2 distinct" in repr(batch) and "nothing was sent" in repr(batch)
    batch.ask()
    assert batch.plan is None and batch.answers == ["a", "b", "a", None]


@pytest.mark.usefixtures("workers")
def test_the_summary_says_how_it_went(fails: set[str]) -> None:
    fails.add("b")
    batch = batch_of(["a", "b", None])
    assert repr(batch) == (
        "<Batch: 1 of 3 answered · 1 failed · 1 empty row left out · 2 requests · 10 tokens>"
    )


@pytest.mark.usefixtures("workers")
def test_the_table_is_small_shows_failures_and_is_harmless(fails: set[str]) -> None:
    fails |= {"77", "78"}
    html = batch_of(["<script>alert(1)</script>", *map(str, range(100))])._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert "no &lt;b&gt;such&lt;/b&gt; thing" in html and "2 × " in html
    assert html.count("<tr>") <= 11 and "<th>78</th>" in html


@pytest.mark.parametrize(
    "limits",
    [
        {"max_workers": 0},
        {"requests_per_minute": 0},
        {"tokens_per_minute": -1},
        {"max_tokens_total": 0},
        {"retries": -1},
    ],
)
def test_limits_that_allow_nothing_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(limits))):
        Limits(**limits)
