"""Blocks are settled as early as possible, and render as the parser renders the whole text."""

from __future__ import annotations

import re
from functools import partial

from documents import TEXTS
from hypothesis import given, settings
from rendering import at_once

from copilot_magic.markdown.render import render
from copilot_magic.markdown.stream import Stream


def test_a_block_is_settled_by_the_line_that_ends_it() -> None:
    stream = Stream()
    assert stream.feed("# Title\n") == ["<h1>Title</h1>\n"]
    assert stream.feed("text") == []
    assert stream.feed("\n\n") == ["<p>text</p>\n"]
    assert stream.feed("- a\n- b\n\n") == []
    assert "<li>a</li>" in "".join(stream.feed("```\n"))
    assert stream.feed("code\n\n") == []
    assert "code" in "".join(stream.feed("```\n"))
    assert stream.feed("text\n") == []
    assert stream.feed("***\n") == ["<p>text</p>\n<hr>\n"]
    assert stream.tail == ""


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_settling_block_by_block_equals_parsing_the_whole_text(text: str) -> None:
    """Block formulas and ``<details>`` are left out: they may differ."""
    text = (
        text.replace("<details>", "details")
        .replace("$$", "$")
        .replace("\\[", "[")
        .replace("\\begin", "begin")
    )
    text = re.sub("\r\n?", "\n", text)
    whole = at_once(text if text.endswith("\n") else f"{text}\n")
    undirected = partial(re.sub, ' dir="..."(?: style="text-align:start")?', "")
    assert undirected(render(text)) == undirected(whole)


def test_a_link_definition_counts_for_the_whole_text_once_that_is_there() -> None:
    assert "<a " in render("[a]: https://a.example\n\ntext\n\n[a]")
    late = "[a]\n\ntext\n\n[a]: https://a.example"
    stream = Stream()
    assert "<a " not in "".join(stream.feed(late)) and not stream.defines_late
    assert "<a " not in "".join(stream.finish()) and stream.defines_late
    assert '<a href="https://a.example"' in render(late)
    assert '<a href="https://a.example"' in "".join(
        Stream(definitions=stream.definitions).feed(late)
    )


def test_the_first_definition_of_a_label_counts() -> None:
    html = render("[a]\n\n[a]: https://b.example\n\n[a]\n\n[A]: https://c.example\n")
    assert html.count('href="https://b.example"') == 2
