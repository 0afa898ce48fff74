"""What the copy reported, checked: it ran code of unknown origin, and may say anything."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...context.pictures.pixels import recognise
from ...text import one_line, printable, well_formed
from ..excerpt import Excerpt
from .telling import MOST_NAMES, STREAMS

__all__ = ["Output", "Told", "read"]

Output = Mapping[str, "str | bytes"]
"""A MIME bundle: ``text/plain``, and ``image/png`` as bytes."""

_KEPT = 50_000  # characters of a stream: as many of its beginning as of its end
_TEXT = 50_000
_TRACEBACK = 20_000
_OUTPUTS = 100
_BASE64 = 5_000_000
_ALL_BASE64 = 12_000_000
_SIDE = 20_000
_PIXELS = 60_000_000
_REFUSED = 20
_NAME = re.compile(r"(?:builtins\.)?[^\W\d]\w{0,99}")


@dataclass
class Told:
    """What a copy reported.

    Attributes:
        stdout: What was printed, the middle of much text left out.
        stderr: Likewise.
        outputs: What was displayed, the results included, in order.
        result: The last result, or None.
        refused: What was not even tried.
        has_begun: The code has begun to run.
        has_run: The code has come to an end.
        error: The error it ended with, in one line; empty if there was none.
        traceback: Its traceback.
        denied: The error may be due to what the copy was refused.
        cut: It put out more than it reported.
        compared: What the code did to the variables is known.
        new, changed, removed, kept: What it did.
    """

    stdout: str = ""
    stderr: str = ""
    outputs: list[Output] = field(default_factory=list)
    result: Output | None = None
    refused: list[str] = field(default_factory=list)
    has_begun: bool = False
    has_run: bool = False
    error: str = ""
    traceback: str = ""
    denied: bool = False
    cut: bool = False
    compared: bool = False
    new: dict[str, str] = field(default_factory=dict)
    changed: dict[str, tuple[str, str]] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def read(messages: Iterable[Mapping[str, Any]]) -> Told:
    """Return what the messages say; those that no copy of ours would send are ignored."""
    reader = _Reader()
    for message in messages:
        reader.take(message)
    return reader.finish()


class _Reader:
    """A report put together from messages."""

    def __init__(self) -> None:
        self.told = Told()
        self._streams = {name: Excerpt(_KEPT) for name in STREAMS}
        self._ids: dict[str, int] = {}
        self._room = _ALL_BASE64
        self._clears = False

    def take(self, message: Mapping[str, Any]) -> None:
        kind = message.get("kind")
        if kind == "ready":
            self.told.has_begun = True
        elif kind == "text":
            self._text(message.get("stream"), message.get("text"))
        elif kind in ("display", "result"):
            self._display(message, is_result=kind == "result")
        elif kind == "clear":
            self._clears = True
            if message.get("wait") is not True:
                self._clear()
        elif kind == "refused" and isinstance(what := message.get("what"), str):
            what = one_line(what, 200)
            if what and what not in self.told.refused and len(self.told.refused) < _REFUSED:
                self.told.refused.append(what)
        elif kind == "outcome" and not self.told.has_run:
            self._outcome(message)
        elif kind == "names" and not self.told.compared:
            self._names(message)

    def finish(self) -> Told:
        self.told.stdout, self.told.stderr = (self._streams[name].text for name in STREAMS)
        return self.told

    def _text(self, stream: Any, text: Any) -> None:
        if stream in STREAMS and isinstance(text, str):
            self._clear()
            self._streams[stream].add(well_formed(text))

    def _display(self, message: Mapping[str, Any], *, is_result: bool) -> None:
        self._clear()
        output = self._output(message)
        name = message.get("id")
        if isinstance(name, str) and message.get("update") is True:
            if name in self._ids and output:
                self.told.outputs[self._ids[name]] = output
            return
        if not output or len(self.told.outputs) >= _OUTPUTS:
            return
        if isinstance(name, str):
            self._ids[name] = len(self.told.outputs)
        self.told.outputs.append(output)
        if is_result:
            self.told.result = output

    def _output(self, message: Mapping[str, Any]) -> Output:
        output: dict[str, str | bytes] = {}
        if isinstance(text := message.get("text"), str) and text:
            output["text/plain"] = printable(text[:_TEXT])
        png = message.get("png")
        if isinstance(png, str) and png and len(png) <= min(_BASE64, self._room):
            self._room -= len(png)
            if picture := _picture(png):
                output["image/png"] = picture
        return output

    def _clear(self) -> None:
        """Clear the output, if the code said so."""
        if self._clears:
            self._clears = False
            self._streams = {name: Excerpt(_KEPT) for name in STREAMS}
            self._ids.clear()
            self.told.outputs.clear()

    def _outcome(self, message: Mapping[str, Any]) -> None:
        line, traceback = message.get("line"), message.get("traceback")
        if not isinstance(line, str) or not isinstance(traceback, str):
            return
        self.told.has_run = True
        self.told.error = one_line(line)
        self.told.traceback = printable(traceback[:_TRACEBACK])
        self.told.cut = message.get("cut") is True
        self.told.denied = message.get("denied") is True

    def _names(self, message: Mapping[str, Any]) -> None:
        new, changed = message.get("new"), message.get("changed")
        removed, kept = message.get("removed"), message.get("kept")
        if not (isinstance(new, dict) and isinstance(changed, dict)):
            return
        if not (isinstance(removed, list) and isinstance(kept, list)):
            return
        told = self.told
        told.compared = True
        told.new = {name: _words(new[name]) for name in _names(new)}
        told.changed = {
            name: (_words(pair[0]), _words(pair[1]))
            for name in _names(changed)
            if isinstance(pair := changed[name], list) and len(pair) == 2
        }
        told.removed, told.kept = _names(removed), _names(kept)


def _names(names: Iterable[Any]) -> list[str]:
    """Return those that are names of variables."""
    found = [n for n in names if isinstance(n, str) and _NAME.fullmatch(n) and n.isprintable()]
    return found[:MOST_NAMES]


def _words(value: Any) -> str:
    return one_line(value, 300).replace("`", "'") if isinstance(value, str) else ""


def _picture(text: str) -> bytes:
    """Return a PNG file; empty if it is not one, or too large for a reader's browser."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    mime, (width, height) = recognise(data) or ("", (0, 0))
    fits = max(width, height) <= _SIDE and width * height <= _PIXELS
    return data if mime == "image/png" and fits else b""
