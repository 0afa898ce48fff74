"""Batches in processes of their own, where they can be killed, interrupted and set up freely."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

__all__ = ["BatchProcess", "wait_until"]

HEAD = """
import json, os, sys
from typing import Literal
from IPython.core.interactiveshell import InteractiveShell
from copilot_magic import imap_prompts, map_prompts

given = json.loads(sys.argv[1])
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "copilot_magic")
if timeout := given.get("first_token_timeout"):
    shell.run_line_magic("config", f"CopilotMagics.first_token_timeout = {timeout}")

def report(batch, **more):
    errors = [error and f"{type(error).__name__}: {error}" for error in batch.errors]
    told = {"answers": batch.answers, "errors": errors, "asked": batch.asked, "known": batch.known}
    print(json.dumps({**told, "usage": batch.usage, **more}), flush=True)

"""


class BatchProcess:
    """A process that runs `code` in IPython, with `map_prompts` and `report` at hand.

    Args:
        code: What it runs; ``given`` there are the keyword arguments.
        base_url: The server to ask.
        environment: Further environment variables.
        **given: What the code needs to know; ``first_token_timeout`` is set in the notebook.
    """

    def __init__(
        self,
        code: str,
        base_url: str,
        environment: dict[str, str] | None = None,
        **given: Any,
    ) -> None:
        settings = {"COPILOT_BASE_URL": base_url, "COPILOT_PROVIDER": "", **(environment or {})}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", HEAD + code, json.dumps(given)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **settings},
        )

    def reports(self) -> list[dict[str, Any]]:
        """Wait until the process ends by itself, and return what it has reported."""
        printed, complaints = self.process.communicate(timeout=300)
        assert self.process.returncode == 0, complaints[-5000:]
        return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]

    def kill(self) -> None:
        """Kill it without a warning."""
        self.process.kill()
        self.process.communicate()

    def __enter__(self) -> BatchProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()


def wait_until(is_so: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait until something is so; it is an error if that takes too long."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
