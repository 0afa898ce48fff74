"""The texts of growing answers, written by a timer's thread, so also while the server is silent."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping

from ..errors import StoreError

__all__ = ["GROWTH_INTERVAL", "Growth", "Key", "Text"]

# Seconds between two writes of a growing answer: the most that a killed process loses.
GROWTH_INTERVAL = 0.5

Key = tuple[str, str]
"""Which answer: the ids of its conversation and of its turn."""

Text = tuple[str, str]
"""The answer and the reasoning so far."""


class Growth:
    """The newest texts of the answers that are growing, each until it is written.

    Args:
        write: Write what `pending` returns, and return what was written. It should call `pending`
            as late as possible, and in the transaction in which it writes. An answer that ends
            calls `drop` in its own transaction, so no older text can follow its last one.
        interval: Seconds from the first unwritten text to the write.
    """

    def __init__(self, write: Callable[[], Mapping[Key, Text]], interval: float) -> None:
        self._write = write
        self._interval = interval
        self._begin_process()

    def _begin_process(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._texts: dict[Key, Text] = {}
        self._timer: threading.Timer | None = None
        self._failure: StoreError | None = None

    def _leave_parent(self) -> None:
        """In a forked child, start afresh: the parent writes its own texts, and has the timer."""
        if self._pid != os.getpid():
            self._begin_process()

    def put(self, key: Key, text: Text) -> None:
        """Take the new text of an answer, to be written within the interval.

        Raises:
            StoreError: The last write failed, in the timer's thread. The text is not taken.
        """
        self._leave_parent()
        with self._lock:
            failure, self._failure = self._failure, None
            if failure is None:
                self._texts[key] = text
                if self._timer is None:
                    self._start_timer()
        if failure is not None:
            raise failure

    def pending(self) -> dict[Key, Text]:
        """Return the texts that are not written yet."""
        self._leave_parent()
        with self._lock:
            return dict(self._texts)

    def drop(self, key: Key) -> None:
        """Forget the text of an answer: it is being written as a whole elsewhere."""
        self._leave_parent()
        with self._lock:
            self._texts.pop(key, None)

    def flush(self) -> None:
        """Write what is pending now.

        Raises:
            StoreError: It could not be written, and is no longer pending: the next text of an
                answer contains this one.
        """
        done: Mapping[Key, Text] = self.pending()
        if not done:
            return
        try:
            done = self._write()
        finally:
            with self._lock:
                for key, text in done.items():
                    if self._texts.get(key) is text:
                        del self._texts[key]

    def close(self) -> None:
        """Stop the timer and write what is pending; a later `put` starts the timer again.

        Raises:
            StoreError: As for `flush`.
        """
        self._leave_parent()
        with self._lock:
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
            timer.join()
        self.flush()

    def _start_timer(self) -> None:
        self._timer = threading.Timer(self._interval, self._flush_in_time)
        self._timer.daemon = True
        self._timer.start()

    def _flush_in_time(self) -> None:
        failure = None
        try:
            self.flush()
        except StoreError as error:
            failure = error
        with self._lock:
            self._failure = failure or self._failure
            self._timer = None
            if self._texts:
                self._start_timer()
