"""The parser copes with any text, and adds directions and task signs."""

from __future__ import annotations

import pytest
from markdown_it.ruler import Ruler
from rendering import check, streamed

from copilot_magic.markdown.parser import markdown_parser
from copilot_magic.markdown.render import bundle, render


def test_control_characters_are_visible_in_code_and_removed_from_prose() -> None:
    assert "&lt;U+202E&gt;" in render("```\na\u202eb\n```")
    assert "␛[0m" in render("`\x1b[0m`\n\n    \x1b[0m")
    assert render("a\u202eb\x1b\x00") == "<p>ab\ufffd</p>\n"


def test_surrogates_are_joined_or_replaced() -> None:
    assert "".join(streamed(["\ud83d", "\ude00 \ud83d"])) == "<p>\U0001f600 \ufffd</p>\n"
    for value in bundle("\ud83d").values():
        value.encode()


def test_deep_nesting_neither_fails_nor_hangs() -> None:
    for text in (
        ">" * 10_000,
        "> " * 10_000,
        "[" * 10_000,
        "- " * 5_000,
        "*a" * 5_000,
        "`a" * 5_000,
    ):
        check(render(text))


def test_right_to_left_text_carries_its_direction() -> None:
    assert render("שלום") == '<p dir="rtl" style="text-align:start">שלום</p>\n'
    assert render("hello") == "<p>hello</p>\n"
    html = render("- **אחת**\n- two\n\n# Title\n\n```\nא\n```")
    assert html.startswith('<ul dir="rtl" style="text-align:start">\n<li><strong>אחת')
    assert 'dir="ltr" style="margin-bottom:1em"><pre><code>א' in html
    assert 'dir="ltr"' in render("hello\nשלום")
    assert 'dir="rtl"' not in render("-\n- ```\n  x\n  ```\n- א")
    assert render("- \n\n\n* \u05b0\n-").startswith("<ul")


def test_a_task_is_a_sign_not_a_form_field() -> None:
    assert (
        render("- [ ] a\n- [x] b\n- [y] c")
        == "<ul>\n<li>☐ a</li>\n<li>☑ b</li>\n<li>[y] c</li>\n</ul>\n"
    )


def test_the_rules_are_compiled_before_two_threads_can_share_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """markdown-it compiles them at first use, without a lock."""
    markdown_parser.cache_clear()
    markdown_parser(False)
    monkeypatch.delattr(Ruler, "__compile__")
    assert render("# *a*\n\n| b |\n|---|") != ""
