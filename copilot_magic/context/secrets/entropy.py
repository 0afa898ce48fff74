"""Secrets that are recognised by their randomness alone: long mixtures of letters and digits.

Hashes, ids, names in camel case, paths, versions and encoded data look random, too, but are what
people write prompts about. They are told apart by what they are made of and what precedes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .spans import Span

__all__ = ["RANDOM", "random_tokens_in"]

RANDOM = "random token"

_SHORTEST = 16  # without the parts that are hexadecimal
_SHORTEST_PIECE = 12  # of the longest part without a mark in it
_LONGEST = 400  # longer ones are data

_TOKEN = re.compile(r"[A-Za-z0-9_+/-]{20,}={0,2}")
_MARK = re.compile(r"[_+/-]")
_PIECE = re.compile(r"[A-Za-z0-9]+")
_RUN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
# Hexadecimal digits, and numbers: parts of hashes, UUIDs, dates.
_HEX = re.compile(r"[0-9a-f]{4,}|[0-9A-F]{4,}|[0-9]+")
# Public: hashes of packages and pages, ids of messages and files, mangled names of C++, SSH keys.
_PUBLIC = re.compile(
    r"sha(?:1|224|256|384|512|md5)[-_]|_{0,2}Z[NKLTSV]|0[xX][0-9a-fA-F]+[uUlL]*$|AAAA[BCE][0-9]?N|Qm[1-9A-HJ-NP-Za-km-z]{44}$"
    r"|(?:chatcmpl|cmpl|asst|thread|run|msg|file|resp|req|call|toolu|org|batch|step|ft|gen"
    r"|cus|ch|pi|pm|price|prod|sub|evt|in|txn|acct|seti|cs)[-_]"
)
_BEFORE_DATA = re.compile(
    r"(?:base64,[ \t]?|sha(?:1|224|256|384|512)[=:]|\bh1:|bdata\\?[\"']:[ ]?\\?[\"']"
    r"|(?:image|application|audio|video)/[\w.+-]{1,40}\\?[\"']:[ ]?\[?\s{0,20}\\?[\"'])$"
)
_DATA_URI = re.compile(r"data:[\w.+/-]{1,60}(?:;[\w=.-]{1,40})?(?:;[\w=.-]{1,40})?,[\w+/=%.-]*")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,15}://[^\s\"'<>`?#]{1,2000}")
# Two lines or more of encoded data: certificates, attachments, pictures.
_LINES = re.compile(
    r"(?:^|\n)(?:[ \t]{0,8}[A-Za-z0-9+/]{60,80}\r?\n){1,5000}[ \t]{0,8}[A-Za-z0-9+/=]{8,80}(?!\S)"
)


def random_tokens_in(text: str) -> Iterator[Span]:
    """Find long random mixtures of upper and lower case letters and digits."""
    skipped = _Skipped(text)
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        if end - start > _LONGEST or not _is_random_token(match.group()):
            continue
        if skipped.covers(start, end) or _BEFORE_DATA.search(text, max(0, start - 80), start):
            continue
        yield Span(start, end, RANDOM)


class _Skipped:
    """Places of data and addresses, looked up from left to right."""

    def __init__(self, text: str) -> None:
        self._spans = sorted(
            match.span()
            for sign, pattern in (("data:", _DATA_URI), ("://", _ADDRESS), ("\n", _LINES))
            if sign in text
            for match in pattern.finditer(text)
        )
        self._at = 0
        self._end = 0

    def covers(self, start: int, end: int) -> bool:
        while self._at < len(self._spans) and self._spans[self._at][0] <= start:
            self._end = max(self._end, self._spans[self._at][1])
            self._at += 1
        return end <= self._end


def _is_random_token(token: str) -> bool:
    """Say whether a token has upper and lower case and digits, mixed as in no word or number."""
    token = token.rstrip("=")
    if _PUBLIC.match(token) or len(_MARK.findall(token)) > len(token) // 12 + 1:
        return False
    pieces = [piece for piece in _PIECE.findall(token) if not _HEX.fullmatch(piece)]
    core = "".join(pieces)
    if len(core) < _SHORTEST or len(set(core)) < 12 or max(map(len, pieces)) < _SHORTEST_PIECE:
        return False
    runs = [run for piece in pieces for run in _RUN.findall(piece)]
    words = sum(len(run) for run in runs if len(run) >= 4 and run[-1].islower())
    return (
        any(c.isdigit() for c in core)
        and any(c.islower() for c in core)
        and any(c.isupper() for c in core)
        and len(runs) >= 0.37 * len(core)
        and words < 0.5 * len(core)
    )
