"""Code is highlighted, and no character of it changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rendering import shown_code, text_of

from copilot_magic.markdown.code import GrowingCode
from copilot_magic.markdown.render import render
from copilot_magic.markdown.work import Work


def test_text_wraps_and_code_keeps_its_lines() -> None:
    assert "copilot-wrap" in render("```text\na long prompt\n```")
    assert "copilot-wrap" not in render("```python\nx = 1\n```")


def test_code_is_highlighted_with_the_classes_that_themes_style() -> None:
    html = render("```python\ndef f(): return 'a' # b\n```")
    assert html.startswith(
        '<div class="highlight copilot-code" dir="ltr" style="margin-bottom:1em">'
    )
    for part in (
        '<span class="k">def',
        '<span class="nf">f',
        '<span class="s1">\'a',
        '<span class="c1"># b',
    ):
        assert part in html


@pytest.mark.parametrize(
    "language", ["py", "python3", "console", "diff", "dockerfile", "bash", "c++", "json"]
)
def test_common_language_names_are_known(language: str) -> None:
    source = "+ FROM class\n$ true 1 'x' # y\n- z\n"
    assert "<span class=" in render(f"```{language}\n{source}```")


def test_an_unknown_language_is_named_and_its_code_plain() -> None:
    html = render("```nosuch&lt; x\na < b\n```")
    assert '<div class="copilot-language">nosuch</div><pre><code>a &lt; b\n</code></pre>' in html


@given(
    st.text(alphabet="ab\n\t \\'\"#/*<>&{}\x1b", max_size=80),
    st.sampled_from(["python", "c", "html", "nosuch", ""]),
)
def test_code_is_shown_character_by_character(code: str, language: str) -> None:
    shown = render(f"~~~~{language}\n{code}\n~~~~\n")
    assert shown_code(shown) == code.replace("\x1b", "␛") + "\n"


@pytest.mark.parametrize("language", ["python", "nosuch"])
def test_growing_code_is_shown_character_by_character(language: str) -> None:
    code = ("def f(a):\n    return '''\n" + "text\n" * 50 + "'''\n") * 5
    growing = GrowingCode()
    for size in range(0, len(code), 101):
        shown = text_of(growing.highlighted(code[:size], language, Work()))
        assert shown.removesuffix("\n") == code[:size].removesuffix("\n")
