"""A chat-completions server for batches: quick, with faults that can be foreseen, and an account.

It runs in a process of its own, so that its work slows down no client, and ends with its owner.

with BatchServer(delay=0.05, errors=0.05) as server:
    ...  # post to server.base_url + "/chat/completions"
    assert len(server.account().tries["a prompt's last line"]) == 1

An answer repeats the last line of the prompt that is not a fence. By hand, from this folder, until
its input ends:

    python batch_server.py --errors 0.05
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import math
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from dataclasses import asdict, dataclass, fields
from types import TracebackType
from typing import Any

__all__ = ["Account", "BatchServer", "Script", "Try"]


@dataclass(frozen=True)
class Script:
    """What the server does; shares are of the distinct prompts, and a prompt has one fault at most.

    Which prompts have a fault is a matter of `seed` and of their last lines alone, so a test knows
    it beforehand. A fault happens once: asked again, the prompt is answered.

    Attributes:
        port: The port to listen on; 0 is any free one.
        delay: Seconds from a request to its answer; refusals are sent at once.
        seed: Another seed, other prompts with a fault.
        errors: Share of prompts that get a 500.
        hopeless: Share of prompts that get a 500 each time.
        cuts: Share of prompts whose answer breaks off amid the body.
        bursts: Share of prompts that begin half a second in which all prompts get a 429.
        pauses: Share of prompts that begin a second in which all get a 429 with ``Retry-After``.
        hang: The last line of a prompt that is never answered at its first try.
        answers_each: Close a connection after so many answers, without a word; 0 is never.
        tries: Keep an account of each try; without it, of numbers alone.
    """

    port: int = 0
    delay: float = 0.05
    seed: int = 0
    errors: float = 0.0
    hopeless: float = 0.0
    cuts: float = 0.0
    bursts: float = 0.0
    pauses: float = 0.0
    hang: str = ""
    answers_each: int = 0
    tries: bool = True

    def fault(self, line: str) -> str:
        """Return the fault of the prompt that ends with `line`: its attribute, or nothing."""
        if self.hang and line == self.hang:
            return "hang"
        digest = hashlib.blake2b(f"{self.seed} {line}".encode(), digest_size=8).digest()
        place = int.from_bytes(digest, "big") / 2**64
        for name in ("errors", "hopeless", "cuts", "bursts", "pauses"):
            share = getattr(self, name)
            if place < share:
                return name
            place -= share
        return ""


@dataclass(frozen=True)
class Try:
    """One request: when it arrived, on the clock of `time.monotonic`, and what became of it.

    `outcome` is ``answered``, ``hung``, ``cut``, ``left`` (the client went away meanwhile), a
    status, or ``in hand``.
    """

    at: float
    outcome: str


@dataclass(frozen=True)
class Account:
    """What the server was asked so far.

    Attributes:
        tries: By the prompts' last lines, in the order in which these were first asked.
        requests: How many prompts were asked, repeated ones included.
        answered: How many of them were answered whole.
        most_at_once: How many requests were on their way at the same moment, at most.
        connections: How many were made, without those for accounts.
        credentials: How often each ``Authorization`` was sent; empty if there was none.
        models: How often each model was asked.
        cpu: Seconds of CPU time that the server has used.
    """

    tries: dict[str, list[Try]]
    requests: int
    answered: int
    most_at_once: int
    connections: int
    credentials: dict[str, int]
    models: dict[str, int]
    cpu: float

    @property
    def times(self) -> list[float]:
        """Return when the requests arrived, in order."""
        return sorted(each.at for tries in self.tries.values() for each in tries)

    def outcomes(self, line: str) -> list[str]:
        """Return what became of each try of the prompt that ends with `line`."""
        return [each.outcome for each in self.tries.get(line, [])]


class BatchServer:
    """Serve in a process of its own while the ``with`` block lasts; `Script` has the options."""

    def __init__(self, **script: Any) -> None:
        self.script = Script(**script)
        self._url = ""

    @property
    def base_url(self) -> str:
        """Return the base URL for a client."""
        return f"{self._url}/v1"

    @property
    def pid(self) -> int:
        """Return the id of the server's process."""
        return self._process.pid

    def account(self) -> Account:
        """Return what it was asked so far."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"{self._url}/account", timeout=60) as response:
            found = json.load(response)
        tries = {line: [Try(*each) for each in tries] for line, tries in found.pop("tries")}
        return Account(tries, **found)

    def __enter__(self) -> BatchServer:
        command = [sys.executable, "-I", __file__]
        for name, value in asdict(self.script).items():
            command += [f"--{name.replace('_', '-')}={value}"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self._url = self._process.stdout.readline().strip()
        assert self._url, "it did not start"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()
        assert self._process.returncode == 0, "it failed; its output says why"


# The rest runs in the server's process.

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CREDENTIALS = re.compile(rb"\r\nauthorization: *([^\r]*)", re.IGNORECASE)
REASONS = {404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error"}
BURST, PAUSE = 0.5, 1.0


class Desk:
    """What all connections share: the account, and how long everybody is refused."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.tries: dict[str, list[list[Any]]] = {}
        self.faults: set[str] = set()
        self.credentials: Counter[str] = Counter()
        self.models: Counter[str] = Counter()
        self.requests = self.answered = self.connections = 0
        self.at_once = self.most_at_once = 0
        self.refusing_until = 0.0
        self.says_when = False

    def begin(self, line: str, model: str, credentials: str) -> tuple[str, list[Any]]:
        """Enter a request into the account; return what is to happen to it, and its entry."""
        now = time.monotonic()
        self.requests += 1
        self.credentials[credentials] += 1
        self.models[model] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        entry = [now, "in hand"]
        if self.script.tries:
            self.tries.setdefault(line, []).append(entry)
        if now < self.refusing_until:
            return "429", entry
        fault = self.script.fault(line)
        if fault != "hopeless":
            if line in self.faults:
                fault = ""
            elif fault:
                self.faults.add(line)
        if fault in ("bursts", "pauses"):
            self.says_when = fault == "pauses"
            self.refusing_until = now + (PAUSE if self.says_when else BURST)
            fault = "429"
        return {"errors": "500", "hopeless": "500"}.get(fault, fault), entry

    def end(self, entry: list[Any], outcome: str) -> None:
        """Enter what became of a request."""
        self.at_once -= 1
        self.answered += outcome == "answered"
        entry[1] = outcome

    def account(self) -> bytes:
        """Return the account as JSON."""
        found = {
            "tries": list(self.tries.items()),  # pairs, since JSON's objects have no order
            "requests": self.requests,
            "answered": self.answered,
            "most_at_once": self.most_at_once,
            "connections": self.connections,
            "credentials": self.credentials,
            "models": self.models,
            "cpu": time.process_time(),
        }
        return json.dumps(found).encode()


def last_line(content: Any) -> str:
    """Return the last line of a message that is not a fence; its content is a text or parts."""
    if isinstance(content, list):
        content = "\n".join(part.get("text", "") for part in content)
    lines = str(content).splitlines() or [""]
    while len(lines) > 1 and not lines[-1].strip(" `~"):
        lines.pop()
    return lines[-1]


def completion(body: dict[str, Any], line: str) -> bytes:
    """Return the answer to `body`."""
    asked = sum(len(str(message["content"]).split()) for message in body["messages"])
    said = len(line.split())
    usage = {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
    head = {"id": "chatcmpl-1", "created": 0, "model": body.get("model") or "scripted-model"}
    if not body.get("stream"):
        message = {"role": "assistant", "content": line}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return json.dumps(
            {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
        ).encode()
    head["object"] = "chat.completion.chunk"
    chunks: list[dict[str, Any]] = [
        {**head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": line}}]},
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage},
    ]
    events = [json.dumps(chunk) for chunk in chunks]
    return "".join(f"data: {event}\n\n" for event in (*events, "[DONE]")).encode()


class Connection(asyncio.Protocol):
    """A connection that stays open; it carries one request at a time."""

    def __init__(self, desk: Desk, loop: asyncio.AbstractEventLoop) -> None:
        self.desk = desk
        self.loop = loop
        self.received = b""
        self.entry: list[Any] | None = None  # of the request that waits for its answer
        self.asked = self.answers = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self.entry is not None:
            self.close_entry("hung" if self.entry[1] == "hung" else "left")

    def data_received(self, data: bytes) -> None:
        self.received = received = self.received + data if self.received else data
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = received[: end + 2]
        found = LENGTH.search(head)
        whole = end + 4 + (int(found[1]) if found else 0)
        if len(received) < whole:
            return
        self.received = received[whole:]
        if head.startswith(b"POST"):
            self.prompt(head, received[end + 4 : whole])
        else:
            self.get(head.split(b" ", 2)[1])

    def get(self, path: bytes) -> None:
        if path == b"/account":
            self.send(200, self.desk.account())
        elif path == b"/v1/models":
            self.send(200, b'{"object": "list", "data": [{"id": "scripted-model"}]}')
        else:
            self.send(404, b'{"error": {"message": "Not Found"}}')

    def prompt(self, head: bytes, content: bytes) -> None:
        body = json.loads(content)
        line = last_line(body["messages"][-1]["content"])
        found = CREDENTIALS.search(head)
        desk = self.desk
        desk.connections += not self.asked
        self.asked += 1
        fault, entry = desk.begin(
            line, body.get("model") or "", found[1].decode("latin-1") if found else ""
        )
        self.entry = entry
        if fault in ("429", "500"):
            self.refuse(int(fault))
        elif fault == "hang":
            entry[1] = "hung"
        elif desk.script.delay:
            self.loop.call_later(desk.script.delay, self.answer, body, line, entry, fault)
        else:
            self.answer(body, line, entry, fault)

    def refuse(self, status: int) -> None:
        desk, more = self.desk, ""
        if status == 429 and desk.says_when:
            left = math.ceil(desk.refusing_until - time.monotonic())
            more = f"Retry-After: {max(left, 1)}\r\n"
        self.close_entry(str(status))
        message = {429: "Too many requests", 500: "The engine stumbled"}[status]
        self.send(status, json.dumps({"error": {"message": message}}).encode(), more)

    def answer(self, body: dict[str, Any], line: str, entry: list[Any], fault: str) -> None:
        if self.entry is not entry:
            return  # the client went away
        content = completion(body, line)
        kind = "text/event-stream" if body.get("stream") else "application/json"
        if fault == "cuts":
            self.close_entry("cut")
            self.send(200, content, kind=kind, sent=len(content) // 2)
            self.transport.close()
            return
        self.close_entry("answered")
        self.answers += 1
        self.send(200, content, kind=kind)
        if self.answers == self.desk.script.answers_each:
            self.transport.close()

    def close_entry(self, outcome: str) -> None:
        assert self.entry is not None
        self.desk.end(self.entry, outcome)
        self.entry = None

    def send(
        self,
        status: int,
        content: bytes,
        more: str = "",
        kind: str = "application/json",
        sent: int | None = None,
    ) -> None:
        head = (
            f"HTTP/1.1 {status} {REASONS.get(status, 'OK')}\r\nContent-Type: {kind}\r\n"
            f"{more}Content-Length: {len(content)}\r\n\r\n"
        )
        self.transport.write(head.encode("latin-1") + content[:sent])


async def serve(script: Script) -> None:
    """Serve until the standard input ends."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    desk = Desk(script)
    server = await loop.create_server(
        lambda: Connection(desk, loop), "127.0.0.1", script.port, backlog=1024
    )
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)  # noqa: T201

    def wait_for_the_end() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    await ended.wait()
    server.close()


def main() -> None:
    """Serve as the command line says: an option for each attribute of `Script`."""
    parser = argparse.ArgumentParser(description=__doc__)
    for field in fields(Script):
        kind = {"int": int, "float": float, "str": str}.get(str(field.type), _boolean)
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)
    asyncio.run(serve(Script(**vars(parser.parse_args()))))


def _boolean(text: str) -> bool:
    return {"True": True, "False": False}[text]


if __name__ == "__main__":
    main()
