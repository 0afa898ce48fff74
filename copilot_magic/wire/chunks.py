"""The chat-completions protocol: request bodies, what a chunk says, what a failure means."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..chat.conversation import Message
from ..errors import (
    AuthenticationError,
    BadRequestError,
    ContextLengthError,
    ErrorEventError,
    MalformedAnswerError,
    NotFoundError,
    PromptError,
    RateLimitError,
    ServerError,
    StatusError,
)
from ..text import one_line

__all__ = [
    "ChunkReader",
    "Delta",
    "Waiting",
    "again",
    "as_strict",
    "failure_message",
    "html_title",
    "is_spent",
    "needs_model",
    "refuses_fields",
    "reported_error",
    "request_body",
    "retry_after",
    "status_error",
]


class Delta(NamedTuple):
    """Hold what one event of the stream adds.

    Attributes:
        content: Text of the answer.
        reasoning: Text the model thinks aloud, not part of the answer.
        finish_reason: Why the answer ended, on the chunk that ends it.
        usage: Token counts.
        conversation: gpt4free's object that continues this conversation.
        model: The model that answers, where the server says so anew.
        provider: The provider that answers, where the server says so anew.
        error: The server's message, where it failed.
    """

    content: str = ""
    reasoning: str = ""
    finish_reason: str | None = None
    usage: Mapping[str, Any] | None = None
    conversation: Mapping[str, Any] | None = None
    model: str | None = None
    provider: str | None = None
    error: str | None = None


class Waiting(NamedTuple):
    """Announce a wait before the next try; the view shows it, nothing is received meanwhile.

    Attributes:
        seconds: How long, at the most.
        reason: Why, in a few words: ``"429: too many requests"``.
    """

    seconds: float
    reason: str


# --- What is asked --------------------------------------------------------------------------

# Fields of gpt4free's that OpenAI's own API refuses as unknown.
_EXTENSIONS = ("provider", "conversation_id", "conversation")


def request_body(
    *,
    model: str,
    provider: str,
    messages: list[Message],
    conversation_id: str,
    conversation: Mapping[str, Any] | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    strict: bool = False,
) -> dict[str, Any]:
    """Return the body to post: what gpt4free's reference client posts, and options that were given.

    Args:
        conversation: The object with which the server's last answer said how to go on.
        strict: Leave out what a server that accepts no unknown fields would refuse.
    """
    body: dict[str, Any] = {
        "model": model,
        "provider": provider,
        "stream": True,
        "messages": messages,
        "conversation_id": conversation_id,
    }
    options = {
        "conversation": conversation,
        "temperature": temperature,
        "max_tokens": max_tokens,
    }
    body.update((name, value) for name, value in options.items() if value is not None)
    return as_strict(body) if strict else body


def as_strict(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return `body` without gpt4free's extensions, and without a model that is an empty string."""
    return {
        name: value
        for name, value in body.items()
        if name not in _EXTENSIONS and not (name == "model" and not value)
    }


# --- What is answered -----------------------------------------------------------------------

# `json.loads` looks for white space on both sides first, which takes a fifth of its time.
_decode_json = json.JSONDecoder().raw_decode

_OPEN, _CLOSE = "<think>", "</think>"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class ChunkReader:
    """Read the events of one answer, in their order.

    Text in a ``<think>`` block that begins the answer is reasoning. Later blocks belong to the
    answer, which may well be about such blocks.

    Args:
        redact: Takes out of a text what must not be in an error.

    Attributes:
        done: The server said ``[DONE]``.
    """

    def __init__(self, redact: Callable[[str], str] = str) -> None:
        self.done = False
        self._redact = redact
        # What takes the next text; None once all of it belongs to the answer.
        self._take: Callable[[str], tuple[str, str]] | None = self._begin
        self._held = ""  # text of which the meaning depends on what follows
        self._half = ""  # the first half of a character that JSON escapes in two
        self._model: Any = None
        self._provider: Any = None

    def read(self, data: str, event: str = "message") -> Delta | None:
        """Return what one event says, or None where it says nothing.

        Args:
            data: The event's data.
            event: The event's type; ``error`` makes any object an error.

        Raises:
            MalformedAnswerError: The data is not a JSON object.
        """
        if data[:1] != "{":
            data = data.strip()
            if data == "[DONE]":
                self.done = True
                return self.finish()
            if not data:
                return None
        try:
            chunk, end = _decode_json(data)
        except (ValueError, RecursionError) as error:
            raise _not_a_chunk(self._redact(data)) from error
        if type(chunk) is not dict or (end != len(data) and data[end:].strip()):
            raise _not_a_chunk(self._redact(data))
        # To look for one character first is ten times faster.
        escaped = "\\" in data and "\\u" in data
        return self._interpret(chunk, escaped, event == "error")

    def finish(self) -> Delta | None:
        """Return the text still held back as the stream ends, or None."""
        content, reasoning = self._flush()
        return Delta(content, reasoning) if content or reasoning else None

    def _interpret(self, chunk: dict[str, Any], escaped: bool, failed: bool) -> Delta | None:
        content = reasoning = ""
        finish_reason = None
        choices = chunk.get("choices")
        if choices and type(choices) is list and type(choice := choices[0]) is dict:
            delta = choice.get("delta")
            if type(delta) is not dict:
                # A server that does not stream, or one of the older completions.
                delta = choice.get("message")
                if type(delta) is not dict:
                    delta = {"content": choice.get("text")}
            value = delta.get("content")
            if type(value) is str:
                content = value
            elif value:
                content, reasoning = _parts(value)
            value = delta.get("reasoning") or delta.get("reasoning_content")
            if type(value) is str:
                reasoning += value
            value = choice.get("finish_reason")
            if value and type(value) is str:
                finish_reason = _without_halves(value)
        if escaped or self._half:
            content, reasoning = self._whole(content), _without_halves(reasoning)
        if content and self._take is not None:
            content, thought = self._take(content)
            reasoning += thought
        if finish_reason:
            held, thought = self._flush()
            content += held
            reasoning += thought
        model, provider = chunk.get("model"), chunk.get("provider")
        model_is_new, provider_is_new = model != self._model, provider != self._provider
        self._model, self._provider = model, provider
        usage, conversation = chunk.get("usage"), chunk.get("conversation")
        if finish_reason and not usage:
            usage = _counted(chunk.get("timings"))
        error = chunk.get("error")
        if not error and (failed or chunk.get("object") == "error"):
            error = chunk
        if not (
            content
            or reasoning
            or finish_reason
            or usage
            or conversation
            or error
            or model_is_new
            or provider_is_new
        ):
            return None
        return Delta(
            content,
            reasoning,
            finish_reason,
            usage if type(usage) is dict else None,
            conversation if type(conversation) is dict else None,
            _name(model) if model_is_new else None,
            _name(provider) if provider_is_new else None,
            _error_message(error) if error else None,
        )

    def _begin(self, text: str) -> tuple[str, str]:
        """Take the first words: they open a block of reasoning, or they do not."""
        text = self._held + text
        start = text.lstrip()
        if start.startswith(_OPEN):
            self._held = ""
            self._take = self._think
            return self._think(start[len(_OPEN) :])
        if _OPEN.startswith(start):
            self._held = text
            return "", ""
        self._held = ""
        self._take = None
        return text, ""

    def _think(self, text: str) -> tuple[str, str]:
        text = self._held + text
        thought, closed, rest = text.partition(_CLOSE)
        if closed:
            self._held = ""
            self._take = self._resume
            content, _ = self._resume(rest)
            return content, thought
        keep = next((n for n in range(len(_CLOSE) - 1, 0, -1) if text.endswith(_CLOSE[:n])), 0)
        self._held = text[len(text) - keep :]
        return "", text[: len(text) - keep]

    def _resume(self, text: str) -> tuple[str, str]:
        """Drop the white space between the reasoning and the answer."""
        text = text.lstrip()
        if text:
            self._take = None
        return text, ""

    def _flush(self) -> tuple[str, str]:
        held = self._held + (_REPLACEMENT if self._half else "")
        self._held = self._half = ""
        return ("", held) if self._take == self._think else (held, "")

    def _whole(self, text: str) -> str:
        """Join a character whose two halves came in two chunks; halves alone are replaced."""
        text = self._half + text
        self._half = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._half = text[-1]
            text = text[:-1]
        return _without_halves(text)


def _name(value: Any) -> str | None:
    return _without_halves(value) if value and isinstance(value, str) else None


def _without_halves(text: str) -> str:
    """Return `text` with surrogate pairs joined and lone ones replaced: it can be encoded."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _counted(timings: Any) -> dict[str, int] | None:
    """Return the token counts that llama.cpp's server sends with the last chunk of a stream."""
    if not isinstance(timings, dict):
        return None
    # Of the prompt, what the server still had from an earlier request is counted apart.
    cached, read, written = (timings.get(name) for name in ("cache_n", "prompt_n", "predicted_n"))
    if not isinstance(read, int) or not isinstance(written, int):
        return None
    prompt = read + (cached if isinstance(cached, int) else 0)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
    }


def _parts(value: Any) -> tuple[str, str]:
    """Return the text and the reasoning of a content that is a list of parts."""
    content, reasoning = [], []
    for part in value if isinstance(value, list) else [value]:
        if isinstance(part, str):
            content.append(part)
        elif isinstance(part, dict):
            if isinstance(text := part.get("text"), str):
                content.append(text)
            # Mistral's reasoning: a part that is itself a list of parts.
            thoughts = part.get("thinking")
            for thought in thoughts if isinstance(thoughts, list) else [{"text": thoughts}]:
                if isinstance(thought, dict) and isinstance(text := thought.get("text"), str):
                    reasoning.append(text)
    return "".join(content), "".join(reasoning)


def _not_a_chunk(data: str) -> MalformedAnswerError:
    return MalformedAnswerError(
        f"The server sent something that is no chunk of an answer: {one_line(data, 80)!r}",
        "Check that base_url names a chat-completions server: `%copilot doctor`",
    )


# --- What went wrong ------------------------------------------------------------------------


def failure_message(body: bytes) -> str:
    """Return what the body of a failed request says, whichever way it says it.

    Known are ``{"error": {"message": …}}`` (OpenAI, gpt4free), ``{"error": …}``, ``{"detail": …}``
    (FastAPI), ``{"message": …}``, a list around one of these (Google), HTML and plain text.
    """
    text = body.decode("utf-8", "replace").strip()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return html_title(text) if text.startswith("<") else text
    if isinstance(value, list) and value and isinstance(value[0], dict):
        value = value[0]
    return _error_message(value)


def html_title(page: str) -> str:
    """Return the title of an HTML page, or its first heading, or that it has neither."""
    import html

    for tag in ("title", "h1"):
        found = re.search(rf"<{tag}\b[^>]*>([^<]+)", page[:100_000], re.IGNORECASE)
        if found and found[1].strip():
            return html.unescape(found[1]).strip()
    return "an HTML page without a title"


def _error_message(value: Any, depth: int = 0) -> str:
    if isinstance(value, str):
        return value.strip() or "no reason given"
    if isinstance(value, dict) and depth < 3:
        for name in ("error", "message", "msg", "detail"):
            if found := value.get(name):
                message = _error_message(found, depth + 1)
                # FastAPI says in `loc` which field of the body is meant, as a path.
                if isinstance(where := value.get("loc"), list):
                    return f"{'.'.join(map(str, where))}: {message}"
                # OpenAI's codes are words, and surer than its sentences.
                if isinstance(code := value.get("code"), str) and code not in message:
                    return f"{message} ({code})"
                return message
    if isinstance(value, list) and value and depth < 3:
        return "; ".join(_error_message(item, depth + 1) for item in value[:3])
    if value in (None, True, False) or not value:
        return "no reason given"
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "no reason given"


# The usual ways to say that a prompt is too long: OpenAI, llama.cpp, vLLM, Anthropic, Google, Groq.
_CONTEXT_LENGTH = re.compile(
    r"""
      context_length_exceeded | string_above_max_length
    | (maximum|max\.?|model's|available|allowed) \s context \s? (length|size|window)
    | context \s (length|size|window) \s (is\s|was\s|has\sbeen\s)? (exceeded|exceeds|too)
    | exceed \w* \s (the\s)? (model's\s|available\s|maximum\s|max\s)*
      (context|input\stoken|number\sof\stokens)
    | (prompt|input|message|request|conversation) \s (is|was) \s too \s (long|large)
    | too \s many \s (input\s|prompt\s)? tokens \b (?! .* \b(per|minute|rate)\b )
    | reduce \s the \s length \s of \s the \s (messages|prompt|input)
    | exceed_context_size
    """,
    re.IGNORECASE | re.VERBOSE,
)


def is_spent(message: str) -> bool:
    """Say whether a rate limit is one that waiting does not lift: nothing is left to spend."""
    return bool(re.search(r"quota|billing|credit", message, re.IGNORECASE))


def refuses_fields(status: int, message: str) -> bool:
    """Say whether a server refused one of gpt4free's fields as unknown to it."""
    return status in (400, 422) and bool(_REFUSAL.search(message)) and bool(_FIELD.search(message))


_FIELD = re.compile(r"\b(provider|conversation(_id)?)\b")
_REFUSAL = re.compile(
    r"""
      (unrecogni[sz]ed|unknown|unexpected|unsupported|invalid|extra|additional)
      \s (request\s|keyword\s)? (argument|parameter|field|name|key|property|properties|input)s?
    | \b (is|was|are|were) \s (not\s)? (unsupported|unexpected|unknown|permitted|allowed|supported)
    """,
    re.IGNORECASE | re.VERBOSE,
)


def needs_model(status: int, message: str) -> bool:
    """Say whether a server refused a request because it named no model."""
    return status in (400, 404, 422) and bool(_NEEDS_MODEL.search(message))


_NEEDS_MODEL = re.compile(
    r"""
      \b model \b .*
      (required|must|missing|not\sfound|not\sexist|not\sspecified|invalid|empty|blank)
    | (required|must|missing|provide|specify|invalid|no|unknown) \b .* \b model \b
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that ``Retry-After`` asks to wait, be it a number or a date (RFC 9110).

    A date is compared with the server's own ``Date``, whose clock may differ from ours.
    """
    from datetime import datetime, timezone
    from email.utils import parsedate_to_datetime

    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{0,9})?", value):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    try:
        now = parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        now = datetime.now(timezone.utc)
    if until.tzinfo is None or now.tzinfo is None:
        return None
    return max(0.0, (until - now).total_seconds())


_SHORTER = "Ask in a new conversation, `%%copilot --new`, or ask less at once"


def status_error(
    status: int,
    message: str,
    *,
    base_url: str = "",
    provider: str = "",
    with_key: bool = False,
    wait: float | None = None,
) -> StatusError:
    """Return the typed error for a failed request.

    Args:
        status: The HTTP status.
        message: What the server said, as from `failure_message`.
        base_url: The address that was configured, as it may be shown.
        provider: The provider that was asked for.
        with_key: An API key was sent along.
        wait: The seconds the server asked to wait.
    """
    from http import HTTPStatus

    try:
        name = f"{status} ({HTTPStatus(status).phrase})"
    except ValueError:
        name = str(status)
    said = f"The server answered {name}: {one_line(message)}".removesuffix(": ")
    kind, hint = _kind_and_hint(status, message, base_url, provider, with_key, wait)
    return kind(said.rstrip("."), hint, status=status, retry_after=wait)


def _kind_and_hint(
    status: int, message: str, base_url: str, provider: str, with_key: bool, wait: float | None
) -> tuple[type[StatusError], str]:
    lower = message.lower()
    if status == 413 or (status <= 500 and status != 429 and _CONTEXT_LENGTH.search(message)):
        return ContextLengthError, _SHORTER
    if status in (401, 403):
        if hint := _gpt4free_hint(message, provider):
            return AuthenticationError, hint
        if with_key:
            return AuthenticationError, "Check the API key in the environment's COPILOT_API_KEY"
        return AuthenticationError, "Put the server's API key into the environment: COPILOT_API_KEY"
    if status in (404, 405):
        if "provider" in lower:
            return NotFoundError, "See which there are: `%copilot providers`"
        if "model" in lower:
            return NotFoundError, "See which there are: `%copilot models`"
        if not re.search(r"/v\d", base_url):
            return NotFoundError, (
                "The address lacks the usual /v1: "
                f'`%config CopilotMagics.base_url = "{base_url.rstrip("/")}/v1"`'
            )
        return NotFoundError, "Check the address step by step: `%copilot doctor`"
    if status == 429:
        if is_spent(message):
            return RateLimitError, "The account behind the API key has nothing left to spend"
        pause = f"{wait:.0f} seconds" if wait and wait >= 1 else "a little"
        return RateLimitError, f"Wait {pause}, then ask again: `%copilot retry`"
    if status == 408 or status >= 500:
        return ServerError, (
            _gpt4free_hint(message, provider)
            or "Look into the server's log, or ask again: `%copilot retry`"
        )
    if 300 <= status < 400:
        return StatusError, "Check the address step by step: `%copilot doctor`"
    return BadRequestError, "Check the model and the options: `%copilot status`"


def _gpt4free_hint(message: str, provider: str) -> str:
    """Return what to do about one of gpt4free's own messages, or an empty string."""
    lower = message.lower()
    if "request execution failed" in lower:
        return (
            "gpt4free tells the reason only in its own log, in the terminal where it runs; "
            "another provider may do: `%copilot providers`"
        )
    if "missingauth" in lower or "novalidhar" in lower:
        return (
            f"Log in to {provider or 'the provider'} in the browser that the server uses, "
            "or choose another one: `%copilot providers`"
        )
    return ""


def reported_error(message: str, *, provider: str = "", begun: bool = False) -> PromptError:
    """Return the typed error for a failure that the server reported inside the stream.

    Args:
        message: What it said.
        provider: The provider that was asked for.
        begun: Part of the answer had arrived.
    """
    said = f"The server reported: {one_line(message)}".rstrip(".")
    if _CONTEXT_LENGTH.search(message):
        return ContextLengthError(said, _SHORTER)
    return ErrorEventError(said, _gpt4free_hint(message, provider) or again(begun))


def again(begun: bool) -> str:
    """Return the next step after an answer that broke off, or never began."""
    if begun:
        return "What arrived is kept; `%copilot continue` asks for the rest"
    return "Ask again: `%copilot retry`"
