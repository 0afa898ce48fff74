"""What the copy reports to its parent: printed text, pictures, the outcome.

All of it is cut to size here, so that the last message always gets through. The parent does not
rely on that: `reading` checks everything again.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ...text import one_line
from ..excerpt import Excerpt

__all__ = ["MOST_NAMES", "STREAMS", "Telling"]

STREAMS = ("stdout", "stderr")
MOST_NAMES = 200
"""Names of one kind that are told."""

_LIVE = 100_000  # characters that are sent as they come; of what follows, the end is sent at last
_TAIL = 10_000
_AT_ONCE = 100  # pieces that are sent one by one; further ones wait for each other
_TOGETHER = 4_096
_WAIT = 0.05
_TEXT = 50_000  # characters of one display
_PICTURE = 3_000_000
_PICTURES = 6_000_000
_DISPLAYS = 100
_WISH = 200


class Telling:
    """The copy's report of what happens, kept within limits.

    Args:
        report: Sends a message to the parent.
    """

    def __init__(self, report: Callable[[Mapping[str, Any]], None]) -> None:
        self._report = report
        self._lock = threading.RLock()
        self._pieces: list[tuple[str, str]] = []
        self._waiting = 0
        self._sent_at = 0.0
        self._count = 0
        self._room = _LIVE
        self._tails = {name: Excerpt(_TAIL) for name in STREAMS}
        self._displays = 0
        self._bytes = 0
        self._ids: set[str] = set()
        self._left_out = False

    def ready(self) -> None:
        """Tell that the code begins now."""
        self._report({"kind": "ready"})

    def text(self, stream: str, text: str) -> None:
        """Tell what was written to a stream."""
        with self._lock:
            if len(text) > self._room:
                self._tails[stream].add(text[self._room :])
                text = text[: self._room]
            if not text:
                return
            self._room -= len(text)
            self._pieces.append((stream, text))
            self._waiting += len(text)
            self._count += 1
            is_late = time.monotonic() - self._sent_at > _WAIT
            if self._count <= _AT_ONCE or is_late or self._waiting >= _TOGETHER:
                self.flush()

    def flush(self) -> None:
        """Send the text that waits for more."""
        with self._lock:
            pieces, self._pieces, self._waiting = self._pieces, [], 0
            self._sent_at = time.monotonic()
            while pieces:
                stream = pieces[0][0]
                count = next((i for i, p in enumerate(pieces) if p[0] != stream), len(pieces))
                text = "".join(piece for _, piece in pieces[:count])
                self._report({"kind": "text", "stream": stream, "text": text})
                del pieces[:count]

    def display(
        self,
        data: Mapping[str, Any],
        *,
        is_result: bool = False,
        display_id: str = "",
        is_update: bool = False,
    ) -> None:
        """Tell what was displayed: its plain text, and its picture if it has one as PNG."""
        self.flush()
        with self._lock:
            if is_update and display_id not in self._ids:
                return  # of an output that is in the notebook
            self._ids.add(display_id)
            self._displays += 1
            text, picture = _text(data)[:_TEXT], _png(data)
            if picture and (len(picture) > _PICTURE or self._bytes + len(picture) > _PICTURES):
                text, picture = f"{text} (a picture too many, or too large)".strip(), ""
                self._left_out = True
            if self._displays > _DISPLAYS and not is_result:
                self._left_out = True
                return
            self._bytes += len(picture)
            message: dict[str, Any] = {
                "kind": "result" if is_result else "display",
                "text": text,
                "png": picture,
            }
            if display_id:
                message |= {"id": display_id, "update": is_update}
            self._report(message)

    def clear(self, wait: bool) -> None:
        """Tell that the cell clears its output, at once or with its next output."""
        self.flush()
        self._report({"kind": "clear", "wait": bool(wait)})

    def refuse(self, wish: str) -> None:
        """Tell what was not even tried."""
        self._report({"kind": "refused", "what": one_line(wish, _WISH)})

    def outcome(self, line: str = "", traceback: str = "", *, denied: bool = False) -> None:
        """Tell that the code has run; `line` is its error, if it failed.

        Args:
            line: The error in one line, or an empty string.
            traceback: The traceback, cut to the user's frames.
            denied: The error may be due to what the copy was refused.
        """
        self.flush()
        for stream, tail in self._tails.items():
            if text := tail.text:
                text = f"\n… part of the output is left out …\n{text}\n"
                self._report({"kind": "text", "stream": stream, "text": text})
        self._report(
            {
                "kind": "outcome",
                "line": line,
                "traceback": traceback,
                "denied": denied,
                "cut": self._room <= 0 or self._left_out,
            }
        )

    def names(
        self,
        new: Mapping[str, str],
        changed: Mapping[str, tuple[str, str]],
        removed: Iterable[str],
        kept: Iterable[str],
    ) -> None:
        """Tell what the code did to the variables."""
        self._report(
            {
                "kind": "names",
                "new": dict(list(new.items())[:MOST_NAMES]),
                "changed": dict(list(changed.items())[:MOST_NAMES]),
                "removed": list(removed)[:MOST_NAMES],
                "kept": list(kept)[:MOST_NAMES],
            }
        )


def _text(data: Mapping[str, Any]) -> str:
    text = data.get("text/plain", "")
    source = data.get("text/markdown") or data.get("text/latex")
    # The plain text of these is only the name of a class.
    chosen = source if source and str(text).startswith("<IPython.") else text
    return chosen if isinstance(chosen, str) else str(chosen)


def _png(data: Mapping[str, Any]) -> str:
    """Return the picture in Base64, as the front end would get it."""
    picture = data.get("image/png")
    if isinstance(picture, (bytes, bytearray)):
        return base64.b64encode(picture).decode("ascii")
    return "".join(picture.split()) if isinstance(picture, str) else ""
