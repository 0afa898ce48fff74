"""Errors: one readable line each."""

from __future__ import annotations

import copilot_magic.errors as errors
from copilot_magic.errors import CopilotError, StatusError, one_line


def test_every_error_of_the_tree_is_public_and_ours() -> None:
    def below(kind: type[CopilotError]) -> set[type[CopilotError]]:
        return {kind}.union(*(below(child) for child in kind.__subclasses__()))

    ours = {kind for kind in below(CopilotError) if kind.__module__ == errors.__name__}
    assert {kind.__name__ for kind in ours} == set(errors.__all__) - {"one_line"}


def test_the_tree_drawn_at_the_top_is_the_tree() -> None:
    assert errors.__doc__ is not None
    for name in set(errors.__all__) - {"one_line", "CopilotError"}:
        parent = getattr(errors, name).__base__.__name__
        assert errors.__doc__.index(f" {parent} ") if parent != "CopilotError" else True
        assert f"── {name} " in errors.__doc__


def test_an_error_is_one_line_that_ends_in_what_to_do() -> None:
    error = CopilotError("it\nbroke", "Mend it")
    assert str(error) == "it broke. Mend it"
    assert error._render_traceback_() == ["CopilotError: it broke. Mend it"]


def test_a_servers_words_cannot_smuggle_escape_sequences() -> None:
    assert one_line("a\x1b[31mb\u202ec\x00d\u2028e") == "a [31mb c d e"


def test_a_long_text_is_cut() -> None:
    assert one_line("x" * 5000) == "x" * 299 + "…"


def test_a_status_error_knows_its_status() -> None:
    error = StatusError("busy", status=429, retry_after=2.5)
    assert (error.status, error.retry_after, str(error)) == (429, 2.5, "busy")
