"""What has changed in the notebook since it was described in a prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..chat.turn import Turn
from ..context.fingerprint import changes, fingerprint
from ..context.interpolate import is_plain
from ..errors import ExpressionError

if TYPE_CHECKING:
    from .namespace import Namespace

__all__ = ["changes_since"]


def changes_since(turn: Turn, namespace: Namespace) -> list[str]:
    """Return a line for each object of a prompt that has changed.

    Only variables and their attributes are looked at: a call might do something.
    """
    lines = []
    for described in turn.objects:
        name, before = str(described.get("name", "")), described.get("fingerprint")
        if not isinstance(before, dict) or not is_plain(name):
            continue
        if not namespace.exists(name.partition(".")[0].partition("[")[0]):
            continue  # the kernel was restarted, most likely
        try:
            change = changes(before, fingerprint(namespace.evaluate(name)))
        except ExpressionError:
            continue
        if change:
            lines.append(f"`{name}` changed since: {change}")
    return lines
