"""What is tested: one copy of the package in all processes; in CI, the one that was installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from live_kernel import LiveKernel

import copilot_magic

WHERE = "import copilot_magic; print(copilot_magic.__file__)"


@pytest.mark.skipif(not os.environ.get("CI"), reason="developers test their checkout")
def test_ci_tests_the_installed_package() -> None:
    checkout = Path(__file__).parents[2]
    assert not Path(copilot_magic.__file__).is_relative_to(checkout / "copilot_magic")


def test_a_kernel_imports_the_same_package(kernel: LiveKernel) -> None:
    assert kernel.run(WHERE).text.strip() == copilot_magic.__file__


def test_a_process_imports_the_same_package() -> None:
    done = subprocess.run([sys.executable, "-c", WHERE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == copilot_magic.__file__
