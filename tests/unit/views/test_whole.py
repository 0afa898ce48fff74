"""A whole answer in the outputs of its parts: together always the whole, with few changes."""

from __future__ import annotations

import re

import pytest
from documents import LONG
from hypothesis import given
from hypothesis import strategies as st
from rendering import at_once, text_of

from copilot_magic.markdown.render import render
from copilot_magic.views.whole import fit, joined, top_level

BLOCKS = st.lists(st.sampled_from([f"<p>{word}</p>\n" for word in "abcdef"] + ["<hr>\n"]))


@given(st.lists(BLOCKS, min_size=1), BLOCKS)
def test_the_pieces_are_always_the_whole(parts: list[list[str]], whole: list[str]) -> None:
    pieces = fit(["".join(part) for part in parts], "".join(whole))
    assert len(pieces) == len(parts)
    assert "".join(pieces) == "".join(whole)


@given(st.lists(BLOCKS, min_size=1))
def test_what_did_not_change_stays_where_it_is(parts: list[list[str]]) -> None:
    htmls = ["".join(part) for part in parts]
    assert fit(htmls, "".join(htmls)) == htmls


def test_a_block_that_became_one_is_in_the_first_of_its_places() -> None:
    parts = ["<p>a</p>", "<p>b</p><ul>1</ul>", "<ul>2</ul>", "<ul>3</ul><p>c</p>", "<p>d</p>"]
    whole = "<p>a</p><p>b</p><ul>123</ul><p>c</p><p>d</p>"
    assert fit(parts, whole) == ["<p>a</p>", "<p>b</p><ul>123</ul><p>c</p>", "", "", "<p>d</p>"]


def test_a_block_that_changed_stays_in_its_place() -> None:
    parts = ["<p>a</p><p>[b]</p>", "<p>[c]</p>", "<p>d</p>"]
    whole = "<p>a</p><p><a>b</a></p><p><a>c</a></p><p>d</p>"
    assert fit(parts, whole) == ["<p>a</p><p><a>b</a></p>", "<p><a>c</a></p>", "<p>d</p>"]


def test_an_empty_part_stays_empty() -> None:
    parts = ["", "<p>[a]</p>", "<p>b</p>", ""]
    assert fit(parts, "<p>A</p><p>b</p>") == ["", "<p>A</p>", "<p>b</p>", ""]


def test_blocks_are_taken_apart_where_they_begin() -> None:
    html = "<p>a<br>b</p>\n<hr>\n<div><p>c</p><p>d</p></div>\n<p>e</p>"
    assert top_level(html) == [
        "<p>a<br>b</p>\n",
        "<hr>\n",
        "<div><p>c</p><p>d</p></div>\n",
        "<p>e</p>",
    ]


@pytest.mark.parametrize("name", sorted({*LONG} - {"long string in code", "long formula"}))
def test_a_block_that_was_settled_in_parts_is_one_block_again(name: str) -> None:
    html = joined(render(LONG[name]))
    assert "copilot-cont" not in html and "copilot-more" not in html
    for tag in ("table", "thead", "ul", "ol", "li", "pre", "blockquote", "p"):
        assert html.count(f"<{tag}") == at_once(LONG[name]).count(f"<{tag}"), tag
    expected = "".join(text_of(at_once(LONG[name])).split())
    assert "".join(text_of(html).split()) == expected


def test_a_long_list_in_one_block_is_what_it_is_without_streaming() -> None:
    for name in ("long bullet list", "long numbered list", "long table", "long quoted code"):
        assert joined(render(LONG[name])) == at_once(LONG[name])


def test_what_the_parts_of_code_do_is_told_once_above_all_of_it() -> None:
    for prefix in ("", "> ", "  "):
        code = "".join(f"{prefix}{line}\n" for line in LONG["long code with effects"].splitlines())
        text = f"- a\n\n{code}" if prefix == "  " else code
        html = joined(render(text))
        assert html.count("copilot-effects") == 1
        assert "⚠ deletes files · starts processes</div><pre><code>" in html
        assert "".join(text_of(html).split()) == "".join(text_of(at_once(text)).split())


def test_what_the_first_part_of_code_does_is_told_with_the_rest() -> None:
    text = LONG["long code with effects"].replace("o\n", "o\nopen('a', 'w')\n", 1)
    short = "```py\neval(x)\n```\n"
    html = joined(render(f"{short}{text}{short}"))
    told = "⚠ deletes files · writes files · starts processes"
    assert re.findall("⚠ [^<]*", html) == ["⚠ runs text as code", told, "⚠ runs text as code"]
