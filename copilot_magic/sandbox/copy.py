"""Running a function in a copy of this process, where it can do no harm."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import RehearsalError
from .limits import Ended, Limits, Report
from .support import why_not

__all__ = ["run_in_copy"]


def run_in_copy(work: Callable[[Report], None], limits: Limits | None = None) -> Ended:
    """Fork this process, run `work` in the copy, and return what it said and how it ended.

    The copy has all that this process has, in memory of its own. It can read files. It cannot write
    outside a temporary directory that is deleted afterwards, nor reach the network, other
    processes, or what this process has open. `work` gets a function that sends a JSON message to
    this process; what `work` raises ends the copy and is not known here.

    Raises:
        RehearsalError: No copy can be made or confined here; nothing has run.
        KeyboardInterrupt: This process was interrupted; the copy has been killed.
    """
    reason = why_not()
    if reason:
        raise RehearsalError(f"Code cannot be tried in a copy: {reason}", "Run the code itself")
    from .forking import run

    return run(work, limits or Limits())
