"""The order of the prompts in each conversation: one is answered after the other."""

from __future__ import annotations

import threading
from contextlib import suppress
from types import TracebackType

__all__ = ["Place", "Places"]


class Places:
    """The prompts that are on their way or wait, in each conversation in the order of asking.

    Several threads may use it at once. A prompt waits for those of other threads only: to wait for
    one that its own thread receives would never end. So the prompts of a thread share its first
    place, as the second try for a typed answer does. A thread that has died is not waited for.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: dict[str, list[Place]] = {}

    def place(self, conversation_id: str, prompt: str = "") -> Place:
        """Return a place in a conversation, not yet taken.

        Args:
            conversation_id: The conversation.
            prompt: What is asked, for those who wait for it.
        """
        return Place(self, conversation_id, prompt)

    def _take(self, place: Place) -> None:
        with self._lock:
            taken = self._taken.setdefault(place.conversation_id, [])
            if place in taken:
                return
            shared = [i for i, other in enumerate(taken) if other.thread is place.thread]
            taken.insert(shared[-1] + 1 if shared else len(taken), place)

    def _leave(self, place: Place) -> None:
        with self._lock:
            taken = self._taken.get(place.conversation_id, [])
            if place in taken:
                taken.remove(place)
            if not taken:
                self._taken.pop(place.conversation_id, None)
            for other in taken:
                other.wake()

    def _before(self, place: Place) -> Place | None:
        with self._lock:
            taken = self._taken.get(place.conversation_id, [])
            before = taken[: taken.index(place)] if place in taken else []
            waited_for = [other for other in before if other.thread is not place.thread]
        return next((other for other in reversed(waited_for) if other.lives), None)


class Place:
    """The place of one prompt, from `take` to `leave`; a ``with`` block does both.

    Attributes:
        conversation_id: The conversation.
        prompt: What is asked.
        thread: Who asks.
    """

    def __init__(self, places: Places, conversation_id: str, prompt: str) -> None:
        self.conversation_id = conversation_id
        self.prompt = prompt
        self.thread = threading.current_thread()
        self._places = places
        # A KeyboardInterrupt cannot leave this lock half-locked, as it could one that is written
        # in Python, such as that of threading.Event.
        self._asleep = threading.Lock()
        self._asleep.acquire()

    def take(self, thread: threading.Thread | None = None) -> None:
        """Take the place, the last one; taking it again changes nothing.

        Args:
            thread: Who asks; this thread by default. It need not have started yet.
        """
        self.thread = thread or threading.current_thread()
        self._places._take(self)

    def leave(self) -> None:
        """Leave the place, in any thread; those who wait are woken."""
        self._places._leave(self)

    def before(self) -> Place | None:
        """Return the place of the prompt to wait for; None if it is this one's turn."""
        return self._places._before(self)

    @property
    def lives(self) -> bool:
        """Say whether the thread that asks will leave in time: it runs, or has yet to start."""
        return self.thread.ident is None or self.thread.is_alive()

    def sleep(self, seconds: float) -> None:
        """Wait until something has changed, or for `seconds`; an interrupt ends it at once."""
        self._asleep.acquire(timeout=seconds)

    def wake(self) -> None:
        """End `sleep`, or the next one, from any thread."""
        with suppress(RuntimeError):  # it was awake
            self._asleep.release()

    def __enter__(self) -> Place:
        self.take()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.leave()
