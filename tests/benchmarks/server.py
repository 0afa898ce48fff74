"""What arrives through a real Jupyter server, which drops messages if there are too many."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.cells import CHATLAS, add_kernel
from benchmarks.claims import Bench, Claim, Measurement
from benchmarks.display import NAIVE, SHOWING
from benchmarks.endpoint import Endpoint
from benchmarks.texts import TOKEN, sample


def arrived(server: Any, code: str, kernel: str = "python3") -> str:
    """Return the text that has arrived through a Jupyter server in the end."""
    from browser.jupyter import run_through

    shown: dict[str, str] = {}
    for message in run_through(server, code, kernel):
        content = message["content"]
        if message["msg_type"] in ("display_data", "update_display_data"):
            display_id = content["transient"].get("display_id", message["header"]["msg_id"])
            shown[display_id] = content["data"].get("text/markdown", "")
    return "".join(shown.values())


def whole(server: Any, way: str, tokens: int) -> bool:
    """Say whether the text that arrives through a Jupyter server in the end is the whole answer."""
    text = sample(TOKEN * tokens)
    return arrived(server, f"{SHOWING}\nrun({way!r}, {text!r}, None, 1)") == text


def complete(bench: Bench) -> list[Claim]:
    """Find out whether all of an answer at full speed arrives through a real Jupyter server."""
    from browser.jupyter import running_jupyter

    sizes = (2_000, 50_000) if bench.quick else (2_000, 5_000, 10_000, 50_000)
    peer_sizes = sizes[:1] if bench.quick else sizes[:2]
    python = CHATLAS.python(bench)
    bench.uses("jupyterlab", "jupyter-server")
    found: dict[str, dict[int, bool]] = {"ours": {}, NAIVE: {}}
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        running_jupyter(Path(home)) as server,
        Endpoint() as endpoint,
    ):
        for tokens in sizes:
            bench.say(f"whole through a Jupyter server, {tokens:,} tokens, ours")
            found["ours"][tokens] = whole(server, "ours", tokens)
        for tokens in peer_sizes:
            bench.say(f"whole through a Jupyter server, {tokens:,} tokens, {NAIVE}")
            found[NAIVE][tokens] = whole(server, "naive", tokens)
        if python is not None:
            add_kernel(Path(home, "data"), "chatlas", python)
            for tokens in peer_sizes:
                bench.say(f"whole through a Jupyter server, {tokens:,} tokens, chatlas")
                url = endpoint.text(TOKEN * tokens, 0)
                text = arrived(server, f"{CHATLAS.first_cell(url)}\n{CHATLAS.ask}", "chatlas")
                # It shows some more around it.
                found.setdefault("chatlas", {})[tokens] = sample(TOKEN * tokens) in text

    def cell(way: str) -> str:
        return ", ".join(f"{answered(yes)} ({tokens:,})" for tokens, yes in found[way].items())

    always = all(found["ours"].values())
    return [
        Claim(
            "answer complete through a Jupyter server at full speed (tokens)",
            "; ".join(f"{way}: {cell(way)}" for way in found if way != "ours"),
            f"always ({sizes[0]:,} to {sizes[-1]:,})" if always else cell("ours"),
            "always",
            always,
        )
    ]


def answered(yes: bool) -> str:
    return "yes" if yes else "cut"


MEASUREMENTS = (Measurement(complete, ("answer complete through a Jupyter server",)),)
