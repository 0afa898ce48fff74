"""Reading the table of this process's memory."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

import pytest

from copilot_magic.sandbox.mappings import Mapping, own_mappings, parse

LINES = """\
55d0c8a00000-55d0c8a21000 r--p 00000000 fe:00 1835018                    /usr/bin/python3.11
7f0000000000-7f0000002000 rw-s 00003000 00:18 42                         /dev/shm/psm_1 2 3
7f0000003000-7f0000004000 rw-s 00000000 00:01 1030                       /dev/zero (deleted)
7f0000005000-7f0000006000 -w-s 00000000 00:06 12                         /dev/nvidia0
7f0000007000-7f0000008000 rw-s 00000000 00:0e 9                          anon_inode:[io_uring]
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]
7f0000009000-7f000000a000 rwxp 00000000 00:00 0
"""


def test_a_line_becomes_a_mapping() -> None:
    assert list(parse(LINES.splitlines()))[1] == Mapping(
        0x7F0000000000, 0x2000, "rw-s", 0x3000, (0, 0x18), 42, "/dev/shm/psm_1 2 3"
    )


def test_rights_become_those_of_the_call() -> None:
    assert [mapping.protection for mapping in parse(LINES.splitlines())] == [1, 3, 3, 2, 3, 3, 7]


def test_devices_and_queues_are_not_memory() -> None:
    found = [mapping.path for mapping in parse(LINES.splitlines()) if mapping.is_device]
    assert found == ["/dev/nvidia0", "anon_inode:[io_uring]"]


def test_memory_without_a_name_has_none() -> None:
    assert list(parse(LINES.splitlines()))[-1].path == ""


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_this_process_has_mappings_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a b (deleted)"
    path.write_bytes(bytes(8192))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0):
        found = [mapping for mapping in own_mappings() if mapping.path == str(path)]
    assert [(mapping.rights, mapping.length) for mapping in found] == [("rw-s", 8192)]
    assert found[0].inode == path.stat().st_ino
