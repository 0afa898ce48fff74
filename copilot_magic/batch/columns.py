"""Answers as a column of a pandas table."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

__all__ = ["plain", "series_of"]


def plain(answer: Any) -> Any:
    """Return an answer as a table holds it: of an `Answer`, only the text."""
    return str.__str__(answer) if isinstance(answer, str) else answer


def series_of(answers: Sequence[Any], index: Any = None) -> Any:
    """Return answers as a pandas Series; integers stay integers even if some are missing."""
    values = [plain(answer) for answer in answers]
    kinds = {type(value) for value in values}
    nullable = {int: "Int64", bool: "boolean"}
    dtype = None
    if len(kinds) == 2 and type(None) in kinds:
        dtype = nullable.get(next(iter(kinds - {type(None)})))
    return import_module("pandas").Series(values, index=index, dtype=dtype)
