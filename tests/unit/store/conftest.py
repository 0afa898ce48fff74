"""A conversation file in a directory of its own, and a store that has it open."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from store_helpers import asked

from copilot_magic.chat.conversation import Conversation
from copilot_magic.store.store import Store


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "conversations.db")


@pytest.fixture
def store(path: str) -> Iterator[Store]:
    with closing(Store.open(path)) as store:
        yield store


@pytest.fixture
def readonly() -> Iterator[Path]:
    """Yield a directory that a script which begins with `AS_NOBODY` may read and not write."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with closing(Store.open(str(directory / "conversations.db"))) as store:
            asked(store, Conversation("Talk"), "one")
        for file in directory.iterdir():
            file.chmod(0o444)
        directory.chmod(0o555)
        try:
            yield directory
        finally:
            directory.chmod(0o755)
