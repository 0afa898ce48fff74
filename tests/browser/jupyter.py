"""A real Jupyter server, for tests that go through it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class JupyterServer:
    """Say where a running server is, and where it has its notebooks."""

    url: str
    token: str
    notebooks: Path


@contextlib.contextmanager
def running_jupyter(home: Path) -> Iterator[JupyterServer]:
    """Run a server of JupyterLab and Notebook 7 with all its files under `home`."""
    token = secrets.token_hex()
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "COPILOT"))}
    environ |= {"HOME": str(home), "IPYTHONDIR": str(home / "ipython")}
    environ |= {"XDG_DATA_HOME": str(home / "data"), "JUPYTER_RUNTIME_DIR": str(home / "runtime")}
    environ |= {"JUPYTERLAB_SETTINGS_DIR": str(home / "settings"), "JUPYTER_TOKEN": token}
    notification = home / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    notification.parent.mkdir(parents=True)
    notification.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    notebooks = home / "notebooks"
    notebooks.mkdir()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ServerApp.port=0", "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.root_dir={notebooks}", "--LabApp.extension_manager=readonly"]
    command += ["--LabApp.expose_app_in_browser=True"]
    command += ["--JupyterNotebookApp.expose_app_in_browser=True"]
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=home)
    try:
        yield JupyterServer(_url(process, home, token), token, notebooks)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _url(process: subprocess.Popen[bytes], home: Path, token: str) -> str:
    info = home / "runtime" / f"jpserver-{process.pid}.json"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, ValueError, KeyError):
            url = f"http://127.0.0.1:{json.loads(info.read_text())['port']}"
            urllib.request.urlopen(f"{url}/api?token={token}").close()
            return url
        time.sleep(0.1)
    raise RuntimeError((home / "server.log").read_text())
