"""Threads of native libraries."""

from __future__ import annotations

import os
import sys

import pytest

from copilot_magic.sandbox import pools

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux makes copies")


def test_openmp_gets_one_thread_and_packages_that_ask_learn_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    pools.use_one_thread([])
    assert "OMP_NUM_THREADS" not in os.environ
    counts: list[int] = []
    pools.use_one_thread([counts.append, counts.append])
    assert counts == [1, 1]
    assert os.environ["OMP_NUM_THREADS"] == "1"
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # to be taken back after the test


def test_a_process_without_openmp_has_nothing_to_limit() -> None:
    assert all(callable(limit) for limit in pools.openmp_limits())
