"""Parts of secrets, left beside the ellipsis where a description was cut."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .spans import Span

__all__ = ["CUT_LABEL", "cut_secrets_in"]

CUT_LABEL = "cut-off key"

# Fewer characters of a secret than these are left: they give little away.
_LEAST = 5
_LONGEST = 400
_ELLIPSES = 2_000
_ELLIPSIS = re.compile(r"…|\.{3}")  # pandas cuts long texts with dots
# The beginnings of well-known keys, of which the rest is cut off.
_BEGUN = re.compile(
    r"\b(?:sk-|rk-|sk_live_|rk_live_|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|AKIA|ASIA|AIza|hf_"
    r"|npm_|pypi-|eyJ|SG\.)[\w.\-]{4,200}(?=[\s'\"]{0,2}…)"
)


def cut_secrets_in(text: str, forms: Sequence[tuple[str, str]]) -> Iterator[Span]:
    """Yield what is left of secrets where the text was cut.

    Args:
        text: The text, with an ellipsis wherever it was cut.
        forms: The known secrets as they are written, each with its label.
    """
    for begun in _BEGUN.finditer(text):
        yield Span(*begun.span(), CUT_LABEL)
    long = [
        (secret, label)
        for secret, label in forms
        if _LEAST < len(secret) <= _LONGEST
        and (secret[:_LEAST] in text or secret[-_LEAST:] in text)
    ]
    for number, ellipsis in enumerate(_ELLIPSIS.finditer(text)):
        if number == _ELLIPSES or not long:
            return
        before = text[max(ellipsis.start() - _LONGEST, 0) : ellipsis.start()].rstrip(" \n'\"")
        after = text[ellipsis.end() : ellipsis.end() + 2 * _LONGEST]
        start = ellipsis.end() + len(after) - len(after.lstrip(" \n'\""))
        for secret, label in long:
            if length := _overlap(before, secret):
                end = max(ellipsis.start() - _LONGEST, 0) + len(before)
                yield Span(end - length, end, label)
            if length := _overlap(secret, text[start : start + len(secret)]):
                yield Span(start, start + length, label)


def _overlap(text: str, other: str) -> int:
    """Return how many characters of the end of `text` are the beginning of `other`."""
    most = min(len(text), len(other))
    return next((n for n in range(most, _LEAST - 1, -1) if text.endswith(other[:n])), 0)
