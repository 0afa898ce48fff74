"""Conversations: turns, what of them a server has to be told again, and the answer of each."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Answer", "Conversation", "Message", "Outgoing", "Status", "Turn"]

Message = dict[str, Any]
Status = Literal["streaming", "complete", "interrupted", "failed"]

CONTINUE_PROMPT = (
    "Your last answer was cut off. Continue it exactly where it stops, "
    "without repeating any of it. It stops with:"
)


def new_id() -> str:
    """Return a random UUID (version 4) as text."""
    return str(uuid.uuid4())


@dataclass(eq=False)
class Turn:
    """Hold one prompt and what came of it.

    Attributes:
        prompt: What was asked.
        answer: What was received so far, without the reasoning.
        reasoning: What the model thought aloud; shown folded away, never sent back.
        status: ``streaming`` until it ends as ``complete``, ``interrupted`` or ``failed``.
        error: One line, where it failed.
        finish_reason: As the server said: ``stop``, ``length``, …
        usage: Token counts as the server sent them.
        model: The model that answered, as far as it was told, else the one asked for.
        provider: The provider that answered, likewise.
        server: The base URL that was asked.
        asked_provider: The provider that was asked for; a server's thread belongs to it.
        conversation: gpt4free's ``conversation`` object that continues this turn, while it does.
        thread: Which of the server's threads this turn was part of (an id of our own).
        cell_id: The notebook cell that asked.
        started: Seconds since the epoch.
        first_token: Seconds from the start to the first token, or None.
        elapsed: Seconds from the start to the end.
        stale: An earlier turn has been asked again since, so this answer rests on an older one.
        notes: What the footer should mention, such as which provider stepped in.
        replayed: The answer is a stored one.
        options: Model, provider, temperature and token limit as this prompt named them.
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
    conversation: dict[str, Any] | None = None
    thread: str = ""
    cell_id: str | None = None
    started: float = field(default_factory=time.time)
    first_token: float | None = None
    elapsed: float = 0.0
    stale: bool = False
    notes: list[str] = field(default_factory=list)
    replayed: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=new_id)

    @property
    def cut_off(self) -> bool:
        """Say whether there is a rest of the answer to ask for."""
        return bool(self.answer) and (self.status != "complete" or self.finish_reason == "length")


@dataclass(frozen=True)
class Outgoing:
    """Hold what one request says of a conversation.

    Attributes:
        messages: The chat messages, the new prompt last.
        conversation: The server's own object to go on with, or None.
        thread: The server's thread it goes on with, or a new thread's id.
        omitted: How many of the oldest turns were left out to keep to the budget.
    """

    messages: list[Message]
    conversation: dict[str, Any] | None
    thread: str
    omitted: int = 0

    @property
    def size(self) -> int:
        """Return the number of characters in the messages."""
        return sum(len(m["content"]) for m in self.messages)


@dataclass(eq=False)
class Conversation:
    """Hold the turns of one conversation and decide what a server must be told.

    Attributes:
        name: What the user calls it.
        conversation_id: A UUID (version 4), the same for ever, sent with every request.
        system: The system message, or an empty string.
        turns: In the order of the notebook, which need not be the order of asking.
    """

    name: str = "default"
    conversation_id: str = field(default_factory=new_id)
    system: str = ""
    turns: list[Turn] = field(default_factory=list)

    @property
    def answered(self) -> list[Turn]:
        """Return the turns that got an answer, or part of one."""
        return [turn for turn in self.turns if turn.answer]

    def outgoing(
        self,
        prompt: str,
        *,
        server: str,
        provider: str,
        before: int | None = None,
        threadless: bool = False,
        budget: int | None = None,
    ) -> Outgoing:
        """Return the messages that make `server` understand `prompt` as the next of this talk.

        Three ways, since servers differ in what they remember: go on with the server's own
        thread where its last answer named one; else fold all into one message for Copilot, which
        is typed only what the user says last; else the full history.

        Args:
            prompt: The new prompt.
            server: The base URL that will be asked.
            provider: The provider that will be asked for.
            before: The history ends before the turn of this index; None is all of it.
            threadless: This server is known never to send ``conversation`` objects.
            budget: Most characters of history to send, None for no limit; the last turn with
                an answer and the system message always go along.
        """
        earlier = self.turns[:before]
        ongoing = _ongoing(earlier, server, provider)
        if ongoing is not None:
            return Outgoing([_message("user", prompt)], ongoing.conversation, ongoing.thread)
        history = [turn for turn in earlier if turn.answer]
        kept = _within(history, budget)
        messages = _full(self.system, kept, prompt)
        if provider.lower().startswith("copilot") and not threadless:
            # Copilot is typed the user's words alone, so all it should know has to be among them.
            if kept:
                messages = [_message("user", _folded(self.system, kept, prompt))]
            elif self.system:
                messages[-1] = _message("user", f"{self.system}\n\n{prompt}")
        return Outgoing(_distinct(messages), None, new_id(), len(history) - len(kept))

    def full_history(self, prompt: str, before: int | None = None) -> list[Message]:
        """Return the messages that say everything, however a server would be told it."""
        return _full(self.system, [turn for turn in self.turns[:before] if turn.answer], prompt)

    def begin(self, turn: Turn, at: int | None = None) -> Turn | None:
        """Add `turn`, at the end or in the place of the turn with index `at`, which is returned.

        A server's thread that the replaced turn was part of is left behind: it remembers that turn.
        """
        if at is None:
            self.turns.append(turn)
            return None
        replaced, self.turns[at] = self.turns[at], turn
        self._leave_thread(replaced.thread)
        return replaced

    def end(self, turn: Turn, replaced: Turn | None = None) -> None:
        """Settle what follows from `turn` having ended.

        A turn that received nothing gives its place back to the one it `replaced`; else what
        follows is marked as resting on an older answer. A ``conversation`` object that it brought
        is from now on the one that its thread goes on from.
        """
        if turn.conversation is not None:
            self._leave_thread(turn.thread, but=turn)
        if replaced is None:
            return
        at = self.turns.index(turn)
        if not turn.answer:
            self.turns[at] = replaced
        elif (turn.prompt, turn.answer) != (replaced.prompt, replaced.answer):
            for later in self.turns[at + 1 :]:
                later.stale = True

    def _leave_thread(self, thread: str, but: Turn | None = None) -> None:
        for turn in self.turns:
            if turn.thread == thread and turn is not but:
                turn.conversation = None

    def leave_threads(self) -> None:
        """Have the next request tell everything again: the servers' threads hold something else."""
        for turn in self.turns:
            turn.conversation = None

    def find_cell(self, cell_id: str | None) -> int | None:
        """Return the index of the last turn that the cell asked, or None."""
        if cell_id is None:
            return None
        return next(
            (i for i in reversed(range(len(self.turns))) if self.turns[i].cell_id == cell_id), None
        )


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def _full(system: str, history: list[Turn], prompt: str) -> list[Message]:
    messages = [_message("system", system)] if system else []
    for turn in history:
        messages += [_message("user", turn.prompt), _message("assistant", turn.answer)]
    return [*messages, _message("user", prompt)]


def _ongoing(turns: list[Turn], server: str, provider: str) -> Turn | None:
    """Return the turn whose ``conversation`` object continues all of `turns`, or None."""
    for turn in reversed(turns):
        if not turn.answer and turn.status != "complete":
            continue
        if (turn.server, turn.asked_provider) != (server, provider):
            return None
        if turn.conversation is not None:
            return turn
        if turn.status == "complete":
            return None
        # A part of an answer brought no object: the last good one is an earlier turn's.
    return None


def _within(history: list[Turn], budget: int | None) -> list[Turn]:
    if budget is None:
        return history
    kept: list[Turn] = []
    for turn in reversed(history):
        budget -= len(turn.prompt) + len(turn.answer)
        if budget < 0 and kept:
            break
        kept.insert(0, turn)
    return kept


def _folded(system: str, history: list[Turn], prompt: str) -> str:
    parts = [system] if system else []
    parts.append("This is our conversation so far:")
    for turn in history:
        parts.append(f"User: {turn.prompt}")
        parts.append(f"Assistant: {turn.answer}")
    parts.append(f"Answer my next message, as the assistant:\n\n{prompt}")
    return "\n\n".join(parts)


def _distinct(messages: list[Message]) -> list[Message]:
    """Make user messages unique by line ends: gpt4free 8 drops one that equals an earlier one."""
    seen: set[str] = set()
    for message in messages:
        if message["role"] == "user":
            while message["content"] in seen:
                message["content"] += "\n"
            seen.add(message["content"])
    return messages


class Answer(str):
    """Be the text of an answer, with what is known about it.

    Attributes:
        usage: Token counts as the server sent them, or None.
        model: The model that answered.
        provider: The provider that answered.
        finish_reason: As the server said: ``stop``, ``length``, …, or None.
        status: ``complete``, ``interrupted`` or ``failed``.
        reasoning: What the model thought aloud.
        elapsed: Seconds the answer took.
        first_token: Seconds to its first token, or None.
        conversation_id: The conversation it belongs to.
    """

    usage: Mapping[str, Any] | None
    model: str
    provider: str
    finish_reason: str | None
    status: Status
    reasoning: str
    elapsed: float
    first_token: float | None
    conversation_id: str
    _shown: bool = False

    @classmethod
    def of(cls, turn: Turn, conversation_id: str) -> Answer:
        """Return the answer of `turn`."""
        answer = cls(turn.answer)
        answer.usage = turn.usage
        answer.model = turn.model
        answer.provider = turn.provider
        answer.finish_reason = turn.finish_reason
        answer.status = turn.status
        answer.reasoning = turn.reasoning
        answer.elapsed = turn.elapsed
        answer.first_token = turn.first_token
        answer.conversation_id = conversation_id
        return answer

    @property
    def markdown(self) -> str:
        """Return the answer's Markdown source, as a plain ``str``."""
        return str.__str__(self)

    @property
    def code(self) -> list[Any]:
        """Return the answer's code blocks, each with its ``language`` and ``code``."""
        from ..markdown.stream import code_blocks

        return list(code_blocks(self.markdown))

    def _ipython_display_(self) -> None:
        """Show nothing where the cell has just shown it, else leave it to the MIME bundle."""
        if not self._shown:
            raise NotImplementedError

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Show the answer rendered; IPython's own ``Markdown`` would run what is in it."""
        from ..markdown.stream import bundle

        return bundle(self.markdown)
