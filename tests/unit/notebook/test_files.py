"""Conversations in files: by their ending, never over a notebook, one line if it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from copilot_magic.chat.conversation import Conversation
from copilot_magic.chat.turn import Turn
from copilot_magic.errors import UsageError
from copilot_magic.notebook.files import read_conversation, write_conversation

TALK = Conversation("talk", turns=[Turn("Grüße", "Hallo", status="complete")])


@pytest.mark.parametrize("ending", ["md", "ipynb", "json"])
def test_the_ending_names_the_format(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"talk.{ending}"
    write_conversation(TALK, path)
    text = path.read_text(encoding="utf-8")
    assert "Grüße" in text
    assert text.endswith("\n")


def test_another_ending_is_refused_with_the_ones_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.md, \.ipynb or \.json"):
        write_conversation(TALK, tmp_path / "talk.docx")


@pytest.mark.parametrize("ending", ["md", "ipynb", "json"])
def test_a_file_that_exists_is_replaced_only_on_request(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"talk.{ending}"
    path.write_text("mine")
    with pytest.raises(UsageError, match=r"exists.*--force"):
        write_conversation(TALK, path)
    assert path.read_text() == "mine"
    write_conversation(TALK, path, replace=True)
    assert "Grüße" in path.read_text(encoding="utf-8")


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Cannot write"):
        write_conversation(TALK, tmp_path / "nowhere" / "talk.md")


def test_what_was_written_as_json_is_read(tmp_path: Path) -> None:
    write_conversation(TALK, tmp_path / "talk.json")
    assert read_conversation(tmp_path / "talk.json").turns[0].prompt == "Grüße"


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "latin.json").write_bytes(b"\xff\xfe\xff")
    for name, reason in (("latin.json", "not UTF-8"), ("absent.json", "Cannot read")):
        with pytest.raises(UsageError, match=reason):
            read_conversation(tmp_path / name)
