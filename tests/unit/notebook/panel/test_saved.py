"""A conversation as it is saved with the notebook."""

from __future__ import annotations

from copilot_magic.chat.turn import Turn
from copilot_magic.notebook.panel.saved import PAGES, saved_pages
from copilot_magic.notebook.panel.turns import turn_state


def saved(count: int, size: int = 10) -> list[str]:
    turns = [
        turn_state(Turn(f"<i>{n}", answer="x", status="complete", id=str(n))) for n in range(count)
    ]
    return saved_pages([{**turn, "html": "x" * size} for turn in turns], "a <talk>")


def test_a_page_that_is_full_does_not_change_any_more() -> None:
    before, after = saved(20, 5_000), saved(21, 5_000)
    assert len(before) > 1 and before[:-1] == after[: len(before) - 1]
    assert len(saved(300, 5_000)) == PAGES
    assert saved(0) == []


def test_a_page_shows_what_users_wrote_as_text() -> None:
    (page,) = saved(2)
    assert "&lt;i&gt;0" in page and "a &lt;talk&gt;" in page and "<i>" not in page
