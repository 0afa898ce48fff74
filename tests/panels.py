"""A front end for tests of the chat panel: it keeps what it is sent as ``panel.js`` does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

__all__ = ["PanelFrontEnd", "until"]


def until(condition: Callable[[], object], timeout: float = 20.0) -> None:
    """Wait until `condition` holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class PanelFrontEnd:
    """One view of a panel.

    Attributes:
        messages: All that was sent, for whichever view.
        turns: The turns as they are shown, each with its ``answer`` and its ``reasoning``.
        order: Their ids from top to bottom.
        told: Notices, refusals, options, acknowledgements, in their order.
    """

    def __init__(self, view: str = "a") -> None:
        self.view = view
        self.messages: list[dict[str, Any]] = []
        self.turns: dict[str, dict[str, Any]] = {}
        self.order: list[str] = []
        self.told: list[dict[str, Any]] = []
        self.head: dict[str, Any] = {}
        self.is_whole = False
        self._next: int | None = None

    def __call__(self, message: dict[str, Any]) -> None:
        """Take a message."""
        json.dumps(message)  # it can be sent
        self.messages.append(message)
        mine = message.get("to", "") in ("", self.view)
        if message["kind"] == "reset" and mine:
            self._next = message["n"]
        if self._next is None:
            return
        assert message["n"] == self._next
        self._next += 1
        if mine:
            getattr(self, f"_{message['kind']}", self.told.append)(message)

    @property
    def size(self) -> int:
        """Return how many characters were sent."""
        return sum(len(json.dumps(message)) for message in self.messages)

    def answers(self) -> list[str]:
        """Return the HTML of the answers, from top to bottom."""
        return [self.turns[turn_id]["answer"] for turn_id in list(self.order)]

    def kinds(self) -> list[str]:
        """Return what kinds of messages there were besides those that change the turns."""
        return [message["kind"] for message in self.told]

    def last(self, kind: str) -> dict[str, Any]:
        """Return the last of these messages."""
        return next(message for message in reversed(self.told) if message["kind"] == kind)

    def _reset(self, message: dict[str, Any]) -> None:
        self.turns, self.order, self.head, self.is_whole = {}, [], message, False

    def _head(self, message: dict[str, Any]) -> None:
        self.head = message

    def _turns(self, message: dict[str, Any]) -> None:
        at = self.order.index(message["after"]) + 1 if message["after"] else 0
        for number, turn in enumerate(message["turns"]):
            assert turn["id"] not in self.turns
            shown = {"answer": "", "reasoning": "", "tails": {}, "settled": {}, **turn}
            shown["settled"] = {name: shown[name] for name in ("answer", "reasoning")}
            self.turns[turn["id"]] = shown
            self.order.insert(at + number, turn["id"])
        self.is_whole = self.is_whole or bool(message.get("done"))

    def _remove(self, message: dict[str, Any]) -> None:
        del self.turns[message["id"]]
        self.order.remove(message["id"])

    def _grow(self, message: dict[str, Any]) -> None:
        from copilot_magic.views.whole import top_level

        turn = self.turns[message["id"]]
        for name in ("answer", "reasoning"):
            change = message.get(name, {})
            if "cut" in change:
                blocks = top_level(turn["settled"][name])
                turn["settled"][name] = "".join(blocks[: change["cut"]])
            turn["settled"][name] += change.get("html", "")
            if "tail" in change:
                before = turn["tails"].get(name, "").encode("utf-16-le")
                tail = before[: 2 * change["keep"]].decode("utf-16-le") + change["tail"]
                turn["tails"][name] = tail
            turn[name] = turn["settled"][name] + turn["tails"].get(name, "")

    def _end(self, message: dict[str, Any]) -> None:
        self.turns[message["id"]].update(message)
