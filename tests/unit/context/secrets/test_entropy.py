"""Random tokens, and what only looks random."""

from __future__ import annotations

import random
import string

import pytest

from copilot_magic.context.secrets.entropy import random_tokens_in

TOKEN = "aB3dE5fG7hI9jK1lM3nO5pQ7"


def found(text: str) -> list[str]:
    return [text[start:end] for start, end, _ in random_tokens_in(text)]


def test_a_random_token_is_found_whole() -> None:
    assert found(f"x = '{TOKEN}', y") == [TOKEN]
    assert found(f"k={TOKEN}==;") == [f"{TOKEN}=="]


@pytest.mark.parametrize("alphabet", [string.ascii_letters + string.digits, "base64", "urlsafe"])
def test_nearly_all_random_tokens_are_found(alphabet: str) -> None:
    marks = {"base64": "+/", "urlsafe": "-_"}.get(alphabet)
    draw = random.Random(7)
    letters = alphabet if marks is None else string.ascii_letters + string.digits + marks
    tokens = ["".join(draw.choices(letters, k=40)) for _ in range(1_000)]
    assert sum(found(f" {token} ") == [token] for token in tokens) > 930


@pytest.mark.parametrize(
    "text",
    [
        f"data:image/png;base64,{TOKEN}",
        f'"image/png": "{TOKEN}"',
        f"https://drive.google.com/file/d/{TOKEN}/view",
        f"sha256-{TOKEN} sha256={TOKEN} h1:{TOKEN}",
        f"file-{TOKEN} chatcmpl-{TOKEN}",
        TOKEN * 20,
        TOKEN[:19],
        TOKEN.lower(),
        TOKEN.upper(),
        "0x9E3779B185EBCA87ULL",
        "_ZN3c106detail14torchCheckFailEPKcS2_jRKNSt7__cxx1112basic",
        "A-1-b-2-C-3-d-4-E-5-f-6-G-7",
        "x1Y2z3/a4B5c6/d7E8f9/g1H2i3",
    ],
)
def test_data_ids_and_addresses_are_none(text: str) -> None:
    assert found(text) == []


def test_what_follows_the_question_mark_of_an_address_may_be_secret() -> None:
    assert found(f"https://example.org/{TOKEN}?code={TOKEN}") == [TOKEN]


def test_lines_of_encoded_data_are_none() -> None:
    lines = "\n".join((TOKEN * 3)[:64] for _ in range(4))
    assert found(f"a\n{lines}\nb") == []
    assert found(f"a\n{(TOKEN * 3)[:64]}\nprose and {TOKEN} after it") == [(TOKEN * 3)[:64], TOKEN]
