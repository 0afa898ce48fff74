"""The program in the server's process: what it loads, and how many CPUs it counts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from copilot_magic.local.server import available_cpus


def test_the_program_loads_nothing_else_of_this_package() -> None:
    code = "import sys, copilot_magic.local.server\nprint(*sys.modules, sep='\\n')\n"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {name for name in result.stdout.split() if name.startswith("copilot_magic")}
    assert loaded == {"copilot_magic", "copilot_magic.local", "copilot_magic.local.server"}


@pytest.mark.parametrize(
    ("limit", "cpus"), [("150000 100000", 2), ("50000 100000", 1), ("max 100000", 64), ("", 64)]
)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has control groups")
def test_a_containers_limit_bounds_the_threads(tmp_path: Path, limit: str, cpus: int) -> None:
    path = tmp_path / "cpu.max"
    path.write_text(limit)
    assert available_cpus(path) == min(cpus, len(os.sched_getaffinity(0)))
