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
from typing import Any

import websocket
from jupyter_client.session import Session


@dataclass(frozen=True)
class JupyterServer:
    """The address of a running server, and the directory of its notebooks."""

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


def run_through(
    jupyter: JupyterServer, code: str, kernel_name: str = "python3"
) -> list[dict[str, Any]]:
    """Run `code` in a new kernel as a browser does; return the iopub messages that arrive.

    A server drops messages if there are too many, perhaps even the one that says the kernel is
    idle. It never drops the reply, so we stop when nothing arrives for ten seconds after it.
    """

    def call(method: str, path: str, body: bytes | None = None) -> Any:
        headers = {"Authorization": f"token {jupyter.token}"}
        request = urllib.request.Request(
            f"{jupyter.url}{path}", method=method, data=body, headers=headers
        )
        with urllib.request.urlopen(request) as response:
            content = response.read()
        return json.loads(content) if content else None

    kernel = call("POST", "/api/kernels", json.dumps({"name": kernel_name}).encode())["id"]
    address = jupyter.url.replace("http", "ws", 1)
    channels = websocket.create_connection(
        f"{address}/api/kernels/{kernel}/channels?token={jupyter.token}", timeout=120
    )
    try:
        content = {"code": code, "silent": False, "store_history": True, "stop_on_error": True}
        request = Session().msg("execute_request", content)
        channels.send(json.dumps({**request, "channel": "shell"}, default=str))
        messages = []
        while True:
            try:
                message = json.loads(channels.recv())
            except websocket.WebSocketTimeoutException:
                return messages
            if message["parent_header"].get("msg_id") != request["header"]["msg_id"]:
                continue
            if message["channel"] == "shell":
                channels.settimeout(10)
            if message["channel"] == "iopub":
                messages.append(message)
                if message["content"].get("execution_state") == "idle":
                    return messages
    finally:
        channels.close()
        call("DELETE", f"/api/kernels/{kernel}")


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
