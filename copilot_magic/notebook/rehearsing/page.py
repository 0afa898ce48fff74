"""A rehearsal as HTML and as text: its summary, and below it, folded, the output."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

from ...text import count_of, escape
from .reading import Output

__all__ = ["html_page", "line_in_html", "text_page"]

_PICTURES = 20
_CODE = re.compile(r"`([^`]+)`")


def html_page(line: str, error: str, streams: Sequence[str], outputs: Sequence[Output]) -> str:
    """Return HTML in which everything from the copy is text or a picture, and nothing runs.

    Args:
        line: The summary.
        error: The error with its traceback, or an empty string.
        streams: What was printed.
        outputs: What was displayed.
    """
    parts = [_pre(text) for text in (*streams, error) if text]
    pictures = 0
    for output in outputs:
        png, text = output.get("image/png"), output.get("text/plain")
        if isinstance(png, bytes) and pictures < _PICTURES:
            pictures += 1
            data = base64.b64encode(png).decode("ascii")
            alt = escape(text[:200]) if isinstance(text, str) else "picture"
            style = "max-width:100%;background:#fff"
            parts.append(f'<img src="data:image/png;base64,{data}" alt="{alt}" style="{style}">')
        elif isinstance(text, str):
            parts.append(_pre(text))
    folded = ""
    if parts:
        what = _heading(bool(error), len(parts) > pictures + bool(error), pictures)
        folded = f"<details><summary>{what}</summary>{''.join(parts)}</details>"
    # JupyterLab's MathJax looks for the second class, nbconvert's for the third.
    classes = "copilot-rehearsal mathjax_ignore tex2jax_ignore"
    return f'<div class="{classes}" dir="ltr"><div>{line_in_html(line)}</div>{folded}</div>'


def line_in_html(line: str) -> str:
    """Return the summary line as HTML, with the names in it as code."""
    return _CODE.sub(r"<code>\1</code>", escape(line))


def text_page(line: str, error: str, streams: Sequence[str], outputs: Sequence[Output]) -> str:
    """Return the same as text, where pictures are only named."""
    texts = [*streams, *(str(output.get("text/plain", "(a picture)")) for output in outputs), error]
    blocks = ["\n".join(f"    {each}" for each in text.split("\n")) for text in texts if text]
    return "\n".join([line, *blocks])


def _heading(has_error: bool, has_text: bool, pictures: int) -> str:
    what = [
        *(["output"] if has_text else []),
        *([count_of(pictures, "picture")] if pictures else []),
        *(["the error"] if has_error else []),
    ]
    *others, last = what
    text = f"{', '.join(others)} and {last}" if others else last
    return text[:1].upper() + text[1:]


def _pre(text: str) -> str:
    return f"<pre>{escape(text)}</pre>"
