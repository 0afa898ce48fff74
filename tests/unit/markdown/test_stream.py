"""Markdown becomes safe HTML, the same however the text arrived."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from functools import partial
from html.parser import HTMLParser
from typing import Any

import pytest
from hostile import PAYLOADS
from hypothesis import example, given, settings
from hypothesis import strategies as st

from copilot_magic.markdown import stream as markdown
from copilot_magic.markdown.stream import (
    CodeBlock,
    Stream,
    bundle,
    code_blocks,
    escape,
    plain,
    render,
    root,
)

# --- What may be in the output ------------------------------------------------------------------

BLOCKS = "p h1 h2 h3 h4 h5 h6 ul ol li blockquote th td"
DIRECTED = {"dir": "ltr|rtl", "style": "text-align:(start|left|right|center)"}
LINK = {
    "href": r"(https?://[^/?#@\\\s]+([/?#].*)?|mailto:.*)",
    "target": "_blank",
    "rel": "noopener noreferrer",
}
IMAGE = {
    "src": r"(https?://[^/?#@\\\s]+([/?#].*)?|data:image/(png|jpeg|gif|webp);base64,[\w+/=]+)",
    "alt": ".*",
    "referrerpolicy": "no-referrer",
    "loading": "lazy",
}
# Each tag with the attributes it may have, and what their values must match.
ALLOWED: dict[str, dict[str, str]] = {
    **{
        tag: {**DIRECTED, "class": "copilot-(cont|more)( copilot-(cont|more))?"}
        for tag in BLOCKS.split()
    },
    "a": LINK,
    "div": {
        "class": "copilot-table|copilot-language|highlight copilot-code( copilot-(cont|more))*",
        "dir": "ltr",
        "style": "margin-bottom:1em",
    },
    "span": {"class": r"\w{1,3}|copilot-math mathjax_process tex2jax_process"},
    "table": {"class": "copilot-(cont|more)( copilot-(cont|more))?"},
    **{tag: {} for tag in ["strong", "em", "s", "code", "pre", "thead", "tbody", "tr", "hr", "br"]},
}
ALLOWED["ol"]["start"] = r"\d{1,10}"
VOID = {"br", "hr", "img"}


class Checker(HTMLParser):
    """Assert that HTML is balanced and holds nothing but what `ALLOWED` lists."""

    def __init__(self, images: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.allowed = {**ALLOWED, "img": IMAGE} if images else ALLOWED
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.allowed, f"<{tag}>"
        for name, value in attrs:
            assert name in self.allowed[tag], f"<{tag} {name}>"
            assert re.fullmatch(self.allowed[tag][name], value or "", re.DOTALL), (
                f"{name}={value!r}"
            )
        assert len({name for name, _ in attrs}) == len(attrs)
        if tag == "a":
            assert dict(attrs).keys() == LINK.keys()
            assert "a" not in self.open
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}>"

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"<!--{data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"<!{decl}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"<?{data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"<![{data}")


def check(html: str, images: bool = False) -> None:
    checker = Checker(images)
    checker.feed(html)
    checker.close()
    assert checker.open == []
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html
    )
    for formula in re.findall(r'tex2jax_process">(.*?)</span>', html, re.DOTALL):
        assert not re.search(
            r"\\(def|let|gdef|(re)?newcommand|require|href|url|class|style|cssId|html|data|bbox|csname"
            r"|Declare|mmlToken|unicode)",
            formula,
        )


def text_of(html: str) -> str:
    """Return the text that a reader sees."""
    seen: list[str] = []
    parser = HTMLParser(convert_charrefs=True)
    parser.handle_data = seen.append  # type: ignore[method-assign]
    parser.feed(html)
    parser.close()
    return "".join(seen)


# --- Texts --------------------------------------------------------------------------------------

DOCUMENTS = {
    "headings": (
        "# One\n\nSetext *one*\n=====\n\nSetext\ntwo\n---\ntext\n## Two ##\n###### Six\n"
        "#no heading\n"
    ),
    "paragraphs": "a\nb  \nc\\\nd\n\n\n  e\n      f\n\ttab\n",
    "emphasis": (
        "*a* **b** ***c*** _d_ __e__ ~~f~~ a*b*c a_b_c **a *b* c** * d * 2*3*4 **not\n\nclosed**\n"
    ),
    "links": (
        "[a](https://a.example/b_c_d 'title') <https://b.example> [c][1] [1] "
        "![i](https://c.example/i.png)"
        "\n\nhttps://d.example/x_(y)_z. (https://e.example/), http://f.example/?a=b&c=d#e\n"
    ),
    "definitions": (
        "[1]: https://a.example\n[2]:\nhttps://b.example\n'title'\n\n[x][1] [1] [2]\n\n"
        "> [3]: https://c.example\n\n[3]\n"
    ),
    "code spans": "`a` ``b ` c`` ` d `` e ` f\n`g\nh`\n",
    "fences": (
        "a\n```python\ndef f():\n\n    return '''\n```\n\n~~~\n```\n~~~\n````md\n```\n````\n"
        "```\nunclosed\n\n"
    ),
    "indented code": "a\n\n    code\n\n    more\n\n      and\ntext\n    lazy\n",
    "tight lists": (
        "- a\n- b\n  c\nd\n- e\n  - f\n    - g\n  - h\n* other\n+ third\n1. x\n2. y\n3) z\n"
    ),
    "loose lists": (
        "- a\n\n- b\n\n\n- c\n\n  d\n\n      code\n\n  ```\n  fence\n\n  ```\n10. ten\n\n"
        "    more\n11. eleven\n"
    ),
    "tasks": "- [ ] a\n- [x] b\n  1. [X] c\n- [y] d\n- [ ]e\n",
    "quotations": "> a\nlazy\n> - b\n>   c\n\n> # d\n>\n> > e\nf\n> ```\n> code\n\ng\n",
    "tables": (
        "| a | b |\n|:--|--:|\n| 1 | `x|y` |\n| 2 |\n\na | b\n:-:|-\n*c* | d | e\ntext\n\n"
        "| no | table\n| -- |\n"
    ),
    "rules": "a\n\n---\n***\n_ _ _\n- - -\n",
    "formulas": (
        "$a_1 * b_1 * c$ and $5 and $6, $$x_1$$ \\(a\\) \\[b\\] \\$1 $2$\n\n$$\na\n- b\n= c\n"
        "$$\n\n\\[\n\\begin{matrix}\n"
        "a & b \\\\\nc\n\\end{matrix}\n\\]\n\\begin{align*}\na &= b\n\\end{align*}\n\n- $$\n  x\n"
        "  $$\n- b\n\n$$\nunclosed\n\n$$ x $$\n"
    ),
    "entities": "&amp; &lt;b&gt; &copy; &#35; &#x1F600; &nosuch; &\n",
    "escapes": "\\*a\\* \\# \\[x\\](y) \\<b> \\\\ \\`c\\` 1\\. \\| \\~\n",
    "html": "<div>\n*a*\n</div>\n\n<!-- b --> <b>c</b>\n",
    "right to left": (
        "# שלום\n\nمرحبا *hello* `code`\n\n- אחת\n- two\n\n| א |\n|---|\n| ب |\n\n```\nא\n```\n"
    ),
    "chinese": "你好，**世界**。列表：\n- 一\n- 二\n\n见 https://a.example/x，谢谢。\n",
    "line ends": "a\r\nb\rc\n\r\n```\r\nx\ry\r\n```\r\n\r- d\r",
    "spaces at the ends": "   \n\n  a  \n\n \t\n",
    "empty": "",
    "gpt4free": (
        "[![prompt](https://a.example/i.png)](https://b.example)\n\n\n\n"
        "> [1] [Title](https://c.example)\n"
    ),
}
LONG = {
    "long code": "Look:\n```python\n"
    + "".join(f'def f{n}():\n    """Doc\n\n    {n}."""\n    return {n}\n\n' for n in range(120))
    + "```\nDone.\n",
    "long string in code": "```python\nx = '''\n" + "text\n" * 3_000 + "'''\n```\n",
    "long plain code": "~~~~\n" + "line ```\n" * 900,
    "long bullet list": "".join(
        f"- item {n} with *some* text\n  - nested `{n}`\n" for n in range(200)
    )
    + "\nEnd.\n",
    "long numbered list": "".join(f"1. item {n}\n\n   paragraph of {n}\n\n" for n in range(150))
    + "End.\n",
    "long item": "1. a\n2. b\n\n"
    + "   Text of the item.\n\n" * 200
    + "   ```python\n"
    + "   x = 1\n" * 500
    + "   ```\n3. c\n",
    "long nested list": "- a\n  - b\n"
    + "".join(f"    - c{n}\n" for n in range(400))
    + "  - d\n- e\n",
    "long table": "| a | b |\n|---|--:|\n"
    + "".join(f"| {n} | *x* |\n" for n in range(600))
    + "\nEnd.\n",
    "long quotation": "".join(f"> Text {n}\n> more\n>\n" for n in range(300)) + "lazy\n\nEnd.\n",
    "long quoted code": "> ```\n" + "> code\n" * 900 + "> ```\n> text\n\nEnd.\n",
    "long hard-wrapped paragraph": "Some words with **strong\nwords** in them,\n" * 300,
    "long line": "Some words with **strong words** in them, and `code`. " * 500,
    "long word": "x" * 50_000,
    "long chinese line": "你好，世界。" * 3_000,
    "long line in code": "```\n" + "x " * 20_000 + "\n```\n",
    "long indented code": "a\n\n" + "    code\n\n" * 800 + "End.\n",
    "long formula": "$$\n" + "a + b\n" * 2_000 + "$$\n",
    "picture in the text": "![x](data:image/png;base64," + "A" * 60_000 + ") text\n\nmore\n",
    "many definitions": "".join(f"[{n}]: https://a.example/{n}\n" for n in range(300))
    + "\n[7] [299]\n",
}
RICH = "\n".join(DOCUMENTS.values())
LINES = sorted({line for text in DOCUMENTS.values() for line in text.splitlines(keepends=True)})
TEXTS = st.one_of(
    st.lists(st.sampled_from(LINES), max_size=12).map("".join),
    st.lists(st.sampled_from([*DOCUMENTS.values()]), max_size=4).map("".join),
    st.text(alphabet="abא 1.\n\t`*_~[]()!<>#-+=|$\\&:;\"'/\r", max_size=60),
    st.text(max_size=60),
)


def pieces(text: str, seed: int, longest: int) -> list[str]:
    """Return the text cut at random places."""
    chance = random.Random(seed)
    cut: list[str] = []
    while text:
        size = chance.randint(1, longest)
        cut.append(text[:size])
        text = text[size:]
    return cut


def streamed(parts: list[str], look: bool = False) -> list[str]:
    """Return what is settled, in order, when the parts come one by one."""
    stream = Stream()
    settled: list[str] = []
    for part in parts:
        settled += stream.feed(part)
        if look:
            check(stream.tail)
    settled += stream.finish()
    assert stream.tail == ""
    return settled


def shown_code(html: str) -> str:
    return "".join(map(text_of, re.findall("<pre>(.*?)</pre>", html, re.DOTALL)))


def at_once(text: str) -> str:
    """Return what the parser makes of the whole text, read in one go."""
    return re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", markdown._parser(False).render(text))


# --- Streaming is rendering ---------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.integers(0, 2**32), st.sampled_from([1, 3, 8, 40]))
@example("a\r\nb", 0, 1)
@example("\ud83d\ude00", 0, 1)
def test_cuts_change_nothing(text: str, seed: int, longest: int) -> None:
    settled = streamed(pieces(text, seed, longest))
    assert settled == streamed([text])
    assert "".join(settled) == render(text)


@pytest.mark.parametrize("name", [*DOCUMENTS, *LONG])
def test_cuts_change_nothing_in_documents(name: str) -> None:
    text = {**DOCUMENTS, **LONG}[name]
    whole = streamed([text])
    assert "".join(whole) == render(text)
    for longest in (4, 50, 3_000):
        assert streamed(pieces(text, longest, longest)) == whole


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_cut_in_two_changes_nothing(name: str) -> None:
    text = DOCUMENTS[name]
    whole = streamed([text])
    for at in range(len(text)):
        assert streamed([text[:at], text[at:]]) == whole


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_settling_block_by_block_renders_as_the_parser_does_at_once(text: str) -> None:
    """Except where it may differ: a definition counts for what follows it only."""
    text = (
        text.replace("]:", "] :").replace("$$", "$").replace("\\[", "[").replace("\\begin", "begin")
    )
    text = re.sub("\r\n?", "\n", text)
    whole = at_once(text if text.endswith("\n") else f"{text}\n")
    undirected = partial(re.sub, ' dir="..." style="text-align:start"', "")
    assert undirected(render(text)) == undirected(whole)


def test_settling_keeps_up_with_the_text() -> None:
    """Each block is settled as soon as the line that ends it is there."""
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


@pytest.mark.parametrize("name", [name for name in LONG if name != "picture in the text"])
def test_the_tail_is_bounded(name: str) -> None:
    stream = Stream()
    worst = 0
    for part in pieces(LONG[name], 0, 400):
        stream.feed(part)
        worst = max(worst, len(text_of(stream.tail)))
    # Where there is no good place to cut, a bad one is taken in the end.
    longer = {"long word": 17_000, "long line in code": 17_000}
    hard = {"long string in code": 10_000, "long formula": 10_000}
    assert worst <= {**longer, **hard}.get(name, 6_000)


def test_parts_of_a_long_code_block_join_to_its_text() -> None:
    text = LONG["long code"]
    html = render(text)
    assert html.count("copilot-cont") >= 2
    assert html.count('class="copilot-language"') == 1
    assert shown_code(html) == code_blocks(text)[0].code + "\n"


def test_parts_of_long_code_are_not_cut_inside_strings() -> None:
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


def test_an_item_that_is_cut_has_one_bullet() -> None:
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
def test_long_texts_lose_no_word(name: str) -> None:
    """The words read the same whether the block is cut or not; a table's header is repeated."""

    def words(html: str) -> list[str]:
        return re.findall(
            r"\w+|[。！]", text_of(re.sub("<thead>.*?</thead>", "", html, flags=re.DOTALL))
        )

    assert "".join(words(render(LONG[name]))) == "".join(words(at_once(LONG[name])))


# --- Safety -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAYLOADS)
def test_hostile_text_is_harmless(name: str) -> None:
    check(render(PAYLOADS[name]))
    check(render(PAYLOADS[name], remote_images=True), images=True)


@pytest.mark.parametrize("name", [name for name, text in PAYLOADS.items() if len(text) < 400])
def test_hostile_text_is_harmless_while_it_arrives(name: str) -> None:
    streamed(list(PAYLOADS[name]), look=True)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(TEXTS, st.lists(st.sampled_from([*PAYLOADS.values()][:150]), max_size=3).map("".join))
)
def test_any_text_is_harmless(text: str) -> None:
    check(render(text))
    stream = Stream()
    stream.feed(text)
    check(stream.tail)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_tail_of_every_prefix_is_balanced_and_harmless(name: str) -> None:
    streamed(list(DOCUMENTS[name]), look=True)


@given(st.text())
def test_escaped_text_is_shown_as_it_is_and_is_no_markup(text: str) -> None:
    check(escape(text))
    assert "<" not in escape(text) and '"' not in escape(text) and "'" not in escape(text)
    assert text_of(escape(text)) == plain(text)


@given(st.text(alphabet=st.characters(max_codepoint=0x20FF)))
def test_plain_text_holds_nothing_that_acts_on_a_terminal(text: str) -> None:
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", plain(text)
    )


def test_plain_text_shows_what_was_hidden() -> None:
    assert plain("a\x1b[31mb\x07\r\nc\td\x7f\x9b\u202e") == "a␛[31mb␇\nc\td␡<U+009B><U+202E>"
    assert plain("grüße 👋\n") == "grüße 👋\n"


def test_unsafe_links_are_text_with_the_address_behind() -> None:
    assert render("[x](javascript:alert(1))") == "<p>x (javascript:alert(1))</p>\n"
    assert render("[*x*](/lab)") == "<p><em>x</em> (/lab)</p>\n"
    assert render("[x](//evil.example)") == "<p>x (//evil.example)</p>\n"
    assert render("[x]()") == "<p>x</p>\n"
    assert render("<foo:bar>") == "<p>foo:bar</p>\n"


def test_images_are_links_unless_they_are_allowed() -> None:
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


def test_an_image_in_a_link_is_the_text_of_the_link() -> None:
    assert render("[![a](https://a.example/i.png)](https://b.example)") == (
        '<p><a href="https://b.example" target="_blank" rel="noopener noreferrer">🖼 a</a></p>\n'
    )


def test_pictures_in_the_text_are_shown_if_they_are_of_pixels() -> None:
    assert '<img src="data:image/png;base64,iVBORw0KGgo="' in render(
        "![a](data:image/png;base64,iVBORw0KGgo=)"
    )
    assert render("![a](data:image/svg+xml;base64,PHN2Zz4=)") == "<p>🖼 a</p>\n"
    assert len(re.findall("<img ", render(LONG["picture in the text"]))) == 1


def test_hidden_characters_are_visible_in_code_and_gone_from_prose() -> None:
    assert "&lt;U+202E&gt;" in render("```\na\u202eb\n```")
    assert "␛[0m" in render("`\x1b[0m`\n\n    \x1b[0m")
    assert render("a\u202eb\x1b\x00") == "<p>ab\ufffd</p>\n"


def test_halves_of_a_surrogate_pair_are_joined_and_lone_ones_replaced() -> None:
    assert "".join(streamed(["\ud83d", "\ude00 \ud83d"])) == "<p>\U0001f600 \ufffd</p>\n"
    for value in bundle("\ud83d").values():
        value.encode()


def test_deep_nesting_neither_fails_nor_takes_for_ever() -> None:
    for text in (
        ">" * 10_000,
        "> " * 10_000,
        "[" * 10_000,
        "- " * 5_000,
        "*a" * 5_000,
        "`a" * 5_000,
    ):
        check(render(text))


# --- Formulas -----------------------------------------------------------------------------------


def formulas(text: str) -> list[str]:
    return [
        text_of(found)
        for found in re.findall(
            r'<span class="copilot-math[^>]*>(.*?)</span>', render(text), re.DOTALL
        )
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$a_1 * b_1 * c < d$", [r"\(a_1 * b_1 * c < d\)"]),
        (r"$2x$ and \(y\)", [r"\(2x\)", r"\(y\)"]),
        (r"**a $x*y$ b**", [r"\(x*y\)"]),
        (r"so $$x$$ and \[y\]", [r"\[x\]", r"\[y\]"]),
        ("$$\na\n- b\n= c\n$$", ["\\[\na\n- b\n= c\n\\]"]),
        ("- a\n\n  \\[\n  x\n  \\]", ["\\[\nx\n\\]"]),
        ("> $$\n> x\n> $$", ["\\[\nx\n\\]"]),
        (
            "\\begin{align}\nx &= 1 \\\\\ny\n\\end{align}",
            ["\\begin{align}\nx &= 1 \\\\\ny\n\\end{align}"],
        ),
        (
            "\\begin{equation}\\label{a}\nx\n\\end{equation}",
            ["\\begin{equation}\nx\n\\end{equation}"],
        ),
        ("| $x_1$ |\n|---|\n| $y_1$ |", [r"\(x_1\)", r"\(y_1\)"]),
        (
            r"$\longrightarrow \left( \newline a \\class$",
            [r"\(\longrightarrow \left( \newline a \\class\)"],
        ),
        ("It costs $5 and $6.", []),
        ("from $5-$10, or US$ 3 $", []),
        (r"\$x\$ and `$x$`", []),
        ("$ x $", []),
        ("$$\nx\n\ny", []),
        ("```\n$x$\n```", []),
        ("$", []),
        ("$$", []),
        ("$$$$", []),
    ],
)
def test_formulas_are_found_and_prices_are_not(text: str, found: list[str]) -> None:
    assert formulas(text) == found


@pytest.mark.parametrize("name", [name for name in PAYLOADS if name.startswith("math ")])
def test_a_formula_that_acts_on_the_page_is_shown_as_code(name: str) -> None:
    for formula in formulas(PAYLOADS[name]):
        assert not re.search(r"\\(?!text|\)|\(|\[|\])", formula), formula


def test_all_but_formulas_is_kept_from_mathjax() -> None:
    assert root("").startswith(
        '<div class="copilot-answer mathjax_ignore tex2jax_ignore" dir="ltr">'
    )
    assert "mathjax_process" in render("$x$")


# --- What is not finished -----------------------------------------------------------------------


def tail(text: str) -> str:
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
def test_unfinished_text_shows_as_what_it_will_become(text: str, shown: str) -> None:
    assert tail(text) == shown


def test_a_code_block_being_written_is_a_code_block() -> None:
    shown = tail("```python\nprint(1")
    assert "copilot-code" in shown and "python" in shown
    assert text_of(shown).strip() == "pythonprint(1"
    assert tail("```python\nx\n``") == tail("```python\nx\n")


def test_a_table_being_written_is_a_table() -> None:
    shown = tail("| a | b |\n|---|---|\n| 1 | **2")
    assert "<strong>2</strong></td>" in shown


@pytest.mark.parametrize("name", DOCUMENTS)
def test_looking_at_the_tail_changes_nothing(name: str) -> None:
    text = DOCUMENTS[name]
    assert streamed(list(text), look=True) == streamed([text])


# --- Code ---------------------------------------------------------------------------------------


def test_code_is_highlighted_in_the_classes_that_themes_style() -> None:
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
def test_the_usual_names_of_languages_are_known(language: str) -> None:
    source = "+ FROM class\n$ true 1 'x' # y\n- z\n"
    assert "<span class=" in render(f"```{language}\n{source}```")


def test_an_unknown_language_is_plain_and_named() -> None:
    html = render("```nosuch&lt; x\na < b\n```")
    assert '<div class="copilot-language">nosuch</div><pre><code>a &lt; b\n</code></pre>' in html


@given(
    st.text(alphabet="ab\n\t \\'\"#/*<>&{}\x1b", max_size=80),
    st.sampled_from(["python", "c", "html", "nosuch", ""]),
)
def test_code_is_shown_to_the_character(code: str, language: str) -> None:
    shown = render(f"~~~~{language}\n{code}\n~~~~\n")
    assert shown_code(shown) == code.replace("\x1b", "␛") + "\n"


def test_code_blocks_are_found_wherever_they_are() -> None:
    text = (
        "```python\na = 1\n\nb = 2\n```\n- x\n\n  ~~~ {.r title=a}\n  c\n  ~~~\n> ```\n> d\n\n"
        "    e\n\n"
        "```js title=x\r\nunclosed\r\n  f"
    )
    assert code_blocks(text) == [
        CodeBlock("python", "a = 1\n\nb = 2"),
        CodeBlock("r", "c"),
        CodeBlock("", "d"),
        CodeBlock("", "e"),
        CodeBlock("js", "unclosed\n  f"),
    ]
    assert code_blocks("no `code` here") == []
    assert code_blocks(LONG["long plain code"])[0].code.count("\n") == 899


# --- The rest -----------------------------------------------------------------------------------


def test_right_to_left_text_carries_its_direction() -> None:
    assert render("שלום") == '<p dir="rtl" style="text-align:start">שלום</p>\n'
    assert render("hello") == "<p>hello</p>\n"
    html = render("- **אחת**\n- two\n\n# Title\n\n```\nא\n```")
    assert html.startswith('<ul dir="rtl" style="text-align:start">\n<li><strong>אחת')
    assert 'dir="ltr" style="margin-bottom:1em"><pre><code>א' in html
    assert 'dir="ltr"' in render("hello\nשלום")
    assert 'dir="rtl"' not in render("-\n- ```\n  x\n  ```\n- א")
    assert render("- \n\n\n* \u05b0\n-").startswith("<ul")


def test_tasks_are_signs_not_form_fields() -> None:
    assert (
        render("- [ ] a\n- [x] b\n- [y] c")
        == "<ul>\n<li>☐ a</li>\n<li>☑ b</li>\n<li>[y] c</li>\n</ul>\n"
    )


def test_a_definition_counts_for_what_follows_it() -> None:
    assert "<a " in render("[a]: https://a.example\n\ntext\n\n[a]")
    assert "<a " not in render("[a]\n\ntext\n\n[a]: https://a.example")


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


def test_a_bundle_shows_in_any_front_end() -> None:
    shown = bundle("**a**\x1b[31m <b>")
    assert shown["text/html"] == root("<p><strong>a</strong>[31m &lt;b&gt;</p>\n")
    assert shown["text/markdown"] == "**a**\x1b[31m <b>"
    assert shown["text/plain"] == "**a**␛[31m <b>"


def test_the_style_is_small_and_scoped() -> None:
    assert len(markdown.STYLE) < 3_000
    for rule in markdown.STYLE.split("}"):
        assert not rule or rule.startswith(".copilot-answer ")
    assert f"<style>{markdown.STYLE}</style>" in root("x")
    assert "<style>" not in root("x", style=False)


def test_importing_the_module_loads_no_parser() -> None:
    code = (
        "import sys, json; before = set(sys.modules); import copilot_magic.markdown.stream;"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    loaded: list[Any] = json.loads(subprocess.check_output([sys.executable, "-c", code]))
    assert not {"markdown_it", "pygments", "mdit_py_plugins"} & {
        name.partition(".")[0] for name in loaded
    }
