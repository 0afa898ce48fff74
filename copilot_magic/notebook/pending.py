"""An answer on its way in the background, as users have it until it is there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from ..chat.answer import Answer
from ..errors import UsageError
from ..text import count_of

__all__ = ["PendingAnswer"]

# Seconds after which `wait` looks again, and on Windows whether it was interrupted.
_LOOK_INTERVAL = 0.5

_STILL = "The answer is still on its way"


class PendingAnswer:
    """An answer that is on its way while other cells run; `wait` returns it when it is there.

    It is no ``str`` as an `Answer` is: a ``str`` cannot grow, and one that is empty, or half an
    answer, would pass for all of it. So its text is there when the answer has ended, and not
    before: ``str(pending)``, ``pending.markdown`` and the other attributes of an `Answer`.

    A variable that ``-o`` named holds the answer itself from then on.

    Args:
        describe: Says in a few words what is on its way, and how far it has got.
        cancel: Stops it.
    """

    _shown = False

    def __init__(self, describe: Callable[[], str], cancel: Callable[[], object]) -> None:
        self._describe = describe
        self._cancel = cancel
        self._done = False
        self._value: Any = None
        self._error: BaseException | None = None
        # A KeyboardInterrupt cannot leave this lock half-locked, as it could one that is written
        # in Python, such as that of threading.Event.
        self._ended = threading.Lock()
        self._ended.acquire()

    @property
    def done(self) -> bool:
        """Say whether it has ended, one way or another."""
        return self._done

    def wait(self, timeout: float | None = None) -> Any:
        """Return the answer, or the typed value that was asked for, as soon as it is there.

        An interrupt ends the wait, not the answer.

        Args:
            timeout: Seconds to wait at most; None waits for as long as it takes.

        Raises:
            TimeoutError: It is still on its way.
            CopilotError: There was no answer or not all of it, or it was stopped. What arrived is
                in the conversation.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._done:
            left = _LOOK_INTERVAL if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{_STILL} after {timeout:g} s")
            if self._ended.acquire(timeout=min(left, _LOOK_INTERVAL)):
                self._ended.release()  # for the next one who waits
        if self._error is not None:
            raise self._error
        return self._value

    def cancel(self) -> None:
        """Stop it; what arrived is kept in the conversation."""
        self._cancel()

    def end(self, value: Any, error: BaseException | None = None) -> None:
        """Record the value, or the error, that it ended with, and wake whoever waits."""
        self._value, self._error = value, error
        self._done = True
        self._ended.release()

    def arrived(self) -> Any:
        """Return what `wait` returns, without waiting.

        Raises:
            UsageError: It is still on its way.
            CopilotError: As for `wait`.
        """
        if not self._done:
            raise UsageError(_STILL, ".wait() returns it as soon as it is there")
        return self.wait()

    def __str__(self) -> str:
        return str(self.arrived())

    def __getattr__(self, name: str) -> Any:
        # What an answer has: its attributes are declared on its class.
        if name.startswith("_") or not (
            name in Answer.__annotations__ or name in vars(Answer) or hasattr(str, name)
        ):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if not self._done:
            raise AttributeError(f"{_STILL}, so it has no {name!r} yet; .wait() returns it")
        return getattr(self.arrived(), name)

    def __repr__(self) -> str:
        if not self._done:
            state = self._describe()
        elif self._error is not None:
            state = f"ended with {type(self._error).__name__}"
        elif isinstance(self._value, Answer):
            state = f"done, {count_of(len(self._value), 'character')}"
        else:
            state = "done"
        return f"<{type(self).__name__}: {state}>"

    def _ipython_display_(self) -> None:
        """Show nothing if the cell has just shown it; else leave it to `repr`."""
        if not self._shown:
            raise NotImplementedError
