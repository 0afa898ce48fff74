"""One prompt: its text, the parts that go with it, and its options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

__all__ = ["Content", "Message", "Options", "Part", "Prompt", "content_of", "parts_of", "text_of"]

Part = Mapping[str, Any]
"""A part of a message, as OpenAI's API has them: ``{"type": "image_url", …}``, for example."""

Content = str | list[Part]
Message = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """What one prompt sets for itself; None leaves it to the settings, or to the server.

    Each goes into the request's body under its own name.
    """

    model: str | None = None
    provider: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None

    def given(self) -> dict[str, Any]:
        """Return the options that were given, by name."""
        values = {option.name: getattr(self, option.name) for option in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Options:
        """Return the options among `values`; a newer version may have kept more of them."""
        return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})


@dataclass(frozen=True)
class Prompt:
    """One prompt, made once: the same for the magic, `ask`, the preview and the replay.

    Attributes:
        text: What the user wrote.
        parts: What goes with the text, such as pictures.
        options: What this prompt sets for itself.
        system: The conversation's system message from now on; None leaves it.
        cell_id: The cell that asks; the turn that it asked before is replaced.
        replay: Show the stored answer to exactly this request; None is what the settings say.
        expanded: The text to send instead: the user's words and what the notebook adds to them,
            such as the description of an object. Empty if nothing is added.
        schema: What the answer must fit: the ``json_schema`` of OpenAI's ``response_format``, with
            its ``name``, ``strict`` and ``schema``; or None.
        objects: What of the notebook goes with it: for each its ``name``, what ``kind`` it is, and
            its ``fingerprint``, by which a later change is noticed.
        notes: What the footer of the answer should mention.
    """

    text: str
    parts: tuple[Part, ...] = ()
    options: Options = field(default_factory=Options)
    system: str | None = None
    cell_id: str | None = None
    replay: bool | None = None
    expanded: str = ""
    schema: Mapping[str, Any] | None = None
    objects: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def content(self) -> Content:
        """Return the content of the message that asks it."""
        return content_of(self.expanded or self.text, self.parts)


def content_of(text: str, parts: Iterable[Part] = ()) -> Content:
    """Return the content of a message: plain text, or a list if there are other parts."""
    parts = list(parts)
    return [{"type": "text", "text": text}, *parts] if parts else text


def text_of(content: Content) -> str:
    """Return the text in the content of a message: that is what counts for its size."""
    if isinstance(content, str):
        return content
    return "\n\n".join(str(part["text"]) for part in content if part.get("type") == "text")


def parts_of(content: Content) -> list[Part]:
    """Return what is in the content of a message besides text."""
    if isinstance(content, str):
        return []
    return [part for part in content if part.get("type") != "text"]
