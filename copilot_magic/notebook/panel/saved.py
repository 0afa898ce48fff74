"""A conversation as pages of HTML, for a notebook that is opened without a kernel."""

from __future__ import annotations

from collections.abc import Sequence

from ...text import escape
from .growing import Message

__all__ = ["PAGES", "saved_pages"]

PAGE = 40_000
"""Characters of HTML from which a page is full."""

PAGES = 12
"""Most pages."""


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
