"""The audit hook in a copy: it names what is refused, before the kernel refuses it.

It is there for readability only. Code can get around it, by native calls among other ways; then the
kernel refuses the same, without a name. So an error in here is not one: the kernel decides.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

from ..text import one_line, without_credentials

__all__ = ["Guard"]

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_AF_UNIX = 1
# Opening a connection by a module's own name for it: the object, host and port.
_CONNECTING = ("http.client", "smtplib", "ftplib", "poplib", "nntplib", "telnetlib")
_LENGTH = 120
_INSTALLED = (os.path.dirname(os.__file__), "<frozen ", "<__array_function__")


class Guard:
    """An audit hook that names what a copy must not do.

    Args:
        scratch: The only directory that may be changed, without symbolic links.
        tell: Is told in words what is refused.
    """

    def __init__(self, scratch: str, tell: Callable[[str], None]) -> None:
        self._scratch = scratch
        self._tell = tell
        self._pid = os.getpid()
        self._wishes: dict[str, Callable[..., str]] = {
            "open": self._open,
            "os.remove": self._delete,
            "os.rmdir": self._delete,
            "shutil.rmtree": self._delete,
            "os.rename": self._rename,
            "shutil.move": self._rename,
            "os.mkdir": self._make_folder,
            "os.link": self._link,
            "os.symlink": self._symlink,
            "os.truncate": lambda path, *_: self._changed("shorten", path),
            "os.chmod": lambda path, mode=0, folder=-1: self._changed(
                "change the permissions of", path, folder
            ),
            "os.chown": lambda path, *_: self._changed("change the owner of", path),
            "os.utime": lambda path, times=0, ns=0, folder=-1: self._changed(
                "change the times of", path, folder
            ),
            "os.setxattr": lambda path, *_: self._changed("change the attributes of", path),
            "os.removexattr": lambda path, *_: self._changed("change the attributes of", path),
            "sqlite3.connect": self._database,
            "socket.__new__": lambda _, family, *__: (
                "" if family == _AF_UNIX else "use the network"
            ),
            "socket.connect": lambda _, address: f"connect to {_address(address)}",
            "socket.bind": lambda _, address: f"listen on {_address(address)}",
            "socket.sendto": lambda _, address: f"send to {_address(address)}",
            "socket.sendmsg": lambda _, address: f"send to {_address(address)}" if address else "",
            "socket.getaddrinfo": lambda *address: f"connect to {_address(address)}",
            "socket.gethostbyname": lambda host: f"look up {_text(host)}",
            "socket.gethostbyaddr": lambda host: f"look up {_text(host)}",
            "socket.getnameinfo": lambda address: f"look up {_address(address)}",
            "urllib.Request": _request,
            "webbrowser.open": lambda url: f"open a browser with {_text(url)}",
            "syslog.syslog": lambda *_: "write to the system's log",
            "subprocess.Popen": lambda executable, args, *_: _process(args or executable),
            "os.system": lambda command: _process(command),
            "os.exec": lambda path, args, *_: _process(args or path),
            "os.posix_spawn": lambda path, args, *_: _process(args or path),
            "pty.spawn": lambda args: _process(args),
            "os.fork": lambda: "start a process",
            "os.forkpty": lambda: "start a process",
            "os.kill": lambda pid, number: self._signal("process", pid),
            "os.killpg": lambda group, number: self._signal("process group", group),
        }
        for module in _CONNECTING:
            self._wishes[f"{module}.connect"] = lambda _, host, port=0, *__: (
                f"connect to {_address((host, port))}"
            )

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Refuse what the event is about to do, if a copy must not do it.

        Raises:
            PermissionError: It is refused; the parent knows.
        """
        wish_of = self._wishes.get(event)
        if wish_of is None:
            return
        try:
            wish = wish_of(*arguments)
        except Exception:  # noqa: BLE001 - strange arguments: the kernel decides
            return
        if wish:
            if not _is_imported():
                with suppress(OSError):  # the code has broken the pipe
                    self._tell(wish)
            raise PermissionError(errno.EPERM, f"A copy of this process must not {wish}")

    # What fails in any case, because a file is there or is not, is left to fail as it always does.

    def _open(self, path: Any, mode: Any = None, flags: int = 0) -> str:
        if isinstance(path, int):
            return ""
        if not flags & _WRITES:
            # Reading takes something away from a pipe's other readers.
            is_pipe = stat.S_ISFIFO(os.stat(path).st_mode)
            return f"read from the pipe {_path(path)}" if is_pipe else ""
        full = os.path.realpath(os.fsdecode(path))
        ours = self._is_ours(full) or full == self._scratch
        fails = not os.path.exists(os.path.dirname(full)) or (
            flags & os.O_EXCL and os.path.lexists(path)
        )
        return "" if ours or fails else f"write {_path(path)}"

    def _delete(self, path: Any, folder: Any = -1) -> str:
        return self._changed("delete", path, folder)

    def _make_folder(self, path: Any, mode: int = 0, folder: Any = -1) -> str:
        full = _full(path, folder)
        fails = os.path.lexists(full) or not os.path.exists(os.path.dirname(full))
        return "" if fails or self._is_ours(full) else f"create the folder {_path(path)}"

    def _rename(self, old: Any, new: Any, old_folder: Any = -1, new_folder: Any = -1) -> str:
        return self._moved("rename", "to", old, new, old_folder, new_folder)

    def _link(self, old: Any, new: Any, old_folder: Any = -1, new_folder: Any = -1) -> str:
        return self._moved("link", "as", old, new, old_folder, new_folder)

    def _symlink(self, old: Any, new: Any, folder: Any = -1) -> str:
        full = _full(new, folder)
        fails = os.path.lexists(full)
        return "" if fails or self._is_ours(full) else f"create the link {_path(new)}"

    def _moved(
        self, verb: str, word: str, old: Any, new: Any, old_folder: Any, new_folder: Any
    ) -> str:
        source, target = _full(old, old_folder), _full(new, new_folder)
        ours = self._is_ours(source) and self._is_ours(target)
        fails = not os.path.lexists(source)
        return "" if ours or fails else f"{verb} {_path(old)} {word} {_path(new)}"

    def _changed(self, verb: str, path: Any, folder: Any = -1) -> str:
        if isinstance(path, int):
            path = os.readlink(f"/proc/self/fd/{path}")
        full = _full(path, folder)
        ours = self._is_ours(full) or not os.path.lexists(full)
        return "" if ours else f"{verb} {_path(path)}"

    def _database(self, path: Any) -> str:
        """Refuse to create a database; one that exists can be read."""
        name = os.fsdecode(path)
        if name in ("", ":memory:") or name.startswith("file:") or os.path.exists(name):
            return ""
        full = os.path.realpath(name)
        fails = not os.path.exists(os.path.dirname(full))
        return "" if fails or self._is_ours(full) else f"write {_path(path)}"

    def _signal(self, kind: str, pid: int) -> str:
        return "" if pid == self._pid else f"send a signal to {kind} {pid}"

    def _is_ours(self, full: str) -> bool:
        """Say whether a path without links in it is in the scratch directory."""
        return full == os.devnull or full.startswith(self._scratch + "/")


def _is_imported() -> bool:
    """Say whether an installed package does this while it is imported.

    Packages make a cache, or ask whether there is IPv6, and do without if they may not. That says
    nothing about the code.
    """
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith("<frozen importlib"):
            return True
        if not file.startswith(_INSTALLED) and "-packages" not in file:
            return False
        frame = frame.f_back
    return False


def _full(path: Any, folder: Any = -1) -> str:
    """Return where an entry is; a link in the last place is the entry, and not followed."""
    name = os.fsdecode(path).rstrip("/")
    if not os.path.isabs(name) and isinstance(folder, int) and folder >= 0:
        name = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), name)
    above, name = os.path.split(name)
    return os.path.join(os.path.realpath(above or "."), name)


def _path(path: Any) -> str:
    """Return a path as a reader knows it: relative if it is below the working directory."""
    name = _text(path)
    here = os.getcwd().rstrip("/") + "/"
    return name[len(here) :] if name.startswith(here) and len(name) > len(here) else name


def _text(value: Any) -> str:
    if isinstance(value, (bytes, os.PathLike)):
        value = os.fsdecode(value)
    return one_line(value if isinstance(value, str) else repr(value), _LENGTH)


def _address(address: Any) -> str:
    if not isinstance(address, tuple):
        return _text(address)
    host, port = address[0], address[1] if len(address) > 1 else None
    name = _text(host) if host else "this machine"
    return f"{name}:{_text(port)}" if port else name


def _request(url: Any, *_: Any) -> str:
    name = _text(url)
    return "" if name.startswith(("file:", "data:")) else f"connect to {without_credentials(name)}"


def _process(command: Any) -> str:
    if isinstance(command, (str, bytes, os.PathLike)):
        words = _text(command)
    else:
        words = " ".join(_text(word) for word in list(command)[:20])
    return one_line(f"start a process: {words}", _LENGTH)
