"""Whether a copy can be confined here: the system, this process, and one real try."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import tempfile
from typing import Any

from ..errors import RehearsalError
from .calls import machine, number
from .limits import Limits, Report

__all__ = ["why_not"]

# The reason that a try has found, by process: a fork of this process may be somewhere else.
_tried: dict[int, str] = {}

# Graphics processors that compute, if this process uses them.
_DEVICES = {"/dev/nvidia": "CUDA", "/dev/kfd": "ROCm"}


def why_not() -> str:
    """Return why no copy of this process can be made and confined here, or an empty string.

    The first call makes a copy that tries what must be refused.
    """
    for find in (_of_platform, _of_copy, _of_kernel, _of_process):
        if reason := find():
            return reason
    if os.getpid() not in _tried:
        _tried[os.getpid()] = _try()
    return _tried[os.getpid()]


def _of_platform() -> str:
    if sys.platform != "linux":
        return "only Linux can confine a copy of a process"
    if not hasattr(os, "fork"):
        return "this Python cannot fork"
    if not machine():
        return f"the system calls of this processor ({os.uname().machine}) are not known to us"
    return ""


def _of_copy() -> str:
    from .inside import is_copy

    return "this process is a copy already" if is_copy() else ""


def _of_kernel() -> str:
    """Say what the kernel lacks. A copy cannot tell: it may not even ask for Landlock."""
    from . import landlock

    if not os.path.isdir("/proc/self/fd"):
        return "there is no /proc here"
    if landlock.version() < 1:
        return "this Linux has no Landlock, or it is off"
    return ""


def _of_process() -> str:
    """Say what this process has that does not survive a fork."""
    from .mappings import own_mappings

    paths = {mapping.path for mapping in own_mappings()}
    for device, name in _DEVICES.items():
        if any(path.startswith(device) for path in paths):
            return f"{name} is in use by this process"
    if any("libcuda.so" in path for path in paths) and _torch_uses_cuda():
        return "CUDA is in use by this process"
    return ""


def _torch_uses_cuda() -> bool:
    cuda: Any = getattr(sys.modules.get("torch"), "cuda", None)
    return bool(cuda is not None and cuda.is_initialized())


def _try() -> str:
    """Make a copy that tries what must be refused; return what is wrong, or an empty string."""
    from .forking import run

    outside = tempfile.mkdtemp(prefix="copilot-outside-")
    file = os.path.join(outside, "file")

    def work(report: Report) -> None:
        report({"done": _misdeeds(file)})

    try:
        with open(file, "w", encoding="ascii"):
            pass
        ended = run(work, Limits(seconds=20.0))
    except RehearsalError as error:
        return error.message
    except OSError as error:
        return f"there is no place for temporary files: {error}"
    finally:
        shutil.rmtree(outside, ignore_errors=True)
    if ended.how != "finished" or len(ended.messages) != 1:
        return f"a copy of this process does not work: {ended.how} ({ended.code})"
    done = ended.messages[0].get("done")
    return f"this Linux lets a copy {' and '.join(done)}" if done else ""


def _misdeeds(file: str) -> list[str]:
    """Try, past Python, what a copy must not do; return what was not refused, or did not work."""
    libc = ctypes.CDLL(None, use_errno=True)
    path = os.fsencode(file)

    def call(name: str, *arguments: int | bytes) -> bool:
        words = [number(name) or 0, *arguments]
        converted = [w if isinstance(w, bytes) else ctypes.c_long(w) for w in words]
        return bool(libc.syscall(*converted) != -1)

    here = -100  # AT_FDCWD
    tried = {
        "write": call("openat", here, path, os.O_WRONLY, 0),
        "create files": call("openat", here, path + b"2", os.O_WRONLY | os.O_CREAT, 0o600),
        "delete": call("unlinkat", here, path, 0),
        "change permissions": call("fchmodat", here, path, 0o777),
        "use the network": call("socket", 2, 1, 0),
        "start programs": call("execve", b"/bin/true", 0, 0),
        "start processes": call("clone", 17, 0, 0, 0, 0),
        "send signals": call("kill", os.getppid(), 0),
    }
    done = [name for name, was_done in tried.items() if was_done]
    try:
        with tempfile.TemporaryFile() as temporary:
            temporary.write(b"1")
    except OSError:
        done.append("write no temporary files")
    return done
