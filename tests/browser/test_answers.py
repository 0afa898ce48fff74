"""Answers in a real JupyterLab and a real Notebook 7, through the magic and over real HTTP."""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from typing import Any

import nbconvert
import nbformat
import pytest
from benchmarks.texts import sample
from browser.notebooks import Jupyter, Notebook
from hostile import PAYLOADS
from playwright.sync_api import expect
from scripted_server import Exchange, ScriptedServer

CODE = "```python\ndef f(x):\n    return 'text'  # comment\n```"
MATH = r"It is $\frac{a}{b}$ for $5 and $6, and \(c_1\):" "\n\n$$\\sum_i x_i$$\n"
NUMBERED = r"(?:Part|Step|number|column) \d+|summary_\d+"
SELECT = """node => {
    window.marked = node;
    node.scrollIntoView();
    getSelection().selectAllChildren(node);
}"""


def words(paragraphs: int) -> list[str]:
    """Return the words of that many paragraphs, twelve in each; no two are alike."""
    return [f"p{number}w{word}" for number in range(paragraphs) for word in range(12)]


def as_markdown(some: list[str]) -> str:
    return "".join(word + ("\n\n" if i % 12 == 11 else " ") for i, word in enumerate(some))


def words_in(text: str) -> list[str]:
    return re.findall(r"p\d+w\d+", text)


# Records where each block of an answer is, from the top of the cell's output, after each change.
TRACK = """
index => {
    const area = window.jupyterapp.shell.currentWidget.content.widgets[index].outputArea.node;
    window.places = [];
    const note = () => {
        const top = area.getBoundingClientRect().top;
        const all = area.querySelectorAll('.copilot-answer > :not(style), .copilot-answer li');
        const blocks = [...all].filter(
            block => block.offsetParent && !block.className.includes('copilot-status'));
        window.places.push(
            blocks.map(b => [b.innerText.trim(), b.getBoundingClientRect().top - top]));
    };
    window.tracking = new MutationObserver(note);
    window.tracking.observe(area, {childList: true, subtree: true, characterData: true});
}
"""


def places(notebook: Notebook) -> list[list[tuple[str, float]]]:
    """Stop recording; return the text and the top of each block after each change."""
    states = notebook.page.evaluate("() => (window.tracking.disconnect(), window.places)")
    return [[(text, top) for text, top in state] for state in states]


class Paced:
    """A script that answers piece by piece and can stop in the middle until the test continues it.

    Args:
        text: The answer.
        size: Characters of a piece.
        pause: Seconds after each piece.
        stop_at: Wait for `go_on` after this many characters; None never waits.
    """

    def __init__(
        self, text: str, size: int = 4, *, pause: float = 0.0, stop_at: int | None = None
    ) -> None:
        self.go_on = threading.Event()
        self._pieces = [text[i : i + size] for i in range(0, len(text), size)]
        self._pause = pause
        self._stop = None if stop_at is None else stop_at // size

    def __call__(self, exchange: Exchange) -> None:
        exchange.start()
        for index, piece in enumerate(self._pieces):
            if index == self._stop:
                exchange.wait(self.go_on)
            exchange.delta(piece)
            time.sleep(self._pause)
        exchange.finish()
        exchange.done()


def test_text_is_shown_while_the_rest_is_not_even_written(
    notebook: Notebook, server: ScriptedServer
) -> None:
    script = Paced("The first words. **The last words.**", 17, stop_at=17)
    server.script(script)
    index = notebook.ask("?", wait=False)
    expect(notebook.output(index)).to_contain_text("The first words.")
    expect(notebook.output(index)).not_to_contain_text("The last")
    script.go_on.set()
    notebook.wait()
    expect(notebook.output(index).locator("strong")).to_have_text("The last words.")


def test_no_change_removes_or_repeats_what_was_seen(
    notebook: Notebook, server: ScriptedServer
) -> None:
    """The answer has all kinds of blocks, and enough of them that outputs are merged."""
    text = sample(30_000)
    server.script(Paced(text, 50, pause=0.01))
    index = notebook.ask("?", wait=False)
    notebook.record(index)
    notebook.wait()
    expected = re.findall(NUMBERED, text)
    expect(notebook.output(index)).to_contain_text(expected[-1])
    states = [re.findall(NUMBERED, state) for state in notebook.recorded()]
    assert len(states) > 30
    before: list[str] = []
    for state in states:
        # Some digits of the last number may be missing.
        assert state[:-1] == expected[: len(state)][:-1]
        assert len(state) >= len(before)
        before = state
    assert before == expected
    # Merged outputs bring a style of their own, besides the stylesheet.
    assert notebook.output(index).locator("style").count() > 1


def test_a_node_a_selection_and_the_scroll_position_survive_the_rest(
    notebook: Notebook, server: ScriptedServer
) -> None:
    expected = words(160)
    text = as_markdown(expected)
    script = Paced(text, 40, pause=0.005, stop_at=len(text) // 2)
    server.script(script)
    index = notebook.ask("?", wait=False)
    expect(notebook.output(index)).to_contain_text(expected[len(expected) // 2 - 24])
    paragraph = notebook.output(index).locator("p", has_text="p9w0")
    notebook.page.evaluate(SELECT, paragraph.element_handle())
    # Notebook 7 puts an output of more than 100 lines into a scroll box once it is visible.
    notebook.page.wait_for_timeout(500)
    notebook.page.evaluate(SELECT, paragraph.element_handle())
    notebook.page.wait_for_timeout(100)
    top = paragraph.evaluate("node => node.getBoundingClientRect().top")
    script.go_on.set()
    notebook.wait()
    expect(notebook.output(index)).to_contain_text(expected[-1])
    state = notebook.page.evaluate(
        "() => [window.marked.isConnected, String(getSelection()).trim(),"
        " window.marked.getBoundingClientRect().top]"
    )
    assert state == [True, " ".join(expected[108:120]), pytest.approx(top, abs=1)]
    assert words_in(notebook.seen(index)) == expected


def test_outputs_of_a_long_answer_are_not_folded_and_look_like_one_text(
    notebook: Notebook, server: ScriptedServer
) -> None:
    expected = words(200)
    server.script(Paced(as_markdown(expected), 60, pause=0.005))
    index = notebook.ask("?")
    expect(notebook.output(index)).to_contain_text(expected[-1])
    assert words_in(notebook.seen(index)) == expected
    gaps = notebook.output(index).evaluate(
        """area => {
            const boxes = [...area.querySelectorAll('p')].map(p => p.getBoundingClientRect());
            return boxes.slice(1).map((box, i) => Math.round(box.top - boxes[i].bottom));
        }"""
    )
    assert len(gaps) == 199 and max(gaps) - min(gaps) <= 1


EVERYTHING = (
    "# Title\n\nFirst words.\n\n- one\n- two\n\nMore words.\n\n```python\nx = 1\n```\n\n## Head\n\n"
    "| a | b |\n| - | - |\n| 1 | 2 |\n\n> quoted\n\n1. three\n\n2. four\n\n### Low\n\nThe end."
)


@pytest.mark.parametrize("times", [1, 5], ids=["short", "in several outputs"])
def test_no_block_moves_when_it_is_settled_or_when_the_answer_ends(
    notebook: Notebook, server: ScriptedServer, times: int
) -> None:
    """The same blocks have the same space between them in one output and in two."""
    server.script(Paced("\n\n".join([EVERYTHING] * times), 6, pause=0.03))
    index = notebook.ask("?", wait=False)
    notebook.page.evaluate(TRACK, index)
    notebook.wait()
    expect(notebook.output(index).locator(".copilot-footer")).to_be_visible()
    states = places(notebook)
    assert len(states) >= 3
    assert (notebook.output(index).locator(".copilot-part").count() > 1) == (times > 1)
    for before, after in itertools.pairwise(states):
        assert len(after) >= len(before)
        for (_, top), (_, new_top) in zip(before, after, strict=False):
            assert new_top == pytest.approx(top, abs=1)
    # Whichever output a block is in, it is as far from the one before.
    end = states[-1][:-1]
    count = len(end) // times
    gaps = [
        [end[i + 1][1] - end[i][1] for i in range(n * count, (n + 1) * count - 1)]
        for n in range(times)
    ]
    for other in gaps[1:]:
        assert other == pytest.approx(gaps[0], abs=1)


ROWS = "".join(f"| {n} | **word** {n} | {n * n} |\n" for n in range(200))
ITEMS = "".join(f"- **item {n}** and some words that fill most of the line\n" for n in range(60))


@pytest.mark.parametrize("tag", ["table", "ul"])
def test_a_long_table_or_list_is_one_in_the_end_and_does_not_move(
    notebook: Notebook, server: ScriptedServer, tag: str
) -> None:
    block = f"| a | b | c |\n| - | - | -: |\n{ROWS}" if tag == "table" else ITEMS
    text = f"{as_markdown(words(20))}\n\n{block}\n{as_markdown(words(3))}"
    server.script(Paced(text, 40, pause=0.005))
    index = notebook.ask("?", wait=False)
    notebook.page.evaluate(TRACK, index)
    notebook.wait()
    output = notebook.output(index)
    expect(output.locator(".copilot-footer")).to_be_visible()
    assert output.locator(tag).count() == 1
    assert output.locator("tbody tr, li").count() == (200 if tag == "table" else 60)
    gaps = output.evaluate(
        """area => {
            const boxes = [...area.querySelectorAll('tr, li')].map(b => b.getBoundingClientRect());
            return boxes.slice(1).map((box, i) => Math.round(box.top - boxes[i].bottom));
        }"""
    )
    assert max(gaps) - min(gaps) <= 1
    # The paragraphs below it stay where they were before it became one.
    last = [[top for text, top in state if text.startswith("p2w0 ")] for state in places(notebook)]
    tops = [state[-1] for state in last if len(state) == 2]
    assert tops and max(tops) - min(tops) <= 3, tops


def test_many_answers_of_one_cell_are_not_folded_and_leave_no_empty_output(
    notebook: Notebook, server: ScriptedServer
) -> None:
    """JupyterLab hides the outputs of a cell after the fiftieth."""
    server.script(lambda exchange: Paced("Some words.\n\n- a\n- b\n\nThe end.", 9)(exchange))
    index = notebook.run(
        "from copilot_magic import ask\nfor number in range(45):\n    ask(f'number {number}')"
    )
    output = notebook.output(index)
    expect(output.locator(".copilot-footer")).to_have_count(45)
    children = output.evaluate(
        "area => [...area.querySelectorAll('.jp-OutputArea-child')].map(c => c.innerText.trim())"
    )
    assert len(children) == 45 and all(text.startswith("Some words.") for text in children)
    assert len(notebook.save()["cells"][index]["outputs"]) == 45


def test_the_lines_of_an_error_are_not_broken_and_are_copied_as_they_stand(
    notebook: Notebook,
) -> None:
    notebook.run("%config CopilotMagics.base_url = 'http://127.0.0.1:9/v1'")
    output = notebook.output(notebook.ask("?"))
    error = output.locator("pre").first
    lines = error.inner_text().rstrip("\n").split("\n")
    assert lines[0] == "RefusedError: No server is listening at http://127.0.0.1:9/v1"
    assert [line for line in lines if line.startswith("    ")] == [
        "    %copilot serve",
        "    %config CopilotMagics.base_url = 'http://localhost:11434/v1'",
    ]
    height, line_height = error.evaluate(
        "node => [node.getBoundingClientRect().height,"
        " parseFloat(getComputedStyle(node).lineHeight)]"
    )
    assert height / line_height == pytest.approx(len(lines), abs=0.5)
    command = next(line for line in lines if "%config" in line)
    assert notebook.run(command) and notebook.run("%copilot status")


def accessible(notebook: Notebook, selector: str) -> tuple[str, dict[str, Any]]:
    """Return the role and the properties of an element in the browser's accessibility tree."""
    devtools = notebook.page.context.new_cdp_session(notebook.page)
    element = devtools.send(
        "Runtime.evaluate",
        {"expression": f"[...document.querySelectorAll({selector!r})].pop()"},
    )["result"]["objectId"]
    tree = devtools.send(
        "Accessibility.getPartialAXTree", {"objectId": element, "fetchRelatives": False}
    )
    node = tree["nodes"][0]
    found = {p["name"]: p["value"].get("value") for p in node.get("properties", ())}
    return node.get("role", {}).get("value", ""), found


def test_a_screen_reader_hears_of_the_wait_and_reads_the_answer_when_it_is_whole(
    notebook: Notebook, server: ScriptedServer
) -> None:
    begin, end = threading.Event(), threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.wait(begin)
        exchange.start()
        exchange.delta("The first words.")
        exchange.wait(end)
        exchange.delta(" The last.")
        exchange.finish()
        exchange.done()

    server.script(script)
    index = notebook.ask("?", wait=False)
    notebook.page.evaluate(
        """index => {
            const area = window.jupyterapp.shell.currentWidget.content.widgets[index].outputArea;
            window.waits = [];
            new MutationObserver(() => {
                const line = area.node.querySelector('.copilot-status');
                if (line) window.waits.push(line.getAttribute('aria-live'));
            }).observe(area.node, {childList: true, subtree: true});
        }""",
        index,
    )
    expect(notebook.output(index)).to_contain_text("2 s")
    role, found = accessible(notebook, ".copilot-status")
    assert (role, found.get("live", "off")) == ("status", "off")
    first, *others = notebook.page.evaluate("() => window.waits")
    assert first is None  # as for any status: it is read once it is there
    assert others and set(others) == {"off"}
    begin.set()
    expect(notebook.output(index)).to_contain_text("The first words.")
    _, found = accessible(notebook, ".copilot-part")
    assert found.get("busy") and found.get("live", "off") == "off"
    end.set()
    notebook.wait()
    expect(notebook.output(index)).to_contain_text("The last.")
    _, found = accessible(notebook, ".copilot-part")
    assert found["live"] == "polite" and not found.get("busy")


def test_a_long_answer_is_not_put_into_a_scroll_box(
    notebook: Notebook, server: ScriptedServer
) -> None:
    """Notebook 7 does so with outputs of more than 100 lines, also while they grow."""
    text = as_markdown(words(160))
    script = Paced(text, 100, stop_at=9 * len(text) // 10)
    server.script(script)
    index = notebook.ask("?", wait=False)
    expect(notebook.output(index)).to_contain_text("p140w11")
    boxes = []
    for step in range(2):
        notebook.page.wait_for_timeout(500)
        area = notebook.cell(index).locator(".jp-Cell-outputArea")
        boxes.append(area.evaluate("a => [a.clientHeight, a.scrollHeight]"))
        if not step:
            script.go_on.set()
            notebook.wait()
    for visible, whole in boxes:
        assert whole > 1_300 and visible >= whole - 1


def test_past_a_million_characters_an_answer_is_plain_text_and_the_page_stays_alive(
    jupyter: Jupyter, server: ScriptedServer
) -> None:
    text = as_markdown(words(20_000))
    assert len(text) > 1_900_000
    server.script(Paced(text, 4_000))
    with jupyter.notebook() as notebook:
        notebook.use(server)
        index = notebook.ask("?")
        foot = notebook.output(index).locator(".copilot-footer")
        expect(foot).to_contain_text("plain text from character", timeout=60_000)
        outputs = notebook.save()["cells"][index]["outputs"]
        printed = "".join("".join(o["text"]) for o in outputs if o["output_type"] == "stream")
        sources = ["".join(o.get("data", {}).get("text/plain", "")) for o in outputs]
        assert "".join(sources) + printed.rstrip() == text.rstrip()
        assert notebook.seen(notebook.run(f"_copilot == {text!r}")).endswith("True")


@pytest.mark.parametrize("tokens", [2_000, 20_000])
def test_an_answer_at_full_speed_is_complete(
    notebook: Notebook, server: ScriptedServer, tokens: int
) -> None:
    expected = words(tokens // 12)
    server.script(Paced(as_markdown(expected), 7))
    index = notebook.ask("?")
    expect(notebook.output(index)).to_contain_text(expected[-1], timeout=30_000)
    assert words_in(notebook.seen(index)) == expected


def test_formulas_are_typeset_and_prices_are_not(
    notebook: Notebook, server: ScriptedServer
) -> None:
    server.script(Paced(MATH))
    output = notebook.output(notebook.ask("?"))
    expect(output.locator("mjx-container")).to_have_count(3)
    expect(output).to_contain_text("for $5 and $6")
    expect(output).not_to_contain_text("\\frac")


def test_code_is_highlighted_in_both_themes(notebook: Notebook, server: ScriptedServer) -> None:
    server.script(Paced(CODE))
    output = notebook.output(notebook.ask("?"))
    looks = {}
    try:
        for theme in ("Light", "Dark"):
            notebook.theme(theme)
            looks[theme] = {
                name: output.locator(f".highlight {name}").first.evaluate(
                    "node => getComputedStyle(node).color"
                )
                for name in ("pre", ".k", ".s1", ".c1")
            }
    finally:
        notebook.theme("Light")
    for colours in looks.values():
        assert len(set(colours.values())) == 4, looks
    assert all(looks["Light"][name] != looks["Dark"][name] for name in ("pre", ".k", ".s1"))


def test_what_code_does_is_seen_above_it_and_not_copied_with_it(
    notebook: Notebook, server: ScriptedServer
) -> None:
    server.script(Paced("```python\nimport os\nos.remove('old.csv')\n```\n"))
    output = notebook.output(notebook.ask("?"))
    line = output.locator(".copilot-effects")
    expect(line).to_have_text("⚠ deletes files")
    expect(line).to_be_visible()
    copied = output.locator(".copilot-code").evaluate(
        "node => { getSelection().selectAllChildren(node); return getSelection().toString(); }"
    )
    assert copied.strip() == "import os\nos.remove('old.csv')"


def test_the_wait_is_shown_with_its_seconds_and_an_interrupt_ends_it(
    notebook: Notebook, server: ScriptedServer
) -> None:
    server.script(lambda exchange: exchange.client_gone() and None)
    index = notebook.ask("?", wait=False)
    expect(notebook.output(index)).to_contain_text("Waiting for the server … 1 s")
    notebook.interrupt()
    notebook.wait()
    expect(notebook.output(index)).to_contain_text("interrupted before the first word")
    expect(notebook.output(index)).not_to_contain_text("Waiting")


def test_an_interrupted_answer_is_kept_with_a_mark(
    notebook: Notebook, server: ScriptedServer
) -> None:
    script = Paced("The first words. The last words.", 17, stop_at=17)
    server.script(script)
    index = notebook.ask("?", wait=False)
    expect(notebook.output(index)).to_contain_text("The first words.")
    notebook.interrupt()
    notebook.wait()
    script.go_on.set()
    expect(notebook.output(index).locator(".copilot-mark")).to_have_text("interrupted")
    expect(notebook.output(index)).to_contain_text("The first words.")


def test_reasoning_is_folded_until_it_is_clicked(
    notebook: Notebook, server: ScriptedServer
) -> None:
    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.event({"choices": [{"delta": {"reasoning_content": "Let me think."}}]})
        exchange.delta("So it is.")
        exchange.finish()
        exchange.done()

    server.script(script)
    output = notebook.output(notebook.ask("?"))
    expect(output).to_contain_text("So it is.")
    expect(output.get_by_text("Let me think.")).to_be_hidden()
    output.get_by_text("Reasoning").click()
    expect(output.get_by_text("Let me think.")).to_be_visible()


BACKGROUND = """
import threading
from copilot_magic.chat.turn import Turn
from copilot_magic.views.open import open_view
from copilot_magic.views.view import Footer
from copilot_magic.wire.chunks import Delta

def write():
    go_on.wait(60)
    for start in range(0, len(text), 40):
        view.feed(Delta(content=text[start : start + 40]))
        pause.wait(0.005)
    view.finish(Turn("?", answer=text, status="complete"), Footer(["the talk"], []))

go_on, pause = threading.Event(), threading.Event()
view = open_view(get_ipython(), asked="Copilot")
view.start()
view.detach()
threading.Thread(target=write).start()
"""


def test_an_answer_continues_in_its_own_cell_after_that_has_ended(notebook: Notebook) -> None:
    expected = words(70)
    index = notebook.run(f"text = {as_markdown(expected)!r}\n{BACKGROUND}")
    other = notebook.run("go_on.set()\nprint('the other cell')")
    expect(notebook.output(index)).to_contain_text("the talk", timeout=15_000)
    assert words_in(notebook.seen(index)) == expected
    assert notebook.seen(other) == "the other cell"


@pytest.mark.parametrize("paragraphs", [3, 100], ids=["short", "long"])
def test_a_saved_notebook_shows_the_answer_once_wherever_it_is_opened(
    jupyter: Jupyter, notebook: Notebook, server: ScriptedServer, paragraphs: int
) -> None:
    """Reopened, opened by someone who does not trust it, exported to HTML and to Markdown."""
    expected = words(paragraphs)
    server.script(Paced(as_markdown(expected), 40, pause=0.01))
    index = notebook.ask("?")
    expect(notebook.output(index)).to_contain_text(expected[-1])
    content = notebook.save()
    notebook.open()
    assert words_in(notebook.seen(index)) == expected

    cell: dict[str, Any] = content["cells"][index]
    alone = {**content, "cells": [cell]}
    book = nbformat.reads(json.dumps(alone), as_version=4)  # type: ignore[no-untyped-call]
    for exporter in (nbconvert.HTMLExporter(), nbconvert.MarkdownExporter()):
        exported, _ = exporter.from_notebook_node(book)
        assert words_in(exported) == expected
    sources = ["".join(output["data"]["text/plain"]) for output in cell["outputs"]]
    assert "".join(sources) == as_markdown(expected)

    alone["metadata"] = {**content["metadata"], "sent": "by mail"}
    with jupyter.notebook("lab", alone) as mailed:
        assert words_in(mailed.seen(0)) == expected
        assert mailed.output(0).locator(".jp-mod-trusted").count() == 0


def assert_harmless(notebook: Notebook, url: str) -> None:
    """Assert that nothing happened that an answer must not cause."""
    assert notebook.calls == []
    assert notebook.dialogs == []
    assert [r for r in notebook.requests if not r.startswith((url, "data:", "blob:"))] == []
    assert notebook.navigations == []
    assert notebook.page.locator(".jp-OutputArea iframe, .jp-OutputArea form").count() == 0


def test_the_probes_see_what_raw_html_does(notebook: Notebook, jupyter: Jupyter) -> None:
    """Without this, the next test could pass because its probes see nothing."""
    notebook.navigations.clear()
    notebook.run(
        "from IPython.display import HTML\n"
        """HTML('<img src="https://evil.example/x.png" onerror="pwned(); alert(1)">')"""
    )
    notebook.page.wait_for_timeout(500)
    assert notebook.calls == ["pwned"]
    assert notebook.dialogs == ["1"]
    assert "https://evil.example/x.png" in notebook.requests
    with pytest.raises(AssertionError):
        assert_harmless(notebook, jupyter.url)


def test_hostile_answers_do_nothing_even_when_the_notebook_is_reopened(
    jupyter: Jupyter, front_end: str, server: ScriptedServer
) -> None:
    names = list(PAYLOADS)
    texts = iter(PAYLOADS.values())
    server.script(lambda exchange: Paced(next(texts), 9)(exchange))
    with jupyter.notebook(front_end) as notebook:
        notebook.use(server)
        notebook.navigations.clear()
        cells = [
            notebook.run(
                f"for name in {names[start : start + 12]!r}:\n"
                "    try:\n"
                "        get_ipython().run_cell_magic('copilot', '', name)\n"
                "    except Exception as error:\n"
                "        print(error)"
            )
            for start in range(0, len(names), 12)
        ]
        for cell in cells:
            assert " s · lab" in notebook.seen(cell) or " s · notebook" in notebook.seen(cell)
        assert_harmless(notebook, jupyter.url)
        notebook.save()
        notebook.open()
        notebook.navigations.clear()
        for cell in cells:
            assert " s · lab" in notebook.seen(cell) or " s · notebook" in notebook.seen(cell)
            assert notebook.output(cell).locator(".jp-mod-trusted").count() > 0
        assert_harmless(notebook, jupyter.url)
