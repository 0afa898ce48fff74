"""The scratch directory: measured and removed, whatever is in it."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

from copilot_magic.sandbox import scratch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux makes copies")


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return scratch.make()


def test_it_is_new_empty_and_private(directory: str) -> None:
    assert list(Path(directory).iterdir()) == []
    assert Path(directory).stat().st_mode & 0o777 == 0o700
    assert directory != scratch.make()


def test_it_has_no_links_in_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "link"))
    assert Path(scratch.make()).parent == tmp_path / "real"


def test_what_it_links_to_stays_when_it_is_removed(directory: str, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("kept")
    (Path(directory) / "folder").mkdir()
    for place in (Path(directory), Path(directory) / "folder"):
        (place / "to folder").symlink_to(tmp_path / "kept")
        (place / "to file").symlink_to(tmp_path / "kept" / "file")
        (place / "nowhere").symlink_to("nowhere")
    scratch.remove(directory)
    assert not Path(directory).exists()
    assert (tmp_path / "kept" / "file").read_text() == "kept"


def test_no_depth_and_no_mode_keeps_it_from_being_removed(directory: str) -> None:
    here = Path.cwd()
    os.chdir(directory)
    for _ in range(1500):
        Path("deep" * 20).mkdir()
        os.chdir("deep" * 20)
    Path("file").write_text("1")
    os.chdir(directory)
    for number, mode in enumerate((0, 0o300, 0o500)):
        Path(f"{number}").mkdir()
        (Path(f"{number}") / "inner").mkdir()
        (Path(f"{number}") / "inner" / "file").write_text("1")
        (Path(f"{number}") / "inner").chmod(mode)
        Path(f"{number}").chmod(mode)
    Path(os.fsdecode(b"\xff\n")).write_text("1")
    os.chdir(here)
    scratch.remove(directory)
    assert not Path(directory).exists()


def test_removing_what_is_gone_is_nothing(directory: str) -> None:
    scratch.remove(directory)
    scratch.remove(directory)


def test_its_size_is_that_of_all_files(directory: str) -> None:
    (Path(directory) / "a" / "b").mkdir(parents=True)
    (Path(directory) / "a" / "b" / "file").write_bytes(bytes(100_000))
    (Path(directory) / "file").write_bytes(bytes(100_000))
    assert not scratch.too_large(directory, 250_000, 0)
    assert scratch.too_large(directory, 150_000, 0)


def test_many_small_files_are_too_many(directory: str) -> None:
    for number in range(30):
        (Path(directory) / str(number)).touch()
    assert scratch.too_large(directory, 10**9, 0, entries=29)
    assert not scratch.too_large(directory, 10**9, 0, entries=30)


def test_a_disk_that_loses_half_of_its_free_space_is_too_much(directory: str) -> None:
    free = scratch.free_space(directory)
    assert scratch.too_large(directory, 10**9, 4 * free)
    assert not scratch.too_large(directory, 10**9, free)


def test_a_file_that_vanishes_meanwhile_is_nothing(directory: str) -> None:
    scratch.remove(directory)
    assert not scratch.too_large(directory, 10, 0)
