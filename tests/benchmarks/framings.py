"""22 ways to write the same few events that servers, proxies and the HTML standard allow."""

from __future__ import annotations

import json
from dataclasses import dataclass

__all__ = ["CASES", "Case"]


@dataclass(frozen=True)
class Case:
    """A body, and the text that it says.

    Attributes:
        name: What is special about it.
        pieces: What is sent, one piece after the other.
        text: The answer's text.
    """

    name: str
    pieces: tuple[bytes, ...]
    text: str = "ab"


def chunk(text: str) -> str:
    """Return the JSON of one event."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return json.dumps({**head, "choices": [choice]}, ensure_ascii=False)


def joined(*lines: str, end: str = "\n") -> bytes:
    """Return lines with their ends."""
    return "".join(line + end for line in lines).encode()


A, B = chunk("a"), chunk("b")
BOTH = (f"data: {A}", "", f"data: {B}", "", "data: [DONE]", "")
USUAL = joined(*BOTH)
FOLDED = [f"data: {line}" for line in json.dumps(json.loads(A), indent=1).splitlines()]
WAVE = joined(f"data: {chunk('👋')}", "", "data: [DONE]", "")
INSIDE_WAVE = WAVE.index("👋".encode()) + 2


def unicode_case(name: str, character: str) -> Case:
    """Return a case with a character that some take for a line's end."""
    text = f"a{character}b"
    return Case(name, (joined(f"data: {chunk(text)}", "", "data: [DONE]", ""),), text)


CASES = [
    Case("lines end with LF", (USUAL,)),
    Case("lines end with CR LF", (joined(*BOTH, end="\r\n"),)),
    Case("lines end with a bare CR", (joined(*BOTH, end="\r"),)),
    Case("mixed line ends", (f"data: {A}\n\r\ndata: {B}\r\n\ndata: [DONE]\r\r".encode(),)),
    Case("CR and LF in two packets", (f"data: {A}\r".encode(), joined("", "", *BOTH[2:]))),
    Case("an event in two packets", (USUAL[:20], USUAL[20:])),
    Case("byte by byte", tuple(USUAL[i : i + 1] for i in range(len(USUAL)))),
    Case("a character in two packets", (WAVE[:INSIDE_WAVE], WAVE[INSIDE_WAVE:]), "👋"),
    Case("no space after the colon", (USUAL.replace(b"data: ", b"data:"),)),
    Case("data over several lines", (joined(*FOLDED, "", *BOTH[2:]),)),
    Case("a byte order mark", (b"\xef\xbb\xbf" + USUAL,)),
    Case("comments", (joined(": ping", "", *BOTH[:2], ":", *BOTH[2:]),)),
    Case("types of events", (joined("event: message", *BOTH[:2], "event: message", *BOTH[2:]),)),
    Case("ids", (joined("id: 1", *BOTH[:2], "id: 2", *BOTH[2:]),)),
    Case("retry times", (joined("retry: 50", "", *BOTH),)),
    Case("unknown fields", (joined("x: 1", *BOTH[:2], "hello", *BOTH[2:]),)),
    Case("many blank lines", (joined("", "", *BOTH[:2], "", "", *BOTH[2:]),)),
    Case("no [DONE]", (joined(*BOTH[:4]),)),
    Case("no blank line at the end", (joined(*BOTH[:3]),)),
    Case("no line end at the end", (USUAL.rstrip(b"\n"),)),
    unicode_case("U+2028 in the text", "\u2028"),
    unicode_case("U+0085 in the text", "\u0085"),
]
