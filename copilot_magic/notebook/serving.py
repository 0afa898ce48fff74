"""The local model in a notebook: ``%copilot serve`` and ``stop``, and what a reload does to it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..settings import LOCAL_KEY, LOCAL_URL, Settings
from ..views.printing import ProgressBar, say
from .arguments import Parser, whole_number
from .shell import Notebook

if TYPE_CHECKING:
    from ..local.process import LocalServer

__all__ = ["serve", "serve_command", "stop_command", "stop_for_now"]


def serve_command(notebook: Notebook, *arguments: str) -> None:
    """Start the local model, or say which server is there already, and use it."""
    parser = Parser("%copilot serve", "%copilot?")
    parser.add_argument("path", nargs="?")
    parser.add_argument("--port", type=whole_number)
    options = parser.parse_args(list(arguments))
    serve(notebook, options.path, options.port)


def stop_command(notebook: Notebook) -> None:
    """Stop the local model.

    Raises:
        UsageError: None was started here.
    """
    from ..local import launcher

    if launcher.stop() is None:
        raise UsageError("No local model was started here", "%copilot serve starts one")
    _forget_server(notebook)
    say("The local model has stopped")


def stop_for_now(notebook: Notebook) -> tuple[Path, int] | None:
    """Stop the local model for an unloading; return what brings it back with `serve`."""
    if not os.environ.get(LOCAL_URL):
        return None
    from ..local import launcher

    server = launcher.stop()
    _forget_server(notebook)
    return None if server is None else (server.path, server.port)


def serve(notebook: Notebook, path: str | Path | None, port: int | None) -> None:
    """Start the local model, or say which server is there already, and use it."""
    from ..local import launcher

    bar = ProgressBar(notebook.shell, "Fetching the small model, once")
    result = ""
    try:
        server = launcher.start(path, port, bar.update, starting=lambda: bar.note("Starting…"))
        notebook.configure("base_url", server.base_url)
        if isinstance(server, launcher.AlreadyRunning):
            result = f"A server is already running at {server.base_url}: prompts go there"
        else:
            os.environ[LOCAL_URL], os.environ[LOCAL_KEY] = server.base_url, server.api_key
            result = f"{server.model} answers at {server.base_url}\n{_description(server)}"
    finally:
        bar.close(result)


def _description(server: LocalServer) -> str:
    """Return what to expect of the model, so that nobody takes it for Copilot."""
    if server.is_small_model:
        return "A tiny demo model on this machine, not Copilot: private and fast, but often wrong."
    return "A model on this machine, not Copilot."


def _forget_server(notebook: Notebook) -> None:
    used = notebook.session.settings.is_local_model
    os.environ.pop(LOCAL_URL, None)
    os.environ.pop(LOCAL_KEY, None)
    if used:
        notebook.configure("base_url", Settings.from_environment().base_url)
