"""An object of the notebook, described for a model: the way in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..secrets.named import Named
from .arrays import describe_array, is_array
from .description import BUDGET, LINE, LONG_BUDGET, Description, cut_middle
from .failure import describe_failure, is_failure
from .foreign import Patience, Unanswered, type_name
from .frames import describe_frame, is_described_frame
from .other import describe_other, describe_own_words, has_own_words
from .plain import describe_plain, is_plain
from .printer import Hide, Printer
from .source import describe_source, is_source
from .xarrays import describe_labelled, is_labelled

__all__ = ["describe"]

_Describer = Callable[[Any, int | None, Printer], Description]

# The first one that is for an object describes it; if that fails, the next one does.
_DESCRIBERS: tuple[tuple[Callable[[object], bool], _Describer], ...] = (
    (has_own_words, describe_own_words),
    (is_failure, describe_failure),
    (is_source, describe_source),
    (is_described_frame, describe_frame),
    (is_labelled, describe_labelled),
    (is_array, describe_array),
    (is_plain, describe_plain),
    (lambda value: True, describe_other),
)


def describe(
    value: object,
    budget: int | None = None,
    *,
    hide: Hide | None = None,
    name: Named | None = None,
) -> Description:
    """Return a description of any object for a model.

    It raises no `Exception`, whatever the object does, and takes some seconds at most.

    Args:
        value: The object.
        budget: Most characters of the text; a line that says what was cut may come on top.
            None is `LONG_BUDGET` for strings and source, and `BUDGET` for all else.
        hide: Masks what a name says is secret, such as that of a column, before it is cut; None
            describes everything as it is.
        name: What the expression for the object says about its value.
    """
    patience = Patience()
    printer = Printer(patience, hide=hide, name=name if hide is not None else None)
    failures: list[str] = []
    for is_for, describer in _DESCRIBERS:
        try:
            if not is_for(value):
                continue
            found = patience.ask_for_all(
                lambda describer=describer: describer(value, budget, printer),  # type: ignore[misc]
                "its description",
            )
        except (Unanswered, Exception) as reason:  # noqa: BLE001  # objects can fail in any way
            is_said = isinstance(reason, Unanswered)
            failures.append(str(reason) if is_said else f"{type_name(reason)} in its description")
            continue
        return _bounded(found, failures, LONG_BUDGET if budget is None else budget)
    kind = f"{type_name(value)} object"
    reasons = "; ".join(dict.fromkeys(failures))
    return _bounded(Description(kind, f"{kind} ({reasons})"), [], budget or BUDGET)


def _bounded(found: Description, failures: list[str], budget: int) -> Description:
    """Return the description with what failed before it, in any case within the budget."""
    whole = "\n".join([*(f"({failure})" for failure in dict.fromkeys(failures)), found.text])
    text, left_out = cut_middle(whole, budget + (LINE if found.left_out else 0))
    return Description(found.kind, text, found.left_out or left_out, found.language)
