"""What a start finds on the port, what it refuses, and what it tells the process."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from scripted_server import ScriptedServer

from copilot_magic.errors import LauncherError, PortInUseError
from copilot_magic.local import launcher
from copilot_magic.local.launcher import AlreadyRunning
from copilot_magic.local.weights import SMALL_MODEL_DEFAULTS, WEIGHTS
from copilot_magic.settings import LOCAL_MARK, Settings

# --- What is on the port -------------------------------------------------------------------------


def test_the_default_port_is_where_prompts_go_by_default() -> None:
    assert urlsplit(Settings().base_url).port == launcher.DEFAULT_PORT


def test_a_chat_server_on_the_default_port_is_used(server: ScriptedServer) -> None:
    started = launcher.start(default_port=server.port)
    assert started == AlreadyRunning(f"http://localhost:{server.port}/v1")
    assert launcher.running() is None


def test_another_service_on_a_requested_port_is_an_error_that_names_a_free_port(
    server: ScriptedServer,
) -> None:
    server.get.clear()
    with pytest.raises(PortInUseError, match=f"Port {server.port} is in use") as caught:
        launcher.start(port=server.port)
    free = caught.value.free_port
    assert caught.value.hint == f"Use another port, such as {free}"
    socket.create_server(("127.0.0.1", free)).close()


def test_a_requested_port_that_is_in_use_is_an_error(server: ScriptedServer) -> None:
    with pytest.raises(PortInUseError, match="in use by a chat server"):
        launcher.start(port=server.port)


def test_a_requested_port_that_is_lost_to_another_process_is_an_error(
    cache: Path, gguf: Path, unused_port: int
) -> None:
    lose = [sys.executable, "-c", 'raise SystemExit("couldn\'t bind HTTP server socket")']
    with pytest.raises(PortInUseError, match=f"Port {unused_port} is in use by another process"):
        launcher.start(gguf, unused_port, command=lose)


def test_a_start_that_fails_leaves_no_server(cache: Path, gguf: Path, unused_port: int) -> None:
    with pytest.raises(LauncherError, match="could not be loaded"):
        launcher.start(gguf, unused_port, command=[sys.executable, "-c", "pass"])
    hang = [sys.executable, "-c", "import time; time.sleep(600)"]
    with pytest.raises(LauncherError, match="not loaded within"):
        launcher.start(gguf, unused_port, timeout=0.2, command=hang)
    assert launcher.running() is None
    assert launcher.stop() is None


# --- What cannot be served -----------------------------------------------------------------------


def test_a_missing_file_is_named() -> None:
    with pytest.raises(LauncherError, match=r"There is no file .*nowhere\.gguf") as caught:
        launcher.start("~/nowhere.gguf")
    assert caught.value.path.endswith("nowhere.gguf")


def test_a_tilde_stands_for_the_home_directory(home: Path) -> None:
    with pytest.raises(LauncherError, match=re.escape(f"{home}/nowhere.gguf")):
        launcher.start("~/nowhere.gguf")


def test_a_directory_is_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(LauncherError, match="is a directory"):
        launcher.start(tmp_path)


@pytest.mark.parametrize("content", [b"", b"GGU", b"PK\3\4 a zip file"])
def test_a_file_that_is_not_gguf_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(LauncherError, match="is not a GGUF file"):
        launcher.start(path)


def test_without_xllamacpp_the_error_says_how_to_install_it(
    tmp_path: Path, unused_port: int
) -> None:
    bare = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    # Our package, without the packages that are installed beside it.
    (tmp_path / "copilot_magic").symlink_to(Path(launcher.__file__).parents[1])
    code = f"""
        import sys
        sys.path.append({str(tmp_path)!r})
        from copilot_magic import errors
        from copilot_magic.local import launcher
        try:
            launcher.start(port={unused_port})
        except errors.LauncherError as error:
            print(error, error.package)
    """
    result = subprocess.run(
        # Isolated: PYTHONPATH could lead to a copy of the package that finds xllamacpp.
        [bare / "bin" / "python", "-I", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert 'pip install "copilot-magic[local]" copilot-magic[local]' in result.stdout


# --- What the process is told --------------------------------------------------------------------


def told(cache: Path, gguf: Path, port: int | None = None, default_port: int = 0) -> Any:
    """Return the line that the server's process is started with."""
    keep = "import pathlib, sys; pathlib.Path('told').write_text(sys.stdin.readline())"
    with pytest.raises(LauncherError):
        launcher.start(gguf, port, default_port=default_port, command=[sys.executable, "-c", keep])
    return json.loads((cache / "logs" / "told").read_text())


def test_without_a_request_it_takes_a_free_port_and_leaves_the_default_one_to_others(
    cache: Path, gguf: Path, unused_port: int
) -> None:
    assert told(cache, gguf, default_port=unused_port)["port"] == 0
    assert told(cache, gguf, unused_port)["port"] == unused_port


def test_it_is_said_that_the_model_is_being_loaded(cache: Path, gguf: Path) -> None:
    said: list[bool] = []
    with pytest.raises(LauncherError):
        launcher.start(
            gguf,
            starting=lambda: said.append(True),
            command=[sys.executable, "-c", "pass"],
        )
    assert said == [True]


@pytest.mark.parametrize(
    ("name", "defaults"), [(WEIGHTS, SMALL_MODEL_DEFAULTS), ("other.gguf", {})]
)
def test_only_the_small_model_gets_its_sampling_defaults(
    cache: Path, gguf: Path, unused_port: int, name: str, defaults: dict[str, float]
) -> None:
    model = gguf.rename(gguf.with_name(name))
    line = told(cache, model, unused_port)
    assert line.pop("api_key")
    assert line.pop("mark") == LOCAL_MARK[1]
    assert line == {"model": str(model), "port": unused_port, **defaults}
