"""How much work a text may cause.

Some texts are made to be slow, and some innocent ones happen to be: a few characters can cause
thousands of steps. So the steps are counted, and text that takes too many is shown plainly. They
are counted rather than timed, so the same text always looks the same.
"""

from __future__ import annotations

from ..text import escape

__all__ = ["KEPT", "TooMuchWork", "Work", "plain_html"]

KEPT = 10_000
"""Steps that are kept to render blocks: no code is highlighted with them, and no line looked at."""


class TooMuchWork(Exception):
    """The text takes more steps than are left."""


class Work:
    """An account of steps. One step takes about a microsecond.

    Args:
        left: The steps that are there at first; without limit by default.
        most: The most steps that can be saved; as many as at first by default.

    Attributes:
        left: The steps that can still be spent; below 0 if the last one took too many.
        spent: The steps that were spent.
    """

    def __init__(self, left: float = float("inf"), most: float | None = None) -> None:
        self._most = left if most is None else most
        self.left = left
        self.spent = 0.0

    def earn(self, steps: float) -> None:
        """Add steps to the account, up to its limit."""
        self.left = min(self._most, max(self.left, 0) + steps)

    def spend(self, steps: float, keep: float = 0) -> None:
        """Take steps from the account.

        Args:
            steps: How many.
            keep: How many must be left after it.

        Raises:
            TooMuchWork: There are not as many left.
        """
        self.left -= steps
        self.spent += steps
        if self.left < keep:
            raise TooMuchWork


def plain_html(text: str) -> str:
    """Return a paragraph that shows Markdown as it is, line by line."""
    text = text.strip("\n")
    return f"<p>{escape(text)}</p>\n".replace("\n", "<br>\n", text.count("\n")) if text else ""
