"""The accessibility checker axe-core, fetched from npm."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

__all__ = ["AXE", "fetch_axe", "violations"]

AXE = "axe-core@4.10.3"


def fetch_axe(folder: Path) -> str:
    """Return the checker's script, from the file that AXE_CORE names or from npm.

    The test is skipped if neither can be had.
    """
    if given := os.environ.get("AXE_CORE"):
        return Path(given).read_text(encoding="utf-8")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm to fetch axe-core with")
    done = subprocess.run(
        [npm, "pack", "--silent", AXE], cwd=folder, capture_output=True, text=True, timeout=120
    )
    archive = next(folder.glob("axe-core-*.tgz"), None)
    if done.returncode or archive is None:
        pytest.skip(f"npm cannot fetch axe-core: {done.stderr.strip()[-300:]}")
    with tarfile.open(archive) as files:
        script = files.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()


def violations(page: Page, script: str, selector: str) -> list[tuple[str, str, list[Any]]]:
    """Return what the checker finds serious within `selector`: rule, impact, elements."""
    page.evaluate(script)
    found = page.evaluate(
        """async selector => (await axe.run(selector, {resultTypes: ["violations"]})).violations
            .filter(({impact}) => impact === "serious" || impact === "critical")
            .map(({id, impact, nodes}) => [id, impact,
                nodes.map(node => [node.html.slice(0, 200), node.failureSummary])])""",
        selector,
    )
    return [(rule, impact, nodes) for rule, impact, nodes in found]
