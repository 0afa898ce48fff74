"""The program in the local server's process: llama.cpp's HTTP server with one GGUF file.

`process` starts it as ``python -m copilot_magic.local.server``, writes one line of JSON to its
standard input and keeps that pipe open. The line holds ``model`` (a path), ``port``, ``api_key``
and ``mark`` (which tells other clients that this is a local model). It may hold what goes for
requests that do not say: ``temperature``, ``top_p``, ``repeat_penalty``, ``dry_multiplier``,
``dry_allowed_length`` and ``max_tokens``; and ``chat_template``, which replaces the model's own.
Once the model is loaded, the program writes one line of JSON with ``base_url`` to its standard
output. It ends when the process that started it ends.

It imports nothing else of this package, so that it starts quickly.
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
    except (OSError, ValueError):  # there is no such control group, or its quota is "max"
        return count


def _end_with(owner: int) -> None:
    """Wait until `owner`, the parent of this process, is gone; then end this process."""
    # The pipe alone does not tell, since a fork of the owner may hold it open. On Windows it does:
    # there are no forks, and the parent may be the launcher program of a virtual environment.
    while os.name == "nt" or os.getppid() == owner:
        time.sleep(0.5)
    os._exit(0)


def _end_with_input() -> None:
    """Wait until nobody holds the other end of standard input; then end this process."""
    while os.read(0, 4096):
        pass
    os._exit(0)


def main() -> None:
    """Serve the model that the line on standard input names, until the owner is gone."""
    owner = os.getppid()
    configuration = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    # The library prints to standard output, too, so only `answer` keeps the real one.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = configuration["model"]
    # Without an alias, clients would be told the path.
    params.model_alias = {Path(configuration["model"]).stem}
    params.hostnames = ["127.0.0.1"]
    params.port = configuration["port"]
    params.api_keys = [configuration["api_key"]]
    # This is sent with every response, refusals included. It is no origin of any web page.
    params.cors_origins = configuration["mark"]
    params.ui = False
    params.endpoint_slots = False  # it would show the prompts
    params.verbosity = 2  # errors and warnings
    params.n_ctx = 0  # the model's own context length, or what fits into memory
    params.n_parallel = 2
    params.kv_unified = True  # each of the two requests may use the whole context
    params.cache_ram_mib = 512
    for holder, name, key in (
        (params.sampling, "temp", "temperature"),
        (params.sampling, "top_p", "top_p"),
        (params.sampling, "penalty_repeat", "repeat_penalty"),
        (params.sampling, "dry_multiplier", "dry_multiplier"),
        (params.sampling, "dry_allowed_length", "dry_allowed_length"),
        (params, "n_predict", "max_tokens"),
        (params, "chat_template", "chat_template"),
    ):
        if key in configuration:
            setattr(holder, name, configuration[key])
    # The threads wait for each other in a busy loop. If one of them shares its CPU with the
    # notebook or the browser, all are held up, and an answer is ten times slower.
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
