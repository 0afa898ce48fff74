"""Fixtures for the local model: an empty cache, a package index, a port and a model file."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from scripted_server import ScriptedServer


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return our directory in an empty cache; it does not exist yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "copilot_magic"


@pytest.fixture
def index(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    """Return the only package index that pip knows; it has no packages yet."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_INDEX_URL", server.base_url.replace("/v1", "/simple"))
    return server


@pytest.fixture
def unused_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    """Return a file that begins like a model."""
    path = tmp_path / "some-model.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    return path
