"""Code is highlighted, and no character of it changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rendering import shown_code, text_of

from copilot_magic.markdown.code import GrowingCode
from copilot_magic.markdown.render import render
from copilot_magic.markdown.stream import Stream
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


def test_what_code_does_is_told_above_it() -> None:
    html = render("```python\nopen(x, 'w')\n```")
    assert (
        '<div class="copilot-language">python</div>'
        '<div class="copilot-effects">⚠ writes files</div><pre><code>'
    ) in html
    assert shown_code(html) == "open(x, 'w')\n"
    assert "copilot-effects" in render("    import os\n    os.remove(x)")
    for other in ("```python\nx = 1\n```", "```js\neval(x)\n```", "`open(x, 'w')`"):
        assert "copilot-effects" not in render(other)


def test_nothing_is_told_of_code_that_is_being_written() -> None:
    stream = Stream()
    stream.feed("```python\nos.remove(x)\n")
    assert "copilot-effects" not in stream.tail
    assert "copilot-effects" in "".join(stream.feed("```\n"))


def test_effects_in_one_block_are_told_again_of_the_next() -> None:
    assert render("```py\nos.remove(x)\n```\n\n" * 2).count("⚠ deletes files") == 2


def test_telling_effects_costs_code_no_colours() -> None:
    code = "```python\n" + "open(x)[0] = [y for y in z]\n" * 3_000 + "os.remove(x)\n```\n"
    with_effects = Stream()
    html = "".join(with_effects.feed(code) + with_effects.finish())
    assert "⚠ deletes files" in html
    parts = html.split("<pre>")[1:]
    assert all('<span class="k">' in part for part in parts[:-1])
