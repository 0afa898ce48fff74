"""The life of a copy, from the fork to its end. It never returns."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from .channel import Outgoing
from .confinement import Plan, detach_from_parent, give_up_rights
from .guard import Guard
from .limits import Report

__all__ = ["FAILED", "FINISHED", "OUT_OF_MEMORY", "is_copy", "live"]

FINISHED = "finished"
OUT_OF_MEMORY = "out of memory"
FAILED = "failed: "
"""What the word at a copy's end begins with if it could not be confined, so nothing ran in it."""

_is_copy = False


def is_copy() -> bool:
    """Say whether this process is a copy."""
    return _is_copy


def live(plan: Plan, work: Callable[[Report], None]) -> NoReturn:
    """Confine this process, which has just been forked, run `work` in it, and end it.

    Whatever `work` does to this process, its end is here: not in the parent's code, which is still
    on the stack, and without exit handlers, which are the parent's.
    """
    end = os._exit  # not looked up later: the code may have replaced it
    code = 1
    try:
        code = _live(plan, work)
    finally:
        while True:
            try:
                end(code)
            except BaseException:  # noqa: BLE001 - a trace function of the code's raised
                continue


def _live(plan: Plan, work: Callable[[Report], None]) -> int:
    global _is_copy
    _is_copy = True
    outgoing = Outgoing(plan.pipe, plan.limits.output)
    try:
        highest = detach_from_parent(plan)
        give_up_rights(plan, highest)
    except BaseException as error:  # noqa: BLE001 - whatever it is, nothing must run
        outgoing.end(f"{FAILED}{type(error).__name__}: {error}")
        return 1
    sys.addaudithook(Guard(plan.scratch, outgoing.refuse))
    code, how = 1, ""
    try:
        work(outgoing.report)
        code, how = 0, FINISHED
    except SystemExit as error:
        number = 0 if error.code is None else error.code
        code = number & 0xFF if isinstance(number, int) else 1
    except MemoryError:
        how = OUT_OF_MEMORY
    except BaseException:  # noqa: BLE001 - what `work` wants to be known, it reports
        pass
    if how:
        outgoing.end(how)
    return code
