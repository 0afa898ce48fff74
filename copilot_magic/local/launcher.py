"""The local model's server: start it, stop it, and tell whether it runs. One for each process."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import AlreadyServingError, LauncherError, PortInUseError
from .ports import Occupant, free_port, probe
from .process import SERVER_COMMAND, LocalServer, PortLostError, launch
from .weights import SMALL_MODEL_DEFAULTS, WEIGHTS, Report, fetch_weights

__all__ = ["DEFAULT_PORT", "AlreadyRunning", "running", "start", "stop"]

DEFAULT_PORT = 1337


@dataclass(frozen=True)
class AlreadyRunning:
    """A server that was there already, so none was started.

    Attributes:
        base_url: Its address, up to and including ``/v1``.
        server: The local server if this process started it, else None.
    """

    base_url: str
    server: LocalServer | None = None


_lock = threading.Lock()
_running: LocalServer | None = None


def running() -> LocalServer | None:
    """Return the local server that this process started, or None if none runs."""
    return _running if _running is not None and _running.alive else None


def stop() -> LocalServer | None:
    """Stop the local server that this process started and return it, or None if none runs."""
    global _running
    with _lock:
        server, _running = running(), None
        if server is not None:
            server.stop()
        return server


def start(
    path: str | Path | None = None,
    port: int | None = None,
    report: Report | None = None,
    *,
    starting: Callable[[], None] | None = None,
    timeout: float = 600.0,
    default_port: int = DEFAULT_PORT,
    command: Sequence[str] = SERVER_COMMAND,
) -> LocalServer | AlreadyRunning:
    """Start a local server and return it once it answers, or say which server is there already.

    Without `path` and `port`, a chat server on the default port is used as it is. Unless a port is
    given, the local server takes a free one: the default port is left to gpt4free.

    Args:
        path: A GGUF file; None is the small model, which is fetched at first use.
        port: The port on 127.0.0.1; None or 0 is any free port.
        report: Called with the bytes fetched so far and their total while the model is fetched.
        starting: Called once the file is there, before the model is loaded.
        timeout: Longest time in seconds for the model to load.
        default_port: Where a chat server is looked for if neither `path` nor `port` is given.
        command: The program of the server's process.

    Raises:
        PortInUseError: Something else listens on the port.
        AlreadyServingError: This process already serves another model, or on another port.
        LauncherError: The server cannot be started for another reason.
    """
    global _running
    with _lock:
        model = None if path is None else _checked(Path(path).expanduser())
        if (own := running()) is not None:
            return _already(own, model, port)
        if model is None and port is None:
            url = f"http://localhost:{default_port}/v1"
            if probe(url) is Occupant.CHAT:
                return AlreadyRunning(url)
        if port and (occupant := probe(f"http://localhost:{port}/v1")) is not Occupant.NOTHING:
            raise _in_use(port, occupant.value)
        if importlib.util.find_spec("xllamacpp") is None:
            package = "copilot-magic[local]"
            raise LauncherError(
                "The local model needs the package xllamacpp",
                f'Install it: pip install "{package}"',
                package=package,
            )
        model = fetch_weights(report) if model is None else model
        defaults = SMALL_MODEL_DEFAULTS if model.name == WEIGHTS else None
        if starting is not None:
            starting()
        try:
            _running = launch(model, port or 0, defaults, timeout=timeout, command=command)
        except PortLostError:
            raise _in_use(port or 0, "another process") from None
        return _running


def _already(own: LocalServer, model: Path | None, port: int | None) -> AlreadyRunning:
    """Return our own running server if it is what the caller asks for."""
    if model in (None, own.path) and port in (None, own.port):
        return AlreadyRunning(own.base_url, own)
    raise AlreadyServingError(
        f"The local server already serves {own.model} at {own.base_url}", "Stop it first"
    )


def _in_use(port: int, by: str) -> PortInUseError:
    free = free_port()
    return PortInUseError(
        f"Port {port} is in use by {by}", f"Use another port, such as {free}", free_port=free
    )


def _checked(path: Path) -> Path:
    """Return `path` made absolute, after a look at its first bytes: it must be a GGUF file.

    Links are not followed: in Hugging Face's cache the link has the model's name, its target has
    a hash.
    """
    hint = "Give the path of a GGUF file, or none for the small model"
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except FileNotFoundError:
        raise LauncherError(f"There is no file {path}", hint, path=str(path)) from None
    except OSError as error:
        what = "is a directory" if path.is_dir() else f"cannot be read: {error.strerror}"
        raise LauncherError(f"{path} {what}", hint, path=str(path)) from None
    if magic != b"GGUF":
        raise LauncherError(f"{path} is not a GGUF file", hint, path=str(path))
    return path.absolute()
