"""A real Jupyter server and a real Chromium, started once for all browser tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser.notebooks import CHROMIUM_ARGUMENTS, Jupyter, chromium, running_jupyter


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """Serve JupyterLab and Notebook 7 to one browser."""
    path = chromium()
    if path is None:
        pytest.skip("there is no Chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        with running_jupyter(tmp_path_factory.mktemp("jupyter"), browser) as server:
            yield server
        browser.close()
