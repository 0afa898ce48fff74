"""What is left of a secret where a description was cut does not go out either."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot_magic.context.describe.description import cut_middle
from copilot_magic.context.secrets.cut import cut_secrets_in
from copilot_magic.context.secrets.masker import Masker

SECRET = "hunter22-Xk9-pq71"


@pytest.mark.parametrize(
    "text",
    [
        "the password is hunter22-X… 400 characters left out …",
        "the password is hunter22-X\n… 400 characters left out …\nrest",
        "a\n… 400 of 900 characters left out …\nXk9-pq71 and more",
        "'… 400 characters …k9-pq71'",
        "'hunter22…'",
        "0  me  hunter22-X...\n1",
    ],
)
def test_the_beginning_and_the_end_of_a_known_secret_are_masked_at_a_cut(text: str) -> None:
    masked = Masker({"password": SECRET}).mask(text)
    assert "[masked: password]" in masked
    assert "hunter22" not in masked
    assert "pq71" not in masked


def test_the_beginning_of_a_well_known_key_is_masked_at_a_cut() -> None:
    masked = Masker().mask("key sk-proj-Ab12Cd34… 30 characters left out …")
    assert masked == "key [masked: cut-off key]… 30 characters left out …"


@pytest.mark.parametrize("text", ["hunt… and more", "no cut here: hunter", "… and so on …", "pq…"])
def test_a_few_characters_or_no_cut_are_left_alone(text: str) -> None:
    assert Masker({"password": SECRET}).mask(text) == text


@given(st.integers(0, 600), st.integers(50, 400))
def test_wherever_a_text_is_cut_no_half_of_a_known_secret_is_left(at: int, budget: int) -> None:
    text = f"{'a ' * at}{SECRET}{' b' * 400}"
    cut = Masker({"password": SECRET}).mask(cut_middle(text, budget)[0])
    for start in range(len(SECRET) - 6):
        assert SECRET[start : start + 6] not in cut or "…" not in cut


def test_many_cuts_are_looked_at_only_up_to_a_point() -> None:
    found = list(cut_secrets_in("hunter22…" * 5_000, [(SECRET, "password")]))
    assert len(found) == 2_000
