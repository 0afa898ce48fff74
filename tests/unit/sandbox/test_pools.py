"""Threads of native libraries."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from copilot_magic.sandbox import pools

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux makes copies")


def test_a_pool_is_known_by_the_name_of_its_threads() -> None:
    before = pools.lost_in_copies()
    named, done = threading.Event(), threading.Event()

    def work() -> None:
        Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text("polars-0")
        named.set()
        done.wait()

    thread = threading.Thread(target=work)
    thread.start()
    named.wait()
    assert pools.lost_in_copies() == ["polars"]
    done.set()
    thread.join()
    assert pools.lost_in_copies() == before


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
