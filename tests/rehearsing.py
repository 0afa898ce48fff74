"""A kernel with something to lose, and a hash of all that a rehearsal must leave as it is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from live_kernel import LiveKernel, Run

__all__ = ["PREPARE", "RehearsingKernel"]

PREPARE = """
import array, collections, hashlib, json, os, pickle, random, signal, sys, tempfile, threading
import matplotlib.pyplot as plt, numpy as np, pandas as pd
from copilot_magic import rehearse

df = pd.DataFrame({"month": [1, 2, 3], "price": [1.5, 2.5, 3.5], "city": ["a", "b", "c"]})
series = pd.Series([1, 2, 3], name="counts")
matrix = np.arange(12.0).reshape(3, 4)
nested = {"a": [1, {"b": (2, 3)}], "s": {1, 2}}
numbers = [3, 1, 2]
letters = collections.deque("abc")
raw = bytearray(b"raw")
typed = array.array("i", [1, 2])
word = "word"
class Thing:
    shared = [1]
    def __init__(self): self.values = [1, 2]
thing = Thing()
def double(x): return 2 * x
data_file = open("data.txt", "r+")
pipe_in, pipe_out = os.pipe()

def _values():
    values = (df, series, matrix, nested, numbers, letters, raw, typed, word)
    return hashlib.sha256(pickle.dumps((values, vars(thing), Thing.shared))).hexdigest()

def _files(folder):
    return sorted(
        (path, os.lstat(path).st_mode, os.lstat(path).st_size, os.lstat(path).st_mtime_ns)
        for top, folders, files in os.walk(folder)
        for path in [os.path.join(top, name) for name in [*folders, *files]]
        if "ipython" not in path  # its history file is written by a thread of its own
    )

# At each fork, IPython itself stops the thread that writes the history, until the next cell.
def _state():
    shell = get_ipython()
    history = shell.history_manager
    out, hook, handler = shell.display_pub, shell.displayhook, signal.getsignal
    fds = {fd: _link(fd) for fd in os.listdir("/proc/self/fd")}
    names = {name: id(value) for name, value in globals().items()}
    names.pop("__warningregistry__", None)
    state = {
        "values": _values(), "names": names,
        "code": [double.__code__.co_code.hex(), sorted(vars(Thing))],
        "In": list(history.input_hist_raw), "Out": repr(shell.user_ns["Out"]),
        "_": repr(shell.user_ns["_"]), "count": shell.execution_count,
        "modules": sorted(set(sys.modules) - {"resource"}),
        "environ": dict(os.environ), "cwd": os.getcwd(), "path": list(sys.path),
        "builtins": sorted((n, id(v)) for n, v in vars(__builtins__).items() if n != "_"),
        "sys": [id(sys.stdout), id(sys.stderr), id(sys.stdin), id(sys.displayhook)],
        "hooks": {e: [id(c) for c in cs] for e, cs in shell.events.callbacks.items()},
        "shell": [id(out.publish.__func__), id(type(hook)), len(hook.__dict__)],
        "signals": [repr(handler(n)) for n in (signal.SIGINT, signal.SIGALRM, signal.SIGTERM)],
        "threads": sorted(t.name for t in threading.enumerate() if "History" not in t.name),
        "fds": {fd: link for fd, link in fds.items() if link and "ipython" not in link},
        "files": _files("."), "place": data_file.tell(), "random": repr(random.getstate())[:200],
        "comms": sorted(shell.kernel.comm_manager.comms), "children": _children(),
        "payload": repr(shell.payload_manager.read_payload()),
    }
    return json.loads(json.dumps(state, default=repr))

def _link(fd):
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return ""

def _children():
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = open(f"/proc/{name}/stat").read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == os.getpid():
                found.append(name)
    return found

def _difference(old, new):
    if isinstance(old, dict):
        old, new = list(old.items()), list(new.items())
    if isinstance(old, list):
        return [[e for e in old if e not in new], [e for e in new if e not in old]]
    return [old, new]

def _try(code, seconds):
    before = _state()
    result = rehearse(code, seconds=seconds)
    after = _state()
    return {
        "changes": {k: _difference(before[k], after[k]) for k in before if before[k] != after[k]},
        "ok": result.ok, "error": result.error, "stopped": result.stopped, "how": result.how,
        "summary": str(result), "stdout": result.stdout, "stderr": result.stderr,
        "refused": list(result.refused), "new": dict(result.new), "changed": dict(result.changed),
        "removed": list(result.removed), "kept": list(result.kept), "cut": result.cut,
        "result": (result.result or {}).get("text/plain"), "seconds": result.seconds,
        "texts": [o.get("text/plain") for o in result.outputs],
        "pictures": [o["image/png"][:8].hex() for o in result.outputs if "image/png" in o],
    }
_state(), rehearse("1")
None
"""


class RehearsingKernel(LiveKernel):
    """A kernel in a folder of its own, in which code is rehearsed.

    Args:
        home: The folder.
    """

    def __init__(self, home: Path, prepare: str = PREPARE) -> None:
        self.folder = home / "work"
        self.folder.mkdir()
        (self.folder / "data.txt").write_text("precious")
        super().__init__(
            HOME=str(home),
            IPYTHONDIR=str(home / "ipython"),
            PYTHONPATH=os.environ.get("PYTHONPATH", ""),
        )
        for code in (f"%cd -q {self.folder}", prepare):
            run = self.run(code)
            assert run.reply["status"] == "ok", run.error
        self.last = Run()

    def rehearse(self, code: str, seconds: float = 20.0) -> dict[str, Any]:
        """Return what a rehearsal says, and under ``changes`` what is not as it was."""
        self.last = self.run(f"print(json.dumps(_try({code!r}, {seconds})))")
        assert self.last.reply["status"] == "ok", self.last.error
        kinds = [m["msg_type"] for m in self.last.messages]
        assert set(kinds) <= {"status", "execute_input", "stream"}, kinds
        found: dict[str, Any] = json.loads(self.last.text)
        return found

    def answers(self) -> bool:
        """Say whether the kernel runs a cell."""
        return self.run("print(6 * 7)").text == "42\n"
