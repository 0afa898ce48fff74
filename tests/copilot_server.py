"""What each generation of gpt4free makes of a request, with a Copilot that says all it has seen.

    with ScriptedServer(CopilotScript("gpt4free 8")) as server: ...

The answer to every prompt begins with "I saw:" and holds whatever the model behind the server would
know at that point, so a test can tell a conversation that is remembered from one that is not.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

from scripted_server import Exchange, Page

__all__ = ["GENERATIONS", "PROVIDERS", "CopilotScript"]

# What all generations of gpt4free answer to GET /v1/providers.
PROVIDERS: Page = (
    200,
    {"Content-Type": "application/json"},
    json.dumps(
        [{"id": name, "object": "provider", "created": 0} for name in ("Copilot", "Other")]
    ).encode(),
)

GENERATIONS = ["gpt4free 8", "gpt4free 0.4.8", "gpt4free 0.4.0", "stateless"]


class CopilotScript:
    """Answer as one generation of servers does.

    Args:
        generation: ``gpt4free 8`` (measured: 8.8.6), ``gpt4free 0.4.8`` (0.4.8.6) or
            ``gpt4free 0.4.0`` (0.4.0.0), each with Copilot as provider, of which the threads are
            on Microsoft's servers; ``stateless`` is any other provider or server.

    Attributes:
        threads: What was typed into each of Copilot's threads.
        seen: What the model knew at each answer.
    """

    def __init__(self, generation: str) -> None:
        assert generation in GENERATIONS
        self.generation = generation
        self.threads: dict[str, list[str]] = {}
        self.seen: list[str] = []
        self._known_ids: dict[str, str] = {}
        self._numbers = itertools.count(1)

    def restart(self) -> None:
        """Forget what a gpt4free process holds in memory."""
        self._known_ids.clear()

    def __call__(self, exchange: Exchange) -> None:
        body = exchange.request.json
        copilot = body.get("provider") == "Copilot" and self.generation != "stateless"
        if body.get("conversation") and not copilot:
            # gpt4free hands the object on, and a provider trips over one that is not its own.
            exchange.reply(500, {"error": {"message": "Request execution failed"}})
            return
        messages = body["messages"]
        if self.generation == "gpt4free 8":
            messages = _without_repeated(messages)[-40:]
        thread = self._copilot(body, messages) if copilot else None
        self.seen.append("\n".join(self.threads[thread] if thread else _contents(messages)))
        self._stream(exchange, f"I saw: {self.seen[-1]}", thread)

    def _copilot(self, body: dict[str, Any], messages: list[dict[str, str]]) -> str:
        """Type the messages into a thread, as far as this generation does; return the thread."""
        if self.generation == "gpt4free 8":
            # `conversation_id` is looked up, but nothing is ever kept under it.
            thread = (body.get("conversation") or {}).get("conversation_id")
            typed = "\n".join(_trailing_user_messages(messages))
        else:
            known = self._known_ids if self.generation == "gpt4free 0.4.0" else {}
            thread = known.get(body.get("conversation_id", ""))
            typed = "\n".join(_trailing_user_messages(messages) if thread else _contents(messages))
        if thread not in self.threads:
            thread = f"thread-{next(self._numbers)}"
            self._known_ids[body.get("conversation_id", "")] = thread
        self.threads.setdefault(thread, []).append(typed)
        return thread

    def _stream(self, exchange: Exchange, text: str, thread: str | None) -> None:
        exchange.start()
        for word in text.split(" "):
            exchange.delta(f"{word} ", model="", provider="Copilot" if thread else "Other")
        names_thread = thread and self.generation == "gpt4free 8"
        exchange.finish(**({"conversation": {"conversation_id": thread}} if names_thread else {}))
        exchange.done()


def _contents(messages: list[dict[str, str]]) -> list[str]:
    return [f"{message['role']}: {message['content']}" for message in messages]


def _trailing_user_messages(messages: list[dict[str, str]]) -> list[str]:
    after = itertools.takewhile(lambda message: message["role"] == "user", reversed(messages))
    return [message["content"] for message in after][::-1]


def _without_repeated(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    kept: list[dict[str, str]] = []
    for message in messages:
        if message["role"] != "user" or message not in kept:
            kept.append(message)
    return kept
