"""A front end for tests of the views: it keeps the outputs of a cell as Jupyter's do."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from html.parser import HTMLParser

__all__ = ["FrontEnd", "seen"]


class FrontEnd:
    """The outputs of a cell, and the text in them that a reader can see.

    Args:
        after: Called after each message.

    Attributes:
        outputs: What each output shows now, by its display id.
        messages: All messages so far: display id and MIME bundle.
    """

    def __init__(self, after: Callable[[FrontEnd], object] = lambda front_end: None) -> None:
        self.outputs: dict[str, dict[str, str]] = {}
        self.messages: list[tuple[str, dict[str, str]]] = []
        self._after = after

    def publish(
        self, data: dict[str, str], *, transient: dict[str, str], update: bool = False
    ) -> None:
        """Take a message, as ``display_pub.publish`` does."""
        name = transient["display_id"]
        assert update == (name in self.outputs)
        self.outputs[name] = data
        self.messages.append((name, data))
        self._after(self)

    @property
    def seen(self) -> str:
        """Return the text that a reader can see."""
        return seen("".join(data["text/html"] for data in list(self.outputs.values())))

    def wait_for(self, text: str) -> None:
        """Wait until a reader can see `text`."""
        deadline = time.monotonic() + 20
        while text not in self.seen:
            assert time.monotonic() < deadline, f"{text!r} is not in {self.seen!r}"
            time.sleep(0.005)


class _Seen(HTMLParser):
    """A parser that gathers the text which no style hides."""

    def __init__(self, hidden: set[str]) -> None:
        super().__init__()
        self.text: list[str] = []
        self._hidden = hidden
        self._open: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("br", "hr", "img", "input"):
            return
        classes = (dict(attrs).get("class") or "").split()
        hides = tag == "style" or not self._hidden.isdisjoint(classes)
        self._open.append(hides)

    def handle_endtag(self, tag: str) -> None:
        if self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if not any(self._open):
            self.text.append(data)


def seen(html: str) -> str:
    """Return the text of `html` that is not hidden by a style in it."""
    hidden = {
        name.strip().removeprefix(".")
        for rule in re.findall(r"<style>([^<{]*)\{display:none\}", html)
        for name in rule.split(",")
    }
    parser = _Seen(hidden)
    parser.feed(html)
    parser.close()
    return "".join(parser.text)
