"""The seccomp filter, run by an interpreter of its instructions."""

from __future__ import annotations

import errno

import pytest

from copilot_magic.sandbox.calls import ALLOWED, AUDIT_ARCHITECTURES, number
from copilot_magic.sandbox.filter import Instruction, build

PID, PIPE = 4711, 512
ALLOW, KILL = "allow", "kill"
MACHINES = ["x86_64", "aarch64"]

CLONE_THREAD = 0x00010000
# What the C library starts a thread with.
A_THREAD = 0x003D0F00


def verdict(
    name: str | int,
    *arguments: int,
    on: str = "x86_64",
    truncate: bool = True,
    architecture: int = 0,
) -> str:
    """Return what the filter says of a call: allow, kill or the name of an error."""
    found = number(name, on) if isinstance(name, str) else name
    assert found is not None
    words = [found, architecture or AUDIT_ARCHITECTURES[on], 0, 0]
    for argument in (*arguments, *[0] * (6 - len(arguments))):
        words += [argument & 0xFFFFFFFF, argument >> 32 & 0xFFFFFFFF]
    result = interpret(build(PID, PIPE, truncate, on), words)
    if result >> 16 == 0x0005:
        return errno.errorcode[result & 0xFFFF]
    return {0x7FFF0000: ALLOW, 0x80000000: KILL}[result]


def interpret(program: list[Instruction], words: list[int]) -> int:
    """Run classic BPF as the kernel does, over a call of 32-bit words."""
    accumulator, position = 0, 0
    while True:
        code, if_true, if_false, constant = program[position]
        position += 1
        if code == 0x20:
            assert constant % 4 == 0
            accumulator = words[constant // 4]
        elif code == 0x54:
            accumulator &= constant
        elif code == 0x15:
            position += if_true if accumulator == constant else if_false
        elif code == 0x35:
            position += if_true if accumulator >= constant else if_false
        else:
            assert code == 0x06
            return constant


@pytest.mark.parametrize("on", MACHINES)
def test_the_kernel_would_take_the_program(on: str) -> None:
    """It takes 4096 instructions, jumps of a byte forwards, and a return at the end."""
    program = build(PID, PIPE, True, on)
    assert len(program) <= 4096
    assert program[-1].code == 0x06
    for place, instruction in enumerate(program):
        assert 0 <= instruction.if_true < 256
        assert 0 <= instruction.if_false < 256
        assert 0 <= instruction.constant < 2**32
        if instruction.code in (0x15, 0x35):
            assert place + 1 + max(instruction.if_true, instruction.if_false) < len(program)


@pytest.mark.parametrize("on", MACHINES)
def test_what_python_needs_is_allowed_with_any_arguments(on: str) -> None:
    for name in ALLOWED:
        if number(name, on) is not None:
            assert verdict(name, *[2**64 - 1] * 6, on=on) == ALLOW


@pytest.mark.parametrize("on", MACHINES)
def test_everything_else_is_refused(on: str) -> None:
    known = {number(name, on) for name in ALLOWED}
    rules = "open openat close dup2 dup3 fcntl ioctl flock clone kill tgkill setpriority truncate "
    rules += "sched_setaffinity prctl prlimit64 socketpair sendto"
    known |= {number(name, on) for name in rules.split()}
    for call in range(600):
        if call not in known:
            assert verdict(call, on=on) in ("EPERM", "ENOSYS", "ENOTSUP"), call


def test_what_the_c_library_does_without_is_missing() -> None:
    assert verdict("clone3") == verdict("openat2") == verdict("memfd_create") == "ENOSYS"
    assert verdict(462) == verdict(2**29) == "ENOSYS"
    assert verdict("fallocate") == "ENOTSUP"
    assert verdict("socket") == verdict("execve") == verdict("fork") == "EPERM"


@pytest.mark.parametrize("on", MACHINES)
def test_another_instruction_set_is_killed(on: str) -> None:
    assert verdict("read", on=on, architecture=0x40000003) == KILL  # i386
    assert verdict("read", on=on, architecture=0x40000028) == KILL  # arm


def test_x32_is_refused() -> None:
    assert verdict(0x40000000 | 0) == "EPERM"
    assert verdict(0xFFFFFFFF) == "EPERM"


def test_only_threads_are_started() -> None:
    assert verdict("clone", A_THREAD) == ALLOW
    assert verdict("clone", CLONE_THREAD) == ALLOW
    for flags in (0, 17, A_THREAD & ~CLONE_THREAD, 17 | 1 << 40):
        assert verdict("clone", flags) == "EPERM"
    for bit in (
        0x2000,
        0x4000,
        0x8000,
        0x1000,
        0x20000,
        0x800000,
        *(1 << n for n in range(25, 31)),
    ):
        assert verdict("clone", A_THREAD | bit) == "EPERM", hex(bit)


@pytest.mark.parametrize(("name", "place"), [("open", 1), ("openat", 2)])
def test_opening_for_reading_does_not_truncate(name: str, place: int) -> None:
    before = [0] * place
    for flags in (0, 1, 2, 3, 0o1001, 0o1002, 0o1101, 0o2000001):
        assert verdict(name, *before, flags) == ALLOW, oct(flags)
    for flags in (0o1000, 0o1003, 0o1100, 0o2001000):
        assert verdict(name, *before, flags) == "EPERM", oct(flags)


def test_truncating_by_path_needs_a_landlock_that_watches_over_it() -> None:
    assert verdict("truncate") == ALLOW
    assert verdict("truncate", truncate=False) == "EPERM"
    assert verdict("ftruncate", truncate=False) == ALLOW


def test_a_socket_is_one_of_a_pair_of_streams() -> None:
    assert verdict("socketpair", 1, 1) == ALLOW
    assert verdict("socketpair", 1, 1 | 0o2000000 | 0o4000) == ALLOW
    for domain, kind in ((1, 2), (1, 5), (2, 1), (10, 1), (16, 3), (17, 3), (40, 1)):
        assert verdict("socketpair", domain, kind) == "EPERM"
    assert verdict("sendto", 3, 1, 1, 0, 0, 0) == ALLOW
    assert verdict("sendto", 3, 1, 1, 0, 1, 0) == "EPERM"
    assert verdict("sendto", 3, 1, 1, 0, 1 << 32, 0) == "EPERM"


def test_signals_go_to_the_copy_itself_only() -> None:
    for name in ("kill", "tgkill"):
        assert verdict(name, PID, 9) == ALLOW
        for pid in (0, 1, PID + 1, -1, -PID, 2**32 - 1):
            assert verdict(name, pid, 9) == "EPERM"


def test_limits_and_priorities_of_others_stay() -> None:
    assert verdict("prlimit64", 0, 7, 0, 1 << 40) == ALLOW
    assert verdict("prlimit64", 0, 7, 1, 0) == verdict("prlimit64", 0, 7, 1 << 32, 0) == "EPERM"
    assert verdict("setpriority", 0, 0, 5) == verdict("setpriority", 0, PID, 5) == ALLOW
    assert verdict("setpriority", 0, 1, 5) == verdict("setpriority", 1, 0, 5) == "EPERM"
    assert verdict("sched_setaffinity", PID) == verdict("sched_setaffinity", 0) == ALLOW
    assert verdict("sched_setaffinity", 1) == "EPERM"


def test_the_pipe_of_the_reports_stays_open() -> None:
    assert verdict("close", 3) == verdict("dup2", PIPE, 3) == verdict("dup3", PIPE, 3) == ALLOW
    assert verdict("close", PIPE) == verdict("dup2", 3, PIPE) == verdict("dup3", 3, PIPE) == "EPERM"


@pytest.mark.parametrize(
    ("name", "harmless", "harmful"),
    [
        # Duplicating, flags, locks; not: owner, signal, lease, hints, the size of a pipe.
        ("fcntl", (0, 1, 3, 4, 6, 37, 1030), (8, 10, 15, 1024, 1026, 1031, 1036)),
        # Terminal, blocking; not: typing for someone, file flags, a file's encryption.
        ("ioctl", (0x5401, 0x5413, 0x541B, 0x5421), (0x5412, 0x40086602, 0x8901, 0xC0185879)),
        ("flock", (1, 5, 8, 12), (2, 6)),
    ],
)
def test_a_descriptor_can_be_asked_and_not_used_against_others(
    name: str, harmless: tuple[int, ...], harmful: tuple[int, ...]
) -> None:
    assert {verdict(name, 3, command) for command in harmless} == {ALLOW}
    assert {verdict(name, 3, command) for command in harmful} == {"EPERM"}


def test_the_copy_cannot_loosen_itself() -> None:
    assert verdict("prctl", 15) == ALLOW
    for option in (1, 4, 8, 22, 24, 26, 28, 35, 36, 38, 47, 0x59616D61):
        assert verdict("prctl", option) == "EPERM"
