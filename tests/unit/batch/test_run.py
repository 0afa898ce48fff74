"""A run, with workers that answer as a script says: order, failures, limits, memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any, Literal

import pytest
from batch_workers import ScriptedWorkers, asked_about, echo

from copilot_magic.batch.job import Form, Row
from copilot_magic.batch.kept import KeptAnswers
from copilot_magic.batch.pace import Pace
from copilot_magic.batch.reading import Reader
from copilot_magic.batch.rows import Rows
from copilot_magic.batch.run import Run
from copilot_magic.batch.template import Template
from copilot_magic.chat.completion import Completion
from copilot_magic.chat.prompt import Options
from copilot_magic.context.typed.answer_type import AnswerType
from copilot_magic.errors import (
    AuthenticationError,
    BadRequestError,
    CopilotError,
    CutError,
    RateLimitError,
    RefusedError,
    ServerError,
    TokenLimitError,
    TypedAnswerError,
    UsageError,
    WorkerError,
)
from copilot_magic.settings import Settings

TEMPLATE = "Is {{item}} good?"


class NoVariables:
    def exists(self, name: str) -> bool:
        return False

    def evaluate(self, expression: str) -> object:
        raise NameError(expression)

    def read(self, path: str) -> bytes:
        raise FileNotFoundError(path)


class Watcher:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.rows = self.failed = self.known = self.tokens = 0
        self.waits: list[tuple[float, str]] = []

    def advance(self, *, failed: bool = False, known: bool = False, tokens: int = 0) -> None:
        self.rows += 1
        self.failed += failed
        self.known += known
        self.tokens += tokens

    def waiting(self, seconds: float, reason: str) -> None:
        self.waits.append((seconds, reason))


class Memory(KeptAnswers):
    """Kept answers in memory."""

    def __init__(self) -> None:
        super().__init__(None)
        self.answers: dict[str, Completion] = {}

    def find(self, keys: Iterable[str]) -> Mapping[str, Completion]:
        return {key: self.answers[key] for key in keys if key in self.answers}

    def keep(self, answers: Mapping[str, Completion]) -> None:
        self.answers.update(answers)


def make_run(
    items: Iterable[Any],
    workers: ScriptedWorkers,
    *,
    wanted: AnswerType | None = None,
    retries: int = 2,
    window: int | None = None,
    kept: KeptAnswers | None = None,
    watcher: Watcher | None = None,
    settings: Settings | None = None,
    **limits: Any,
) -> Run:
    watcher = watcher or Watcher()
    schema = None if wanted is None else wanted.response_format["json_schema"]
    instruction = "" if wanted is None else wanted.instruction
    template = Template(TEMPLATE, NoVariables(), None, instruction=instruction)
    form = Form(settings or Settings(), Options(), schema=schema)
    return Run(
        Rows(items, template, form, watcher, window),
        form,
        workers,
        Pace(max_in_flight=workers.capacity, **limits),
        watcher,
        kept or KeptAnswers(None),
        Reader(wanted),
        retries=retries,
    )


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("copilot_magic.batch.run.retry_delay", lambda error, tries: 0.0)


def answers(rows: Iterable[Row]) -> list[Any]:
    return [row.answer for row in rows]


def test_answers_come_in_the_order_of_the_rows_whichever_is_done_first() -> None:
    released = threading.Event()

    def reply(request: Mapping[str, Any], before: int) -> Completion:
        if asked_about(request) == "0":
            released.wait(30)
        elif asked_about(request) == "50":
            released.set()
        return echo(request, before)

    run = make_run(range(100), ScriptedWorkers(reply))
    assert [(row.item, row.answer) for row in run.rows()] == [(n, str(n)) for n in range(100)]


def test_an_answer_is_what_it_is_elsewhere() -> None:
    run = make_run(["tea"], ScriptedWorkers())
    (row,) = run.rows()
    assert row.answer == "tea" and row.answer.usage["total_tokens"] == 10
    assert row.answer.finish_reason == "stop" and row.error is None
    assert dict(run.usage) == {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10}


def test_equal_rows_are_asked_about_once() -> None:
    workers, watcher = ScriptedWorkers(), Watcher()
    run = make_run(["a", "b", "a", "a", "b"] * 20, workers, watcher=watcher)
    assert answers(run.rows()) == ["a", "b", "a", "a", "b"] * 20
    assert workers.asked == {"a": 1, "b": 1} and run.distinct == 2
    assert watcher.rows == 100 and watcher.tokens == 20


def test_empty_rows_are_not_asked_about() -> None:
    workers = ScriptedWorkers()
    rows = list(make_run(["a", None, float("nan"), "b"], workers).rows())
    assert [row.answer for row in rows] == ["a", None, None, "b"]
    assert [row.error for row in rows] == [None] * 4 and len(workers.requests) == 2


def test_no_more_are_on_their_way_than_there_is_room_for() -> None:
    workers = ScriptedWorkers(capacity=5)
    list(make_run(range(200), workers).rows())
    assert workers.most <= 5


def test_several_prompts_travel_together_if_the_workers_want_it() -> None:
    workers = ScriptedWorkers(capacity=40, task_size=10)
    assert answers(make_run(range(200), workers).rows()) == [str(n) for n in range(200)]
    assert max(workers.tasks) == 10 and len(workers.tasks) < 60


@pytest.mark.parametrize("error", [ServerError("500", status=500), CutError("cut")])
def test_a_passing_failure_is_asked_again_as_often_as_the_policy_says(error: CopilotError) -> None:
    def reply(request: Mapping[str, Any], before: int) -> Any:
        row = asked_about(request)
        if row == "3":
            return error
        return error if row in "12" and before < int(row) else echo(request, before)

    workers = ScriptedWorkers(reply)
    rows = list(make_run(range(6), workers, retries=2).rows())
    assert [row.answer for row in rows] == ["0", "1", "2", None, "4", "5"]
    assert [row.error for row in rows] == [None, None, None, error, None, None]
    assert [workers.asked[str(n)] for n in range(6)] == [1, 2, 3, 3, 1, 1]


def test_a_lasting_failure_is_not_asked_again() -> None:
    def reply(request: Mapping[str, Any], before: int) -> Any:
        bad = BadRequestError("too odd", status=400)
        return bad if asked_about(request) == "1" else echo(request, before)

    workers = ScriptedWorkers(reply)
    rows = list(make_run(range(3), workers).rows())
    assert [row.error is None for row in rows] == [True, False, True]
    assert set(workers.asked.values()) == {1}


def test_a_429_costs_no_tries_but_there_is_an_end_to_it() -> None:
    def reply(request: Mapping[str, Any], before: int) -> Any:
        refuse = asked_about(request) == "1" or (asked_about(request) == "2" and before < 5)
        limit = RateLimitError("too many", status=429, retry_after=0.001)
        return limit if refuse else echo(request, before)

    workers, watcher = ScriptedWorkers(reply), Watcher()
    rows = list(make_run(range(4), workers, retries=0, watcher=watcher).rows())
    assert [row.answer for row in rows] == ["0", None, "2", "3"]
    assert workers.asked["1"] == 11 and workers.asked["2"] == 6
    assert watcher.waits and watcher.waits[0][1] == "too many"


def test_a_bad_key_stops_the_run_at_once() -> None:
    error = AuthenticationError("bad key", status=401)
    workers = ScriptedWorkers(lambda request, before: error, capacity=4)
    run = make_run(count(), workers, window=100)
    assert [row.error for row in run.rows()] == [error] * len(workers.requests)
    assert run.fatal is error and len(workers.requests) <= 4


def test_a_server_that_is_gone_stops_the_run_when_its_tries_are_used_up() -> None:
    gone = RefusedError("nothing listens")
    workers = ScriptedWorkers(
        lambda request, before: gone if int(asked_about(request)) > 10 else echo(request, before)
    )
    run = make_run(range(1_000), workers, retries=1)
    rows = list(run.rows())
    assert run.fatal is gone and answers(rows[:11]) == [str(n) for n in range(11)]
    assert len(workers.asked) < 100 and max(workers.asked.values()) <= 2


def test_the_same_failure_of_everything_stops_the_run() -> None:
    bad = BadRequestError("temperature is not supported", status=400)
    workers = ScriptedWorkers(lambda request, before: bad)
    run = make_run(range(1_000), workers)
    list(run.rows())
    assert run.fatal is bad and len(workers.asked) < 60


def test_the_next_provider_is_asked_if_one_fails() -> None:
    def reply(request: Mapping[str, Any], before: int) -> Any:
        if request["provider"] == "A":
            return ServerError("500", status=500)
        return echo(request, before)

    workers = ScriptedWorkers(reply)
    settings = Settings(providers=("A", "B"))
    assert answers(make_run(["x"], workers, settings=settings, retries=0).rows()) == ["x"]
    assert [request["provider"] for request in workers.requests] == ["A", "B"]


def test_typed_answers_are_values_and_a_misfit_is_asked_for_once_more() -> None:
    def reply(request: Mapping[str, Any], before: int) -> Completion:
        content = request["messages"][-1]["content"]
        if "You answered before:" in content:
            return Completion('{"answer": "good"}')
        fits = "```text\na\n```" in content
        return Completion('{"answer": "good"}' if fits else '{"answer": "great"}')

    workers = ScriptedWorkers(reply)
    wanted = AnswerType.of(Literal["good", "bad"])
    rows = list(make_run(["a", "b"], workers, wanted=wanted).rows())
    assert [row.answer for row in rows] == ["good", "good"]
    assert len(workers.requests) == 3
    assert all("response_format" in request for request in workers.requests)


def test_a_second_misfit_is_the_error_of_its_row_and_is_not_kept() -> None:
    kept = Memory()
    workers = ScriptedWorkers(lambda request, before: Completion("no idea"))
    (row,) = make_run(["a"], workers, wanted=AnswerType.of(int), kept=kept).rows()
    assert row.answer is None and isinstance(row.error, TypedAnswerError)
    assert len(workers.requests) == 2 and not kept.answers


def test_what_is_kept_is_not_asked_again() -> None:
    kept, watcher = Memory(), Watcher()
    first = ScriptedWorkers()
    list(make_run(range(50), first, kept=kept).rows())
    second = ScriptedWorkers()
    run = make_run(range(60), second, kept=kept, watcher=watcher)
    assert answers(run.rows()) == [str(n) for n in range(60)]
    assert set(second.asked) == {str(n) for n in range(50, 60)}
    assert run.known == watcher.known == 50 and watcher.rows == 60


def test_a_kept_answer_of_another_type_is_asked_for_again() -> None:
    kept = Memory()
    wanted = AnswerType.of(int)

    def four() -> ScriptedWorkers:
        return ScriptedWorkers(lambda request, before: Completion('{"answer": 4}'))

    list(make_run(["a"], four(), wanted=wanted, kept=kept).rows())
    (key,) = kept.answers
    kept.answers[key] = Completion("damaged")
    (row,) = make_run(["a"], four(), wanted=wanted, kept=kept).rows()
    assert row.answer == 4 and kept.answers[key].content == '{"answer": 4}'


def test_a_file_that_fails_costs_no_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    kept = KeptAnswers(str(tmp_path / "no" / "such" / "directory" / "file"))
    run = make_run(["a", "b"], ScriptedWorkers(), kept=kept)
    assert answers(run.rows()) == ["a", "b"]
    assert run.notes and "not kept" in run.notes[0]


def test_the_tokens_of_a_batch_have_a_limit() -> None:
    workers = ScriptedWorkers(capacity=1)
    run = make_run(range(100), workers, max_tokens_total=200)
    rows = list(run.rows())
    assert isinstance(run.fatal, TokenLimitError)
    assert 0 < len(rows) < 100 and run.usage["total_tokens"] <= 200


def test_a_worker_that_dies_costs_a_try_of_what_it_had_in_hand() -> None:
    def reply(request: Mapping[str, Any], before: int) -> Completion:
        if asked_about(request) == "7" and not before:
            raise OSError("killed")
        return echo(request, before)

    workers = ScriptedWorkers(reply, capacity=8, task_size=4)
    assert answers(make_run(range(40), workers).rows()) == [str(n) for n in range(40)]
    assert max(workers.asked.values()) == 2 and workers.asked.total() <= 44


def test_what_a_worker_left_unasked_is_asked_again_at_no_cost() -> None:
    def reply(request: Mapping[str, Any], before: int) -> Any:
        return None if before < 3 else echo(request, before)

    run = make_run(range(10), ScriptedWorkers(reply), retries=0)
    assert answers(run.rows()) == [str(n) for n in range(10)] and run.asked == 10


def test_an_executor_that_takes_no_more_work_ends_the_run() -> None:
    workers = ScriptedWorkers()
    workers.stop()
    run = make_run(range(10), workers)
    assert list(run.rows()) == [] and isinstance(run.fatal, WorkerError)


def test_settings_that_do_not_allow_asking_are_the_callers_error() -> None:
    def reply(request: Mapping[str, Any], before: int) -> Completion:
        raise UsageError("plain http", "Use https")

    with pytest.raises(UsageError, match="plain http"):
        list(make_run(range(10), ScriptedWorkers(reply)).rows())


def test_a_run_that_is_stopped_ends_with_what_is_done() -> None:
    waiting, never = threading.Event(), threading.Event()

    def reply(request: Mapping[str, Any], before: int) -> Completion:
        if asked_about(request) == "10":
            waiting.set()
            never.wait(30)
        return echo(request, before)

    workers = ScriptedWorkers(reply)
    run = make_run(range(1_000), workers)

    def stop() -> None:
        waiting.wait(30)
        run.stop()

    threading.Thread(target=stop).start()
    rows = list(run.rows())
    never.set()
    later = dict(run.unfinished())
    assert answers(rows) == [str(n) for n in range(len(rows))] and workers.stopped
    # What had arrived, but was not handed out, is not lost.
    assert [later[n].answer for n in range(len(rows), 10)] == [str(n) for n in range(len(rows), 10)]
    assert later[10].answer is None and later[10].error is None


def test_memory_is_bounded_by_the_window() -> None:
    read: list[int] = []

    def numbers() -> Iterator[int]:
        for number in count():
            read.append(number)
            yield number

    rows = make_run(numbers(), ScriptedWorkers(), window=50).rows()
    for taken in range(1, 200):
        next(rows)
        assert len(read) <= taken + 50
    rows.close()  # type: ignore[attr-defined]


def test_equal_rows_of_a_stream_are_asked_about_once_within_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("copilot_magic.batch.rows._REMEMBERED", 100)
    workers = ScriptedWorkers()
    run = make_run((n % 60 for n in range(2_000)), workers, window=30)
    assert len(list(run.rows())) == 2_000 and set(workers.asked.values()) == {1}
    stream = (n % 5_000 for n in range(10_000))
    rows = Rows(
        stream, Template(TEMPLATE, NoVariables(), None), Form(Settings(), Options()), Watcher(), 30
    )
    while rows.can_read:
        for job in rows.read(10):
            job.finish("x")
        list(rows.finished())
    assert len(rows._jobs) <= 130


def test_a_row_that_cannot_be_asked_about_holds_its_error_unless_it_is_the_first() -> None:
    template = Template('Is {{item["a"]}} good?', NoVariables(), None)
    form, watcher = Form(Settings(), Options()), Watcher()
    rows = Rows([{"a": 1}, {}, {"a": 2}], template, form, watcher)
    assert len(rows.read(10)) == 2
    ((_, _, first), (_, _, second), _) = rows.waiting()
    assert not first.done and isinstance(second.error, UsageError) and watcher.failed == 1
    with pytest.raises(UsageError, match="KeyError"):
        Rows([{}, {"a": 1}], template, form, watcher).read(10)


def test_the_prompts_share_all_but_the_row() -> None:
    workers = ScriptedWorkers()
    list(make_run(["a", "b"], workers).rows())
    one, other = (dict(request) for request in workers.requests)
    assert one.pop("messages") != other.pop("messages")
    assert one.pop("conversation_id") != other.pop("conversation_id")
    assert one == other and "stream" not in one


def test_the_key_is_that_of_the_exact_request() -> None:
    def key(content: str, settings: Settings | None = None, **options: Any) -> str:
        return Form(settings or Settings(), Options(**options)).job(content, 0).key

    assert key("a") == key("a") and len(key("a")) == 64
    different = {
        key("a"),
        key("b"),
        key("a", model="m"),
        key("a", temperature=0.5),
        key("a", max_tokens=5),
        key("a", provider="p"),
        key("a", Settings(temperature=0.1)),
        Form(Settings(), Options(), system="s").job("a", 0).key,
        Form(Settings(), Options(), schema={"name": "n"}).job("a", 0).key,
    }
    assert len(different) == 9
    assert key("a", model="m") == key("a", Settings(model="m"))
