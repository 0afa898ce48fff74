"""What the local model needs of the system: a cache directory, and an end to every process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from ..errors import LauncherError

__all__ = ["cache_directory", "end_process", "unwritable"]


def cache_directory(name: str = "") -> Path:
    """Return our directory in the user's cache, or `name` inside it; create it if needed.

    Raises:
        LauncherError: The directory cannot be created.
    """
    import platformdirs

    directory = Path(platformdirs.user_cache_dir("copilot_magic", appauthor=False), name)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(directory, error) from None
    return directory


def unwritable(directory: Path, error: OSError) -> LauncherError:
    """Return the error to raise when `directory` in the cache cannot be written to."""
    return LauncherError(
        f"Cannot write to {directory}: {error.strerror}",
        "Free some disk space, make it writable, or set XDG_CACHE_HOME to another directory",
    )


def end_process(process: subprocess.Popen[bytes]) -> None:
    """End `process` and all that it started, and close its pipes.

    Args:
        process: A process that was started in a session of its own.
    """
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
            with contextlib.suppress(OSError):  # closing flushes, and nobody reads any more
                pipe.close()
