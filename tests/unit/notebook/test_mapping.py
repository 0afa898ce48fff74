"""`map_prompts`, `imap_prompts` and ``%%copilot --map``: a real shell, and a scripted server."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pandas
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from rows import complete, echo, row_of
from scripted_server import Exchange, ScriptedServer

from copilot_magic import imap_prompts, map_prompts
from copilot_magic.batch.batch import Batch
from copilot_magic.errors import AuthenticationError, TypedAnswerError, UsageError


@pytest.fixture
def rows(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answer each prompt with its row; return the rows that were asked about."""
    asked: list[str] = []

    def handler(exchange: Exchange) -> None:
        asked.append(row_of(exchange))
        echo(exchange)

    server.script(handler)
    monkeypatch.setenv("COPILOT_BASE_URL", server.base_url)
    monkeypatch.setenv("COPILOT_API_KEY", "a-key")
    return asked


def test_every_row_is_answered_in_order_over_connections_that_stay_open(
    rows: list[str], server: ScriptedServer
) -> None:
    batch = map_prompts("Is it good?", range(100), max_workers=4, progress=False)
    assert batch.answers == [str(n) for n in range(100)] and batch.errors == [None] * 100
    assert batch.answers[0].model == "scripted" and batch.usage["total_tokens"] == 1_000
    assert sorted(rows, key=int) == [str(n) for n in range(100)]
    assert all(post["stream"] is False for post in server.posts)
    assert server.requests[0].headers["Authorization"] == "Bearer a-key"


def test_the_same_call_again_asks_only_what_is_missing(rows: list[str]) -> None:
    map_prompts("Is it good?", ["a", "b"], progress=False)
    batch = map_prompts("Is it good?", ["a", "b", "c"], progress=False)
    assert batch.answers == ["a", "b", "c"] and sorted(rows) == ["a", "b", "c"]
    assert batch.known == 2 and batch.asked == 1
    map_prompts("Is it good?", ["a"], progress=False, resume=False)
    map_prompts("Is it bad?", ["a"], progress=False)
    map_prompts("Is it good?", ["a"], progress=False, temperature=0.5)
    assert rows.count("a") == 4


def test_nothing_is_kept_if_nothing_is_to_be_kept(
    rows: list[str], shell: InteractiveShell, server: ScriptedServer
) -> None:
    shell.run_line_magic("load_ext", "copilot_magic")
    shell.run_line_magic("config", "CopilotMagics.store = None")
    for _ in range(2):
        shell.run_cell(
            "from copilot_magic import map_prompts\nb = map_prompts('Good?', ['a'], progress=False)"
        )
    assert rows == ["a", "a"] and shell.user_ns["b"].answers == ["a"]
    shell.run_line_magic("config", "CopilotMagics.store = ''")


@pytest.mark.usefixtures("rows")
def test_typed_answers(server: ScriptedServer) -> None:
    server.script(
        lambda exchange: complete(exchange, json.dumps({"answer": len(row_of(exchange))}))
    )
    batch = map_prompts("How long?", ["a", "bb"], as_=int, progress=False)
    assert batch.answers == [1, 2]
    assert server.posts[0]["response_format"]["type"] == "json_schema"
    named = map_prompts("How long?", ["a", "bb"], as_="list[str]", progress=False)
    assert [type(error) for error in named.errors] == [TypedAnswerError] * 2


@pytest.mark.usefixtures("rows")
def test_only_a_template_that_is_written_in_the_call_runs_code(server: ScriptedServer) -> None:
    factor = 3
    batch = map_prompts("What is {{item * factor}}?", [2], progress=False)
    assert batch.answers == ["6"]
    elsewhere = "What is {{item * factor}} or {{item}}?"
    map_prompts(elsewhere, [2], progress=False)
    assert "{{item * factor}} or `item`" in server.posts[-1]["messages"][-1]["content"]
    assert factor == 3


@pytest.mark.usefixtures("rows")
def test_options_go_into_each_request(server: ScriptedServer) -> None:
    map_prompts(
        "Good?", ["a"], progress=False, system="Be brief.", model="m", temperature=0.1, max_tokens=5
    )
    post = server.posts[-1]
    assert (post["model"], post["temperature"], post["max_tokens"]) == ("m", 0.1, 5)
    assert post["messages"][0] == {"role": "system", "content": "Be brief."}


def test_first_asks_about_a_sample_and_dry_run_about_nothing(rows: list[str]) -> None:
    assert len(map_prompts("Good?", range(50), first=3, progress=False)) == 3
    batch = map_prompts("Good?", [0, 1, 2, 3, 3], dry_run=True)
    assert sorted(rows) == ["0", "1", "2"]
    assert "5 prompts, 4 distinct · 3 known already" in repr(batch)


@pytest.mark.parametrize(
    ("template", "items", "problem"),
    [
        ("", ["a"], "The template is empty"),
        ("Good?", "abc", "The items are one text"),
        ('{{item["x"]}}?', [{"y": 1}], "KeyError"),
    ],
)
def test_what_cannot_be_asked_is_said_at_once(
    rows: list[str], template: str, items: Any, problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        map_prompts(template, items, progress=False)
    assert not rows


def test_a_stream_is_answered_in_order_as_far_as_it_is_wanted(rows: list[str]) -> None:
    stream = imap_prompts("Good?", itertools.count(), progress=False, max_workers=4)
    taken = list(itertools.islice(stream, 20))
    stream.close()  # type: ignore[attr-defined]
    assert [(item, answer, error) for item, answer, error in taken] == [
        (n, str(n), None) for n in range(20)
    ]
    assert len(rows) < 1_100


def test_a_stream_ends_with_what_every_prompt_would_meet(
    rows: list[str], server: ScriptedServer
) -> None:
    server.script(lambda exchange: exchange.reply(401, {"error": {"message": "bad key"}}))
    with pytest.raises(AuthenticationError):
        list(imap_prompts("Good?", itertools.count(), progress=False))
    assert not rows and len(server.posts) <= 8


@pytest.mark.usefixtures("rows")
def test_an_interrupt_keeps_what_is_done(server: ScriptedServer) -> None:
    waiting, never = threading.Event(), threading.Event()

    def handler(exchange: Exchange) -> None:
        if row_of(exchange) == "30":
            waiting.set()
            exchange.wait(never)
        echo(exchange)

    server.script(handler)

    def interrupt() -> None:
        waiting.wait(30)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        map_prompts("Good?", range(100), progress=False, max_workers=2)
    done = len(server.posts)
    never.set()
    server.script(echo)
    batch = map_prompts("Good?", range(100), progress=False)
    assert batch.answers == [str(n) for n in range(100)]
    assert batch.known >= 29 and len(server.posts) - done == 100 - batch.known


# The cell


@pytest.fixture
def cell(shell: InteractiveShell, rows: list[str]) -> Iterator[Any]:
    """Yield a function that runs a ``%%copilot`` cell and returns what it showed."""
    shell.run_line_magic("load_ext", "copilot_magic")

    def run(line: str, body: str) -> Any:
        with capture_output() as captured:
            result = shell.run_cell(f"%%copilot {line}\n{body}")
        return result, captured

    yield run


@pytest.fixture
def df(shell: InteractiveShell) -> pandas.DataFrame:
    frame = pandas.DataFrame({"review": ["a", "b", "c"], "stars": [1, 2, 3]}, index=[5, 6, 7])
    shell.user_ns["df"] = frame
    return frame


def test_a_column_is_filled_row_by_row(
    cell: Any, df: pandas.DataFrame, shell: InteractiveShell
) -> None:
    result, captured = cell('--map df["review"] --into df["label"]', "Good or bad?")
    assert result.success and list(df["label"]) == ["a", "b", "c"]
    batch = shell.user_ns["_batch"]
    assert isinstance(batch, Batch) and list(batch.frame().index) == [5, 6, 7]
    assert "3 of 3 answered" in str(captured.outputs[-1].data)
    assert "<table>" in captured.outputs[-1].data["text/html"]


def test_a_sample_fills_its_rows_and_leaves_the_others(cell: Any, df: pandas.DataFrame) -> None:
    cell('--map df["review"] --into df["label"] --first 2', "Good or bad?")
    assert list(df["label"].iloc[:2]) == ["a", "b"] and pandas.isna(df["label"].iloc[2])
    df["label"] = ["x", "y", "z"]
    cell('--map df["review"] --into df["label"] --first 1', "Good or bad?")
    assert list(df["label"]) == ["a", "y", "z"]


def test_rows_of_a_table_are_named_by_their_columns(
    cell: Any, df: pandas.DataFrame, server: ScriptedServer
) -> None:
    result, _ = cell("--map df", 'Does {{item["review"]}} fit {{item["stars"]}} stars?')
    assert result.success and len(df) == 3
    said = server.posts[0]["messages"][-1]["content"]
    assert said.startswith('Does `item["review"]` fit `item["stars"]` stars?')


def test_a_list_gives_a_list_and_out_is_the_batch(cell: Any, shell: InteractiveShell) -> None:
    shell.user_ns["words"] = ["tea", "milk"]
    cell("--map words --into labels -o batch", "In French?")
    assert shell.user_ns["labels"] == ["tea", "milk"]
    assert type(shell.user_ns["labels"][0]) is str
    assert shell.user_ns["batch"] is shell.user_ns["_batch"]


def test_a_dry_run_shows_the_plan_and_the_first_prompt(
    cell: Any, rows: list[str], df: pandas.DataFrame
) -> None:
    _, captured = cell('--map df["review"] --into df["label"] --dry-run', "Good or bad?")
    assert not rows and "label" not in df
    assert "3 prompts, 3 distinct" in captured.stdout and "nothing is sent" in captured.stdout
    assert "Good or bad?" in captured.stdout and "```text\na\n```" in captured.stdout


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("--map words --into 5", "5 cannot be assigned to"),
        ("--map words --into a,b", "cannot be assigned to"),
        ("--map words --into 'x; import os'", "cannot be assigned to"),
        ("--map words --code", "--code cannot be used with --map"),
        ("--map words -b", "--background cannot be used with --map"),
        ("--map words -c other", "--conversation cannot be used with --map"),
        ("--map nothing", "nothing"),
        ("--into labels", "--into and --first need --map"),
        ("--first 5", "--into and --first need --map"),
    ],
)
def test_lines_that_make_no_sense_are_refused_before_anything_is_asked(
    cell: Any, rows: list[str], shell: InteractiveShell, line: str, problem: str
) -> None:
    shell.user_ns["words"] = ["tea"]
    result, captured = cell(line, "In French?")
    assert not result.success and problem in captured.stdout + captured.stderr and not rows


def test_some_failures_are_shown_and_all_failures_fail_the_cell(
    cell: Any, server: ScriptedServer, shell: InteractiveShell
) -> None:
    def handler(exchange: Exchange) -> None:
        if row_of(exchange) == "bad":
            exchange.reply(400, {"error": {"message": "not <i>this</i> one"}})
        else:
            echo(exchange)

    server.script(handler)
    shell.user_ns["words"] = ["good", "bad"]
    result, captured = cell("--map words --into labels", "In French?")
    assert result.success and shell.user_ns["labels"] == ["good", None]
    assert "not &lt;i&gt;this" in captured.outputs[-1].data["text/html"]
    shell.user_ns["words"] = ["bad"]
    result, captured = cell("--map words --into others", "In French?")
    assert not result.success and "others" not in shell.user_ns


def test_a_batch_that_must_stop_fails_the_cell_with_the_magic_that_helps(
    cell: Any, server: ScriptedServer, shell: InteractiveShell
) -> None:
    server.script(lambda exchange: exchange.reply(401, {"error": {"message": "bad key"}}))
    shell.user_ns["words"] = ["tea", "milk"]
    result, _ = cell("--map words", "In French?")
    assert not result.success and isinstance(result.error_in_exec, AuthenticationError)
    assert shell.user_ns["_batch"].failed == [0, 1]


def test_what_cannot_be_assigned_in_the_end_is_not_lost(cell: Any, shell: InteractiveShell) -> None:
    shell.user_ns["words"] = ["tea"]
    result, captured = cell("--map words --into nowhere.label", "In French?")
    assert not result.success and "_batch.answers" in captured.stdout + captured.stderr
    assert shell.user_ns["_batch"].answers == ["tea"]


def test_secrets_are_masked_and_named(cell: Any, rows: list[str], shell: InteractiveShell) -> None:
    secret = "sk-proj-" + "Ab3dE5gH" * 5
    shell.user_ns["words"] = [f"my key is {secret}"]
    _, captured = cell("--map words", "In French?")
    assert secret not in rows[0] and "masked" in str(captured.outputs[-1].data["text/html"])


def test_names_of_the_last_batch_go_with_the_extension(cell: Any, shell: InteractiveShell) -> None:
    shell.user_ns["words"] = ["tea"]
    cell("--map words", "In French?")
    shell.run_line_magic("unload_ext", "copilot_magic")
    assert "_batch" not in shell.user_ns
    shell.run_line_magic("load_ext", "copilot_magic")
