"""A server process that never gets to serve: what is reported, and what is left of it."""

from __future__ import annotations

import json
import os
import sys
import textwrap
import time
from pathlib import Path

import pytest

from copilot_magic.errors import LauncherError
from copilot_magic.local.process import KEPT_LOGS, PortLostError, launch


def program(code: str) -> list[str]:
    """Return a command that runs `code` in place of the server."""
    return [sys.executable, "-c", textwrap.dedent(code)]


def test_a_process_that_hangs_is_ended_when_time_is_up(
    cache: Path, gguf: Path, unused_port: int
) -> None:
    command = program(
        """
        import os, pathlib, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pathlib.Path("pid").write_text(str(os.getpid()))
        time.sleep(600)
        """
    )
    with pytest.raises(LauncherError, match=r"not loaded within 1 second\."):
        launch(gguf, unused_port, timeout=1, command=command)
    with pytest.raises(ProcessLookupError):
        os.kill(int((cache / "logs" / "pid").read_text()), 0)


def test_an_interrupt_while_the_model_loads_ends_the_process(
    cache: Path, gguf: Path, unused_port: int
) -> None:
    command = program(
        """
        import os, pathlib, signal, sys, time
        sys.stdin.readline()
        pathlib.Path("pid").write_text(str(os.getpid()))
        os.kill(os.getppid(), signal.SIGINT)
        time.sleep(600)
        """
    )
    with pytest.raises(KeyboardInterrupt):
        launch(gguf, unused_port, command=command)
    with pytest.raises(ProcessLookupError):
        os.kill(int((cache / "logs" / "pid").read_text()), 0)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os.kill(os.getpid(), 9)", "ended by SIGKILL, perhaps because memory ran out"),
        ("import os; os.abort()", "ended by SIGABRT"),
        ("raise SystemExit('no such luck')", "no such luck"),
        ("import not_there", "ModuleNotFoundError: No module named 'not_there'"),
        ("pass", "it gave no reason"),
    ],
)
def test_a_process_that_dies_is_reported_with_its_last_line_and_its_log(
    cache: Path, gguf: Path, unused_port: int, code: str, reason: str
) -> None:
    with pytest.raises(LauncherError) as caught:
        launch(gguf, unused_port, command=program(code))
    assert caught.value.message == f"some-model.gguf could not be loaded: {reason}"
    log = Path(caught.value.hint.removeprefix("See its log: "))
    assert log.parent == cache / "logs"
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_port_that_the_process_could_not_get_is_an_error_of_its_own(
    cache: Path, gguf: Path, unused_port: int
) -> None:
    with pytest.raises(PortLostError):
        launch(
            gguf,
            unused_port,
            command=program('raise SystemExit("couldn\'t bind HTTP server socket")'),
        )


def test_the_process_inherits_no_keys(
    cache: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = (
        "COPILOT_API_KEY",
        "COPILOT_LOCAL_KEY",
        "HF_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "my_password",
    )
    for name in secrets:
        monkeypatch.setenv(name, "hush")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/cuda/lib")
    command = program("import json, os; json.dump(dict(os.environ), open('environment', 'w'))")
    with pytest.raises(LauncherError):
        launch(gguf, 0, command=command)
    environment = json.loads((cache / "logs" / "environment").read_text())
    assert "hush" not in environment.values()
    assert environment["LD_LIBRARY_PATH"] == "/opt/cuda/lib"
    assert environment["PATH"] == os.environ["PATH"]


def test_only_the_newest_logs_are_kept(cache: Path, gguf: Path, unused_port: int) -> None:
    (cache / "logs").mkdir(parents=True)
    for age in range(30):
        log = cache / "logs" / f"local-server-{age}.log"
        log.touch()
        os.utime(log, (time.time() - age, time.time() - age))
    with pytest.raises(LauncherError):
        launch(gguf, unused_port, command=program("pass"))
    names = {log.name for log in (cache / "logs").iterdir()}
    assert len(names) == KEPT_LOGS
    assert "local-server-0.log" in names
    assert "local-server-29.log" not in names
