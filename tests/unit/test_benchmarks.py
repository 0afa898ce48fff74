"""The benchmarks cannot pass by comparing a client with itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
STREAM, BATCH = BENCHMARKS / "stream.py", BENCHMARKS / "batch.py"


def test_a_missing_baseline_is_an_error_of_one_line() -> None:
    program = (
        "import runpy, sys\n"
        "sys.modules['orjson'] = None\n"
        f"sys.argv = [{str(STREAM)!r}]\n"
        f"runpy.run_path({str(STREAM)!r}, run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "There is no baseline without orjson: pip install orjson\n"
    assert done.stdout == ""


def test_a_missing_sdk_is_an_error_of_one_line() -> None:
    command = [sys.executable, str(BATCH), "--sdk", "no such package"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("There is no baseline without the SDK (no such package): ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
