"""Which names say that their value is a secret, and which values can be one.

Names of data columns, such as ``sort_key``, and tokens of a text have the same words in them. So a
strong name (``password``, ``api_key``) takes nearly any value, and a weak one (``key``, ``token``)
only a value that is not made of words.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

__all__ = ["KIND_LABELS", "Kind", "is_placeholder", "is_random", "is_secret", "kind_of"]


class Kind(NamedTuple):
    """What a name says about its value.

    Attributes:
        label: What the value is: ``password``, ``key``, ``token``, ``secret``, ``credentials``.
        strong: The value need not look like a secret.
        hexadecimal: Hexadecimal digits are a secret; those of a mere ``key`` may be a hash.
    """

    label: str
    strong: bool
    hexadecimal: bool = True


KIND_LABELS = frozenset({"auth", "credentials", "key", "pass", "password", "secret", "token"})

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PASSWORDS = frozenset({"password", "passwords", "passwd", "passphrase", "passcode", "pwd"})
_SECRETS = frozenset({"secret", "secrets"})
_CREDENTIALS = frozenset({"credential", "credentials", "creds"})
_KEYS = frozenset({"key", "keys", "apikey", "apikeys"})
_TOKENS = frozenset({"token", "tokens"})
_OTHERS = frozenset({"pass", "pat", "auth"})
_ENDINGS = (
    ("password", "password"),
    ("passwd", "password"),
    ("secret", "secret"),
    ("apikey", "key"),
    ("accesskey", "key"),
    ("secretkey", "key"),
    ("authtoken", "token"),
    ("accesstoken", "token"),
)
# A key or token of these is a secret.
_STRONG_BEFORE = _words(
    "access account admin api auth bearer bot client deploy encryption master oauth private "
    "refresh secret service shared signing ssh storage subscription"
)
# Keys of tables and caches, and tokens of language models and of lists in pages.
_HARMLESS_BEFORE = _words(
    "bos cache cls composite continuation count dict eos foreign group idempotency index join "
    "mask max min natural next num object pad page parse partition previous primary public "
    "row sep sort special stop sync total unique unk"
)
# The name of a password's file is not the password.
_HARMLESS_LAST = _words(
    "age arn col column columns count dir dtype embedding embeddings enabled endpoint env "
    "error expiration expires expiry field file filename form format header help hint host id "
    "ids index label len length limit message name names parallelism path pattern policy port "
    "prompt provider regex required rule rules size sock status strength timeout ttl type "
    "types uri url user username validator var version"
)
# What may follow the word that counts: ``API_KEY_PROD``.
_TRAILING = _words(
    "backup base default dev env live local main new old plain prod production raw staging "
    "str string test text v value"
)
_WORDS_FOR_NAMES = _words(
    "password passwd secret token api_key apikey access_token access_key secret_key "
    "private_key auth_token refresh_token client_secret credential credentials key bearer "
    "masked mask"
)


@lru_cache(maxsize=2_000)
def kind_of(name: str, *, environment: bool = False) -> Kind | None:
    """Return what a variable's or a key's name says about its value, or None if nothing.

    Args:
        environment: It is an environment variable: all that have such a word are strong.
    """
    words = [word.lower() for word in _WORD.findall(name[:200])]
    while len(words) > 1 and words[-1] in _TRAILING:
        words.pop()
    if not words or words[-1] in _HARMLESS_LAST:
        return None
    last = len(words) - 1
    is_constant = environment or name.isupper()
    for at in range(last, -1, -1):
        kind = _kind_of_word(words, at, is_only=last == 0)
        if kind is None:
            continue
        if words[at] in _KEYS | _OTHERS and not kind.strong and at < last:
            continue  # ``key_vault``
        strong = environment or (kind.strong and (at == last or is_constant))
        return Kind(kind.label, strong, kind.hexadecimal)
    return None


def _kind_of_word(words: list[str], at: int, *, is_only: bool) -> Kind | None:
    word, before = words[at], words[at - 1] if at else ""
    if word in _PASSWORDS:
        return None if word == "pwd" and is_only else Kind("password", True)
    if word in _SECRETS:
        return Kind("secret", True)
    if word in _CREDENTIALS:
        return Kind("credentials", True)
    if word in _KEYS or word in _TOKENS:
        if before in _HARMLESS_BEFORE:
            return None
        label = "key" if word in _KEYS else "token"
        strong = before in _STRONG_BEFORE or word.startswith("api")
        return Kind(label, strong, not (is_only and label == "key"))
    if word in _OTHERS:
        return (
            None if is_only and word != "pat" else Kind("token" if word == "pat" else word, False)
        )
    for ending, label in _ENDINGS:
        if word.endswith(ending):
            return Kind(label, True)
    if word.endswith("token"):
        return Kind("token", False)
    return None


_PLAIN = _words(
    "true false yes no on off none null nil nan undefined unset default auto enabled disabled "
    "required optional string integer boolean number object array unknown missing empty "
    "anonymous changed hidden redacted"
)
_NUMBER = re.compile(
    r"0[xX][0-9a-fA-F]+|[+-]?[0-9][0-9_.,:eE+%/ T-]*(?:Z|[a-zA-Z]{1,2})?|#[0-9a-fA-F]{3,8}"
)  # or a date, or a colour
_SPACE = re.compile(r"\s")
_DTYPE = re.compile(r"(?i:u?int|float|complex|datetime|timedelta)[0-9]{1,3}(?:\[[^\]]{0,40}\])?")
_PATH = re.compile(r"(?:[A-Za-z]:[\\/]|~?/|\.{1,2}/|file://)[^\n]*")
_TEMPLATE = re.compile(
    r"<[^<>\n]*>|\{[^\n]*\}|\$\{[^\n]*\}?|\$\([^\n]*|\$[A-Z_]+|%\w+%|%\(?\w*\)?s|\[[^\]\n]*\]"
    r"|(?i:(?:your|insert|enter|put|add|paste|replace)[-_ ][\w -]{0,40}"
    r"(?:key|token|password|secret|here|credentials?)[\w -]{0,10})"
)
_CONSTANT = re.compile(r"[A-Z][A-Z0-9]*_[A-Z0-9_]+")
_PART = re.compile(r"[A-Za-z0-9]+")
_RUN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_UUID = re.compile(r"(?i:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


def is_secret(value: str, kind: Kind) -> bool:
    """Say whether `value` is a secret, if its name is of this kind."""
    value = value.strip()
    if len(value) < 6 or value.lower() in _PLAIN or is_placeholder(value):
        return False
    if _NUMBER.fullmatch(value) or _DTYPE.fullmatch(value) or _is_path(value):
        return False
    if kind.strong:
        return True
    return (
        len(value) >= 8
        and not _SPACE.search(value)
        and is_random(value, hexadecimal=kind.hexadecimal)
    )


def is_placeholder(value: str) -> bool:
    """Say whether `value` stands for a secret: ``<your key>``, ``${KEY}``, ``*****``, ``API_KEY``.

    A word such as ``password`` is one, too: nothing is gained by masking it wherever it occurs.
    """
    if len(set(value)) <= 2 or _TEMPLATE.fullmatch(value):
        return True
    if value.lower().replace("-", "_").replace(" ", "_") in _WORDS_FOR_NAMES or "..." in value:
        return True
    return bool(_CONSTANT.fullmatch(value)) and kind_of(value, environment=True) is not None


def _is_path(value: str) -> bool:
    """Say whether `value` is a path; one that begins with a slash may also be base64."""
    return bool(_PATH.fullmatch(value)) and not any(
        len(part) > 16 and is_random(part, hexadecimal=False) for part in re.split(r"[\\/]", value)
    )


def is_random(value: str, *, hexadecimal: bool = True) -> bool:
    """Say whether `value` is not made of words and numbers.

    Args:
        hexadecimal: Count hexadecimal digits and UUIDs as random; hashes look the same.
    """
    if _UUID.fullmatch(value):
        return hexadecimal
    parts = _PART.findall(value)
    for part in parts:
        if _HEX.fullmatch(part) and not part.isdigit() and len(part) >= 16:
            return True if hexadecimal else not part.islower() and not part.isupper()
    joined = "".join(parts)
    return any(_is_mixed(part) for part in parts) or (len(parts) <= 4 and _is_mixed(joined))


def _is_mixed(part: str) -> bool:
    """Say whether letters and digits, or upper and lower case, alternate as in no word."""
    if len(part) < 8 or part.isdigit():
        return False
    runs = _RUN.findall(part)
    words = sum(len(run) for run in runs if len(run) >= 4 and run[-1].islower())
    has_digit = any(run[0].isdigit() for run in runs)
    wanted = 0.33 if has_digit else 0.45
    return len(runs) >= 4 and len(runs) >= wanted * len(part) and words < 0.5 * len(part)
