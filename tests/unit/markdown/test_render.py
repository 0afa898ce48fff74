"""Any text renders as safe HTML, shown by any front end."""

from __future__ import annotations

import copy
import json
import pickle
import re
import subprocess
import sys
from typing import Any

import pytest
from documents import LONG, TEXTS
from hostile import PAYLOADS
from hypothesis import given, settings
from hypothesis import strategies as st
from rendering import check

from copilot_magic.markdown.render import CodeBlock, bundle, code_blocks, render, root, stylesheet
from copilot_magic.markdown.stream import Stream


@pytest.mark.parametrize("name", PAYLOADS)
def test_hostile_text_is_harmless(name: str) -> None:
    check(render(PAYLOADS[name]))
    check(render(PAYLOADS[name], remote_images=True), images=True)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(TEXTS, st.lists(st.sampled_from([*PAYLOADS.values()][:150]), max_size=3).map("".join))
)
def test_any_text_is_harmless(text: str) -> None:
    check(render(text))
    stream = Stream()
    stream.feed(text)
    check(stream.tail)


def test_mathjax_gets_formulas_only() -> None:
    assert root("").startswith(
        '<div class="copilot-answer mathjax_ignore tex2jax_ignore" dir="ltr">'
    )
    assert "mathjax_process" in render("$x$")


def test_a_bundle_suits_any_front_end() -> None:
    shown = bundle("**a**\x1b[31m <b>")
    assert shown["text/html"] == root("<p><strong>a</strong>[31m &lt;b&gt;</p>\n")
    assert shown["text/markdown"] == "**a**\x1b[31m <b>"
    assert shown["text/plain"] == "**a**␛[31m <b>"


def test_code_blocks_are_found_wherever_they_are() -> None:
    text = (
        "```python\na = 1\n\nb = 2\n```\n- x\n\n  ~~~ {.r title=a}\n  c\n  ~~~\n> ```\n> d\n\n"
        "    e\n\n"
        "```js title=x\r\nunclosed\r\n  f"
    )
    assert code_blocks(text) == [
        "a = 1\n\nb = 2",
        "c",
        "d",
        "e",
        "unclosed\n  f",
    ]
    assert [block.language for block in code_blocks(text)] == ["python", "r", "", "", "js"]
    assert code_blocks("no `code` here") == []
    assert code_blocks(LONG["long plain code"])[0].code.count("\n") == 899


def test_a_code_block_is_a_string_that_can_be_run() -> None:
    (block,) = code_blocks("```python\nx = 6 * 7\n```")
    found: dict[str, int] = {}
    exec(block, found)
    assert found["x"] == 42
    assert isinstance(block, str) and block == block.code == "x = 6 * 7"
    assert type(block.code) is str
    for same in (pickle.loads(pickle.dumps(block)), copy.deepcopy(block)):
        assert (same, same.language) == (block, "python")
    assert CodeBlock("y").language == ""


def test_the_style_sheet_is_small_and_scoped() -> None:
    assert len(stylesheet()) < 2_300
    for rule in stylesheet().split("}"):
        assert not rule or rule.startswith((".copilot-answer ", ".copilot-answer{"))


def test_the_style_sheet_is_sent_without_comments_and_needless_white_space() -> None:
    assert not re.search(r"/\*|\n|  |[:;{}] | [;{}]|;}", stylesheet())
    assert ".copilot-answer .copilot-table :is(th,td){text-align:start}" in stylesheet()


def test_the_root_element_has_the_style_sheet_unless_told_otherwise() -> None:
    assert f"<style>{stylesheet()}</style>" in root("x")
    assert "<style>" not in root("x", style=False)


def test_importing_the_wing_loads_neither_parser_nor_highlighter() -> None:
    code = (
        "import sys, json; before = set(sys.modules); import copilot_magic.markdown.render;"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    loaded: list[Any] = json.loads(subprocess.check_output([sys.executable, "-c", code]))
    assert not {"markdown_it", "pygments", "mdit_py_plugins"} & {
        name.partition(".")[0] for name in loaded
    }
