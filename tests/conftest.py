"""Fixtures for all tests: nothing of the user's is read or written, and a scripted server."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from scripted_server import ScriptedServer

# Machines are slow and shared: an example may take as long as it takes. What is tried is the same
# at every run, so that a failure can be seen again.
hypothesis.settings.register_profile("shared", deadline=None, derandomize=True)
hypothesis.settings.load_profile("shared")

OURS = ("COPILOT_BASE_URL", "COPILOT_PROVIDER", "COPILOT_MODEL", "COPILOT_API_KEY")
OURS_LOCAL = ("COPILOT_LOCAL_URL", "COPILOT_LOCAL_KEY", "JPY_SESSION_NAME")


def pytest_configure() -> None:
    """Let interrupts through: a shell has what it runs in the background ignore them."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the cache directory of this run, into which the small model is fetched once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session", autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run in an empty directory.

    Processes that tests start, kernels too, import what is in the directory they start in. In the
    checkout that would be its own files instead of the package that was installed.
    """
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("elsewhere"))
    yield
    os.chdir(before)


@pytest.fixture(autouse=True)
def home(
    tmp_path_factory: pytest.TempPathFactory, cache_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Give each test a home of its own, with no settings in the environment."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("IPYTHONDIR", str(home / "ipython"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))
    for name in (*OURS, *OURS_LOCAL):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Yield a server that answers as its script says; by default it repeats what was asked."""
    with ScriptedServer() as server:
        yield server


@pytest.hookimpl(tryfirst=True)  # before it is counted as skipped
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count a skipped test as a failure in CI, where everything has to run."""
    real = {"browser", "kernel", "model"} & set(report.keywords)
    if report.skipped and real and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where it must run: {report.longrepr}"
