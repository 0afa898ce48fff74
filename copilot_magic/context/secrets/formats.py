"""Secrets that are recognised by their form: keys of known services, tokens, passwords in URLs.

The patterns have no nested quantifiers, and what may be long in them is fenced by a character that
it cannot contain: no text takes them more than a time linear in its length.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import NamedTuple

from .names import is_placeholder, is_random
from .spans import Span

__all__ = ["FORMAT_LABELS", "formats_in"]


class _Format(NamedTuple):
    """A kind of secret.

    Attributes:
        label: Its name.
        signs: Texts of which each such secret has one; searching for them is quick.
        pattern: Its form; the secret is the pattern's last group, or all of it.
        accepts: Says whether what has the form is a secret.
    """

    label: str
    signs: tuple[str, ...]
    pattern: re.Pattern[str]
    accepts: Callable[[str], bool] = lambda found: True


_SEPARATOR = re.compile("[-_]")


def _has_mixed_part(found: str) -> bool:
    """Say whether a part of a key is long, and has digits or both cases: no word, no CSS class."""
    return any(
        len(part) >= 16
        and not part.isdigit()
        and (any(c.isdigit() for c in part) or not (part.islower() or part.isupper()))
        for part in _SEPARATOR.split(found)
    )


def _is_credential(found: str) -> bool:
    return not is_placeholder(found) and not (found.isalpha() and found.islower())


def _is_bearer(found: str) -> bool:
    return not is_placeholder(found) and (is_random(found) or _has_mixed_part(found))


def _is_password(found: str) -> bool:
    return not is_placeholder(found)


def _format(
    label: str, signs: str, pattern: str, accepts: Callable[[str], bool] = lambda found: True
) -> _Format:
    return _Format(label, tuple(signs.split()), re.compile(pattern), accepts)


# A key does not begin in the middle of a word.
_FORMATS = (
    _format("Anthropic key", "sk-ant-", r"(?<![A-Za-z0-9])sk-ant-[A-Za-z0-9_-]{16,}"),
    _format("OpenAI key", "sk-", r"(?<![A-Za-z0-9])sk-(?!ant-)[A-Za-z0-9_-]{20,}", _has_mixed_part),
    _format(
        "GitHub token",
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})",
    ),
    _format(
        "GitLab token",
        "glpat- gldt- glrt- glptt- glcbt- glsoat-",
        r"(?<![A-Za-z0-9])gl(?:pat|dt|rt|ptt|cbt|soat)-[A-Za-z0-9_-]{20,}(?:\.[A-Za-z0-9]{2,20})*",
    ),
    _format(
        "Slack token",
        "xox xapp-",
        r"(?<![A-Za-z0-9])(?:xox[a-z](?:\.xox[a-z])?|xapp)-[A-Za-z0-9-]{10,}",
        lambda found: any(c.isdigit() for c in found),
    ),
    _format(
        "Slack webhook",
        "hooks.slack.com/",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9_/-]{20,})",
    ),
    _format(
        "Discord webhook",
        "/api/webhooks/",
        r"/api/webhooks/[0-9]{15,22}/([A-Za-z0-9_-]{40,})",
    ),
    _format("AWS key", "AKIA ASIA", r"(?<![A-Za-z0-9/+])A(?:KI|SI)A[A-Z0-9]{16}(?![A-Za-z0-9/+])"),
    _format(
        "AWS secret key",
        "AKIA ASIA",
        r"(?<![A-Za-z0-9/+])A(?:KI|SI)A[A-Z0-9]{16}[\s,;:|\"'\\]{1,12}([A-Za-z0-9/+]{40})"
        r"(?![A-Za-z0-9/+=])",
    ),
    _format("Google key", "AIza", r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{30,}"),
    _format(
        "Google token",
        "ya29. GOCSPX-",
        r"(?<![A-Za-z0-9])(?:ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,})",
    ),
    _format("Hugging Face token", "hf_", r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{20,}", _has_mixed_part),
    _format("npm token", "npm_", r"(?<![A-Za-z0-9])npm_[A-Za-z0-9]{30,}", _has_mixed_part),
    _format("PyPI token", "pypi-Ag", r"(?<![A-Za-z0-9])pypi-Ag[A-Za-z0-9_-]{20,}"),
    _format(
        "Stripe key",
        "k_live_ k_test_ whsec_",
        r"(?<![A-Za-z0-9])(?:[rs]k_(?:live|test)_|whsec_)[A-Za-z0-9]{10,}",
        lambda found: any(c.isdigit() for c in found),
    ),
    _format("SendGrid key", "SG.", r"(?<![A-Za-z0-9])SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    _format(
        "JSON web token",
        "eyJ",
        r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*",
    ),
    _format(
        "Discord token",
        ".",
        r"(?<![A-Za-z0-9_.-])[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}"
        r"(?![A-Za-z0-9_.-])",
        is_random,
    ),
    _format("Telegram token", ":AA", r"(?<![0-9])[0-9]{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])"),
    _format(
        "access key",
        "gsk_ xai- pplx- shpat_ lin_api_ ntn_ hvs. dckr_pat_ pcsk_ lsv2_ tvly- sbp_ PMAK- nvapi-",
        r"(?<![A-Za-z0-9])(?:gsk_|xai-|pplx-|shpat_|lin_api_|ntn_|hvs\.|dckr_pat_|pcsk_|lsv2_"
        r"|tvly-|sbp_|PMAK-|nvapi-)[A-Za-z0-9_-]{20,}",
        _has_mixed_part,
    ),
    _format("Replicate token", "r8_", r"(?<![A-Za-z0-9])r8_[A-Za-z0-9]{30,}", _has_mixed_part),
    _format("Databricks token", "dapi", r"(?<![A-Za-z0-9])dapi[0-9a-f]{32}(?:-[0-9])?(?![0-9a-f])"),
    _format("age key", "AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[A-Z0-9]{40,}"),
    _format(
        "Azure key",
        "AccountKey= SharedAccessKey=",
        r"(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/=]{20,})",
    ),
    _format(
        "signature of a URL",
        "sig= ignature= -Token=",
        r"[?&](?:sig|Signature|X-(?:Amz|Goog)-(?:Signature|Security-Token))=([\w%+/=.-]{16,})",
    ),
    _format(
        "password in a URL",
        "://",
        r"://[^\s/:@?#\"'<>\\]{0,100}:([^\s/?#\"'<>\\]{1,200})@",
        _is_password,
    ),
    _format(
        "Authorization header",
        "uthorization AUTHORIZATION",
        r"(?i:authorization)[\\\"']{0,4}\s{0,3}[:=]\s{0,3}[\\\"']{0,4}"
        r"(?i:bearer|basic|token|digest|apikey)\s{1,3}([^\s\"'\\,;<>{}\[\]$]{6,})",
        _is_credential,
    ),
    _format(
        "bearer token",
        "earer",
        r"(?<![A-Za-z])[Bb]earer\s{1,3}([A-Za-z0-9._~+/=-]{16,})",
        _is_bearer,
    ),
)

_PEM = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
# A line of a key, in a string literal as well; source that looks for keys has none.
_PEM_LINE = re.compile(
    r"(?:[\n\"']|\\n)[ \t]{0,40}[A-Za-z0-9+/=]{6,}[ \t]{0,4}(?:[\s\"'\\]|$)|[A-Za-z0-9+/=]{24,}"
)
# The next line of a key whose end is not there.
_PEM_NEXT = re.compile(r"[\s\"'\\n]{0,12}[A-Za-z0-9+/=]{20,}")
_LONGEST_PEM = 20_000


_PRIVATE_KEY = "private key"
FORMAT_LABELS = frozenset({_PRIVATE_KEY, *(known.label for known in _FORMATS)})


def formats_in(text: str) -> Iterator[Span]:
    """Find the secrets whose form is known."""
    if "-----BEGIN" in text:
        yield from _pem_blocks(text)
    for label, signs, pattern, accepts in _FORMATS:
        # A plain loop: a generator's takes five times as long, and a batch masks every row.
        for sign in signs:
            if sign in text:
                break
        else:
            continue
        for match in pattern.finditer(text):
            start, end = match.span(pattern.groups)
            if accepts(text[start:end]):
                yield Span(start, end, label)


def _pem_blocks(text: str) -> Iterator[Span]:
    ends = [match.span() for match in _PEM_END.finditer(text)]
    done = 0
    for begin in _PEM.finditer(text):
        if begin.start() < done:
            continue
        at = bisect_left(ends, begin.span())
        if at < len(ends) and ends[at][0] - begin.end() < _LONGEST_PEM:
            body_end, done = ends[at]
        else:
            body_end = done = _end_of_lines(text, begin.end())
        if _PEM_LINE.search(text, begin.end(), body_end):
            yield Span(begin.start(), done, _PRIVATE_KEY)


def _end_of_lines(text: str, position: int) -> int:
    while line := _PEM_NEXT.match(text, position):
        position = line.end()
    return position
