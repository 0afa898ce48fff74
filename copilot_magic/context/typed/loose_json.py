"""JSON in a model's text: strict about the JSON, forgiving about the text around it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ...text import one_line

__all__ = ["BREAKS_OFF", "json_problem", "json_values"]

BREAKS_OFF = "the JSON breaks off before its end"

# Each try may read the rest of the text, so their number keeps the whole time linear.
_MOST_TRIES = 50
_MOST_DIGITS = 1000


def json_values(text: str) -> Iterator[Any]:
    """Yield the JSON values that `text` may mean, the likeliest first.

    These are the text as a whole, each fenced block, and each balanced object or array.
    """
    decoder = _decoder()
    for number, whole in enumerate(_wholes(text)):
        try:
            value = decoder.decode(whole)
        except (ValueError, RecursionError):
            continue
        yield value
        if number == 0:
            return  # there is nothing else
    yield from _balanced(text, decoder)


def json_problem(text: str) -> str | None:
    """Return what is wrong with the JSON value that `text` begins, or None if it begins none."""
    for whole in reversed([*_wholes(text)]):
        if not whole.startswith(("{", "[")):
            continue
        try:
            _decoder().decode(whole)
        except json.JSONDecodeError as error:
            if _breaks_off(error):
                return BREAKS_OFF
            return f"the JSON is not valid in line {error.lineno}: {error.msg}"
        except RecursionError:
            return "the JSON is nested too deeply"
        except ValueError as error:
            return str(error)
    return None


def _wholes(text: str) -> Iterator[str]:
    """Yield the text, and the contents of its fenced blocks; the last may lack its end."""
    yield text.strip()
    fence, lines, found = "", [""], 0
    for line in text.splitlines():
        mark = line.strip()
        if not fence and mark.startswith(("```", "~~~")):
            fence, lines = mark[:3], []
        elif fence and mark.startswith(fence):
            yield "\n".join(lines).strip()
            fence, found = "", found + 1
            if found == _MOST_TRIES:
                return
        elif fence:
            lines.append(line)
    if fence:
        yield "\n".join(lines).strip()


def _balanced(text: str, decoder: json.JSONDecoder) -> Iterator[Any]:
    position = 0
    for _ in range(_MOST_TRIES):
        starts = [at for at in (text.find("{", position), text.find("[", position)) if at >= 0]
        if not starts:
            return
        position = min(starts)
        try:
            value, position = decoder.raw_decode(text, position)
        except RecursionError:
            return
        except ValueError as error:
            if _breaks_off(error):
                return  # what follows is a part of it, and no answer of its own
            position += 1
        else:
            yield value


def _breaks_off(error: ValueError) -> bool:
    """Say whether the text ends in the middle of the JSON value that could not be read."""
    return isinstance(error, json.JSONDecodeError) and (
        not error.doc[error.pos :].strip() or error.msg.startswith("Unterminated")
    )


def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_object,
        parse_float=_finite,
        parse_int=_whole_number,
        parse_constant=_constant,
        strict=False,  # models write line ends into strings as they are
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the property {one_line(repr(twice), 40)} appears twice in one object")
    return value


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"the number {one_line(digits, 40)} is too large")
    return number


def _whole_number(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number has {len(digits):,} digits")
    return int(digits)


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON; write null where there is no number")
