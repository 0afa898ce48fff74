"""What a prompt would send, for a reader: ``--dry-run``."""

from __future__ import annotations

import json

from ..chat.conversation import Conversation
from ..chat.prompt import Content, Message, Part, text_of
from ..text import count_of, without_credentials
from .arguments import PromptLine
from .prompting import answer_type, make_prompt
from .shell import Notebook

__all__ = ["preview_prompt"]


def preview_prompt(notebook: Notebook, text: str, line: PromptLine) -> str:
    """Return, for a reader, what asking `text` would send; nothing is sent or changed."""
    session = notebook.session
    if line.new:
        conversation = Conversation(system=session.settings.system)
    elif line.conversation:
        conversation = session.library.preview(line.conversation)
    else:
        conversation = session.library.current
    wanted = answer_type(line.as_, notebook.namespace)
    prompt = make_prompt(notebook, text, line, wanted=wanted)
    body = session.preview(prompt, conversation)
    messages = body.pop("messages")
    size = sum(len(text_of(message["content"])) for message in messages)
    url = without_credentials(session.settings.base_url).rstrip("/")
    lines = [
        f"POST {url}/chat/completions (dry run: nothing is sent)",
        json.dumps(body, ensure_ascii=False),
        f"{count_of(len(messages), 'message')}, {count_of(size, 'character')}, "
        f"about {count_of(size // 4 + 1, 'token')}{_pictures(messages)}",
        *prompt.notes,
    ]
    for message in messages:
        lines += ["", f"[{message['role']}]", _readable(message["content"])]
    return "\n".join(lines)


def _pictures(messages: list[Message]) -> str:
    """Return how many pictures there are, which count by their pixels, not by their characters."""
    lists = [message["content"] for message in messages if not isinstance(message["content"], str)]
    count = sum(part.get("type") == "image_url" for parts in lists for part in parts)
    return f" and {count_of(count, 'picture')}" if count else ""


def _readable(content: Content) -> str:
    """Return the content of a message for a reader: its text, and what its other parts are."""
    if isinstance(content, str):
        return content
    others = [_named(part) for part in content if part.get("type") != "text"]
    return "\n".join([text_of(content), *(f"[{name}]" for name in others)])


def _named(part: Part) -> str:
    url = str(part.get("image_url", {}).get("url", "")) if "image_url" in part else ""
    kind, mark, data = url.partition(";base64,")
    if mark:
        return f"{kind.removeprefix('data:')}, {len(data) * 3 // 4:,} bytes"
    return url or str(part.get("type"))
