"""Secrets taken out of what is sent: those of the environment and the namespace, and any others.

What a secret looks like: `names` (by its variable's name), `formats` (keys of known services),
`assignments` (by the name beside it), `entropy` (randomness), `cut` (what is left of one).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from urllib.parse import quote, quote_plus

from .assignments import assignments_in
from .cut import CUT_LABEL, cut_secrets_in
from .entropy import RANDOM, random_tokens_in
from .formats import FORMAT_LABELS, formats_in
from .named import Named
from .names import KIND_LABELS, Kind, is_secret, kind_of
from .spans import Span, merged
from .tables import of_table

__all__ = ["Masker"]

_MASK = re.compile(r"\[masked: ([^\[\]\n]{1,80})\]")
_NO_LABEL = re.compile(r"[^\w.-]")
_UNNAMED = "secret"
_LABELS = frozenset({_UNNAMED, RANDOM, CUT_LABEL, *FORMAT_LABELS, *KIND_LABELS})
# What stands in a mask's place may make its neighbours a secret: look again, but not forever.
_ROUNDS = 4
_LONGEST = 10_000
_DICT_ITEMS = 1_000
_TABLE_CELLS = 500  # of all tables together: each takes time for every text


class Masker:
    """Replaces the secrets of texts by ``[masked: OPENAI_API_KEY]`` and the like.

    Only objects that are exactly a `str`, `bytes`, `dict`, one of pydantic's secrets, or a table of
    pandas or Polars are looked into, and only here, when it is made. What is shown of other objects
    goes through `hide` first.

    Args:
        variables: The user's variables.
        environ: The environment variables.
    """

    __slots__ = ("_forms", "_labels", "_masked", "_names", "_secrets")

    def __init__(
        self,
        variables: Mapping[str, object] = {},
        environ: Mapping[str, str] = {},
    ) -> None:
        found: dict[str, str] = {}
        for name, value in (*_of_environment(environ), *_of_namespace(variables)):
            found.setdefault(value, name)
        values = [value for value in found if value not in f"[masked: {_UNNAMED}]"]
        self._masked: list[str] = []
        self._secrets = values
        labels = {name: self._label(name) for name in set(found.values())}
        names = {value: labels[found[value]] for value in values}
        self._names = names
        self._labels = set(names.values())
        self._forms = [(form, names[value]) for value in values for form in _written_forms(value)]

    def __repr__(self) -> str:
        return f"Masker({len(self._labels)} names, masked={self._masked})"

    @property
    def masked(self) -> list[str]:
        """Return what was masked so far, each once, in the order of its first appearance."""
        return list(self._masked)

    def mask(self, text: str) -> str:
        """Return `text` with a mask in the place of each secret; masking it again changes nothing.

        Takes a time linear in the length of the text, for each secret that is known.
        """
        for _ in range(_ROUNDS):
            spans = self._secrets_in(text)
            if not spans:
                break
            pieces, position = [], 0
            for start, end, label in spans:
                pieces += [text[position:start], f"[masked: {label}]"]
                position = end
                if label not in self._masked:
                    self._masked.append(label)
            text = "".join([*pieces, text[position:]])
        return text

    def hide(self, value: str | bytes | bytearray, name: Named) -> str | None:
        """Return a mask for a value if it is a secret with that name, and otherwise None.

        A description asks before it cuts the value, or counts it among others.
        """
        if not 0 < len(value) <= _LONGEST:
            return None
        text = value if isinstance(value, str) else _as_text(bytes(value))
        if not is_secret(text, name.kind):
            return None
        label = self._names.get(text.strip()) or self._label(name.label)
        self._labels.add(label)
        if label not in self._masked:
            self._masked.append(label)
        return f"[masked: {label}]"

    def _label(self, name: str) -> str:
        return self._safe(_NO_LABEL.sub("_", name)[:80])

    def _secrets_in(self, text: str) -> list[Span]:
        """Return the places to mask, with labels in which no known secret is."""
        found = [
            *self._known_in(text),
            *formats_in(text),
            *assignments_in(text),
            *random_tokens_in(text),
            *cut_secrets_in(text, self._forms),
        ]
        if not found:
            return []
        masks = [
            Span(*mask.span(), mask[1])
            for mask in _MASK.finditer(text)
            if mask[1] in self._labels or mask[1] in _LABELS
        ]
        spans = merged([*masks, *found])
        done = set(masks)
        return [
            Span(start, end, self._safe(label))
            for start, end, label in spans
            if (start, end, label) not in done
        ]

    def _safe(self, label: str) -> str:
        """Return a label in which no known secret is."""
        return _UNNAMED if any(secret in label for secret in self._secrets) else label

    def _known_in(self, text: str) -> Iterator[Span]:
        for value, name in self._forms:
            at = text.find(value)
            while at >= 0:
                yield Span(at, at + len(value), name)
                at = text.find(value, at + len(value))


def _of_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in tuple(environ.items()):
        kind = kind_of(name, environment=True)
        if kind is not None and is_secret(value, kind):
            yield name, value.strip()


def _of_namespace(variables: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Find the secrets among the variables, and in those that are dictionaries or tables."""
    cells: dict[str, str] = {}
    for name, value in tuple(variables.items()):
        if type(name) is not str:
            continue
        kind = kind_of(name)
        yield from _of_variable(name, kind, value)
        if type(value) is not dict:
            if len(cells) < _TABLE_CELLS:
                for column, cell in of_table(value):
                    cells |= {text: label for label, text in _of_variable(*column, cell)}
            continue
        # `api_keys = {"openai": …}`; but `credentials` have a user's name among them.
        inherited = None if kind is None or kind.label == "credentials" else kind
        if inherited is not None:
            inherited = inherited._replace(strong=False)
        for key, item in tuple(islice(value.items(), _DICT_ITEMS)):
            if type(key) is str:
                yield from _of_variable(f"{name}.{key}", kind_of(key) or inherited, item)
    yield from ((name, value) for value, name in islice(cells.items(), _TABLE_CELLS))


def _of_variable(name: str, kind: Kind | None, value: object) -> Iterator[tuple[str, str]]:
    if _is_hidden(value):
        value = getattr(value, "_secret_value", None)
        kind = Kind("secret", strong=True)
    if kind is None or (type(value) is not str and type(value) is not bytes):
        return
    if len(value) <= _LONGEST:
        text = _as_text(value) if isinstance(value, bytes) else value
        if is_secret(text, kind):
            yield name, text.strip()


def _is_hidden(value: object) -> bool:
    """Say whether `value` is one of pydantic's secrets; its module is not loaded for that."""
    types = sys.modules.get("pydantic.types")
    return types is not None and any(
        type(value) is getattr(types, name, None) for name in ("SecretStr", "SecretBytes")
    )


def _as_text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return repr(value)[2:-1]


def _written_forms(value: str) -> list[str]:
    """Return a secret as it is, as it is in a URL, and as it is in a literal of JSON or Python."""
    forms = [
        value,
        *(
            encode(value, safe, errors="replace")
            for encode in (quote, quote_plus)
            for safe in ("", "/")
        ),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
    ]
    return list(dict.fromkeys(forms))
