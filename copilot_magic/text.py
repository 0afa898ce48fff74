"""Text of any origin, made safe to store, to print and to show: each way once."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

__all__ = [
    "contains",
    "count_of",
    "escape",
    "fenced",
    "free_name",
    "one_line",
    "printable",
    "visible_controls",
    "well_formed",
    "without_controls",
    "without_credentials",
]

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_HOST = re.compile(r"(\[[^]]*\]|[^:]*)(:\d*)?")
_LINE_END = re.compile("\r\n?")
_COUNTED = re.compile(r"(.+) ([1-9]\d{0,2})", re.DOTALL)


def well_formed(text: str) -> str:
    """Return `text` in a form that UTF-8 can encode.

    JSON may escape one character as two surrogates. Pairs are joined, and a surrogate without its
    other half becomes U+FFFD.
    """
    # Asking whether it is ASCII costs nothing, and most long texts are.
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def one_line(text: str, limit: int = 300) -> str:
    """Return `text` as one printable line of at most `limit` characters.

    Control characters, such as those of terminal escape sequences, and bidirectional overrides
    become spaces: the text may come from a server.
    """
    safe = "".join(c if c.isprintable() else " " for c in text[: 4 * limit])
    line = " ".join(safe.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def printable(text: str) -> str:
    """Return `text` with line feeds as its only line ends and control characters made visible."""
    return visible_controls(_LINE_END.sub("\n", well_formed(text)))


def visible_controls(text: str) -> str:
    """Return `text` with each control character replaced by a sign that stands for it."""
    return _CONTROL.sub(_sign, text)


def without_controls(text: str) -> str:
    """Return `text` without the characters that `visible_controls` makes visible."""
    return _CONTROL.sub("", text)


def _sign(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)  # Unicode's pictures of the control characters
    return "\u2421" if code == 0x7F else f"<U+{code:04X}>"


def escape(text: str) -> str:
    """Return HTML that shows `text` as it is."""
    import html

    return html.escape(printable(text))


def fenced(text: str, language: str) -> str:
    """Return `text` as a fenced block of code in Markdown, which nothing in the text can close."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def without_credentials(url: str) -> str:
    """Return `url` without user, password, query and fragment; all of them may be secrets.

    A URL that is not quite one is treated with care: what precedes an ``@`` may be a password even
    if the scheme is missing, or if the password has characters that end the host.
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        scheme, rest = "", url
    host = re.split(r"[/?#\\]", rest)[0].rpartition("@")[2]
    if not mark or not _HOST.fullmatch(host):
        rest = rest.rpartition("@")[2]
    try:
        parts = urlsplit(f"{scheme}{mark}{rest}")
    except ValueError:
        return ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def contains(text: str, searched: str) -> bool:
    """Say whether `text` contains `searched`, in upper or lower case."""
    return searched.casefold() in text.casefold()


def free_name(wanted: str, is_taken: Callable[[str], bool]) -> str:
    """Return `wanted`, or if it is taken, the next name with a number that is free.

    Counting starts at 2, or goes on from the number that `wanted` ends in: after ``Talk 2`` comes
    ``Talk 3``. Four digits are a year, not a count.
    """
    if not is_taken(wanted):
        return wanted
    counted = _COUNTED.fullmatch(wanted)
    stem, last = (counted[1], int(counted[2])) if counted else (wanted, 1)
    numbers = itertools.count(last + 1)
    return next(name for number in numbers if not is_taken(name := f"{stem} {number}"))


def count_of(count: int, noun: str) -> str:
    """Return the count and its noun, in the plural if needed: ``1 turn``, ``2 turns``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
