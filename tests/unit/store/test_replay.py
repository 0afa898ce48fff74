"""The replay file: what it gives back, what it leaves out, what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from store_helpers import AS_NOBODY, run

from copilot_magic.chat.turn import Turn
from copilot_magic.errors import StoreError
from copilot_magic.store.replay import ReplayFile


def test_a_replay_file_gives_back_what_is_replayed_and_holds_nothing_else(tmp_path: Path) -> None:
    turn = Turn(
        "Two\nlines\u2028?",
        answer="One\r\n\nanswer\n",
        reasoning="Hm.",
        status="complete",
        finish_reason="stop",
        usage={"total_tokens": 3},
        model="m",
        provider="p",
        server="http://secret.example",
        continuation={"cookie": "secret"},
        cell_id="secret",
        notes=["secret"],
    )
    file = ReplayFile(tmp_path / "answers.json")
    assert file.answer_to("k") is None
    file.keep("k", turn)
    found = file.answer_to("k")
    assert found is not None
    names = ("prompt", "answer", "reasoning", "status", "finish_reason", "usage", "model")
    for name in (*names, "provider"):
        assert getattr(found, name) == getattr(turn, name)
    text = file.path.read_text(encoding="utf-8")
    assert "secret" not in text
    assert turn.id not in text
    assert str(turn.started) not in text


def test_a_replay_file_changes_only_where_an_answer_is_new(tmp_path: Path) -> None:
    file = ReplayFile(tmp_path / "answers.json")
    for key in ("b", "c", "a"):
        file.keep(key, Turn("Say", answer=f"{key}\nand more"))
    before = file.path.read_text().splitlines()
    assert [line for line in before if line.startswith('  "')] == [
        '  "a": {',
        '  "b": {',
        '  "c": {',
    ]
    file.path.chmod(0o640)
    file.keep("b", Turn("Say", answer="b\nand less"))
    after = file.path.read_text().splitlines()
    assert [line for line in after if line not in before] == ['    "and less"']
    assert len(after) == len(before)
    assert file.path.stat().st_mode & 0o777 == 0o640
    stamp = file.path.stat().st_ino
    file.keep("b", Turn("Say", answer="b\nand less"))
    assert file.path.stat().st_ino == stamp
    assert [entry.name for entry in tmp_path.iterdir()] == ["answers.json"]


def test_an_empty_replay_file_is_one_without_answers(tmp_path: Path) -> None:
    (tmp_path / "answers.json").touch()
    file = ReplayFile(tmp_path / "answers.json")
    assert file.answer_to("k") is None
    file.keep("k", Turn("Say", answer="word"))
    assert file.answer_to("k") is not None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not JSON"),
        ("<<<<<<< HEAD\n{}", "not JSON"),
        ("\xff", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "format"),
        ('{"format": "other"}', "format"),
        ('{"format": "copilot_magic.answers", "version": 2}', "newer"),
        ('{"format": "copilot_magic.answers", "version": 1}', "answers"),
        ('{"format": "copilot_magic.answers", "version": 1, "answers": {"k": []}}', "damaged"),
        (
            '{"format": "copilot_magic.answers", "version": 1,'
            ' "answers": {"k": {"prompt": "p", "answer": "a", "usage": 3}}}',
            "damaged",
        ),
    ],
)
def test_a_file_that_is_no_replay_file_is_refused_and_left_alone(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "answers.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(StoreError, match=reason) as raised:
        ReplayFile(path).answer_to("k")
    assert raised.value.setting == "replay"
    assert "replay to another file" in raised.value.hint
    assert "%" not in raised.value.hint
    if reason != "damaged":
        with pytest.raises(StoreError, match=reason):
            ReplayFile(path).keep("k", Turn("Say"))
    assert path.read_text(encoding="latin-1") == text
    assert list(tmp_path.iterdir()) == [path]


def test_a_replay_file_in_a_directory_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file or directory"):
        ReplayFile(tmp_path / "nowhere" / "answers.json").keep("k", Turn("Say"))


def test_a_replay_file_in_a_directory_that_cannot_be_written_is_refused_with_a_line(
    readonly: Path,
) -> None:
    code = """
try:
    ReplayFile(sys.argv[1]).keep("k", Turn("Say"))
except StoreError as error:
    print(error)
"""
    (line,) = run(AS_NOBODY + code, str(readonly / "answers.json")).splitlines()
    assert "cannot be used: " in line
