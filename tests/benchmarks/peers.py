"""The packages that ours is compared with, each in an environment of its own.

They come from PyPI in their newest versions, into the user's cache, and stay there. The table says
which versions were measured.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from environments import make_environment
from platformdirs import user_cache_path

__all__ = ["PEERS", "Peer", "environment", "version"]


@dataclass(frozen=True)
class Peer:
    """A package, and what it needs beside it.

    Attributes:
        package: Its name on PyPI.
        more: What else goes into its environment.
    """

    package: str
    more: tuple[str, ...] = ()


PEERS = {
    "OpenAI SDK": Peer("openai", ("ipykernel",)),
    "LiteLLM": Peer("litellm"),
    "httpx-sse": Peer("httpx-sse", ("httpx",)),
    "chatlas": Peer("chatlas", ("openai", "ipykernel")),
    "jupyter-ai-magics": Peer("jupyter-ai-magics", ("langchain-openai", "ipykernel")),
    "jupyter-ai-magic-commands": Peer("jupyter-ai-magic-commands", ("ipykernel",)),
}


def environment(peer: Peer, *, fresh: bool = False) -> Path:
    """Return the Python of a peer's environment; make it if there is none.

    Args:
        fresh: Make it anew, with the newest versions.

    Raises:
        subprocess.CalledProcessError: It could not be installed; its `stderr` says why.
    """
    python = f"py{sys.version_info.major}.{sys.version_info.minor}"
    directory = user_cache_path("copilot_magic_benchmarks") / python / peer.package
    complete = directory / "complete"
    if fresh or not complete.exists():
        made = make_environment(directory, peer.package, *peer.more)
        # Nobody times the compiling of modules.
        compiling = [str(made), "-m", "compileall", "-q", "-j0", str(directory / "lib")]
        subprocess.run(compiling, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        complete.touch()
    return directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def version(peer: Peer, python: Path) -> str:
    """Return the version of a peer in its environment."""
    asking = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"
    done = subprocess.run(
        [python, "-c", asking, peer.package], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()
