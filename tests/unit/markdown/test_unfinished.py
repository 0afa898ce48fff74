"""Text that breaks off shows what it will probably become."""

from __future__ import annotations

import pytest
from rendering import text_of

from copilot_magic.markdown.stream import Stream


def tail(text: str) -> str:
    """Return what is shown of a text that breaks off."""
    stream = Stream()
    stream.feed("x\n\n" + text)
    return stream.tail


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a **bold te", "<p>a <strong>bold te</strong></p>\n"),
        ("a **bold*", "<p>a <strong>bold</strong></p>\n"),
        ("a **", "<p>a</p>\n"),
        ("a *i **b", "<p>a <em>i <strong>b</strong></em></p>\n"),
        ("a ~~s", "<p>a <s>s</s></p>\n"),
        ("2 * 3 and a_b", "<p>2 * 3 and a_b</p>\n"),
        ("a `co", "<p>a <code>co</code></p>\n"),
        ("a ``co`d`", "<p>a <code>co`d</code></p>\n"),
        ("a `", "<p>a</p>\n"),
        ("**a `b*", "<p><strong>a <code>b*</code></strong></p>\n"),
        ("see [the pa", "<p>see the pa</p>\n"),
        ("see [the page]", "<p>see the page</p>\n"),
        ("see [the page](htt", "<p>see the page</p>\n"),
        ("see [the page](https://a.example/b_(c", "<p>see the page</p>\n"),
        ("see [1] and [0, 1", "<p>see [1] and [0, 1</p>\n"),
        ("see [1](htt", "<p>see 1</p>\n"),
        ("see [![a p", "<p>see 🖼 a p</p>\n"),
        ("see [![a plot](htt", "<p>see 🖼 a plot</p>\n"),
        ("see [the **page](htt", "<p>see the <strong>page</strong></p>\n"),
        ("see ![a plot](data:image/png;base64,AAA", "<p>see 🖼 a plot</p>\n"),
        (r"so $\frac{1", r"<p>so <code>$\frac{1</code></p>" "\n"),
        (r"so \(x", r"<p>so <code>\(x</code></p>" "\n"),
        ("it is $5 and", "<p>it is $5 and</p>\n"),
        ("$$\nx + y", "<p><code>\nx + y</code></p>\n"),
        ("text\n-", "<p>text</p>\n"),
        ("text\n=", "<p>text</p>\n"),
        ("text\n12.", "<p>text</p>\n"),
        ("- a\n-", "<ul>\n<li>a</li>\n</ul>\n"),
        ("- a\n- [", "<ul>\n<li>a</li>\n</ul>\n"),
        ("#", ""),
        ("``", ""),
        ("```pyth", ""),
        ("text\n| a | b", "<p>text</p>\n"),
        ("| a | b |\n|--", ""),
        ("## Title *a", "<h2>Title <em>a</em></h2>\n"),
    ],
)
def test_unfinished_text_shows_what_it_will_become(text: str, shown: str) -> None:
    assert tail(text) == shown


def test_a_code_block_being_written_is_a_code_block() -> None:
    shown = tail("```python\nprint(1")
    assert "copilot-code" in shown and "python" in shown
    assert text_of(shown).strip() == "pythonprint(1"
    assert tail("```python\nx\n``") == tail("```python\nx\n")


def test_a_table_being_written_is_a_table() -> None:
    shown = tail("| a | b |\n|---|---|\n| 1 | **2")
    assert "<strong>2</strong></td>" in shown
