"""The table of system calls."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from copilot_magic.sandbox.calls import ALLOWED, machine, number

# Where Debian, Fedora and Alpine keep the numbers that their compiler uses.
HEADERS = ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h")


@pytest.mark.parametrize("on", ["x86_64", "aarch64"])
def test_no_two_calls_have_the_same_number(on: str) -> None:
    numbers = [number(name, on) for name in ALLOWED]
    known = [found for found in numbers if found is not None]
    assert len(known) == len(set(known))
    assert len(set(ALLOWED)) == len(ALLOWED)


@pytest.mark.parametrize("on", ["x86_64", "aarch64"])
def test_calls_have_the_numbers_that_everybody_knows(on: str) -> None:
    known = {"x86_64": (0, 257, 59, 231), "aarch64": (63, 56, 221, 94)}
    names = ("read", "openat", "execve", "exit_group")
    assert tuple(number(name, on) for name in names) == known[on]


@pytest.mark.parametrize("header", [path for path in HEADERS if Path(path).exists()])
def test_the_numbers_are_those_of_the_systems_header(header: str) -> None:
    text = Path(header).read_text()
    found = {name: int(value) for name, value in re.findall(r"__NR_(\w+) (\d+)", text)}
    for name in ALLOWED:
        assert number(name, "x86_64") == found.get(name), name


def test_an_old_call_is_missing_where_it_never_was() -> None:
    assert number("open", "x86_64") == 2
    assert number("open", "aarch64") is None


REACHES_OUTSIDE = """
socket connect bind listen accept accept4 sendmsg sendmmsg fork vfork clone3 execve execveat ptrace
process_vm_writev process_vm_readv pidfd_open pidfd_getfd kill tkill rt_sigqueueinfo chmod fchmod
fchmodat chown fchown utimensat setxattr fsetxattr removexattr mknod mknodat mount umount2 chroot
pivot_root unshare setns setuid setgid setresuid capset prlimit64 setrlimit shmget shmat semget
msgget mq_open io_uring_setup bpf userfaultfd perf_event_open keyctl add_key memfd_create
settimeofday clock_settime adjtimex sethostname personality seccomp open_by_handle_at fanotify_init
inotify_init1 splice vmsplice tee reboot ioprio_set sched_setscheduler sched_setattr move_pages
mlockall syslog acct swapon
"""


@pytest.mark.parametrize("name", REACHES_OUTSIDE.split())
def test_what_reaches_outside_is_not_allowed_freely(name: str) -> None:
    assert name not in ALLOWED


def test_an_unknown_processor_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "uname", lambda: type("", (), {"machine": "riscv64"})(), raising=False)
    assert machine() == ""
    monkeypatch.setattr(os, "uname", lambda: type("", (), {"machine": "aarch64"})())
    assert machine() == "aarch64"
    monkeypatch.setattr(sys, "maxsize", 2**31 - 1)  # a 32-bit Python
    assert machine() == ""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert machine() == ""
