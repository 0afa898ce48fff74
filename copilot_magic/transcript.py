"""A conversation as a document: Markdown, a runnable notebook, or JSON that is read back."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .chat.conversation import Conversation
from .chat.turn import Turn, turn_of, turn_to_dict
from .errors import UsageError
from .text import count_of, fenced, one_line, well_formed

__all__ = ["from_json", "to_json", "to_markdown", "to_notebook"]

FORMAT = "copilot_magic.conversation"
VERSION = 1

# Values that can stand on a magic's line without quotation marks.
_ONE_WORD = re.compile(r"[\w.:/@+][\w.:/@+-]*")

# Lines of a cell that IPython rewrites before a magic sees them: it removes the prompts of doctests
# and its own, and the blanks of lines that have nothing else.
_REWRITTEN = re.compile(r"\s*(>>>|\.\.\.|In\s*\[|\[(nav|ins)\])|\s+$")


def to_json(conversation: Conversation) -> str:
    """Return `conversation` as JSON that `from_json` reads back."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        "name": conversation.name,
        "conversation_id": conversation.conversation_id,
        "system": conversation.system,
        "turns": [turn_to_dict(turn) for turn in conversation.turns],
    }
    return well_formed(json.dumps(document, ensure_ascii=False, indent=1)) + "\n"


def from_json(text: str) -> Conversation:
    """Return the conversation that `to_json` wrote as `text`.

    Raises:
        UsageError: The text is something else, or was damaged.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(f"it is not JSON ({error})") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise _unreadable(f'it has no "format": "{FORMAT}"')
    if document.get("version") != VERSION:
        raise UsageError(
            f"The conversation is in version {document.get('version')!r} of the format; "
            f"only version {VERSION} is known here",
            "Update with `pip install -U copilot-magic`",
        )
    turns = document.get("turns")
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise _unreadable('"turns" is not a list of objects')
    conversation = Conversation(
        name=_checked(document, "name", str),
        conversation_id=_checked_id(document, "conversation_id"),
        system=_checked(document, "system", str),
        turns=[_turn_from_dict(turn) for turn in turns],
    )
    if not conversation.name.strip():
        raise _unreadable('"name" is empty')
    if len({turn.id for turn in conversation.turns}) < len(turns):
        raise _unreadable("two of its turns have the same id")
    return conversation


def to_markdown(
    conversation: Conversation, remarks: Callable[[Turn], Iterable[str]] = lambda turn: ()
) -> str:
    """Return `conversation` as a Markdown document: prompts as quoted text, answers as they are.

    Args:
        conversation: The conversation.
        remarks: Lines of Markdown that belong below the prompt of a turn.
    """
    parts = [f"# {_escaped(conversation.name)}"]
    if conversation.system:
        parts += ["*System message*", fenced(conversation.system, "text")]
    for number, turn in enumerate(conversation.turns, 1):
        parts += ["---", f"**{number} · You**", fenced(turn.prompt, "text")]
        if sent_along := _objects(turn):
            parts.append(f"*with {sent_along}*")
        parts += [f"*{remark}*" for remark in remarks(turn)]
        origin = ", ".join(_escaped(name) for name in (turn.model, turn.provider) if name)
        parts.append(f"**Assistant** ({origin})" if origin else "**Assistant**")
        # Before the answer, so that its reader knows.
        if mark := _mark(turn):
            parts.append(f"*{_escaped(mark)}*")
        if turn.schema and turn.answer:
            parts.append(fenced(turn.answer, "json"))
        elif turn.answer:
            parts.append(
                turn.answer if _ends_closed(turn.answer) else fenced(turn.answer, "markdown")
            )
    return well_formed("\n\n".join(parts)) + "\n"


def to_notebook(conversation: Conversation) -> dict[str, Any]:
    """Return `conversation` as a notebook (nbformat 4.5) that asks it all again when it is run.

    Each answer is the output of its prompt's cell.
    """
    from .markdown.render import bundle

    cells = [
        _cell("title", "markdown", f"# {_escaped(conversation.name)}"),
        _cell("load", "code", "%load_ext copilot_magic", execution_count=None, outputs=[]),
    ]
    if conversation.system:
        setting = f"%config CopilotMagics.system = {_magic_literal(conversation.system)}"
        cells.append(_cell("system", "code", setting, execution_count=None, outputs=[]))
    for turn in conversation.turns:
        outputs: list[dict[str, Any]] = []
        if turn.answer:
            data = dict(bundle(well_formed(turn.answer)))
            outputs.append({"output_type": "display_data", "data": data, "metadata": {}})
        if _mark(turn):
            text = well_formed(_mark(turn)) + "\n"
            outputs.append({"output_type": "stream", "name": "stderr", "text": text})
        source = _cell_asking(turn)
        cells.append(_cell(turn.id, "code", source, execution_count=None, outputs=outputs))
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        },
        "cells": cells,
    }


def _unreadable(reason: str) -> UsageError:
    return UsageError(
        f"This is not an exported conversation: {reason}",
        "Import a file that was exported as .json",
    )


_Types = type | tuple[type, ...]

_TURN_TYPES: dict[str, _Types] = {
    **dict.fromkeys(("prompt", "expanded", "answer", "reasoning"), str),
    **dict.fromkeys(("status", "error"), str),
    **dict.fromkeys(("model", "provider", "server", "asked_provider"), str),
    **dict.fromkeys(("finish_reason", "cell_id"), (str, type(None))),
    **dict.fromkeys(("started", "elapsed"), (int, float)),
    "first_token": (int, float, type(None)),
    **dict.fromkeys(("usage", "schema"), (dict, type(None))),
    **dict.fromkeys(("stale", "replayed"), bool),
    **dict.fromkeys(("notes", "parts", "objects"), list),
    "options": dict,
}

_OPTION_TYPES: dict[str, _Types] = {
    **dict.fromkeys(("model", "provider"), str),
    "temperature": (int, float),
    "max_tokens": int,
}


def _checked(document: Mapping[str, Any], name: str, types: _Types) -> Any:
    value = document.get(name)
    if not isinstance(value, types) or (isinstance(value, bool) and types is not bool):
        raise _unreadable(f'"{name}" is missing or of the wrong kind')
    return value


def _checked_id(document: Mapping[str, Any], name: str) -> str:
    value = _checked(document, name, str)
    try:
        canonical = str(uuid.UUID(value))
    except ValueError:
        canonical = ""
    if value != canonical:
        raise _unreadable(f'"{name}" is not a UUID')
    return canonical


def _turn_from_dict(document: Mapping[str, Any]) -> Turn:
    values = {
        name: _checked(document, name, types)
        for name, types in _TURN_TYPES.items()
        if name in document or name == "prompt"
    }
    if values.get("status", "complete") not in ("streaming", "complete", "interrupted", "failed"):
        raise _unreadable('"status" is not one that a turn can have')
    if not all(isinstance(note, str) for note in values.get("notes", ())):
        raise _unreadable('"notes" is not a list of texts')
    for name in ("parts", "objects"):
        if not all(isinstance(member, dict) for member in values.get(name, ())):
            raise _unreadable(f'"{name}" is not a list of objects')
    options = values.get("options", {})
    for name in _OPTION_TYPES.keys() & options.keys():
        _checked(options, name, _OPTION_TYPES[name])
    for name in ("started", "elapsed", "first_token"):
        # JSON has numbers of any size; a clock does not.
        if not abs(values.get(name) or 0.0) < 1e15:
            raise _unreadable(f'"{name}" is not a time')
    for name in ("usage", "options", "parts", "schema", "objects"):
        if not _is_shallow(values.get(name)):
            raise _unreadable(f'"{name}" is nested too deeply')
    turn = turn_of({**values, "id": _checked_id(document, "id")})
    if turn.status == "streaming":
        turn.status = "interrupted"
    return turn


def _is_shallow(value: Any, levels: int = 10) -> bool:
    members = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(members, list):
        return True
    return levels > 0 and all(_is_shallow(member, levels - 1) for member in members)


def _objects(turn: Turn) -> str:
    """Return what of the notebook went with a prompt."""
    named = [
        (_escaped(str(each.get("name", ""))), _escaped(str(each.get("kind", ""))))
        for each in turn.objects
    ]
    return ", ".join(f"{name} ({kind})" if kind and name != kind else name for name, kind in named)


def _mark(turn: Turn) -> str:
    """Return what a reader should know about the answer, in a few words."""
    marks = turn.marks
    if turn.outcome and turn.error:
        marks[0] += f": {one_line(turn.error)}"
    return ", ".join(marks)


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>&#|~$!])", r"\\\1", one_line(text))


def _ends_closed(text: str) -> bool:
    """Say whether a Markdown document can continue after `text`.

    An answer that was cut off may leave a code block or an HTML comment open, which would swallow
    what follows.
    """
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(f"{text}\n\n---")
    return bool(tokens) and tokens[-1].type == "hr"


def _cell(name: str, kind: str, source: str, **rest: Any) -> dict[str, Any]:
    return {"id": name, "cell_type": kind, "metadata": {}, "source": well_formed(source), **rest}


def _cell_asking(turn: Turn) -> str:
    """Return the source of a cell that asks exactly what `turn` asked, with its options.

    It calls `ask` if IPython or the magic would not take these words as they are. The text is in a
    variable there, so that braces in it are not expressions.
    """
    options = turn.options.given()
    text = turn.expanded or turn.prompt
    words = [f"--{name.replace('_', '-')} {value}" for name, value in options.items()]
    if all(_ONE_WORD.fullmatch(str(value)) for value in options.values()) and not (
        text.strip("\n") != text
        or "\r" in text
        or "{{" in text
        or turn.parts
        or any(_REWRITTEN.match(line) for line in text.splitlines())
    ):
        return f"{' '.join(['%%copilot', *words])}\n{text}"
    literals = [f"    {line!r}" for line in text.splitlines(keepends=True) or [""]]
    arguments = ["prompt", *(f"{name}={value!r}" for name, value in options.items())]
    lost = f"  # without {count_of(len(turn.parts), 'picture')}" if turn.parts else ""
    call = f"ask({', '.join(arguments)}){lost}"
    return "\n".join(["from copilot_magic import ask", "", "prompt = (", *literals, ")", call])


def _magic_literal(text: str) -> str:
    """Return `text` as a Python literal without what IPython expands in a magic's line."""
    return re.sub(r"[{}$]", lambda match: f"\\x{ord(match[0]):02x}", repr(text))
