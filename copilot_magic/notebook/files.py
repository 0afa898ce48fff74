"""Conversations in files: exported by the file's ending, and imported again."""

from __future__ import annotations

import json
from pathlib import Path

from ..chat.conversation import Conversation
from ..errors import UsageError

__all__ = ["read_conversation", "write_conversation"]


def write_conversation(conversation: Conversation, path: Path, *, replace: bool = False) -> None:
    """Export `conversation` to `path`, as its ending says: ``.md``, ``.ipynb`` or ``.json``.

    Args:
        conversation: What to export.
        path: The file.
        replace: Replace a file that exists.

    Raises:
        UsageError: The ending is another one, or the file exists or cannot be written.
    """
    from ..transcript import to_json, to_markdown, to_notebook

    if path.suffix == ".md":
        text = to_markdown(conversation)
    elif path.suffix == ".json":
        text = to_json(conversation)
    elif path.suffix == ".ipynb":
        text = json.dumps(to_notebook(conversation), indent=1, ensure_ascii=False)
    else:
        raise UsageError(
            f"Cannot export to {str(path)!r}", "Choose a name that ends in .md, .ipynb or .json"
        )
    # A notebook may be the very one that is open.
    if path.exists() and not replace:
        raise UsageError(
            f"{path} exists already", "Choose another name, or add --force to replace it"
        )
    try:
        path.write_text(text + "\n" * (not text.endswith("\n")), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"Cannot write {path}: {error.strerror}", "Choose another place") from None


def read_conversation(path: Path) -> Conversation:
    """Return the conversation that was exported to `path` as ``.json``.

    Raises:
        UsageError: The file cannot be read, or is something else.
    """
    from ..transcript import from_json

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(
            f"Cannot read {path}: {reason}", "Import a file that was exported as .json"
        ) from None
    return from_json(text)
