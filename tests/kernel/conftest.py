"""A real kernel with the extension loaded, asking the scripted server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from live_kernel import LiveKernel
from scripted_server import ScriptedServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "kernel" in item.path.parts:
            item.add_marker(pytest.mark.kernel)


@pytest.fixture
def kernel(server: ScriptedServer) -> Iterator[LiveKernel]:
    """Yield a fresh kernel with the extension loaded, pointed at the scripted server."""
    kernel = LiveKernel(COPILOT_BASE_URL=server.base_url)
    try:
        loaded = kernel.run("%load_ext copilot_magic")
        assert loaded.reply["status"] == "ok", loaded.error
        yield kernel
    finally:
        kernel.close()
