"""Why no copy can be made."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

from copilot_magic.errors import RehearsalError
from copilot_magic.sandbox import support
from copilot_magic.sandbox.limits import Ended
from copilot_magic.sandbox.support import why_not

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux makes copies")


@pytest.fixture(autouse=True)
def untried(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(support, "_tried", {})
    yield


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let everything be there, so that each test can take one thing away."""
    from copilot_magic.sandbox import landlock

    monkeypatch.setattr(landlock, "version", lambda: 6)
    monkeypatch.setattr(support, "machine", lambda: "x86_64")
    monkeypatch.setattr(support, "_try", lambda: "")
    assert why_not() == ""
    return monkeypatch


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_other_systems_cannot(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert why_not() == "only Linux can confine a copy of a process"


@linux
def test_a_python_without_fork_cannot(asked: pytest.MonkeyPatch) -> None:
    asked.delattr(os, "fork")
    assert why_not() == "this Python cannot fork"


@linux
def test_an_unknown_processor_cannot(asked: pytest.MonkeyPatch) -> None:
    asked.setattr(support, "machine", lambda: "")
    assert "system calls of this processor" in why_not()


@linux
def test_a_kernel_without_landlock_cannot(asked: pytest.MonkeyPatch) -> None:
    from copilot_magic.sandbox import landlock

    asked.setattr(landlock, "version", lambda: 0)
    assert "no Landlock" in why_not()


@linux
def test_a_copy_cannot_copy_itself(asked: pytest.MonkeyPatch) -> None:
    from copilot_magic.sandbox import inside, landlock

    asked.setattr(inside, "_is_copy", True)
    asked.setattr(landlock, "version", lambda: 0)  # the copy's filter refuses the question
    assert why_not() == "this process is a copy already"


def _mapped(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    from copilot_magic.sandbox import mappings

    mapping = mappings.Mapping(0, 4096, "rw-s", 0, (0, 0), 1, path)
    monkeypatch.setattr(mappings, "own_mappings", lambda: [mapping])


@linux
@pytest.mark.parametrize(("path", "name"), [("/dev/nvidia-uvm", "CUDA"), ("/dev/kfd", "ROCm")])
def test_a_graphics_processor_in_use_does_not_survive_a_fork(
    asked: pytest.MonkeyPatch, path: str, name: str
) -> None:
    _mapped(asked, path)
    assert why_not() == f"{name} is in use by this process"


@linux
@pytest.mark.parametrize("initialized", [True, False])
def test_torch_says_whether_it_uses_cuda(asked: pytest.MonkeyPatch, initialized: bool) -> None:
    torch: Any = types.ModuleType("torch")
    torch.cuda = types.SimpleNamespace(is_initialized=lambda: initialized)
    asked.setitem(sys.modules, "torch", torch)
    assert why_not() == ""
    _mapped(asked, "/usr/lib/x86_64-linux-gnu/libcuda.so.550.54")
    assert why_not() == ("CUDA is in use by this process" if initialized else "")


@linux
def test_a_try_is_made_once_in_each_process(asked: pytest.MonkeyPatch) -> None:
    tries: list[str] = []
    asked.setattr(support, "_try", lambda: tries.append("try") or "no")
    asked.setattr(support, "_tried", {os.getpid() + 1: ""})
    assert [why_not(), why_not(), tries] == ["no", "no", ["try"]]


@linux
@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (([{"done": []}], "finished", 0), ""),
        (
            ([{"done": ["write", "delete"]}], "finished", 0),
            "the kernel lets a copy write and delete",
        ),
        (([], "exited", 1), "a copy of this process does not work: exited (1)"),
        (([], "timed out", 9), "a copy of this process does not work: timed out (9)"),
    ],
)
def test_a_try_tells_what_was_not_refused(
    monkeypatch: pytest.MonkeyPatch, ended: tuple[Any, str, int], reason: str
) -> None:
    from copilot_magic.sandbox import forking

    messages, how, code = ended
    result = Ended(messages, [], 0.1, how, code, False)
    monkeypatch.setattr(forking, "run", lambda work, limits: result)
    assert support._try() == reason


@linux
def test_a_try_that_cannot_be_made_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    from copilot_magic.sandbox import forking

    def run(work: Any, limits: Any) -> Ended:
        raise RehearsalError("A copy of this process could not be confined: EPERM", "Run it")

    monkeypatch.setattr(forking, "run", run)
    assert support._try() == "A copy of this process could not be confined: EPERM"
