"""A batch through LiteLLM's proxy, which spreads it over two servers with the real small model."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from batch_process import BatchProcess
from environments import cached_environment

from copilot_magic.local.ports import free_port
from copilot_magic.local.process import LocalServer, launch
from copilot_magic.local.weights import SMALL_MODEL_DEFAULTS

pytestmark = pytest.mark.model

LITELLM = "litellm[proxy]==1.106.2"
MODEL = "small"
KEY = "sk-of-the-proxy"
START_TIMEOUT = 120.0


@pytest.fixture(scope="module")
def litellm_python() -> Path:
    """Return a Python that has LiteLLM, whose dependencies are pinned to other versions."""
    return cached_environment(LITELLM, "COPILOT_TEST_LITELLM_PYTHON")


@pytest.fixture(scope="module")
def models(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[LocalServer]]:
    """Yield two servers, each with the small model under a name of its own."""
    directory = tmp_path_factory.mktemp("models")
    with ExitStack() as stack:
        servers = []
        for name in ("first", "second"):
            (directory / f"{name}.gguf").symlink_to(weights)
            defaults = {**SMALL_MODEL_DEFAULTS, "max_tokens": 8}
            servers.append(stack.enter_context(launch(directory / f"{name}.gguf", 0, defaults)))
        yield servers


@pytest.fixture(scope="module")
def proxy(
    litellm_python: Path, models: list[LocalServer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Yield the base URL of the proxy: one model by name, and two servers that answer for it."""
    home = tmp_path_factory.mktemp("litellm")
    config = {
        "model_list": [
            {
                "model_name": MODEL,
                "litellm_params": {
                    "model": f"openai/{server.model}",
                    "api_base": server.base_url,
                    "api_key": f"os.environ/KEY_OF_{server.model.upper()}",
                },
            }
            for server in models
        ],
        "router_settings": {"routing_strategy": "least-busy"},
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
    }
    (home / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
    port = free_port()
    environment = {
        **os.environ,
        **{f"KEY_OF_{server.model.upper()}": server.api_key for server in models},
        "LITELLM_MASTER_KEY": KEY,
        "HOME": str(home),
        # It would fetch a list of prices, and tell its makers that it runs.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1,localhost",
    }
    log = home / "log"
    command = [litellm_python.with_name("litellm"), "--config", home / "config.yaml"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            stdout=output,
            stderr=output,
            cwd=home,
            env=environment,
        )
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while not is_up(port):
            text = log.read_text()[-3000:]
            assert process.poll() is None and time.monotonic() < deadline, text
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)


def is_up(port: int) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"http://127.0.0.1:{port}/health/liveliness", timeout=5):
            return True
    except OSError:
        return False


def cpu_seconds(server: LocalServer) -> float:
    """Return the CPU time that a server's process has used."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_batch_is_spread_over_both_servers(proxy: str, models: list[LocalServer]) -> None:
    idle = [cpu_seconds(server) for server in models]
    code = 'report(map_prompts("Say hello to:", given["rows"], max_workers=4))'
    rows = [f"Person {number}" for number in range(12)]
    environment = {"COPILOT_API_KEY": KEY, "COPILOT_MODEL": MODEL}
    with BatchProcess(code, proxy, environment, rows=rows) as process:
        (told,) = process.reports()
    assert told["errors"] == [None] * len(rows)
    assert all(answer.strip() for answer in told["answers"])
    assert told["usage"]["completion_tokens"] >= len(rows)
    assert told["asked"] == len(rows)
    spent = [cpu_seconds(server) - before for server, before in zip(models, idle, strict=True)]
    assert min(spent) > 0.1 * sum(spent), spent
