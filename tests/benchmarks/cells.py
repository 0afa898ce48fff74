"""Ways to ask in a cell: ours, and what the peers offer."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.claims import Bench, clean_home

if TYPE_CHECKING:
    from live_kernel import LiveKernel

__all__ = [
    *("CHATLAS", "JUPYTER_AI", "LOOP", "NO_STREAM", "OURS", "SDK"),
    *("Way", "add_kernel", "notebook_for", "running_kernel"),
]


@dataclass(frozen=True)
class Way:
    """A way to ask in a cell.

    Attributes:
        name: What the table calls it.
        setup: What a first cell holds; `{url}` is the server's base URL.
        ask: What a cell holds that asks.
        peer: The peer whose environment it runs in; this one without.
    """

    name: str
    setup: str
    ask: str
    peer: str = ""

    def python(self, bench: Bench) -> Path | None:
        """Return the Python of its environment; None if it cannot be had."""
        return bench.peer(self.peer) if self.peer else Path(sys.executable)

    def first_cell(self, url: str) -> str:
        """Return what the first cell holds."""
        return self.setup.replace("{url}", url)


OURS = Way(
    "copilot_magic",
    "%load_ext copilot_magic\n"
    '%config CopilotMagics.base_url = "{url}"\n'
    '%config CopilotMagics.provider = ""',
    "%%copilot\nHi",
)
LOOP = Way(
    "reference loop + Markdown",
    """
import json, requests
from IPython.display import Markdown, display

def ask(prompt):
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": prompt}]}
    response = requests.post("{url}/chat/completions", json=body, stream=True)
    shown, handle = "", display(Markdown(""), display_id=True)
    for line in response.iter_lines():
        if line.startswith(b"data: "):
            if line[6:] == b"[DONE]":
                break
            content = json.loads(line[6:])["choices"][0]["delta"].get("content")
            if content:
                shown += content
                handle.update(Markdown(shown))
""",
    "ask('Hi')",
)
SDK = Way(
    "OpenAI SDK + Markdown",
    """
from IPython.display import Markdown, display
from openai import OpenAI

client = OpenAI(base_url="{url}", api_key="none")

def ask(prompt):
    shown, handle = "", display(Markdown(""), display_id=True)
    for chunk in client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": prompt}], stream=True
    ):
        if chunk.choices and chunk.choices[0].delta.content:
            shown += chunk.choices[0].delta.content
            handle.update(Markdown(shown))
""",
    "ask('Hi')",
    "OpenAI SDK",
)
CHATLAS = Way(
    "chatlas",
    "from chatlas import ChatOpenAICompletions\n"
    'chat = ChatOpenAICompletions(base_url="{url}", model="m", api_key="none")',
    "chat.chat('Hi', echo='output');",
    "chatlas",
)
JUPYTER_AI = Way(
    "jupyter-ai-magics",
    'import os\nos.environ["OPENAI_API_BASE"] = "{url}"\n%load_ext jupyter_ai_magics',
    "%%ai openai-chat:gpt-4o\nHi",
    "jupyter-ai-magics",
)
NO_STREAM = (
    "jupyter-ai-magics and jupyter-ai-magic-commands show an answer when it has ended: there is "
    "no stream to compare."
)
"""Why they are not in tables of streaming."""


@contextmanager
def running_kernel(python: Path | None = None) -> Iterator[LiveKernel]:
    """Yield a kernel with nothing of the user's.

    Args:
        python: The Python that runs it; this one by default.
    """
    from live_kernel import LiveKernel

    with clean_home() as home, Path(os.devnull).open("wb") as log:
        kernel = LiveKernel(log, python=python, **home)
        try:
            yield kernel
        finally:
            kernel.close()


def add_kernel(data: Path, name: str, python: Path) -> None:
    """Let a Jupyter server with this data directory know a kernel."""
    folder = data / "jupyter" / "kernels" / name
    folder.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": name, "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))


def notebook_for(kernel: str) -> dict[str, object]:
    """Return an empty notebook for a kernel."""
    spec = {"name": kernel, "display_name": kernel, "language": "python"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": spec}, "cells": []}
