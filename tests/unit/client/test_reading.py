"""Reading a body: each token is there as soon as it is sent, however the body is framed."""

from __future__ import annotations

import gzip
import json
import threading
import zlib

import pytest
from posting import ask, body, client
from scripted_server import Exchange, ScriptedServer

from copilot_magic.wire.chunks import Delta


@pytest.mark.parametrize("framing", ["chunked", "close", "length", "gzip", "gzip in chunks"])
def test_each_delta_is_there_before_the_server_sends_the_next(
    server: ScriptedServer, framing: str
) -> None:
    received = threading.Semaphore(0)
    words = ["one ", "two ", "three"]
    events = [f'data: {{"choices":[{{"delta":{{"content":"{word}"}}}}]}}\n\n' for word in words]
    last = "data: [DONE]\n\n"

    def script(exchange: Exchange) -> None:
        headers = {"Content-Encoding": "gzip"} if "gzip" in framing else {}
        if framing == "length":
            headers["Content-Length"] = str(sum(map(len, [*events, last])))
        exchange.start(headers=headers, chunked="chunk" in framing)
        packer = zlib.compressobj(wbits=31)
        for event in events:
            data = event.encode()
            if headers.get("Content-Encoding"):
                data = packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
            exchange.send(data)
            assert received.acquire(timeout=20), "the delta was held back"
        data = last.encode()
        exchange.send(packer.compress(data) + packer.flush() if "gzip" in framing else data)

    server.script(script)
    seen = []
    for delta in client(server.base_url).stream(body()):
        seen.append(delta.content)
        received.release()
    assert seen == words


def test_a_body_that_is_one_piece_of_json_is_an_answer(server: ScriptedServer) -> None:
    whole = {
        "model": "m",
        "usage": {"total_tokens": 3},
        "choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}],
    }
    for script in (
        lambda exchange: exchange.reply(200, whole),
        lambda exchange: (
            exchange.start(headers={"Content-Type": "application/json"}),
            *(exchange.send(bytes([byte])) for byte in b"\n " + json.dumps(whole).encode()),
        ),
    ):
        server.script(script)
        assert list(client(server.base_url).stream(body())) == [
            Delta("Hello", finish_reason="stop", usage={"total_tokens": 3}, model="m")
        ]


def test_a_compressed_body_that_is_one_piece_is_an_answer(server: ScriptedServer) -> None:
    packed = gzip.compress(b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\ndata: [DONE]\n\n')
    server.script(lambda exchange: exchange.reply(200, packed, {"Content-Encoding": "gzip"}))
    assert ask(client(server.base_url)) == "Hi"


def test_the_usage_after_the_end_is_read_and_nothing_is_read_after_done() -> None:
    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("a")
        exchange.finish()
        exchange.event({"choices": [], "usage": {"total_tokens": 9}})
        exchange.done()
        if exchange.client_gone():
            gone.set()

    gone = threading.Event()
    with ScriptedServer(script) as server:
        deltas = list(client(server.base_url).stream(body()))
        assert deltas[-1] == Delta(usage={"total_tokens": 9})
        assert gone.wait(10)
