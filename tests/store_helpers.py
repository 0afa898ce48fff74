"""What the tests of the store share: ask as a session does, look into the file, wait."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from copilot_magic.chat.conversation import Conversation
from copilot_magic.chat.turn import Turn
from copilot_magic.store.store import Store

# The beginning of a script for `run`, so that root's rights do not count in it. What it imports
# must be loaded before they are gone.
AS_NOBODY = """
import os, sys
import fcntl, sqlite3, platformdirs
from copilot_magic.chat.completion import Completion
from copilot_magic.chat.conversation import Conversation
from copilot_magic.chat.turn import Turn
from copilot_magic.errors import StoreError
from copilot_magic.store.journal import Journal
from copilot_magic.store.replay import ReplayFile
from copilot_magic.store.store import Store
if os.getuid() == 0:
    os.setuid(65534)
"""


def begun(
    store: Store, conversation: Conversation, prompt: str, replaces: Turn | None = None
) -> Turn:
    """Begin to ask `prompt` as a session does, and return the turn, which is still streaming."""
    turn = Turn(prompt)
    conversation.begin(turn, replaces)
    conversation.name = store.begin_turn(conversation, turn, replaces and replaces.id)
    return turn


def ended(
    store: Store,
    conversation: Conversation,
    turn: Turn,
    answer: str = "Yes.",
    replaced: Turn | None = None,
) -> None:
    """End a turn as a session does: complete, or failed if it got no answer."""
    turn.answer, turn.status = answer, "complete" if answer else "failed"
    conversation.end(turn, replaced)
    store.end_turn(conversation, turn)


def asked(
    store: Store,
    conversation: Conversation,
    prompt: str,
    answer: str = "Yes.",
    replaces: Turn | None = None,
) -> Turn:
    """Ask `prompt` as a session does, and store its whole answer."""
    turn = begun(store, conversation, prompt, replaces)
    ended(store, conversation, turn, answer, replaces)
    return turn


def fields(conversation: Conversation) -> dict[str, object]:
    """Return what a conversation holds; conversations and turns equal only themselves."""
    public = {name: value for name, value in vars(conversation).items() if name[0] != "_"}
    return public | {"turns": [vars(turn) for turn in conversation.turns]}


def loaded(store: Store, name: str) -> Conversation:
    """Return a conversation that the store must have."""
    conversation = store.load(name)
    assert conversation is not None
    return conversation


def bytes_beside(path: str) -> bytes:
    """Return all that is on disk in the conversation file and the files beside it."""
    return b"".join(file.read_bytes() for file in sorted(Path(path).parent.glob("*")))


def until(condition: Callable[[], bool]) -> None:
    """Wait for `condition`, long enough for the slowest machine."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "the condition never became true"
        time.sleep(0.01)


def run(code: str, *arguments: str) -> str:
    """Run `code` in a Python process of its own and return what it printed."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout
