"""The prompt that a chat panel asks, made of what its front end sends."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...chat.prompt import Part, Prompt
from ...chat.turn import Turn
from ...context.gather import Attachment
from ...errors import UsageError
from ...text import count_of, one_line, well_formed
from ..arguments import PromptLine
from ..prompting import make_prompt
from ..shell import Notebook

__all__ = ["FILE", "PICTURE", "panel_prompt"]

PICTURE = 4_000_000
"""Bytes of a picture, as the front end encodes it."""

FILE = 200_000
"""Bytes of a text file."""

# What a canvas in a browser makes; nothing else is a picture.
_DATA = re.compile(r"data:image/(?:png|jpeg|webp);base64,[A-Za-z0-9+/]+={0,2}")

# How attachments are recorded, so that an edited message can have them again.
_PICTURE_KIND = "attached picture"
_FILE_KIND = "attached file"
_BLOCK = re.DOTALL | re.MULTILINE


def panel_prompt(
    notebook: Notebook, message: Mapping[str, Any], replaced: Turn | None = None
) -> Prompt:
    """Return the prompt that `message` asks, its ``{{expressions}}`` evaluated as in a cell.

    Args:
        notebook: The notebook whose objects a prompt may name.
        message: ``text``, and lists of ``pictures`` and ``files``, each of them with a ``name``.
        replaced: The turn that is asked again in other words: what was attached to it still is.

    Raises:
        UsageError: There is nothing to ask, an expression has no value, or something attached
            cannot be sent.
    """
    text = well_formed(str(message.get("text", "")))
    if not text.strip():
        raise UsageError("the prompt is empty", "Write what you want to know")
    pictures = [] if replaced is None else _pictures_of(replaced)
    files = [] if replaced is None else _files_of(replaced)
    for picture in _list_of(message, "pictures"):
        name, url = _name_of(picture), str(picture.get("url", ""))
        if len(url) > PICTURE or not _DATA.fullmatch(url):
            raise UsageError(f"{name} is not a picture that can be sent", "Attach a smaller one")
        part = {"type": "image_url", "image_url": {"url": url}}
        pictures.append((part, {"name": name, "kind": _PICTURE_KIND}))
    for file in _list_of(message, "files"):
        name, content = _name_of(file), well_formed(str(file.get("text", "")))
        if len(content.encode()) > FILE:
            raise UsageError(f"{name} has more than {count_of(FILE, 'byte')}", "Attach less of it")
        files.append(Attachment(_title(name), content, "text", name, _FILE_KIND))
    return make_prompt(
        notebook,
        text,
        PromptLine(),
        more=tuple(files),
        in_cell=False,
        parts=tuple(part for part, _ in pictures),
        objects=tuple(described for _, described in pictures),
    )


def _pictures_of(turn: Turn) -> list[tuple[Part, Mapping[str, Any]]]:
    """Return the pictures that were attached to a turn; they come before those of expressions."""
    objects = [described for described in turn.objects if described.get("kind") == _PICTURE_KIND]
    return list(zip(turn.parts, objects, strict=False))


def _files_of(turn: Turn) -> list[Attachment]:
    """Return the files that were attached to a turn, as they were sent."""
    files = []
    for described in turn.objects:
        if described.get("kind") != _FILE_KIND:
            continue
        name = str(described.get("name", ""))
        title = re.escape(_title(name))
        found = re.search(rf"^{title}\n\n(`{{3,}})text\n(.*?)\n\1$", turn.expanded, _BLOCK)
        if found:
            files.append(Attachment(_title(name), found[2], "text", name, _FILE_KIND))
    return files


def _title(name: str) -> str:
    return f"The file {name!r}:"


def _list_of(message: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    return [thing for thing in message.get(name) or () if isinstance(thing, Mapping)]


def _name_of(thing: Mapping[str, Any]) -> str:
    return one_line(str(thing.get("name", "")), 100) or "attachment"
