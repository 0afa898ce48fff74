"""Answers of a scripted server to the prompts of a batch."""

from __future__ import annotations

from typing import Any

from scripted_server import Exchange

__all__ = ["complete", "echo", "row_of"]


def row_of(exchange: Exchange) -> str:
    """Return the row that a prompt asks about: its last fenced line."""
    content = str(exchange.request.json["messages"][-1]["content"])
    return content.removesuffix("\n```").rsplit("```text\n", 1)[-1]


def complete(exchange: Exchange, text: str, **more: Any) -> None:
    """Answer in one piece, as a server does that need not stream."""
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    exchange.reply(200, {"model": "scripted", "choices": [choice], "usage": usage, **more})


def echo(exchange: Exchange) -> None:
    """Answer with the row."""
    complete(exchange, row_of(exchange))
