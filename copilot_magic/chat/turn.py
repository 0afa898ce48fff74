"""One prompt and what came of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from ..text import without_credentials
from .prompt import Content, Options, Part, Prompt, content_of

__all__ = ["TURN_FIELDS", "Status", "Turn", "new_id", "turn_of", "turn_to_dict"]

Status = Literal["streaming", "complete", "interrupted", "failed"]


def new_id() -> str:
    """Return a random UUID (version 4) as text."""
    import uuid  # it takes longer to load than this whole wing

    return str(uuid.uuid4())


@dataclass(eq=False)
class Turn:
    """A prompt and its answer, as far as it has come.

    Attributes:
        prompt: What was asked, as the user wrote it.
        answer: What has arrived so far, without the reasoning.
        reasoning: What the model thought aloud; shown folded, never sent back.
        status: ``streaming`` until it ends as ``complete``, ``interrupted`` or ``failed``.
        error: One line, if it failed.
        finish_reason: As the server said: ``stop``, ``length``, …
        usage: Token counts as the server sent them.
        model: The model that answered, if the server named it, else the one that was asked for.
        provider: The provider that answered, if the server named it.
        server: The base URL that was asked.
        asked_provider: The provider that was asked for; a server's thread belongs to it.
        continuation: gpt4free's ``conversation`` object, which continues this turn.
        thread: Which of the server's threads this turn was part of (an id of our own).
        cell_id: The notebook cell that asked.
        started: Seconds since the epoch.
        first_token: Seconds from the start to the first token, or None.
        elapsed: Seconds from the start to the end.
        stale: An earlier turn was asked again since, so this answer is outdated.
        notes: What the footer should mention, such as which provider stepped in.
        replayed: The answer is a stored one.
        options: What this prompt set for itself.
        expanded: The text that was sent instead, with what the notebook added; or empty.
        parts: What went with the text.
        schema: What the answer must fit, as `Prompt.schema` has it, or None.
        objects: What of the notebook went with the prompt, as `Prompt.objects` has it.
    """

    prompt: str
    answer: str = ""
    reasoning: str = ""
    status: Status = "streaming"
    error: str = ""
    finish_reason: str | None = None
    usage: dict[str, Any] | None = None
    model: str = ""
    provider: str = ""
    server: str = ""
    asked_provider: str = ""
    continuation: dict[str, Any] | None = None
    thread: str = ""
    cell_id: str | None = None
    started: float = field(default_factory=time.time)
    first_token: float | None = None
    elapsed: float = 0.0
    stale: bool = False
    notes: list[str] = field(default_factory=list)
    replayed: bool = False
    options: Options = field(default_factory=Options)
    expanded: str = ""
    parts: tuple[Part, ...] = ()
    schema: Mapping[str, Any] | None = None
    objects: tuple[Mapping[str, Any], ...] = ()
    id: str = field(default_factory=new_id)

    @classmethod
    def of(cls, prompt: Prompt) -> Turn:
        """Return a new turn that asks `prompt`."""
        return cls(
            prompt.text,
            expanded=prompt.expanded,
            parts=prompt.parts,
            schema=prompt.schema,
            objects=prompt.objects,
            notes=list(prompt.notes),
            options=prompt.options,
            cell_id=prompt.cell_id,
        )

    def asked_again(self) -> Prompt:
        """Return the prompt that asks the same again, in the same words."""
        return Prompt(
            self.prompt,
            expanded=self.expanded,
            parts=self.parts,
            schema=self.schema,
            objects=self.objects,
            options=self.options,
            cell_id=self.cell_id,
            replay=False,
        )

    def record_asked(self, server: str, provider: str, thread: str, model: str) -> None:
        """Record who is asked; drop another server's or provider's continuation."""
        if (self.server, self.asked_provider) != (server, provider):
            self.continuation = None
        self.server, self.asked_provider, self.thread = server, provider, thread
        self.model, self.provider = model, ""

    @property
    def content(self) -> Content:
        """Return the content of the message that asked it."""
        return content_of(self.expanded or self.prompt, self.parts)

    @property
    def received(self) -> int:
        """Return how many characters have arrived."""
        return len(self.answer) + len(self.reasoning)

    @property
    def cut_off(self) -> bool:
        """Say whether there is a rest of the answer to ask for."""
        return bool(self.answer) and (self.status != "complete" or self.finish_reason == "length")

    @property
    def outcome(self) -> str:
        """Return how the answer ended, in a few words; empty if it is simply complete."""
        if self.status == "interrupted":
            return "interrupted" if self.answer else "interrupted before the first word"
        if self.status == "failed":
            return "cut off by an error" if self.answer else "failed"
        if self.status == "complete" and self.finish_reason == "length":
            return "cut off at the length limit"
        return ""

    @property
    def marks(self) -> list[str]:
        """Return what a reader should know about the answer: how it ended, whether it still holds.

        These are the words in which each view, export and list says it.
        """
        again = "re-run this cell" if self.cell_id else "ask it again"
        outdated = f"outdated: an earlier answer has changed; {again}"
        marks = [self.outcome, "replayed" if self.replayed else "", outdated if self.stale else ""]
        return [mark for mark in marks if mark]


TURN_FIELDS = tuple(f.name for f in fields(Turn) if f.name not in ("continuation", "thread"))
"""The fields that are kept: not the server's own objects, which may hold credentials."""

# Fields that most turns lack; they are left out then.
_RARE = ("expanded", "parts", "schema", "objects")


def turn_to_dict(turn: Turn) -> dict[str, Any]:
    """Return the fields of `turn` that are kept, as JSON has them."""
    kept = {name: getattr(turn, name) for name in TURN_FIELDS}
    kept["server"] = without_credentials(turn.server)
    kept["options"] = turn.options.given()
    kept["notes"] = list(turn.notes)
    for name in _RARE:
        if not kept[name]:
            del kept[name]
        elif isinstance(kept[name], tuple):
            kept[name] = [dict(member) for member in kept[name]]
    return kept


def turn_of(values: Mapping[str, Any]) -> Turn:
    """Return the turn with these fields; those that a newer version may have kept are ignored."""
    known = {name: value for name, value in values.items() if name in TURN_FIELDS}
    known["options"] = Options.of(known.get("options", {}))
    for name in ("parts", "objects"):
        known[name] = tuple(known.get(name, ()))
    return Turn(**known)
