"""Ask a chat-completions server from a notebook cell: ``%load_ext copilot_magic``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .batch.batch import Batch
    from .chat.answer import Answer
    from .chat.conversation import Conversation
    from .client.client import ChatClient
    from .errors import CopilotError
    from .notebook.asking import ask
    from .notebook.mapping import imap_prompts, map_prompts
    from .notebook.panel.widget import ChatPanel
    from .notebook.rehearse import Rehearsal, rehearse
    from .settings import Settings

__version__ = "0.1.0"
__all__ = [
    "Answer",
    "Batch",
    "ChatClient",
    "ChatPanel",
    "Conversation",
    "CopilotError",
    "Rehearsal",
    "Settings",
    "ask",
    "imap_prompts",
    "map_prompts",
    "rehearse",
]

_HOMES = {
    "Answer": "chat.answer",
    "Batch": "batch.batch",
    "ChatClient": "client.client",
    "ChatPanel": "notebook.panel.widget",
    "Conversation": "chat.conversation",
    "CopilotError": "errors",
    "Rehearsal": "notebook.rehearsing.rehearsal",
    "Settings": "settings",
    "ask": "notebook.asking",
    "imap_prompts": "notebook.mapping",
    "map_prompts": "notebook.mapping",
    "rehearse": "notebook.rehearse",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use, so that loading the extension stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics: called by ``%load_ext copilot_magic``."""
    from .notebook.magics import load_ipython_extension as load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the magics back: called by ``%unload_ext copilot_magic``."""
    from .notebook.magics import unload_ipython_extension as unload

    unload(shell)
