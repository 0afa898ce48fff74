"""Which processes live, byte locks, and private files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from store_helpers import run

from copilot_magic.store.locks import (
    create_private,
    identity,
    is_alive,
    lock_byte,
    own_number,
    unlock_byte,
)


@contextmanager
def another_process(path: str) -> Iterator[int]:
    """Yield the number of a process that lives until the context is left, and is killed then."""
    code = """
import sys
from copilot_magic.store.locks import own_number
print(own_number(sys.argv[1]), flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def test_a_process_has_one_number_for_a_file_and_lives(path: str) -> None:
    assert own_number(path) == own_number(path)
    assert is_alive(path, own_number(path))
    assert not is_alive(path, None)


def test_another_process_is_alive_until_it_is_killed(path: str) -> None:
    with another_process(path) as number:
        assert number != own_number(path)
        # Asking twice: a look must not change what it looks at.
        assert [is_alive(path, number), is_alive(path, number)] == [True, True]
    assert not is_alive(path, number)


def test_a_forked_child_has_a_number_of_its_own(path: str) -> None:
    code = """
import os, sys
from copilot_magic.store.locks import is_alive, own_number
parents = own_number(sys.argv[1])
child = os.fork()
if child == 0:
    own = own_number(sys.argv[1])
    os._exit(0 if own != parents and is_alive(sys.argv[1], parents) else 1)
print(os.waitpid(child, 0)[1])
"""
    assert run(code, path) == "0\n"


def test_a_locked_byte_is_refused_to_another_process_and_no_other_byte_is(tmp_path: Path) -> None:
    file = tmp_path / "locks"
    file.touch()
    code = """
import os, sys
from copilot_magic.store.locks import lock_byte
descriptor = os.open(sys.argv[1], os.O_RDWR)
print(lock_byte(descriptor, 7), lock_byte(descriptor, 8))
"""
    descriptor = os.open(file, os.O_RDWR)
    try:
        assert lock_byte(descriptor, 7)
        assert run(code, str(file)) == "False True\n"
        unlock_byte(descriptor, 7)
        assert run(code, str(file)) == "True True\n"
    finally:
        os.close(descriptor)


def test_a_private_file_is_created_once_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "private"
    create_private(str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("kept")
    file.chmod(0o644)
    create_private(str(file))
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("kept", 0o644)


def test_the_identity_of_a_file_tells_it_from_the_one_that_replaced_it(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert identity(str(first)) is None
    first.touch()
    second.touch()
    before = identity(str(first))
    assert before == identity(str(first))
    second.replace(first)
    assert identity(str(first)) not in (None, before)
