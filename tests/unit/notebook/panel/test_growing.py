"""The HTML of an answer, in pieces that fit into messages."""

from __future__ import annotations

from copilot_magic.notebook.panel.growing import pieces


def test_pieces_are_whole_blocks() -> None:
    assert pieces(["aa", "bb", "cccccc", "d"], 4) == ["aabb", "cccccc", "d"]
    assert pieces([]) == []
