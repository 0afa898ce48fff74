"""The recorded answers of real servers, replayed over real HTTP, whole and cut off."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from scripted_server import Exchange, ScriptedServer

from copilot_magic.client.client import ChatClient
from copilot_magic.errors import (
    AuthenticationError,
    BadRequestError,
    CopilotError,
    CutError,
    EmptyAnswerError,
    ErrorEventError,
    MalformedAnswerError,
    NotFoundError,
    RateLimitError,
    ServerError,
)
from copilot_magic.settings import Settings
from copilot_magic.wire.chunks import Delta

WIRE = Path(__file__).parent.parent / "wire"
RECORDINGS = sorted(path.stem for path in WIRE.glob("*.http"))
# A body up to this length is cut at each of its bytes, a longer one at this many random places.
EVERY_BYTE = 1_000
CUTS = 150

# What to expect of each recording: the answer, the reasoning, and the error's type and words.
# The answer of ok_stream is long, so only its start is here.
EXPECTED: dict[str, tuple[str, str, type[CopilotError] | None, str]] = {
    "ok_stream": ("Herr Heiner, k", "", None, ""),
    "ok_stream_http10": ("Köp", "", None, ""),
    "copilot_stub_plain_stream": ("I saw: plain", "", None, ""),
    "copilot_stub_MIDERR_stream": ("I saw: MIDERR", "", ErrorEventError, "gpt4free's log"),
    "up_midjson_stream": ("Hello", "", ErrorEventError, "gpt4free's log"),
    "up_midcut_stream": ("Hello", "", None, ""),
    "up_empty_stream": ("", "", EmptyAnswerError, "Ask again"),
    "up_rich_stream": (
        "Grüße 👋 line1\n```python\nprint('x')\n```\u2028sep\x85nel",
        "hmm ok\n",
        None,
        "",
    ),
    "up_think_stream": ("Answer", "let me", None, ""),
    "up_e429_stream": ("", "", RateLimitError, "ask again"),
    "copilot_nobrowser_stream": ("", "", ServerError, "gpt4free's log"),
    "copilot_stub_AUTH_stream": ("", "", AuthenticationError, "Log in to Copilot"),
    "unknown_provider_stream": ("", "", NotFoundError, "Choose another provider"),
    "auth_wrong_stream": ("", "", AuthenticationError, "COPILOT_API_KEY"),
    "malformed_json": ("", "", BadRequestError, "body.9: JSON decode error"),
    "server_killed_midstream": ("one ", "", CutError, "What arrived is kept"),
    "old_0.4.8.6_copilot_stub_stream": ("[thread-8] I saw: hi", "", None, ""),
    "old_0.4.8.6_copilot_stub_MIDERR_stream": ("", "", ErrorEventError, "RuntimeError: Error: mid"),
    "old_0.4.8.6_copilot_offline_stream": ("", "", ErrorEventError, "Could not connect to server"),
}

BODY = {"model": "", "provider": "Copilot", "stream": True, "messages": []}


class Recording:
    """A recorded response: its status and headers, and the body without its framing."""

    def __init__(self, name: str) -> None:
        head, _, self.body = (WIRE / f"{name}.http").read_bytes().partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split()[1])
        fields = dict(line.split(": ", 1) for line in lines[1:])
        self.chunked = fields.pop("Transfer-Encoding", "") == "chunked"
        self.sized = fields.pop("content-length", "") != ""
        fields.pop("Connection", "")
        # The body ends with the connection.
        self.delimited = not self.chunked and not self.sized
        self.fields = fields

    def replay(self, exchange: Exchange, pieces: list[bytes], *, cut: bool) -> None:
        """Answer with `pieces`, in the framing of the recording."""
        fields = dict(self.fields)
        if self.sized:
            fields["Content-Length"] = str(len(self.body))
        exchange.start(self.status, fields, chunked=self.chunked)
        for piece in pieces:
            exchange.send(piece)
        if cut:
            exchange.cut()


def ask(client: ChatClient) -> tuple[str, str, list[Delta], CopilotError | None]:
    """Return the answer, the reasoning, all deltas and the error."""
    deltas: list[Delta] = []
    error = None
    try:
        for delta in client.stream(BODY):
            assert isinstance(delta, Delta)
            deltas.append(delta)
    except CopilotError as caught:
        error = caught
    answer = "".join(delta.content for delta in deltas)
    return answer, "".join(delta.reasoning for delta in deltas), deltas, error


@pytest.fixture
def client(server: ScriptedServer) -> ChatClient:
    return ChatClient(Settings(base_url=server.base_url, retries=0, get_api_key=lambda: None))


def text_in(body: bytes) -> str:
    """Return the text in all complete chunks of `body`, read in the simplest way."""
    text = ""
    for line in body.split(b"\n"):
        with suppress(ValueError):
            chunk = json.loads(line.removeprefix(b"data: "))
            for choice in chunk.get("choices", []):
                text += choice["delta"]["content"] or ""
    return text.rpartition("</think>")[2]


def test_every_recording_has_an_expectation() -> None:
    assert sorted(EXPECTED) == RECORDINGS


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recording_gives_its_answer_and_its_error(
    name: str, server: ScriptedServer, client: ChatClient
) -> None:
    recording = Recording(name)
    breaks = name == "server_killed_midstream"
    server.script(lambda exchange: recording.replay(exchange, [recording.body], cut=breaks))
    answer, reasoning, deltas, error = ask(client)
    expected, thoughts, kind, words = EXPECTED[name]
    assert reasoning == thoughts
    assert answer.startswith(expected)
    assert answer == text_in(recording.body)
    assert type(error) is (kind or type(None))
    assert words in str(error or "")
    if kind is None:
        assert [delta.finish_reason for delta in deltas if delta.finish_reason]
        assert [delta.usage for delta in deltas if delta.usage] or name == "ok_stream_http10"


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recording_is_the_same_answer_where_one_in_one_piece_was_asked_for(
    name: str, server: ScriptedServer, client: ChatClient
) -> None:
    recording = Recording(name)
    breaks = name == "server_killed_midstream"
    server.script(lambda exchange: recording.replay(exchange, [recording.body], cut=breaks))
    answer, reasoning, _, error = ask(client)
    try:
        completion = client.complete(BODY)
    except CopilotError as failed:
        assert (type(failed), failed.message) == (type(error), getattr(error, "message", ""))
    else:
        assert error is None
        assert (completion.content, completion.reasoning) == (answer, reasoning)
        assert completion.finish_reason


def test_the_continuation_in_the_last_chunk_is_passed_on(
    server: ScriptedServer, client: ChatClient
) -> None:
    recording = Recording("copilot_stub_plain_stream")
    server.script(lambda exchange: recording.replay(exchange, [recording.body], cut=False))
    continuations = [delta.continuation for delta in ask(client)[2] if delta.continuation]
    assert continuations == [{"conversation_id": "thread-13"}]


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_size_of_the_pieces_changes_nothing(
    name: str, server: ScriptedServer, client: ChatClient
) -> None:
    recording = Recording(name)
    breaks = name == "server_killed_midstream"
    server.script(lambda exchange: recording.replay(exchange, [recording.body], cut=breaks))
    expected = ask(client)
    for size in (1, 7, 64):
        body = recording.body[:20_000]
        if size == 1 and len(body) > 3_000:
            continue
        pieces = [recording.body[i : i + size] for i in range(0, len(recording.body), size)]
        server.script(lambda exchange, p=pieces: recording.replay(exchange, p, cut=breaks))
        got = ask(client)
        assert got[:3] == expected[:3]
        assert (type(got[3]), str(got[3])) == (type(expected[3]), str(expected[3]))


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_connection_that_breaks_anywhere_loses_nothing_and_never_looks_complete(
    name: str, server: ScriptedServer, client: ChatClient
) -> None:
    recording = Recording(name)
    body = recording.body
    server.script(lambda exchange: recording.replay(exchange, [body], cut=False))
    whole, _, _, failure = ask(client)
    places: Sequence[int] = range(len(body))
    if len(body) > EVERY_BYTE:
        places = sorted(random.Random(7).sample(places, CUTS))
    # After these places the server has said how the answer ends.
    ended = [match.end() for match in re.finditer(rb'"finish_reason":"\w+".*\}', body)]
    failed = [match.end() for match in re.finditer(rb'"error": .*\}', body)]
    for place in places:
        part = body[:place]
        server.script(lambda exchange, part=part: recording.replay(exchange, [part], cut=True))
        answer, _, _, error = ask(client)
        if recording.status != 200:
            assert type(error) is type(failure), place
            continue
        if "<think>" not in text_in(part):
            assert answer == text_in(part), place
        if [end for end in failed if place >= end]:
            assert isinstance(error, ErrorEventError), place
        elif [end for end in ended if place >= end]:
            assert (answer, type(error)) == (whole, type(failure)), place
        elif recording.delimited and part.endswith(b"\n\n"):
            # A body that ends with its connection has ended then, as far as anybody can tell.
            assert error is None, place
        else:
            assert isinstance(error, CutError | MalformedAnswerError), place
            assert recording.delimited or isinstance(error, CutError), place
    server.script(lambda exchange: recording.replay(exchange, [body], cut=False))
    assert ask(client)[0] == whole, "the next prompt works"
