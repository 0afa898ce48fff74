"""Harmless tags are shown as HTML if they are balanced, everything else as text."""

from __future__ import annotations

import pytest
from rendering import check, text_of

from copilot_magic.markdown.render import render
from copilot_magic.markdown.stream import Stream


@pytest.mark.parametrize("name", ["sub", "sup", "kbd", "b", "i", "u", "s", "mark", "small"])
def test_a_balanced_tag_is_html(name: str) -> None:
    assert render(f"a <{name}>*b*</{name}>") == f"<p>a <{name}><em>b</em></{name}></p>\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a<br>b<br/>c<br />d", "a<br>\nb<br>\nc<br>\nd"),
        ("<b>a", "&lt;b&gt;a"),
        ("a</b>", "a&lt;/b&gt;"),
        ("<b><i>a</b>", "<b>&lt;i&gt;a</b>"),
        ("<b>a</b></b>", "<b>a</b>&lt;/b&gt;"),
        ("<b>*a</b>*", "&lt;b&gt;<em>a&lt;/b&gt;</em>"),
        ("*<b>a*</b>", "<em>&lt;b&gt;a</em>&lt;/b&gt;"),
        ("<B>a</B>", "&lt;B&gt;a&lt;/B&gt;"),
        ("<b >a</b >", "&lt;b &gt;a&lt;/b &gt;"),
        ("<b class=x>a</b>", "&lt;b class=x&gt;a&lt;/b&gt;"),
        ("<em>a</em>", "&lt;em&gt;a&lt;/em&gt;"),
        ("`<b>a</b>`", "<code>&lt;b&gt;a&lt;/b&gt;</code>"),
        ("\\<b>a</b>", "&lt;b&gt;a&lt;/b&gt;"),
        ("<summary>a</summary>", "&lt;summary&gt;a&lt;/summary&gt;"),
        ("<b><b>a</b></b>", "<b><b>a</b></b>"),
    ],
)
def test_everything_else_is_text(text: str, shown: str) -> None:
    assert render(text) == f"<p>{shown}</p>\n"


def test_tags_in_each_other_have_a_limit() -> None:
    html = render("<b>" * 100 + "x" + "</b>" * 100)
    check(html)
    assert html.count("<b>") == html.count("</b>") == 20


def test_a_tag_being_written_is_closed_and_its_start_is_not_shown() -> None:
    stream = Stream()
    shown = []
    for character in "a <sub>b</sub> <":
        stream.feed(character)
        check(stream.tail)
        shown.append(text_of(stream.tail).strip())
    assert shown == ["a"] * 7 + ["ab".replace("ab", "a b")] * 8 + ["a b"]


def test_details_are_folded_with_what_is_in_them() -> None:
    html = render("<details>\n<summary>A *b*</summary>\n\n- c\n\n```\nd\n```\n</details>\ne")
    check(html)
    assert html.startswith("<details>\n<summary>A <em>b</em></summary>\n<ul>\n<li>c</li>\n</ul>\n")
    assert html.endswith("</div>\n</details>\n<p>e</p>\n")
    assert render("<details><summary>a</summary>\nb\n</details>").count("<p>b</p>") == 1


def test_details_that_are_not_closed_or_too_long_are_text() -> None:
    assert render("<details>\n\na").startswith("<p>&lt;details&gt;</p>\n<p>a</p>")
    html = render("<details>\n\n" + "Some words.\n\n" * 1_000 + "</details>\n")
    check(html)
    assert "&lt;details&gt;" in html and "&lt;/details&gt;" in html
    assert render("<details open>\na\n</details>").count("<details") == 0


def test_details_are_settled_only_when_they_are_closed() -> None:
    stream = Stream()
    assert stream.feed("<details>\n\na\n\nb\n\n") == []
    assert stream.tail == "<details>\n<p>a</p>\n<p>b</p>\n</details>\n"
    assert "</details>" in "".join(stream.feed("</details>\n"))


def test_a_footnote_is_a_number_above_the_line() -> None:
    assert render("a[^1].\n\n[^1]: B.\n[^2]: https://c.example") == (
        "<p>a<sup>1</sup>.</p>\n<p><sup>1</sup> B.<br>\n<sup>2</sup> "
        '<a href="https://c.example" target="_blank" rel="noopener noreferrer">'
        "https://c.example</a></p>\n"
    )
    assert render("[^a-z] and [^0-9] `[^1]`") == ("<p>[^a-z] and [^0-9] <code>[^1]</code></p>\n")
    assert render("so [^1]: x") == "<p>so <sup>1</sup>: x</p>\n"
