"""A real IPython shell in this process, and the extension loaded into it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell
from scripted_server import ScriptedServer
from traitlets.config import Config

from copilot_magic.notebook.magics import CopilotMagics


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """Yield a shell that is this process's, as `get_ipython` finds it."""
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    yield shell
    shell.run_line_magic("unload_ext", "copilot_magic")
    InteractiveShell.clear_instance()


@pytest.fixture
def magics(
    shell: InteractiveShell, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> CopilotMagics:
    """Return the magics as loaded, asking the scripted server."""
    monkeypatch.setenv("COPILOT_BASE_URL", server.base_url)
    shell.run_line_magic("load_ext", "copilot_magic")
    loaded = shell.magics_manager.registry["CopilotMagics"]
    assert isinstance(loaded, CopilotMagics)
    return loaded


@pytest.fixture
def taken(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is put into next cells, in order."""
    taken: list[str] = []
    monkeypatch.setattr(shell, "set_next_input", taken.append)
    return taken
