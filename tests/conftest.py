"""Fixtures for all tests: nothing of the user's is read or written, and a scripted server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted_server import ScriptedServer

OURS = ("COPILOT_BASE_URL", "COPILOT_PROVIDER", "COPILOT_MODEL", "COPILOT_API_KEY")
OURS_LOCAL = ("COPILOT_LOCAL_URL", "COPILOT_LOCAL_KEY", "JPY_SESSION_NAME")


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a home of its own, with no settings in the environment."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("IPYTHONDIR", str(home / "ipython"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    for name in (*OURS, *OURS_LOCAL):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Yield a server that answers as its script says; by default it repeats what was asked."""
    with ScriptedServer() as server:
        yield server
