"""Links and images are safe, or shown as text."""

from __future__ import annotations

import re

from documents import LONG

from copilot_magic.markdown.render import render


def test_an_unsafe_link_is_text_followed_by_its_address() -> None:
    assert render("[x](javascript:alert(1))") == "<p>x (javascript:alert(1))</p>\n"
    assert render("[*x*](/lab)") == "<p><em>x</em> (/lab)</p>\n"
    assert render("[x](//evil.example)") == "<p>x (//evil.example)</p>\n"
    assert render("[x]()") == "<p>x</p>\n"
    assert render("<foo:bar>") == "<p>foo:bar</p>\n"


def test_an_image_is_a_link_unless_images_are_allowed() -> None:
    text = "![a *b*](https://a.example/i.png 'title')"
    assert render(text) == (
        '<p><a href="https://a.example/i.png" target="_blank" rel="noopener noreferrer">🖼 a '
        "b</a></p>\n"
    )
    assert render(text, remote_images=True) == (
        '<p><img src="https://a.example/i.png" alt="a b" referrerpolicy="no-referrer" '
        'loading="lazy"></p>\n'
    )
    assert render("![a](/files/i.png)", remote_images=True) == "<p>🖼 a (/files/i.png)</p>\n"


def test_an_image_in_a_link_becomes_the_text_of_the_link() -> None:
    assert render("[![a](https://a.example/i.png)](https://b.example)") == (
        '<p><a href="https://b.example" target="_blank" rel="noopener noreferrer">🖼 a</a></p>\n'
    )


def test_an_image_in_the_text_itself_is_shown_if_it_is_made_of_pixels() -> None:
    assert '<img src="data:image/png;base64,iVBORw0KGgo="' in render(
        "![a](data:image/png;base64,iVBORw0KGgo=)"
    )
    assert render("![a](data:image/svg+xml;base64,PHN2Zz4=)") == "<p>🖼 a</p>\n"
    assert len(re.findall("<img ", render(LONG["image in the text"]))) == 1


def test_bare_addresses_are_links() -> None:
    html = render(
        "See https://a.example/b_c_(d)?e=f&g. (http://h.example) **https://i.example** "
        "`https://j.example`"
    )
    assert re.findall('href="([^"]*)"', html) == [
        "https://a.example/b_c_(d)?e=f&amp;g",
        "http://h.example",
        "https://i.example",
    ]
    assert render("https://a.example/b_c_d").count("<em>") == 0
    assert render("xhttps://a.example https:// nothttp:x").count("<a ") == 0


def test_a_link_is_not_in_another_link() -> None:
    assert render("[<https://a.example>](mailto:b)").count("<a ") == 1
    assert 'href="https://a.example"' in render("[<https://a.example>](javascript:b)")
