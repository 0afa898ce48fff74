"""A long block that is settled in parts reads as one."""

from __future__ import annotations

import re

import pytest
from documents import LONG
from rendering import at_once, shown_code, text_of

from copilot_magic.markdown.render import code_blocks, render


def test_the_parts_of_long_code_add_up_to_its_text() -> None:
    text = LONG["long code"]
    html = render(text)
    assert html.count("copilot-cont") >= 2
    assert html.count('class="copilot-language"') == 1
    assert shown_code(html) == code_blocks(text)[0].code + "\n"


def test_long_code_is_not_cut_inside_a_string() -> None:
    parts = re.findall("<pre>(.*?)</pre>", render(LONG["long code"]), re.DOTALL)
    assert all(part.count('"""') % 2 == 0 for part in parts)
    assert all(
        '<span class="k">def</span>' in part or '<span class="k">def ' in part for part in parts
    )


def test_a_long_numbered_list_keeps_its_numbers() -> None:
    html = render(LONG["long numbered list"])
    lists = re.findall(
        r'<ol(?: class="([^"]*)")?(?: start="(\d+)")?[^>]*>(.*?)</ol>', html, re.DOTALL
    )
    assert len(lists) > 2
    number = 1
    for _, start, items in lists:
        assert int(start or 1) == number
        number += len(re.findall("<li", items))
    assert number == 151


def test_a_list_item_in_two_parts_has_one_bullet() -> None:
    html = render(LONG["long item"])
    assert len(re.findall('<li>|<li class="copilot-more">', html)) == 3
    assert '<ol start="3"' in html or html.rstrip().endswith("<p>c</p>\n</li>\n</ol>")
    assert shown_code(html) == "x = 1\n" * 500


def test_a_long_table_repeats_its_header() -> None:
    html = render(LONG["long table"])
    tables = re.findall("<table.*?</table>", html, re.DOTALL)
    assert len(tables) > 1
    assert all(table.count("<th") == 3 for table in tables)
    assert [int(n) for n in re.findall(r"<td>(\d+)</td>", html)] == list(range(600))


@pytest.mark.parametrize("name", LONG)
def test_no_word_of_a_long_text_is_lost(name: str) -> None:
    """Left out are the headers of tables, which are repeated, and what code does: that may move."""

    def words(html: str) -> list[str]:
        return re.findall(
            r"\w+|[。！]", text_of(re.sub("<thead>.*?</thead>|⚠[^<]*", "", html, flags=re.DOTALL))
        )

    assert "".join(words(render(LONG[name]))) == "".join(words(at_once(LONG[name])))


def test_what_only_a_later_part_of_long_code_does_is_told_there() -> None:
    """The import that tells what the call is was in the first part."""
    html = render(LONG["long code with effects"])
    parts = html.split('<div class="highlight')[1:]
    assert len(parts) > 2 and "⚠" not in parts[0]
    assert [part.count("⚠ deletes files") for part in parts].count(1) == 1
    told = [part for part in parts if "⚠" in part]
    assert all("</div><pre>" in part and "o." in text_of(f"<{part}") for part in told)
