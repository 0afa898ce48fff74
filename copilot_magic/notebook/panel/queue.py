"""The prompts of a chat panel, those that wait and those that are being answered."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import closing

from ...chat.conversation import Conversation
from ...errors import CopilotError, ExpressionError
from ...session.exchange import Exchange
from ...text import one_line
from ..hints import next_step
from ..shell import Notebook
from ..showing import keep_answer
from .showing import Showing

__all__ = ["PromptQueue", "error_lines", "fault_line"]


def error_lines(error: CopilotError) -> list[str]:
    """Return what happened, and below it what to do about it."""
    if isinstance(error, ExpressionError):  # what corrects a cell cannot correct a message
        return [error.message, error.hint]
    return [error.message, *next_step(error).split("\n")]


def fault_line(error: Exception) -> str:
    """Return one line for an unexpected error."""
    return one_line(f"The panel has failed: {type(error).__name__}: {error}")


class PromptQueue:
    """The prompts of a panel: one at a time in each conversation, each in a thread of its own.

    `session.places` keeps the order of threads, and a thread waits there. A prompt of a panel has
    no thread while it waits: what it asks may depend on how the answer before it ends.

    Args:
        notebook: The notebook, whose last answer each of them becomes.
        put: Has something done in the panel's thread.
        showing: What the panel shows.
    """

    def __init__(
        self, notebook: Notebook, put: Callable[[Callable[[], None]], None], showing: Showing
    ) -> None:
        self._notebook = notebook
        self._put = put
        self._showing = showing
        self._held: deque[tuple[Conversation, str, Callable[[], Exchange]]] = deque()
        self._exchanges: set[Exchange] = set()

    def ask(self, conversation: Conversation, name: str, make: Callable[[], Exchange]) -> None:
        """Ask, now or when the answer before it has ended.

        Args:
            conversation: Where to ask.
            name: The front end's id of the prompt.
            make: Makes the exchange.
        """
        self._held.append((conversation, name, make))
        self.go_on()

    def go_on(self) -> None:
        """Ask the prompts whose conversation is free by now."""
        for held in list(self._held):
            conversation, name, make = held
            if self._is_busy(conversation):
                continue
            self._held.remove(held)
            try:
                exchange = make()
            except CopilotError as error:
                self._showing.refuse(name, error_lines(error))
                continue
            self._showing.asked[exchange.turn.id] = name
            self._exchanges.add(exchange)
            threading.Thread(
                target=self._drain, args=(exchange,), name="copilot-panel-answer", daemon=True
            ).start()

    def stop(self) -> None:
        """Stop what this panel has asked, and forget the prompts that wait."""
        self._held.clear()
        for exchange in list(self._exchanges):
            exchange.stop()

    def _is_busy(self, conversation: Conversation) -> bool:
        """Say whether an answer of `conversation` is arriving, or was asked for by this panel."""
        return any(turn.status == "streaming" for turn in list(conversation.turns)) or any(
            exchange.conversation is conversation for exchange in list(self._exchanges)
        )

    def _drain(self, exchange: Exchange) -> None:
        """Receive the whole answer; the panel hears of it from the session's watchers."""
        try:
            with closing(exchange):
                deque(exchange, maxlen=0)
        except CopilotError:
            pass  # the watchers have been told
        except Exception as error:  # noqa: BLE001  (nobody else would hear of it)
            line = fault_line(error)
            self._put(lambda: self._showing.send({"kind": "notice", "lines": [line]}))
        finally:
            self._exchanges.discard(exchange)
            keep_answer(self._notebook, exchange)
            self._put(self.go_on)
