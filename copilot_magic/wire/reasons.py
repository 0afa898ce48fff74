"""The words in which servers say why a request failed, and what can be concluded from them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = [
    "error_message",
    "failure_message",
    "html_title",
    "lacks_schemas",
    "names_model",
    "needs_model",
    "quota_exhausted",
    "refuses_fields",
    "refuses_pictures",
    "refuses_schema",
    "retry_after",
    "too_long",
]

_NO_REASON = "no reason given"


def failure_message(body: bytes) -> str:
    """Return what the body of a failed request says, in whichever form it says it.

    The known forms are ``{"error": {"message": …}}`` (OpenAI, gpt4free), ``{"error": …}``,
    ``{"detail": …}`` (FastAPI), ``{"message": …}``, a list around one of these (Google), HTML and
    plain text.
    """
    text = body.decode("utf-8", "replace").strip()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return html_title(text) if text.startswith("<") else text
    if isinstance(value, list) and value and isinstance(value[0], dict):
        value = value[0]
    return error_message(value)


def html_title(page: str) -> str:
    """Return the title of an HTML page, else its first heading, else that it has neither."""
    import html

    for tag in ("title", "h1"):
        found = re.search(rf"<{tag}\b[^>]*>([^<]+)", page[:100_000], re.IGNORECASE)
        if found and found[1].strip():
            return html.unescape(found[1]).strip()
    return "an HTML page without a title"


def error_message(value: Any, depth: int = 0) -> str:
    """Return the message in a decoded error object of any known form."""
    if isinstance(value, str):
        return value.strip() or _NO_REASON
    if isinstance(value, dict) and depth < 3:
        for name in ("error", "message", "msg", "detail"):
            if found := value.get(name):
                message = error_message(found, depth + 1)
                # FastAPI names the field of the body that it means, as a path, in `loc`.
                if isinstance(location := value.get("loc"), list):
                    return f"{'.'.join(map(str, location))}: {message}"
                # OpenAI's codes are words, and more dependable than its sentences.
                if isinstance(code := value.get("code"), str) and code not in message:
                    return f"{message} ({code})"
                return message
    if isinstance(value, list) and value and depth < 3:
        return "; ".join(error_message(item, depth + 1) for item in value[:3])
    if value in (None, True, False) or not value:
        return _NO_REASON
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return _NO_REASON


# The usual ways to say that a prompt is too long: OpenAI, llama.cpp, vLLM, Anthropic, Google, Groq.
_TOO_LONG = r"""
  context_length_exceeded | string_above_max_length
| (maximum|max\.?|model's|available|allowed) \s context \s? (length|size|window)
| context \s (length|size|window) \s (is\s|was\s|has\sbeen\s)? (exceeded|exceeds|too)
| exceed \w* \s (the\s)? (model's\s|available\s|maximum\s|max\s)*
  (context|input\stoken|number\sof\stokens)
| (prompt|input|message|request|conversation) \s (is|was) \s too \s (long|large)
| too \s many \s (input\s|prompt\s)? tokens \b (?! .* \b(per|minute|rate)\b )
| reduce \s the \s length \s of \s the \s (messages|prompt|input)
| exceed_context_size
"""


def too_long(message: str) -> bool:
    """Say whether a server refused the conversation as too long for the model."""
    return _says(_TOO_LONG, message)


def quota_exhausted(message: str) -> bool:
    """Say whether a rate limit means that nothing is left to spend, so waiting does not help."""
    return _says("quota|billing|credit", message)


_FIELD = r"\b(provider|conversation(_id)?)\b"
_REFUSAL = r"""
  (unrecogni[sz]ed|unknown|unexpected|unsupported|invalid|extra|additional)
  \s (request\s|keyword\s)? (argument|parameter|field|name|key|property|properties|input)s?
| \b (is|was|are|were) \s (not\s)? (unsupported|unexpected|unknown|permitted|allowed|supported)
"""


def refuses_fields(status: int, message: str) -> bool:
    """Say whether a server refused one of gpt4free's fields because it does not know it."""
    return status in (400, 422) and _says(_REFUSAL, message) and bool(re.search(_FIELD, message))


_NEEDS_MODEL = r"""
  \b model \b .*
  (required|must|missing|not\sfound|not\sexist|not\sspecified|invalid|empty|blank)
| (required|must|missing|provide|specify|invalid|no|unknown) \b .* \b model \b
"""


def needs_model(status: int, message: str) -> bool:
    """Say whether a server refused a request because it named no model."""
    return status in (400, 404, 422) and _says(_NEEDS_MODEL, message, re.DOTALL)


_REFUSED = (400, 404, 422, 500, 501)

# What asks for an answer that fits a schema: OpenAI, vLLM, Groq, Together.
_SCHEMAS = r"""
  response.?format | json.?schema | json.?mode | structured.?output
| (guided|constrained) . (decoding|json|generation)
"""
# OpenRouter does not pass on what the provider said.
_SCHEMA = rf"""
  {_SCHEMAS} | \b(schema|grammar)\b | provider\sreturned\serror | requested\sparameters
"""
_LACKING = r"""
  unsupported | unavailable | (not|n't) \s support | (enabled|supported|available) \s only
| (not|only) \s (yet\s|currently\s)? (supported|available|implemented|enabled|allowed|permitted)
| (unrecogni[sz]ed|unknown|unexpected) \b .* (argument|parameter|field|name|key|property|input)
| was \s unexpected | supported \s values | (should|must) \s be | (is\snot|must\sbe) \s one \s of
"""
# A complaint about the schema that was sent, not about schemas: OpenAI, Groq, vLLM, llama.cpp.
_OF_THIS_SCHEMA = r"""
  invalid \s (json\s)? schema | \b in \s context= | json_schema\.(name|schema|strict)
| schema \s (contains|has|uses|conversion|is \s (not \s valid|invalid)|must|should)
| features? \s not \s supported | (parse|compil\w+) \b .* grammar | pattern | \$(ref|defs)
| additionalProperties | (min|max)(Items|Length|imum|Properties) | (any|one|all)Of | uniqueItems
"""


def refuses_schema(status: int, message: str) -> bool:
    """Say whether a server may have refused a request because it asks for a JSON schema."""
    return status in _REFUSED and _says(_SCHEMA, message)


def lacks_schemas(status: int, message: str) -> bool:
    """Say whether a server refused ``response_format``, whichever the schema in it."""
    lacking = refuses_schema(status, message) and _says(_SCHEMAS, message)
    return lacking and _says(_LACKING, message) and not _says(_OF_THIS_SCHEMA, message)


def names_model(message: str) -> bool:
    """Say whether a refusal is the model's rather than the server's."""
    return _says(r"\b models? \b", message)


_PICTURES = r"(image | picture | vision | visual | multi-?modal)"
# OpenAI, llama.cpp, Ollama, vLLM, OpenRouter, DeepSeek, Groq, Mistral.
_NO_PICTURES = rf"""
  {_PICTURES} s? \b (\s\w+)? \s (is|are) \s (not|only) \s (supported|enabled|available)
| (not|n't) \s (support|accept|process|handle|take) \s (\w+\s){{0,2}} {_PICTURES}
| not \s an? \s {_PICTURES} | mmproj | missing \b .* image \s input | support \s image \s input
| image_url \W* is \s (not|only) \s (\w+\s)? supported | at \s most \s 0 \s image
| (unknown|unsupported|unexpected) \b .* image_url
| unsupported \s content (\[\]\.|\spart\s) type
| content \S* \s (must|should) \s be \s (of\stype\s|an?\s)? (valid\s)? string
"""


def refuses_pictures(status: int, message: str) -> bool:
    """Say whether a server refused the pictures in a request because the model takes none."""
    return status in (*_REFUSED, 415) and _says(_NO_PICTURES, message)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that ``Retry-After`` asks to wait, given as a number or a date (RFC 9110).

    A date is compared with the server's own ``Date``, since its clock may differ from ours.
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


def _says(pattern: str, message: str, flags: int = 0) -> bool:
    # `re` compiles a pattern at its first use. Compiling all of them at import would take 2 ms.
    return bool(re.search(pattern, message, re.IGNORECASE | re.VERBOSE | flags))
