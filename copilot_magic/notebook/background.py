"""What is being answered in the background: each prompt in a thread, started and stopped here."""

from __future__ import annotations

import atexit
import contextvars
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..session.exchange import NAMED_BY, Exchange
from ..session.places import Place
from ..text import count_of, one_line
from .between_cells import BetweenCells
from .preloading import load

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Background", "Job"]

PATIENCE = 5.0
"""Seconds that answers which were stopped may take to end."""


class Job:
    """A prompt that is answered in the background.

    Args:
        exchange: The prompt on its way.
        prompt: What the user wrote.
        cell: The cell that asked, and which of its runs.

    Attributes:
        exchange: The prompt on its way, or its second try.
        prompt: What the user wrote.
        cell: The cell that asked, and which of its runs.
        cancelled: It was stopped.
        thread: Its thread.
    """

    def __init__(self, exchange: Exchange, prompt: str, cell: tuple[str, int]) -> None:
        self.exchange = exchange
        self.prompt = prompt
        self.cell = cell
        self.cancelled = False
        self.thread: threading.Thread
        self._started = time.monotonic()

    @property
    def name(self) -> str:
        """Return the first words of the prompt, and the name of its conversation."""
        return f"“{one_line(self.prompt, NAMED_BY)}” in {self.exchange.conversation.name}"

    @property
    def received(self) -> str:
        """Return how much has arrived."""
        return count_of(self.exchange.turn.received, "character")

    def __str__(self) -> str:
        seconds = f"{time.monotonic() - self._started:.0f} s"
        state = "waits for its turn" if self.exchange.waits else self.received
        return f"{self.name}, {seconds}, {state}"

    def cancel(self) -> None:
        """Stop it, from any thread; what arrived is kept."""
        self.cancelled = True
        self.exchange.stop()

    def use(self, exchange: Exchange) -> None:
        """Go on with another exchange, which is stopped at once if this was cancelled."""
        self.exchange = exchange
        if self.cancelled:
            exchange.stop()


class Background:
    """The prompts of a notebook that are answered in the background, each in a thread.

    The threads do not keep a process that wants to end: they are ended then, and what arrived is
    kept. Interrupts of the kernel go to the main thread and leave them alone.

    Args:
        shell: The IPython shell, or None outside of IPython.
        patience: Seconds that answers which were stopped may take to end.

    Attributes:
        between_cells: Prints in a terminal what arrives while other cells run.
    """

    def __init__(self, shell: InteractiveShell | None, patience: float = PATIENCE) -> None:
        self.between_cells = BetweenCells(shell)
        self._patience = patience
        self._jobs: list[Job] = []
        self._lock = threading.Lock()
        self._pid = os.getpid()

    @property
    def jobs(self) -> list[Job]:
        """Return what is on its way, in the order of asking."""
        with self._lock:
            return list(self._jobs)

    def start(self, job: Job, place: Place, work: Callable[[], Any]) -> None:
        """Do a job in a thread of its own, which takes its place in the conversation now.

        Args:
            job: The job.
            place: The place, which is left when the work ends.
            work: The job's work; when it is done, it calls `remove`. It must not raise.
        """

        def run() -> None:
            with place:
                work()

        load()
        # With this context, what is shown later goes to the cell that runs now.
        job.thread = threading.Thread(
            target=contextvars.copy_context().run,
            args=(run,),
            name="copilot-background",
            daemon=True,
        )
        with self._lock:
            if not self._jobs:
                atexit.register(self.close)
            self._jobs.append(job)
        try:
            # Here, so that a prompt of the next cell comes after this one.
            place.take(job.thread)
            job.thread.start()
        except BaseException:
            job.cancel()
            if job.thread.ident is None:
                place.leave()
                self.remove(job)
            raise

    def remove(self, job: Job) -> None:
        """Take out a job that has ended."""
        with self._lock:
            self._jobs.remove(job)
            if not self._jobs:
                atexit.unregister(self.close)

    def cancel(self, conversation_id: str = "") -> list[Job]:
        """Stop what is on its way and wait until it has ended; return what was stopped.

        Args:
            conversation_id: The conversation; empty for all.
        """
        return self._stop(
            [
                job
                for job in self.jobs
                if conversation_id in ("", job.exchange.conversation.conversation_id)
            ]
        )

    def cancel_earlier_run(self, cell: str, run: int) -> None:
        """Stop what a cell asked when it ran before.

        Args:
            cell: The cell's id; empty if that is not known.
            run: The number of its run.
        """
        if cell:
            self._stop([job for job in self.jobs if job.cell[0] == cell and job.cell[1] != run])

    def close(self) -> None:
        """Stop all, and wait until it has ended."""
        if self._pid != os.getpid():
            return  # a forked child has none of the threads, but shares their connections
        self.between_cells.stop()
        self.cancel()
        atexit.unregister(self.close)

    def _stop(self, jobs: list[Job]) -> list[Job]:
        # The last one first: so none begins because the one before it has ended.
        for job in reversed(jobs):
            job.cancel()
        deadline = time.monotonic() + self._patience
        for job in jobs:
            job.thread.join(max(deadline - time.monotonic(), 0.0))
        return jobs
