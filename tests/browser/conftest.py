"""A real Jupyter server and a real Chromium, started once for all browser tests."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from browser.jupyter import running_jupyter
from browser.notebooks import CHROMIUM_ARGUMENTS, Jupyter, Notebook, chromium
from scripted_server import ScriptedServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """Yield a server of JupyterLab and Notebook 7, and one browser."""
    path = chromium()
    if path is None:
        pytest.skip("there is no Chromium")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=20_000)  # machines are slow and shared
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        home = tmp_path_factory.mktemp("jupyter")
        with running_jupyter(home) as server:
            yield Jupyter(server, browser)
        browser.close()
    # What the kernels log comes here, such as exceptions in what a widget calls.
    log = (home / "server.log").read_text(encoding="utf-8", errors="replace")
    ours = re.findall(r".*copilot_magic/.*\.py.*", log)
    assert not ours, log[-5_000:]


@pytest.fixture(scope="session", params=["lab", "notebook"])
def front_end(request: pytest.FixtureRequest) -> str:
    """Return the name of a front end: JupyterLab, then Notebook 7."""
    return str(request.param)


@pytest.fixture(scope="session")
def opened(front_end: str, jupyter: Jupyter) -> Iterator[Notebook]:
    """Open one notebook per front end, for most tests: opening one takes seconds."""
    with jupyter.notebook(front_end) as notebook:
        yield notebook


@pytest.fixture
def notebook(opened: Notebook, server: ScriptedServer) -> Notebook:
    """Return the notebook, in a new conversation with the scripted server."""
    opened.use(server)
    return opened
