"""What listens on a port of this machine, and which port is free."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from enum import Enum
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ..settings import LOCAL_MARK

__all__ = ["Models", "Occupant", "free_port", "get_models", "probe"]


class Occupant(Enum):
    """What listens at an address, in words that complete "in use by …"."""

    NOTHING = "nothing"
    CHAT = "a chat server"
    LOCAL = "another notebook's local model"
    LOCKED = "a chat server that wants a key"
    OTHER = "something else"


class Models(NamedTuple):
    """What a server answered to ``/models``.

    Attributes:
        status: The HTTP status.
        document: The JSON object in the body; empty if the body is anything else.
        marked: The server says that it is a local model.
    """

    status: int
    document: dict[str, Any]
    marked: bool


def probe(base_url: str, timeout: float = 5.0) -> Occupant:
    """Find out what listens at `base_url`.

    Args:
        base_url: The address, up to and including ``/v1``.
        timeout: Longest wait in seconds, for the connection and for each read.
    """
    try:
        status, document, marked = get_models(base_url, timeout=timeout)
    except ConnectionRefusedError:
        return Occupant.NOTHING
    except (OSError, http.client.HTTPException):
        return Occupant.OTHER
    if marked:
        return Occupant.LOCAL
    if status == 200 and isinstance(document.get("data"), list):
        return Occupant.CHAT
    if status in (401, 403) and "error" in document:
        return Occupant.LOCKED
    return Occupant.OTHER


def get_models(base_url: str, api_key: str = "", timeout: float = 30.0) -> Models:
    """Return what the server answers to ``/models``.

    Raises:
        OSError: The server was not reached, or was silent for `timeout` seconds.
        http.client.HTTPException: The answer is not HTTP.
    """
    url = urlsplit(base_url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=timeout)
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    with contextlib.closing(connection):
        connection.request("GET", f"{url.path}/models", headers=headers)
        response = connection.getresponse()
        try:
            document = json.loads(response.read(10_000_000))
        except ValueError:
            document = None
        name, mark = LOCAL_MARK
        return Models(
            response.status,
            document if isinstance(document, dict) else {},
            marked=response.headers.get(name) == mark,
        )


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free right now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
