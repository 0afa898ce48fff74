"""What a server must be told so that it understands a prompt as the next of a conversation.

Servers differ in what they remember, so there are three ways. If the last answer named the server's
own thread, continue that. Else Copilot behind gpt4free gets everything folded into one message,
since it is typed only what the user says last. Every other provider, and every other server, gets
the full history.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .prompt import Content, Message, content_of, text_of
from .turn import Turn, new_id

__all__ = ["CONTINUE_PROMPT", "Outgoing", "full_history", "outgoing"]

CONTINUE_PROMPT = (
    "Your last answer was cut off. Continue it exactly where it stops, "
    "without repeating any of it. It stops with:"
)


@dataclass(frozen=True)
class Outgoing:
    """What one request says of a conversation.

    Attributes:
        messages: The chat messages, the new prompt last.
        continuation: The server's own object to continue from, or None.
        thread: The id of the server's thread that it continues, or of a new one.
        omitted: How many of the oldest turns were left out to keep to the budget.
        undecided: A gpt4free server would need other messages, and it is not known to be one.
    """

    messages: list[Message]
    continuation: dict[str, Any] | None
    thread: str
    omitted: int = 0
    undecided: bool = False

    @property
    def size(self) -> int:
        """Return the number of characters of text in the messages."""
        return sum(len(text_of(message["content"])) for message in self.messages)


def outgoing(
    turns: Sequence[Turn],
    content: Content,
    *,
    system: str = "",
    server: str,
    provider: str,
    gpt4free: bool | None,
    has_threads: bool = True,
    budget: int | None = None,
) -> Outgoing:
    """Return the messages that let `server` understand `content` as the next one after `turns`.

    Args:
        turns: The earlier turns.
        content: The content of the new message.
        system: The system message, or an empty string.
        server: The base URL that will be asked.
        provider: The provider that will be asked for.
        gpt4free: The server is gpt4free; None if that is not known, which counts as no.
        has_threads: False if this server is known never to send ``conversation`` objects.
        budget: Most characters of history to send, None for no limit. The system message and the
            last turn with an answer are sent in any case.
    """
    continued = _continued(turns, server, provider)
    if continued is not None:
        return Outgoing([_message("user", content)], continued.continuation, continued.thread)
    history = [turn for turn in turns if turn.answer]
    kept = _within(history, budget)
    # Copilot is typed the user's words alone, so everything it should know is among them.
    typed = provider.lower().startswith("copilot") and has_threads and bool(kept or system)
    if not (typed and gpt4free):
        messages = _full(system, kept, content)
    elif kept:
        messages = [_message("user", _folded(system, kept, content))]
    else:
        messages = [_message("user", _with_text_before(f"{system}\n\n", content))]
    undecided = typed and gpt4free is None
    return Outgoing(
        _distinct(messages), None, new_id(), len(history) - len(kept), undecided=undecided
    )


def full_history(turns: Sequence[Turn], content: Content, system: str = "") -> list[Message]:
    """Return the messages that say everything, whichever way a server would be told it."""
    return _full(system, [turn for turn in turns if turn.answer], content)


def _message(role: str, content: Content) -> Message:
    return {"role": role, "content": content}


def _full(system: str, history: Sequence[Turn], content: Content) -> list[Message]:
    messages = [_message("system", system)] if system else []
    for turn in history:
        messages += [_message("user", turn.content), _message("assistant", turn.answer)]
    return [*messages, _message("user", content)]


def _continued(turns: Sequence[Turn], server: str, provider: str) -> Turn | None:
    """Return the turn whose ``conversation`` object continues all of `turns`, or None."""
    for turn in reversed(turns):
        if not turn.answer and turn.status != "complete":
            continue
        if (turn.server, turn.asked_provider) != (server, provider):
            return None
        if turn.continuation is not None:
            return turn
        if turn.status == "complete":
            return None
        # An answer that was cut off brought no object: the last good one is an earlier turn's.
    return None


def _within(history: Sequence[Turn], budget: int | None) -> list[Turn]:
    if budget is None:
        return list(history)
    kept: list[Turn] = []
    for turn in reversed(history):
        budget -= len(text_of(turn.content)) + len(turn.answer)
        if budget < 0 and kept:
            break
        kept.insert(0, turn)
    return kept


def _folded(system: str, history: Sequence[Turn], content: Content) -> Content:
    said = [system] if system else []
    said.append("This is our conversation so far:")
    for turn in history:
        said += [f"User: {text_of(turn.content)}", f"Assistant: {turn.answer}"]
    said.append("Answer my next message, as the assistant:\n\n")
    earlier = [part for turn in history for part in turn.parts if part.get("type") != "text"]
    return _with_text_before("\n\n".join(said), content, earlier)


def _with_text_before(text: str, content: Content, parts: Sequence[Any] = ()) -> Content:
    """Return `content` with `text` before its own text, and `parts` before its own parts."""
    own = [] if isinstance(content, str) else [p for p in content if p.get("type") != "text"]
    return content_of(text + text_of(content), [*parts, *own])


def _distinct(messages: list[Message]) -> list[Message]:
    """Make user messages unique by line ends: gpt4free 8 drops one that equals an earlier one."""
    seen: set[str] = set()
    for message in messages:
        if message["role"] == "user":
            text = text_of(message["content"])
            added = ""
            while text + added in seen:
                added += "\n"
            seen.add(text + added)
            if added:
                message["content"] = _with_text_after(message["content"], added)
    return messages


def _with_text_after(content: Content, text: str) -> Content:
    """Return `content` with `text` after its last text."""
    if isinstance(content, str):
        return content + text
    parts = list(content)
    last = max(n for n, part in enumerate(parts) if part.get("type") == "text")
    parts[last] = {**parts[last], "text": parts[last]["text"] + text}
    return parts
