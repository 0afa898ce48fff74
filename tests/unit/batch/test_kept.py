"""The journal as a run uses it: best effort, in a real file."""

from __future__ import annotations

from pathlib import Path

from copilot_magic.batch.kept import KeptAnswers
from copilot_magic.chat.completion import Completion


def test_what_is_kept_is_found_by_the_next_run(tmp_path: Path) -> None:
    path = str(tmp_path / "conversations.db")
    first = KeptAnswers(path)
    answer = Completion("answer", usage={"total_tokens": 3})
    first.keep({"k": answer, "l": Completion("other")})
    first.close()
    second = KeptAnswers(path)
    assert second.find(["k", "m"]) == {"k": answer}
    second.close()
    assert KeptAnswers(path, resume=False).find(["k"]) == {}


def test_without_a_file_nothing_is_kept() -> None:
    kept = KeptAnswers(None)
    kept.keep({"k": Completion("answer")})
    assert kept.find(["k"]) == {} and not kept.notes
    kept.close()


def test_a_file_that_cannot_be_used_is_noted_once(tmp_path: Path) -> None:
    kept = KeptAnswers(str(tmp_path))
    assert kept.find(["k"]) == {}
    kept.keep({"k": Completion("answer")})
    kept.close()
    assert len(kept.notes) == 1 and "not kept for another run" in kept.notes[0]
