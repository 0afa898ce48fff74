"""A rehearsal as HTML, in which nothing of the copy's runs."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hostile import PAYLOADS

from copilot_magic.notebook.rehearsing.page import html_page, line_in_html, text_page

TAGS = {"div", "code", "details", "summary", "pre", "img"}
ATTRIBUTES = {"class", "dir", "src", "alt", "style"}


class Elements(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", PAYLOADS)
def test_hostile_text_is_only_text(name: str) -> None:
    text = PAYLOADS[name]
    output = {"text/plain": text, "image/png": b"\x89PNG", "text/html": text}
    page = Elements(html_page(text, text, [text, text], [output, {"text/plain": text}]))
    assert set(page.tags) <= TAGS
    assert {name for name, _ in page.attributes} <= ATTRIBUTES
    sources = [value or "" for name, value in page.attributes if name == "src"]
    assert sources == ["data:image/png;base64," + base64.b64encode(b"\x89PNG").decode()]


def test_without_output_there_is_only_the_line() -> None:
    html = html_page("ran: defines `x` (int 1)", "", ["", ""], [])
    assert "<details" not in html
    assert "defines <code>x</code> (int 1)" in html


@pytest.mark.parametrize(
    ("error", "streams", "outputs", "heading"),
    [
        ("", ["text"], [], "Output"),
        ("E", [], [], "The error"),
        ("E", ["text"], [], "Output and the error"),
        ("", [], [{"image/png": b"x"}], "1 picture"),
        ("E", ["t"], [{"image/png": b"x"}] * 2, "Output, 2 pictures and the error"),
    ],
)
def test_the_fold_says_what_is_below_it(
    error: str, streams: list[str], outputs: list[Any], heading: str
) -> None:
    html = html_page("line", error, streams, outputs)
    assert re.findall("<summary>(.*?)</summary>", html) == [heading]


def test_a_name_in_the_line_is_code() -> None:
    assert line_in_html("a `b<c` d `e`") == "a <code>b&lt;c</code> d <code>e</code>"


def test_as_text_a_picture_is_named() -> None:
    assert text_page("line", "", ["a\nb"], [{"image/png": b"x"}]) == (
        "line\n    a\n    b\n    (a picture)"
    )
