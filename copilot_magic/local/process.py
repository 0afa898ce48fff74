"""The local server's process: how it is launched and configured, and why it failed."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import LauncherError
from ..settings import LOCAL_MARK
from ..text import count_of
from .ports import get_models
from .system import cache_directory, end_process, unwritable
from .weights import WEIGHTS

__all__ = ["KEPT_LOGS", "SERVER_COMMAND", "LocalServer", "PortLostError", "launch"]

SERVER_COMMAND = (sys.executable, "-m", "copilot_magic.local.server")
KEPT_LOGS = 10
_SECRET = re.compile(r"(?i)(KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)$")


@dataclass
class LocalServer:
    """A running local server; it ends with the process that started it, or with :meth:`stop`.

    Attributes:
        base_url: Its address, up to and including ``/v1``.
        api_key: The random key that it wants.
        model: The name of its model.
        path: The GGUF file that it serves.
        log_path: Its error output; the file is kept when the server ends.
    """

    base_url: str
    api_key: str = field(repr=False)
    model: str
    path: Path
    log_path: Path
    _process: subprocess.Popen[bytes] = field(repr=False)
    _owner: int = field(default_factory=os.getpid, repr=False)

    @property
    def port(self) -> int:
        """Return the port that it listens on."""
        return urlsplit(self.base_url).port or 0

    @property
    def is_small_model(self) -> bool:
        """Say whether it serves the small model, and not a file of the user's."""
        return self.path.name == WEIGHTS

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Say whether its process runs."""
        if os.getpid() == self._owner:
            return self._process.poll() is None
        try:
            os.kill(self.pid, 0)
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """End the server, unless this is a fork of the process that started it.

        A fork inherits the exit handlers, so its end must not end the server.
        """
        if os.getpid() != self._owner:
            return
        atexit.unregister(self.stop)
        end_process(self._process)

    def __enter__(self) -> LocalServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class PortLostError(Exception):
    """The port was free, but something else took it before the server could."""


def launch(
    model: Path,
    port: int,
    defaults: Mapping[str, float | str] | None = None,
    *,
    timeout: float = 600.0,
    command: Sequence[str] = SERVER_COMMAND,
) -> LocalServer:
    """Start a server process and return it once it answers.

    Args:
        model: A GGUF file.
        port: The port on 127.0.0.1; 0 is any free port.
        defaults: What holds for requests that do not say, by the names that `server` lists; None
            leaves it to llama.cpp and the model.
        timeout: Longest time in seconds for the model to load.
        command: The program; `server` says which line of JSON it reads and which one it writes.

    Raises:
        PortLostError: Another process has the port.
        LauncherError: The server could not be started; the message says why.
    """
    process, log_path = _spawn(command)
    api_key = secrets.token_urlsafe(32)
    configuration = {
        "model": str(model),
        "port": port,
        "api_key": api_key,
        "mark": LOCAL_MARK[1],
        **(defaults or {}),
    }
    try:
        base_url = _loaded(process, configuration, timeout)
        if base_url is None:
            raise _failure(process, model, log_path, timeout)
        status, document, _ = get_models(base_url, api_key)
        if status != 200:
            raise LauncherError(
                f"The local server answers with HTTP {status}", f"See its log: {log_path}"
            )
    except BaseException:
        end_process(process)
        raise
    server = LocalServer(base_url, api_key, document["data"][0]["id"], model, log_path, process)
    atexit.register(server.stop)
    return server


def _spawn(command: Sequence[str]) -> tuple[subprocess.Popen[bytes], Path]:
    """Start `command` in a session of its own; return it and the log of its error output."""
    directory = cache_directory("logs")
    _remove_old_logs(directory)
    try:
        log, name = tempfile.mkstemp(".log", "local-server-", directory)
    except OSError as error:
        raise unwritable(directory, error) from None
    with os.fdopen(log, "wb") as log_file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log_file,
            cwd=directory,
            env=_environment(),
            # Interrupting a cell must not interrupt the server.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
            | getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    return process, Path(name)


def _environment() -> dict[str, str]:
    """Return the environment for the server: this process's, without its keys and passwords."""
    kept = {name: value for name, value in os.environ.items() if not _SECRET.search(name)}
    # It must find the packages where this process does, whatever put them on the path.
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _loaded(
    process: subprocess.Popen[bytes], configuration: Mapping[str, Any], timeout: float
) -> str | None:
    """Configure the process and return its address, or None if it ended or took too long."""
    assert process.stdin is not None
    assert process.stdout is not None
    lines: list[bytes] = []
    stdout = process.stdout
    # In a thread, because reading a pipe has no timeout on every system.
    reader = threading.Thread(target=lambda: lines.append(stdout.readline()), daemon=True)
    reader.start()
    with contextlib.suppress(OSError):  # the process has ended already
        process.stdin.write(json.dumps(configuration).encode() + b"\n")
        process.stdin.flush()
    deadline = time.monotonic() + timeout
    while reader.is_alive() and time.monotonic() < deadline:
        reader.join(0.1)
    return json.loads(lines[0])["base_url"] if lines and lines[0] else None


def _failure(
    process: subprocess.Popen[bytes], model: Path, log_path: Path, timeout: float
) -> Exception:
    """Return the error that says why the process does not serve."""
    hint = f"See its log: {log_path}"
    try:
        code = process.wait(1)
    except subprocess.TimeoutExpired:
        limit = count_of(round(timeout), "second")
        return LauncherError(f"{model.name} was not loaded within {limit}", hint)
    log = log_path.read_text(errors="replace")
    if "couldn't bind HTTP server socket" in log:
        return PortLostError()
    if code < 0:
        reason = f"ended by {signal.Signals(-code).name}"
        if -code == signal.SIGKILL:
            reason += ", perhaps because memory ran out"
    else:
        causes = re.findall(r"error loading model: (?!.*failed to load model from)(.+)", log)
        causes += re.findall(r" E \w+: (.+)", log)
        reason = causes[0] if causes else (log.strip() or "it gave no reason").splitlines()[-1]
    return LauncherError(f"{model.name} could not be loaded: {reason}", hint)


def _remove_old_logs(directory: Path) -> None:
    """Remove the oldest logs, to leave `KEPT_LOGS` including the one that is about to be made."""
    logs = sorted(directory.glob("*.log"), key=lambda path: path.stat().st_mtime)
    for log in logs[: -KEPT_LOGS + 1]:
        with contextlib.suppress(OSError):  # on Windows, a file that is in use
            log.unlink()
