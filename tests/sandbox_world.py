"""All that a copy must leave alone, made before it and looked at after it."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import mmap
import multiprocessing
import os
import resource
import select
import signal
import socket
import sqlite3
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import ExitStack
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from copilot_magic.sandbox import calls

# Calls that neither the filter nor we name, on x86_64 and aarch64.
_MORE_CALLS = {
    **{"execveat": (322, 281), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138)},
    **{"rt_tgsigqueueinfo": (297, 240), "pidfd_getfd": (438, 438)},
    **{"process_vm_writev": (311, 271), "process_vm_readv": (310, 270)},
    **{"process_madvise": (440, 440), "kcmp": (312, 272), "io_uring_setup": (425, 425)},
    **{"bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282)},
    **{"keyctl": (250, 219), "add_key": (248, 217), "personality": (135, 92)},
    **{"mq_open": (240, 180), "ioprio_set": (251, 30), "sched_setattr": (314, 274)},
    **{"settimeofday": (164, 170), "adjtimex": (159, 171), "fanotify_init": (300, 262)},
    **{"open_by_handle_at": (304, 265), "mknodat": (259, 33), "sendmsg": (46, 211)},
    **{"fsopen": (430, 430), "pivot_root": (155, 41), "setpgid": (109, 154)},
    **{"splice": (275, 76), "sync": (162, 81)},
}
_REFUSED = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EXDEV}


class World:
    """Files, sockets, memory and a process, as a notebook may have them.

    Attributes:
        canary: A directory that nothing may change.
    """

    def __init__(self, directory: Path) -> None:
        self._closing = ExitStack()
        self.canary = directory / "canary"
        self._signals = 0
        signal.signal(signal.SIGUSR1, self._count)
        self._make_files()
        self._make_sockets()
        self._make_memory()
        self.written = self._keep((self.canary / "written.txt").open("w", encoding="utf-8"))
        self.written.write("not flushed")
        self.read = self._keep((self.canary / "read.csv").open(encoding="utf-8"))
        self.database = sqlite3.connect(self.canary / "data.db", check_same_thread=False)
        self._closing.callback(self.database.close)
        # A kernel has threads.
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._stop.wait)
        self._thread.start()

    def _keep(self, thing: Any) -> Any:
        return self._closing.enter_context(thing)

    def _count(self, *_: object) -> None:
        self._signals += 1

    def _make_files(self) -> None:
        for folder in ("folder", "empty", "scratch of another"):
            (self.canary / folder).mkdir(parents=True)
        (self.canary / "data.csv").write_text("a,b\n1,2\n")
        (self.canary / "read.csv").write_text("a,b\n")
        (self.canary / "folder" / "inner.txt").write_text("inner")
        (self.canary / "scratch of another" / "mine").write_text("mine")
        (self.canary / "link").symlink_to("data.csv")
        (self.canary / "mapped").write_bytes(b"A" * 4096)
        (self.canary / "later").write_bytes(b"A" * 4096)
        os.mkfifo(self.canary / "fifo")
        with contextlib.suppress(OSError):
            os.setxattr(self.canary / "data.csv", "user.canary", b"1")
        with contextlib.closing(sqlite3.connect(self.canary / "data.db")) as database:
            database.execute("create table t (a)")
            database.execute("insert into t values (1)")
            database.commit()
        # Some other writer holds it open.
        fifo = os.open(self.canary / "fifo", os.O_RDWR)
        os.write(fifo, b"queued")
        self._fifo = fifo
        self._closing.callback(os.close, fifo)

    def _make_sockets(self) -> None:
        self.tcp = self._keep(socket.create_server(("127.0.0.1", 0)))
        self.connected = self._keep(socket.create_connection(self.tcp.getsockname()))
        self._accepted = self._keep(self.tcp.accept()[0])
        self.udp = self._keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.udp.bind(("127.0.0.1", 0))
        # In a copy, what was a socket is none, and cannot be asked.
        self._tcp_port, self._udp_port = self.tcp.getsockname()[1], self.udp.getsockname()[1]
        self.datagram = self._keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._unix = self._keep(socket.socket(socket.AF_UNIX))
        self.unix_path = tempfile.mktemp(prefix="canary-socket-", dir="/tmp")
        self._unix.bind(self.unix_path)
        self._closing.callback(os.unlink, self.unix_path)
        self._unix.listen()
        self.abstract = f"\0canary-{os.getpid()}".encode()
        self._abstract = self._keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self._abstract.bind(self.abstract)
        self.unix_datagram = self._keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.unix_datagram.connect(self.abstract)
        self._pipe, self.pipe_end = os.pipe()
        self._closing.callback(os.close, self._pipe)
        self._closing.callback(os.close, self.pipe_end)

    def _make_memory(self) -> None:
        self.memory = bytearray(b"memory of parent")
        self.plain = ctypes.create_string_buffer(b"AAAA", 64)
        self.memmap = np.memmap(self.canary / "mapped", "u1", "r+")
        self.shared = SharedMemory(create=True, size=4096)
        self._closing.callback(self.shared.unlink)
        self._closing.callback(self.shared.close)
        self.shared.buf[:4] = b"AAAA"
        self.anonymous = mmap.mmap(-1, 8192)
        self.anonymous[:4] = b"AAAA"
        with (self.canary / "later").open("r+b") as file:
            # Only read, but of a file that could be written to.
            self._later = mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ)
        self.later = np.frombuffer(self._later, "u1")
        self.semaphore = multiprocessing.get_context("fork").Semaphore(3)
        self.array = np.ones((64, 64))
        self.frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "x"]})

    def close(self) -> None:
        """Release everything."""
        self._stop.set()
        self._thread.join()
        self._closing.close()
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)

    def namespace(self, report: Any) -> dict[str, Any]:
        """Return what a snippet finds; to be called in the copy."""
        libc = ctypes.CDLL(None, use_errno=True)

        def native(result: int, *errors: int) -> None:
            code = ctypes.get_errno()
            assert result == -1, f"was done: {result}"
            assert code in (errors or _REFUSED), os.strerror(code)

        def system(name: str, *arguments: Any) -> int:
            found = _MORE_CALLS.get(name)
            number = found[calls.machine() == "aarch64"] if found else calls.number(name)
            words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
            return int(libc.syscall(ctypes.c_long(number or 0), *words))

        def vector(data: bytes) -> Any:
            buffer = ctypes.create_string_buffer(data)
            kept.append(buffer)
            return struct.pack("@PN", ctypes.addressof(buffer), len(data))

        kept: list[Any] = []
        return {
            **{"native": native, "system": system, "libc": libc, "report": report},
            **{"vector": vector, "machine": calls.machine(), "canary": self.canary},
            "path": lambda name: os.fsencode(self.canary / name),
            "scratch": lambda name: os.fsencode(tempfile.gettempdir()) + b"/" + name,
            "fd_path": lambda path: b"/proc/self/fd/%d" % os.open(path, os.O_RDONLY),
            "parent_memory": lambda n: struct.pack("@PN", ctypes.addressof(self.plain), n),
            **{"tcp_port": self._tcp_port, "udp_port": self._udp_port},
            **{"unix_path": self.unix_path, "abstract": self.abstract, "listening": self.tcp},
            **{"connected": self.connected, "datagram": self.datagram, "memory": self.memory},
            **{"unix_datagram": self.unix_datagram, "pipe_end": self.pipe_end},
            **{"memmap": self.memmap, "shared": self.shared, "anonymous": self.anonymous},
            **{"later": self.later, "semaphore": self.semaphore, "array": self.array},
            **{"frame": self.frame, "written": self.written, "read": self.read},
            **{"database": self.database, "os": os, "sys": sys, "socket": socket, "mmap": mmap},
            **{"signal": signal, "subprocess": subprocess, "tempfile": tempfile, "time": time},
            **{"ctypes": ctypes, "errno": errno, "urllib": urllib},
        }

    def state(self) -> dict[str, Any]:
        """Return all that must be the same after a copy."""
        listening = [self.tcp, self._accepted, self.udp, self._unix, self._abstract, self._pipe]
        readable = select.select(listening, [], [], 0)[0]
        return {
            "files": _tree(self.canary),
            "temporary files": sorted(os.listdir(tempfile.gettempdir())),
            "received": [listening.index(found) for found in readable],
            "queued": _unread(self._fifo),
            "memory": (
                *(bytes(self.memory), self.plain.raw, bytes(self.memmap), bytes(self.shared.buf)),
                *(self.anonymous[:8], bytes(self.later), self.semaphore.get_value()),
                *(self.array.tobytes(), self.frame.to_csv()),
            ),
            "places": (*(os.lseek(f.fileno(), 0, os.SEEK_CUR) for f in (self.read, self.written)),),
            "rows": self.database.execute("select * from t").fetchall(),
            "children": _children(),
            "descriptors": sorted(os.listdir("/proc/self/fd")),
            "threads": threading.active_count(),
            "signals": (self._signals, [signal.getsignal(n) for n in (2, 10, 14, 15, 17)]),
            "blocked": signal.pthread_sigmask(signal.SIG_BLOCK, []),
            "limits": [resource.getrlimit(n) for n in range(16)],
            "priority": (os.getpriority(os.PRIO_PROCESS, 0), os.sched_getaffinity(0)),
            "process": (os.getcwd(), dict(os.environ), _umask(), tempfile.gettempdir()),
            "streams": [id(s) for s in (sys.stdin, sys.stdout, sys.stderr)],
            "system": (socket.gethostname(), round(time.time() - time.monotonic()) // 5),
            "ipc": [Path(f"/proc/sysvipc/{kind}").read_text() for kind in ("shm", "sem", "msg")],
            "shared memory": sorted(os.listdir("/dev/shm")),
            "mounts": Path("/proc/self/mountinfo").read_text(),
        }


def _tree(top: Path) -> dict[str, Any]:
    """Return what is known of each file: contents, modes, times, owners, links, attributes."""
    found: dict[str, Any] = {}
    for path in [top, *sorted(top.rglob("*"))]:
        known = path.lstat()
        attributes: Any = ""
        if stat.S_ISREG(known.st_mode):
            attributes = [(name, os.getxattr(path, name)) for name in os.listxattr(path)]
            attributes.append(hashlib.sha256(path.read_bytes()).hexdigest())
        elif path.is_symlink():
            attributes = os.readlink(path)
        numbers = (known.st_mode, known.st_uid, known.st_gid, known.st_size, known.st_nlink)
        found[str(path)] = (*numbers, known.st_mtime_ns, known.st_ctime_ns, attributes)
    return found


def _unread(descriptor: int) -> int:
    import fcntl
    import termios

    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)


def _children() -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit():
                text = (entry / "stat").read_text()
                if int(text.rpartition(")")[2].split()[1]) == os.getpid():
                    found.append(text.split(")")[0])
    return sorted(found)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
