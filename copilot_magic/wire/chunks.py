"""The chunks of an answer: JSON in, deltas out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..errors import MalformedAnswerError
from ..text import one_line, well_formed
from .failures import CHECK_BASE_URL
from .reasons import error_message

__all__ = ["ChunkReader", "Delta", "Waiting"]


class Delta(NamedTuple):
    """What one event of the stream adds.

    Attributes:
        content: Text of the answer.
        reasoning: Text that the model thinks aloud; not part of the answer.
        finish_reason: Why the answer ended, on the chunk that ends it.
        usage: Token counts as the server sent them.
        continuation: gpt4free's ``conversation`` object, which continues this conversation.
        model: The model that answers, if the server named it for the first time or anew.
        provider: The provider that answers, likewise.
        error: The server's message, if it failed.
        notes: What a reader should know about how the answer arrived.
    """

    content: str = ""
    reasoning: str = ""
    finish_reason: str | None = None
    usage: Mapping[str, Any] | None = None
    continuation: Mapping[str, Any] | None = None
    model: str | None = None
    provider: str | None = None
    error: str | None = None
    notes: tuple[str, ...] = ()


class Waiting(NamedTuple):
    """An announcement of a wait, such as that before the next try; nothing is received meanwhile.

    Attributes:
        seconds: The longest that it takes; infinite if that depends on another prompt.
        reason: Why, in a few words: ``"429: too many requests"``. It is empty if the wait is over.
    """

    seconds: float
    reason: str


# `json.loads` first searches for white space on both sides, which takes a fifth of its time.
_decode_json = json.JSONDecoder().raw_decode

_OPEN, _CLOSE = "<think>", "</think>"
# No count of tokens is larger, and no object of a server's is nested deeper.
_LARGEST = 2**53
_DEEPEST = 10
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class ChunkReader:
    """A reader of the events of one answer, in their order.

    Text in a ``<think>`` block that begins the answer is reasoning. Later blocks belong to the
    answer, which may well be about such blocks.

    Args:
        redact: Removes from a text what must not appear in an error.

    Attributes:
        done: The server said ``[DONE]``.
        unreadable: How many data lines were skipped in events that could be read otherwise.
    """

    def __init__(self, redact: Callable[[str], str] = str) -> None:
        self.done = False
        self.unreadable = 0
        self._redact = redact
        # Splits the next text into answer and reasoning; None once all text is answer.
        self._split: Callable[[str], tuple[str, str]] | None = self._begin
        self._held = ""  # text whose meaning depends on what follows
        self._half = ""  # the first half of a character that JSON escapes in two
        self._model: Any = None
        self._provider: Any = None

    def read(self, data: str, event: str = "message") -> Delta | None:
        """Return what one event says, or None if it says nothing.

        Args:
            data: The event's data.
            event: The event's type; ``error`` makes it an error, whatever the data.

        Raises:
            MalformedAnswerError: The data is not a JSON object, nor is any line of it.
        """
        if data[:1] != "{":
            data = data.strip()
            if data == "[DONE]":
                self.done = True
                return self.finish()
            if not data and event != "error":
                return None
        try:
            chunk, end = _decode_json(data)
        except (ValueError, RecursionError):
            return self._read_lines(data, event)
        if type(chunk) is not dict or (end != len(data) and data[end:].strip()):
            return self._read_lines(data, event)
        # Looking for the one character first is ten times faster.
        escaped = "\\" in data and "\\u" in data
        return self._interpret(chunk, escaped, event == "error")

    def finish(self) -> Delta | None:
        """Return the text still held back when the stream ends, or None."""
        content, reasoning = self._flush()
        return Delta(content, reasoning) if content or reasoning else None

    def _read_lines(self, data: str, event: str) -> Delta | None:
        """Return what the lines of `data` say one by one: a server may forget the blank lines."""
        if event == "error":
            return Delta(error=error_message(data))
        lines = [line for line in data.split("\n") if line.strip()]
        if len(lines) < 2:
            raise self._not_a_chunk(data)
        deltas: list[Delta] = []
        unreadable = 0
        for line in lines:
            try:
                if (delta := self.read(line)) is not None:
                    deltas.append(delta)
            except MalformedAnswerError:
                unreadable += 1
        if unreadable == len(lines):
            raise self._not_a_chunk(data)
        self.unreadable += unreadable
        return _joined(deltas)

    def _interpret(self, chunk: dict[str, Any], escaped: bool, failed: bool) -> Delta | None:
        content = reasoning = ""
        finish_reason = None
        choices = chunk.get("choices")
        if choices and type(choices) is list and type(choices[0]) is dict:
            content, reasoning, finish_reason = _texts(choices[0])
        if escaped or self._half:
            content, reasoning = self._whole(content), well_formed(reasoning)
        if content and self._split is not None:
            content, thought = self._split(content)
            reasoning += thought
        if finish_reason:
            held, thought = self._flush()
            content += held
            reasoning += thought
        model, provider = chunk.get("model"), chunk.get("provider")
        model_is_new, provider_is_new = model != self._model, provider != self._provider
        self._model, self._provider = model, provider
        usage, continuation = chunk.get("usage"), chunk.get("conversation")
        if finish_reason and not usage:
            usage = _counted(chunk.get("timings"))
        error = chunk.get("error")
        if failed or chunk.get("object") == "error":
            error = error or chunk or True
        if not (content or reasoning or finish_reason or usage or continuation or error) and not (
            model_is_new or provider_is_new
        ):
            return None
        return Delta(
            content,
            reasoning,
            finish_reason,
            usage if usage and _can_be_kept(usage) else None,
            continuation if continuation and _can_be_kept(continuation) else None,
            _name(model) if model_is_new else None,
            _name(provider) if provider_is_new else None,
            error_message(error) if error else None,
        )

    def _begin(self, text: str) -> tuple[str, str]:
        """Split the first text: either it opens a block of reasoning, or all text is answer."""
        text = self._held + text
        start = text.lstrip()
        if start.startswith(_OPEN):
            self._held = ""
            self._split = self._think
            return self._think(start[len(_OPEN) :])
        if _OPEN.startswith(start):
            self._held = text
            return "", ""
        self._held = ""
        self._split = None
        return text, ""

    def _think(self, text: str) -> tuple[str, str]:
        """Split text inside the block of reasoning."""
        text = self._held + text
        thought, closed, rest = text.partition(_CLOSE)
        if closed:
            self._held = ""
            self._split = self._resume
            content, _ = self._resume(rest)
            return content, thought
        keep = next((n for n in range(len(_CLOSE) - 1, 0, -1) if text.endswith(_CLOSE[:n])), 0)
        self._held = text[len(text) - keep :]
        return "", text[: len(text) - keep]

    def _resume(self, text: str) -> tuple[str, str]:
        """Drop the white space between the reasoning and the answer."""
        text = text.lstrip()
        if text:
            self._split = None
        return text, ""

    def _flush(self) -> tuple[str, str]:
        """Return all text that was held back, as answer and reasoning."""
        held = self._held + (_REPLACEMENT if self._half else "")
        self._held = self._half = ""
        return ("", held) if self._split == self._think else (held, "")

    def _whole(self, text: str) -> str:
        """Join a character whose halves came in two chunks; replace a half without the other."""
        text = self._half + text
        self._half = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._half = text[-1]
            text = text[:-1]
        return well_formed(text)

    def _not_a_chunk(self, data: str) -> MalformedAnswerError:
        shown = one_line(self._redact(data), 80)
        return MalformedAnswerError(
            f"The server sent something that is not a chunk of an answer: {shown!r}",
            CHECK_BASE_URL,
        )


def _joined(deltas: list[Delta]) -> Delta | None:
    """Return one delta that says what all of `deltas` say."""
    if not deltas:
        return None
    later = {
        name: value
        for delta in deltas
        for name, value in delta._asdict().items()
        if value is not None
    }
    later["content"] = "".join(delta.content for delta in deltas)
    later["reasoning"] = "".join(delta.reasoning for delta in deltas)
    return Delta(**later)


def _can_be_kept(value: Any) -> bool:
    """Say whether `value` is an object that can be stored, sent and calculated with."""
    return type(value) is dict and _is_sane(value, _DEEPEST)


def _is_sane(value: Any, depth: int) -> bool:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return depth > 0 and all(_is_sane(item, depth - 1) for item in inner)
    return not isinstance(value, int) or -_LARGEST <= value <= _LARGEST


def _texts(choice: dict[str, Any]) -> tuple[str, str, str | None]:
    """Return the answer, the reasoning and the finish reason that a choice holds."""
    delta = choice.get("delta")
    if type(delta) is not dict:
        # A server that does not stream, or one with the older completions API.
        delta = choice.get("message")
        if type(delta) is not dict:
            delta = {"content": choice.get("text")}
    content = reasoning = ""
    value = delta.get("content")
    if type(value) is str:
        content = value
    elif value:
        content, reasoning = _parts(value)
    value = delta.get("reasoning") or delta.get("reasoning_content")
    if type(value) is str:
        reasoning += value
    value = choice.get("finish_reason")
    return content, reasoning, well_formed(value) if value and type(value) is str else None


def _parts(value: Any) -> tuple[str, str]:
    """Return the text and the reasoning of a content that is a list of parts."""
    content, reasoning = [], []
    for part in value if isinstance(value, list) else [value]:
        if isinstance(part, str):
            content.append(part)
        elif isinstance(part, dict):
            if isinstance(text := part.get("text"), str):
                content.append(text)
            # Mistral's reasoning is a part that is itself a list of parts.
            thoughts = part.get("thinking")
            for thought in thoughts if isinstance(thoughts, list) else [{"text": thoughts}]:
                if isinstance(thought, dict) and isinstance(text := thought.get("text"), str):
                    reasoning.append(text)
    return "".join(content), "".join(reasoning)


def _counted(timings: Any) -> dict[str, int] | None:
    """Return the token counts that llama.cpp's server sends with the last chunk of a stream."""
    if not isinstance(timings, dict):
        return None
    # The part of the prompt that the server had cached is counted separately.
    cached, read, written = (timings.get(name) for name in ("cache_n", "prompt_n", "predicted_n"))
    if not isinstance(read, int) or not isinstance(written, int):
        return None
    prompt = read + (cached if isinstance(cached, int) else 0)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
    }


def _name(value: Any) -> str | None:
    return well_formed(value) if value and isinstance(value, str) else None
