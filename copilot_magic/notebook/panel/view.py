"""What a panel sends of an answer: HTML that is safe, each settled block once."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from ...chat.turn import Turn
from ...markdown.render import render
from ...markdown.stream import Stream
from ...text import count_of, escape, printable
from ...views.cell import DEFINITION, RENDERED
from ...views.view import Footer
from ...views.whole import joined, top_level

__all__ = ["PIECE", "Growing", "LiveTurn", "pieces", "saved_pages", "turn_state"]

PIECE = 60_000
"""Characters of HTML that one message has at most, unless a single block is longer."""

Message = dict[str, Any]


def turn_state(turn: Turn, error: Sequence[str] = ()) -> Message:
    """Return what the front end shows of a turn besides its answer and its reasoning.

    Args:
        turn: The turn.
        error: The lines of its error, if more is known than the turn says: what happened first,
            then what to do about it.
    """
    footer = Footer.of(turn)
    failed = turn.status == "failed"
    said = list(error) or ([turn.error] if turn.error else ["There was no answer"])
    state = {
        "id": turn.id,
        "prompt": printable(turn.prompt),
        "attached": [str(thing.get("name", "")) for thing in turn.objects] or _kinds(turn),
        "status": turn.status,
        "facts": footer.facts,
        "marks": footer.marks,
        "error": said if failed else [],
    }
    if turn.status != "streaming":
        state["source"] = printable(turn.answer)
    return state


def _kinds(turn: Turn) -> list[str]:
    """Return a name for each part of a prompt whose parts have no names."""
    return ["picture" if part.get("type") == "image_url" else "part" for part in turn.parts]


def pieces(blocks: Sequence[str], limit: int = PIECE) -> list[str]:
    """Return the HTML of `blocks` in pieces of at most `limit` characters, blocks being whole."""
    found: list[list[str]] = []
    size = limit
    for block in blocks:
        if size + len(block) > limit:
            found.append([])
            size = 0
        found[-1].append(block)
        size += len(block)
    return ["".join(piece) for piece in found]


def rendered_blocks(text: str, *, remote_images: bool) -> list[str]:
    """Return the blocks of a whole Markdown text as safe HTML."""
    return top_level(joined(render(text[:RENDERED], remote_images=remote_images)))


class Growing:
    """The HTML of a text that arrives: a settled block is sent once, then only the tail changes.

    Args:
        remote_images: Show images from the web; otherwise they are links.
    """

    def __init__(self, *, remote_images: bool) -> None:
        self._remote_images = remote_images
        self._stream = Stream(remote_images=remote_images)
        self._taken = 0  # characters of the text
        self._blocks: list[str] = []  # that are settled
        self._unsent: deque[str] = deque()
        self._tail = ""  # as it was sent
        self._ended = False
        self._cut: int | None = None  # how many of the blocks that were sent stay as they are

    def restart(self) -> None:
        """Send everything again, to a front end that has nothing yet."""
        self._unsent = deque(self._blocks)
        self._tail = ""
        self._cut = None

    @property
    def is_sent(self) -> bool:
        """Say whether the text has ended and all of it was sent."""
        return self._ended and not self._unsent and not self._tail and self._cut is None

    def take(self, text: str) -> None:
        """Take the whole text as far as it has come."""
        new = text[self._taken : RENDERED]
        self._taken += len(new)
        if new and not self._ended:
            self._settle(self._stream.feed(new))

    def finish(self, text: str) -> None:
        """Take the whole text, which has ended.

        What parts of a block look like was decided before its end, and a link before its address
        was known; both are put right now, from the first block on that differs.
        """
        self.take(text)
        self._settle(self._stream.finish())
        self._ended = True
        source = text[:RENDERED]
        if DEFINITION.search(source) or any("copilot-more" in block for block in self._blocks):
            whole = rendered_blocks(source, remote_images=self._remote_images)
            same = 0
            for old, new in zip(self._blocks, whole, strict=False):
                if old != new:
                    break
                same += 1
            sent = len(self._blocks) - len(self._unsent)
            self._cut = same if same < sent else None
            self._blocks, self._unsent = whole, deque(whole[min(same, sent) :])

    def _settle(self, settled: list[str]) -> None:
        blocks = [block for html in settled for block in top_level(html)]
        self._blocks += blocks
        self._unsent += blocks

    def change(self) -> Message:
        """Return what the front end is to change; empty if nothing.

        ``cut``: remove the blocks from this number on. ``html``: add these blocks. ``keep`` and
        ``tail``: the tail is so many of its characters, and then these.
        """
        change: Message = {}
        if self._cut is not None:
            change["cut"], self._cut = self._cut, None
        size = 0
        html: list[str] = []
        while self._unsent and (not html or size + len(self._unsent[0]) <= PIECE):
            html.append(self._unsent.popleft())
            size += len(html[-1])
        if html:
            change["html"] = "".join(html)
        # What follows blocks that are still to be sent cannot be shown yet.
        tail = "" if self._ended or self._unsent else self._stream.tail
        if tail != self._tail:
            same = _common(self._tail, tail)
            change |= {"keep": _units(tail[:same]), "tail": tail[same:]}
            self._tail = tail
        return change


def _common(one: str, other: str) -> int:
    """Return how many characters both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _units(text: str) -> int:
    """Return the length of `text` as JavaScript counts it, in code units of UTF-16."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


class LiveTurn:
    """A turn whose answer is on its way, as the front end has it.

    Args:
        turn: The turn.
        remote_images: Show images from the web; otherwise they are links.
    """

    def __init__(self, turn: Turn, *, remote_images: bool) -> None:
        self.turn = turn
        self.is_dirty = True
        self.has_ended = False
        self.error: Sequence[str] = ()
        self._answer = Growing(remote_images=remote_images)
        self._reasoning = Growing(remote_images=remote_images)

    @property
    def is_sent(self) -> bool:
        """Say whether the turn has ended, and all of it but its last state was sent."""
        return self.has_ended and self._answer.is_sent and self._reasoning.is_sent

    def restart(self) -> None:
        """Send everything again."""
        self._answer.restart()
        self._reasoning.restart()
        self.is_dirty = True

    def finish(self, error: Sequence[str]) -> None:
        """Take the whole answer: the turn has ended."""
        self._answer.finish(self.turn.answer)
        self._reasoning.finish(self.turn.reasoning)
        self.has_ended = self.is_dirty = True
        self.error = error

    def change(self) -> Message:
        """Return a message with what has changed since the last one; empty if nothing."""
        if not self.has_ended:
            self.is_dirty = False
            self._answer.take(self.turn.answer)
            self._reasoning.take(self.turn.reasoning)
        message: Message = {}
        for name, growing in (("answer", self._answer), ("reasoning", self._reasoning)):
            if change := growing.change():
                message[name] = change
        if message:
            # There may be more than one message takes.
            self.is_dirty = True
            message |= {"kind": "grow", "id": self.turn.id}
        return message

    def final_state(self) -> Message:
        """Return the message that ends the turn."""
        state = turn_state(self.turn, self.error)
        hidden = len(self.turn.answer) - RENDERED
        if hidden > 0:
            note = f"the last {count_of(hidden, 'character')} are kept, not shown"
            state["marks"] = [*state["marks"], note]
        return {"kind": "end", **state}


PAGE = 40_000
PAGES = 12


def saved_pages(turns: Sequence[Message], title: str) -> list[str]:
    """Return pages of HTML that show a conversation without a kernel and without scripts.

    A turn that is added changes the last page only, until there are `PAGES` of them.

    Args:
        turns: What `turn_state` returned, with the ``html`` of the answer.
        title: The name of the conversation.
    """
    pages: list[list[str]] = [[]]
    size = 0
    for turn in turns:
        html = _saved(turn)
        if size + len(html) > PAGE and pages[-1] and len(pages) < PAGES:
            pages.append([])
            size = 0
        pages[-1].append(html)
        size += len(html)
    if pages[0]:
        pages[0].insert(0, f"<p><em>Chat: {escape(title)}</em></p>")
    return ["".join(page) for page in pages if page]


def _saved(turn: Message) -> str:
    attached = escape(", ".join(turn["attached"]))
    prompt = escape(turn["prompt"]).replace("\n", "<br>")
    return "".join(
        (
            f"<p><strong>You</strong><br>{prompt}</p>",
            f"<p><small>Attached: {attached}</small></p>" if attached else "",
            "<p><strong>Assistant</strong></p>",
            turn["html"],
            "".join(f"<p><em>{escape(line)}</em></p>" for line in turn["error"]),
            f"<p><small>{escape(' · '.join([*turn['facts'], *turn['marks']]))}</small></p><hr>",
        )
    )
