"""A session that asks the scripted server and keeps its conversations in a file of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted_server import ScriptedServer

from copilot_magic.session.session import Session
from copilot_magic.settings import Settings


@pytest.fixture
def settings(server: ScriptedServer, tmp_path: Path) -> Settings:
    return Settings(
        base_url=server.base_url, provider="Other", store=str(tmp_path / "conversations.db")
    )


@pytest.fixture
def session(settings: Settings) -> Iterator[Session]:
    session = Session(settings)
    yield session
    session.close()
