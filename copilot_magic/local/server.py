"""The process that ``%copilot serve`` starts: llama.cpp's server around one GGUF file.

Started as ``python -m copilot_magic.local_server`` by :mod:`copilot_magic.launcher`, which writes
one line of JSON (``model``, ``port``, ``api_key``, and the defaults of ``temperature``, ``top_p``
and ``max_tokens`` where it has some) to standard input and keeps that pipe open. Once
the model is loaded one line of JSON (``base_url``) is written to standard output. The process ends
with the process that started it.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
from pathlib import Path

__all__ = ["available_cpus", "main"]

CGROUP_CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")


def available_cpus(limit: Path = CGROUP_CPU_LIMIT) -> int:
    """Return how many CPUs this process may use, container limits included.

    Args:
        limit: The control group's ``cpu.max``: a quota or ``max``, and the period it is for
            (https://docs.kernel.org/admin-guide/cgroup-v2.html).
    """
    if sys.platform == "linux":
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    try:
        quota, period = limit.read_text().split()
        return min(count, max(1, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no such control group, or its quota is "max"
        return count


def _end_with(owner: int) -> None:
    """End this process once `owner`, its parent, is gone."""
    # A child that the owner forked may hold the pipe open, so the pipe alone does not tell. On
    # Windows it does: nothing is forked there, and the parent may be the venv's launcher.
    while os.name == "nt" or os.getppid() == owner:
        time.sleep(0.5)
    os._exit(0)


def _end_with_input() -> None:
    """End this process once nobody holds the other end of standard input."""
    while os.read(0, 4096):
        pass
    os._exit(0)


def main() -> None:
    """Serve the model that the line on standard input names, until the owner is gone."""
    owner = os.getppid()
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    # The library writes to standard output too; there, only the line below belongs.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = order["model"]
    params.model_alias = {Path(order["model"]).stem}  # else clients are told the path
    params.hostnames = ["127.0.0.1"]
    params.port = order["port"]
    params.api_keys = [order["api_key"]]
    params.cors_origins = ""
    params.ui = False
    params.endpoint_slots = False  # it would show the prompts
    params.verbosity = 2  # errors and warnings
    params.n_ctx = 0  # the model's own, or what fits into the memory
    params.n_parallel = 2
    params.kv_unified = True  # either of the two may use all of the context
    params.cache_ram_mib = 512
    # What a request does not say itself.
    params.sampling.temp = order.get("temperature", params.sampling.temp)
    params.sampling.top_p = order.get("top_p", params.sampling.top_p)
    params.n_predict = order.get("max_tokens", params.n_predict)
    # The threads wait for each other in a busy loop: where one has to share its CPU, with the
    # notebook or the browser, it holds up all of them, and an answer comes at a tenth of the speed.
    threads = max(1, available_cpus() // 2)
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:  # the library has logged the reason
        sys.exit(str(error))
    with answer:
        json.dump({"base_url": f"{server.listening_address}/v1"}, answer)
    _end_with(owner)


if __name__ == "__main__":
    main()
