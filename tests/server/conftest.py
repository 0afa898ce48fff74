"""Real peers: the gpt4free server, started offline, and the small model's weights."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from environments import cached_environment

from copilot_magic.local import launcher
from copilot_magic.local.ports import free_port
from copilot_magic.local.process import LocalServer
from copilot_magic.local.weights import WEIGHTS, fetch_weights

GPT4FREE = "g4f[api]==8.8.6"
START_TIMEOUT = 120.0


@pytest.fixture(scope="session")
def g4f_python() -> Path:
    """Return a Python that has gpt4free: ``COPILOT_TEST_G4F_PYTHON``, or one that is set up once.

    gpt4free is not a dependency of ours and has a hundred of its own, so it gets its own
    environment.
    """
    return cached_environment(GPT4FREE, "COPILOT_TEST_G4F_PYTHON")


@pytest.fixture(scope="session")
def gpt4free(g4f_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the base URL of a running gpt4free server that cannot reach the internet."""
    home = tmp_path_factory.mktemp("gpt4free")
    # It would fetch this list when it starts, and it needs the provider called "default".
    listed = {"providers": {"default": {"baseUrl": "http://127.0.0.1:9/v1"}}, "defaultModels": {}}
    for day in (date.today(), date.today() + timedelta(days=1)):
        seeded = home / "config" / "cache" / ".models" / day.isoformat() / "providers.json"
        seeded.parent.mkdir(parents=True)
        seeded.write_text(json.dumps(listed))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = home / "log"
    environment = {
        **os.environ,
        "HOME": str(home),
        "G4F_CONFIG_DIR": str(home / "config"),
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1,localhost",
    }
    command = [g4f_python, "-m", "g4f", "api", "--no-gui", "--bind", f"127.0.0.1:{port}"]
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, cwd=home, env=environment)
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while not _answers(port):
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="session")
def weights() -> Path:
    """Return the real weights from the user's own cache; they are fetched once on each machine."""
    return fetch_weights()


@pytest.fixture(scope="module")
def local(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """Yield the local server, which all tests of a file share."""
    with pytest.MonkeyPatch.context() as patch:
        cache = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(cache))
        (cache / "copilot_magic").mkdir()
        (cache / "copilot_magic" / WEIGHTS).symlink_to(weights)
        server = launcher.start(default_port=free_port())
        assert isinstance(server, LocalServer)
        try:
            yield server
        finally:
            launcher.stop()


def _answers(port: int) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"http://127.0.0.1:{port}/v1", timeout=5):
            return True
    except OSError:
        return False
