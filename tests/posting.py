"""What tests that ask a scripted server share."""

from __future__ import annotations

import socket
from typing import Any

from copilot_magic.client.client import ChatClient
from copilot_magic.settings import Settings
from copilot_magic.wire.chunks import Delta
from copilot_magic.wire.request import request_body

__all__ = ["KEY", "ask", "body", "client", "free_port"]

KEY = "sk-very-secret-0123456789"


def body(text: str = "Hello", **options: Any) -> dict[str, Any]:
    """Return the body of a request that asks `text`."""
    messages = [{"role": "user", "content": text}]
    asked = {"model": "", "provider": "Copilot", "conversation_id": "c", "messages": messages}
    return request_body(**{**asked, **options})


def client(
    base_url: str, key: str | None = None, *, keep_connections: int = 0, **settings: Any
) -> ChatClient:
    """Return a client that sends `key`, and keeps some connections."""
    asked = Settings(base_url=base_url, get_api_key=lambda: key, **settings)
    return ChatClient(asked, keep_connections=keep_connections)


def ask(asked: ChatClient, **options: Any) -> str:
    """Return the answer of `asked`."""
    return "".join(d.content for d in asked.stream(body(**options)) if isinstance(d, Delta))


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
