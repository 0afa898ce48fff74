"""Fixtures for the client's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from scripted_server import ScriptedServer

PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@pytest.fixture
def use_proxy(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that makes the environment name a proxy for everything."""

    def use(url: str) -> None:
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "")
        for name in PROXIES:
            monkeypatch.setenv(name, url)

    return use


@pytest.fixture
def proxy(use_proxy: Callable[[str], None]) -> Iterator[ScriptedServer]:
    """Yield a server that the environment names as the proxy for everything."""
    with ScriptedServer() as proxy:
        use_proxy(f"http://me:proxypass@127.0.0.1:{proxy.port}")
        yield proxy
