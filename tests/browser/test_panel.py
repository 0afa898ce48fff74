"""The chat panel in a real JupyterLab and a real Notebook 7, over real HTTP."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator

import pytest
from browser.axe import fetch_axe, violations
from browser.chat import Chat
from browser.notebooks import Jupyter, Notebook
from browser.test_answers import Paced, as_markdown, words, words_in
from hostile import PAYLOADS
from playwright.sync_api import Locator, expect
from scripted_server import Exchange, ScriptedServer, answer


@pytest.fixture
def notebook(opened: Notebook, server: ScriptedServer) -> Iterator[Notebook]:
    """Yield the notebook in a new conversation; panels are taken away afterwards."""
    opened.use(server)
    opened.messages.clear()
    yield opened
    opened.page.evaluate(
        "() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')"
    )
    ours = [text for text in opened.messages if re.search("anywidget|blob:|Uncaught", text)]
    assert not ours


def test_enter_sends_and_shift_enter_breaks_the_line(
    notebook: Notebook, server: ScriptedServer
) -> None:
    chat = Chat.show(notebook)
    script = Paced("The first words.\n\n**The last words.**", 18, stop_at=18)
    server.script(script)
    cells = notebook.page.locator(".jp-Notebook-cell").count()
    chat.box.click()
    # In a cell, these letters are commands.
    chat.box.press_sequentially("add below")
    chat.box.press("Shift+Enter")
    chat.box.press_sequentially("xx")
    expect(chat.box).to_have_value("add below\nxx")
    assert not server.posts
    chat.box.press("Enter")
    expect(chat.said).to_have_text("add below\nxx")
    expect(chat.answers).to_contain_text("The first words.")
    expect(chat.log).to_have_attribute("aria-busy", "true")
    expect(chat.box).to_be_focused()
    chat.box.press_sequentially("a draft")
    script.go_on.set()
    expect(chat.answers.locator("strong")).to_have_text("The last words.")
    chat.has_ended()
    expect(chat.box).to_have_value("a draft")
    expect(chat.box).to_be_focused()
    assert server.posts[0]["messages"][-1]["content"] == "add below\nxx"
    assert notebook.page.locator(".jp-Notebook-cell").count() == cells


def test_what_sends_attaches_and_stops_can_be_seen(
    notebook: Notebook, server: ScriptedServer
) -> None:
    def is_seen(button: Locator) -> bool:
        return bool(button.evaluate("button => button.checkVisibility({checkOpacity: true})"))

    chat = Chat.show(notebook)
    script = Paced("The first words.\n\nThe last words.", 18, stop_at=18)
    server.script(script)
    box = chat.box.bounding_box()
    send = chat.send.bounding_box()
    assert box is not None and send is not None
    assert send["y"] >= box["y"] + box["height"], "it covers what is typed"
    chat.box.focus()
    assert is_seen(chat.send)
    assert is_seen(chat.root.get_by_role("button", name="Attach a file"))
    chat.ask("?")
    expect(chat.answers).to_contain_text("The first words.")
    assert is_seen(chat.stop)
    script.go_on.set()
    chat.has_ended()


def test_a_panel_that_nobody_uses_for_a_while_can_still_ask(
    notebook: Notebook, server: ScriptedServer
) -> None:
    chat = Chat.show(notebook)
    # Longer than an idle kernel may leave a message without an answer.
    notebook.page.wait_for_timeout(12_000)
    expect(chat.root).not_to_contain_text("kernel")
    chat.ask("Still there?")
    expect(chat.answers).to_have_text("You said: Still there?")
    chat.has_ended()


def test_enter_within_a_composition_does_not_send(
    notebook: Notebook, server: ScriptedServer
) -> None:
    chat = Chat.show(notebook)
    chat.box.fill("にほん")
    chat.box.evaluate(
        """box => {
            const press = options => box.dispatchEvent(new KeyboardEvent("keydown", {
                key: "Enter", bubbles: true, cancelable: true, ...options}));
            press({isComposing: true});
            press({keyCode: 229});
        }"""
    )
    notebook.page.wait_for_timeout(200)
    assert not server.posts
    expect(chat.box).to_have_value("にほん")


@pytest.mark.parametrize("how", ["button", "Escape"])
def test_stopping_keeps_what_arrived(notebook: Notebook, server: ScriptedServer, how: str) -> None:
    gone = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("Half an")
        if exchange.client_gone():
            gone.set()

    chat = Chat.show(notebook)
    server.script(script)
    chat.ask("?")
    expect(chat.answers).to_contain_text("Half an")
    if how == "button":
        chat.stop.click()
    else:
        chat.box.press("Escape")
    chat.has_ended()
    assert gone.wait(10)
    expect(chat.answers).to_have_text(re.compile("Half an"))
    expect(chat.log).to_contain_text("interrupted")
    expect(chat.box).to_be_focused()


def test_retry_asks_the_last_prompt_again_and_undo_takes_it_out(
    notebook: Notebook, server: ScriptedServer
) -> None:
    chat = Chat.show(notebook)
    server.scripts(*(lambda e, text=text: answer(e, text) for text in ("one", "two", "three")))
    chat.ask("first")
    expect(chat.answers).to_have_text("one")
    chat.has_ended()
    chat.ask("second")
    expect(chat.answers).to_have_text(["one", "two"])
    chat.has_ended()
    chat.press("Retry")
    expect(chat.answers).to_have_text(["one", "three"])
    assert server.posts[2]["messages"][-1]["content"].strip() == "second"
    chat.has_ended()
    chat.press("Undo")
    expect(chat.answers).to_have_text(["one"])
    expect(chat.said).to_have_text(["first"])
    expect(chat.box).to_be_focused()


def test_an_edited_message_is_asked_again_and_later_answers_are_outdated(
    notebook: Notebook, server: ScriptedServer
) -> None:
    chat = Chat.show(notebook)
    chat.ask("first")
    chat.has_ended()
    expect(chat.answers).to_have_text(["You said: first"])
    chat.ask("second")
    expect(chat.answers).to_have_text(["You said: first", "You said: second"])
    chat.has_ended()
    chat.box.fill("a draft")
    chat.said.first.hover()
    chat.root.get_by_role("button", name="Edit").first.click()
    expect(chat.box).to_have_value("first")
    expect(chat.root).to_contain_text("Asks again from an earlier message")
    chat.box.press("Escape")
    expect(chat.box).to_have_value("a draft")
    chat.root.get_by_role("button", name="Edit").first.click()
    chat.ask("changed")
    expect(chat.answers).to_have_text(["You said: changed", "You said: second"])
    expect(chat.log).to_contain_text("outdated")
    assert [m["content"].strip() for m in server.posts[2]["messages"]] == ["changed"]


def test_conversations_are_found_by_what_was_said_in_them(
    notebook: Notebook, front_end: str
) -> None:
    chat = Chat.show(notebook)
    chat.ask(f"about zebras in {front_end}")
    expect(chat.answers).to_have_text(f"You said: about zebras in {front_end}")
    chat.has_ended()
    name = chat.conversation.input_value()
    chat.press("New conversation")
    expect(chat.log.get_by_role("article")).to_have_count(0)
    expect(chat.log).to_contain_text("What would you like to know?")
    expect(chat.box).to_be_focused()
    expect(chat.conversation).not_to_have_value(name)
    chat.ask("about lions")
    expect(chat.answers).to_have_text("You said: about lions")
    chat.conversation.click()
    chat.conversation.fill(f"ZEBRAS IN {front_end}")
    options = chat.root.get_by_role("option")
    expect(options).to_have_count(1)
    expect(options).to_contain_text(f"about zebras in {front_end}")
    chat.conversation.press("ArrowDown")
    chat.conversation.press("Enter")
    expect(chat.said).to_have_text(f"about zebras in {front_end}")
    expect(chat.conversation).to_have_value(name)
    # It is the notebook's conversation: cells ask in it, too.
    index = notebook.run("%copilot status")
    expect(notebook.output(index)).to_contain_text(name)


def test_a_model_is_chosen_or_typed(notebook: Notebook, server: ScriptedServer) -> None:
    models = {"object": "list", "data": [{"id": "one-model"}, {"id": "other-model"}]}
    page = (200, {"Content-Type": "application/json"}, json.dumps(models).encode())
    server.get["/v1/models"] = page
    chat = Chat.show(notebook)
    chat.model.click()
    expect(chat.root.get_by_role("option")).to_have_count(3)
    chat.root.get_by_role("option", name="other-model").click()
    expect(chat.model).to_have_value("other-model")
    chat.ask("a")
    chat.has_ended()
    chat.model.click()
    chat.model.fill("my-own")
    chat.model.press("Enter")
    expect(chat.model).to_have_value("my-own")
    chat.press("Retry")
    expect(chat.answers).to_have_text("You said: a")
    chat.has_ended()
    assert [post.get("model") for post in server.posts] == ["other-model", "my-own"]


def test_cells_and_panels_show_the_same_conversation(
    notebook: Notebook, server: ScriptedServer
) -> None:
    one, other = Chat.show(notebook), Chat.show(notebook)
    script = Paced("Some words. And more.", 12, stop_at=12)
    server.script(script)
    notebook.ask("asked in a cell", wait=False)
    for chat in (one, other):
        expect(chat.said).to_have_text("asked in a cell")
        expect(chat.answers).to_contain_text("Some words.")
    script.go_on.set()
    notebook.wait()
    for chat in (one, other):
        expect(chat.answers).to_have_text("Some words. And more.")
        chat.has_ended()
    server.script(lambda exchange: answer(exchange, "The second."))
    one.ask("asked in a panel")
    expect(other.said).to_have_text(["asked in a cell", "asked in a panel"])
    expect(other.answers).to_have_text(["Some words. And more.", "The second."])
    other.has_ended()
    index = notebook.run("%copilot show")
    expect(notebook.output(index)).to_contain_text("asked in a panel")
    index = notebook.run("_copilot")
    expect(notebook.output(index)).to_contain_text("The second.")


SUBSHELLS = """
how => {
    const context = window.jupyterapp.shell.currentWidget.sessionContext;
    context.session.kernel.commsOverSubshells = how;
}
"""


def test_a_prompt_waits_for_the_running_cell_and_is_then_asked(
    notebook: Notebook, server: ScriptedServer
) -> None:
    """A kernel without subshells takes no message of a widget while a cell runs."""
    notebook.page.evaluate(SUBSHELLS, "disabled")
    try:
        chat = Chat.show(notebook)
        index = notebook.run("import time\nprint('began')\ntime.sleep(3)", wait=False)
        expect(notebook.output(index)).to_contain_text("began")
        chat.ask("after the cell")
        expect(chat.said).to_have_text("after the cell")
        expect(chat.log).to_contain_text("Waiting until the running cell has ended")
        assert not server.posts
        notebook.wait()
        expect(chat.answers).to_have_text("You said: after the cell")
        chat.has_ended()
        expect(chat.log).not_to_contain_text("Waiting")
        assert len(server.posts) == 1
    finally:
        notebook.page.evaluate(SUBSHELLS, "perCommTarget")


def test_with_subshells_a_prompt_is_asked_and_stopped_while_a_cell_runs(
    notebook: Notebook, server: ScriptedServer
) -> None:
    chat = Chat.show(notebook)
    chat.ask("first")
    chat.has_ended()
    script = Paced("Some words. And more.", 12, stop_at=12)
    server.script(script)
    index = notebook.run("import time\nprint('began')\ntime.sleep(60)", wait=False)
    expect(notebook.output(index)).to_contain_text("began")
    chat.ask("during the cell")
    expect(chat.answers.last).to_contain_text("Some words.")
    chat.stop.click()
    chat.has_ended()
    expect(chat.log).to_contain_text("interrupted")
    assert notebook.page.evaluate("() => Promise.race([window.ran, 'runs'])") == "runs"
    notebook.interrupt()
    notebook.wait()


def test_an_answer_goes_on_while_cells_run_and_are_interrupted(
    notebook: Notebook, server: ScriptedServer
) -> None:
    chat = Chat.show(notebook)
    script = Paced("Some words. And more.", 12, stop_at=12)
    server.script(script)
    chat.ask("?")
    expect(chat.answers).to_contain_text("Some words.")
    index = notebook.run("import time\nprint('began')\ntime.sleep(60)", wait=False)
    expect(notebook.output(index)).to_contain_text("began")
    script.go_on.set()
    expect(chat.answers).to_have_text("Some words. And more.")
    notebook.interrupt()
    expect(notebook.output(index)).to_contain_text("KeyboardInterrupt")
    chat.has_ended()


def test_an_error_is_an_alert_with_a_way_out(notebook: Notebook, server: ScriptedServer) -> None:
    chat = Chat.show(notebook)
    server.scripts(
        lambda e: answer(e, "An answer."),
        lambda e: e.reply(401, {"error": {"message": "no key"}}),
        lambda e: e.reply(401, {"error": {"message": "no key"}}),
        lambda e: answer(e, "A better one."),
    )
    chat.ask("one")
    expect(chat.answers).to_have_text("An answer.")
    chat.has_ended()
    chat.press("Retry")  # the answer stays, since there is no other one
    alert = chat.root.get_by_role("alert")
    expect(alert).to_contain_text("COPILOT_API_KEY")
    expect(chat.answers).to_have_text(["An answer."])
    chat.press("Dismiss")
    expect(alert).to_have_count(0)
    chat.ask("two")
    expect(alert).to_contain_text("COPILOT_API_KEY")
    expect(chat.log.get_by_role("alert")).to_have_count(1)
    chat.has_ended()
    chat.press("Retry")
    expect(chat.answers).to_have_text(["An answer.", "A better one."])
    expect(alert).to_have_count(0)


def test_a_picture_and_a_text_file_go_along(notebook: Notebook, server: ScriptedServer) -> None:
    server.script(lambda exchange: answer(exchange, "I see."))
    chat = Chat.show(notebook)
    chat.box.evaluate(
        """async box => {
            const canvas = document.createElement("canvas");
            canvas.width = 2000; canvas.height = 100;
            canvas.getContext("2d").fillRect(0, 0, 50, 50);
            const blob = await new Promise(done => canvas.toBlob(done));
            const data = new DataTransfer();
            data.items.add(new File([blob], "plot.png", {type: "image/png"}));
            box.dispatchEvent(new ClipboardEvent(
                "paste", {clipboardData: data, bubbles: true, cancelable: true}));
        }"""
    )
    expect(chat.root.get_by_role("button", name="Remove plot.png")).to_be_visible()
    chat.root.locator("input[type=file]").set_input_files(
        [
            {"name": "data.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"},
            {"name": "other.txt", "mimeType": "text/plain", "buffer": b"not this one"},
            {"name": "binary.bin", "mimeType": "", "buffer": b"\xff\xfe\x00"},
        ]
    )
    expect(chat.root.get_by_role("alert")).to_contain_text("binary.bin is not a text file")
    chat.press("Remove other.txt")
    chat.ask("What is this?")
    expect(chat.answers).to_have_text("I see.")
    expect(chat.log).to_contain_text("plot.png, data.csv")
    text, picture = server.posts[0]["messages"][-1]["content"]
    assert text["text"].startswith("What is this?") and "a,b\n1,2\n" in text["text"]
    assert "not this one" not in text["text"]
    assert picture["image_url"]["url"].startswith("data:image/png;base64,")
    size = notebook.page.evaluate(
        """async url => {
            const picture = new Image();
            picture.src = url;
            await picture.decode();
            return [picture.naturalWidth, picture.naturalHeight];
        }""",
        picture["image_url"]["url"],
    )
    assert size == [1280, 64]
    expect(chat.said).to_have_text("What is this?")


def test_nothing_that_a_model_or_a_user_writes_runs(
    jupyter: Jupyter, front_end: str, server: ScriptedServer
) -> None:
    """In a notebook of its own: another test shows there what happens without protection."""
    with jupyter.notebook(front_end) as notebook:
        notebook.use(server)
        chat = Chat.show(notebook)
        page, payloads = notebook.page, list(PAYLOADS.values())
        before = page.url
        # All payloads at once would be one huge answer, so they are spread over several.
        for number in range(0, len(payloads), 40):
            text = "\n\n".join(payloads[number : number + 40])
            server.script(Paced(f"{text}\n\nEND {number}", 500))
            chat.ask(f"{payloads[number]} asked {number}")
            expect(chat.log).to_contain_text(f"asked {number}")
            expect(chat.answers.last).to_contain_text(f"END {number}", timeout=30_000)
            chat.has_ended()
        links = chat.answers.locator("a")
        for link in links.all()[:50]:
            assert re.match("https?:|mailto:", link.get_attribute("href") or "")
            assert link.get_attribute("target") == "_blank"
        assert (
            chat.log.locator("script, iframe, object, embed, form, base, meta, link").count() == 0
        )
        assert not chat.log.locator("[style*=fixed], [onclick], [onerror], [onload]").count()
        assert not notebook.calls and not notebook.dialogs
        assert not any("evil.example" in url for url in notebook.requests)
        assert page.url == before


def test_the_newest_is_in_view_unless_the_reader_scrolled_up(
    notebook: Notebook, server: ScriptedServer
) -> None:
    expected = words(60)
    text = as_markdown(expected)
    script = Paced(text, 40, pause=0.005, stop_at=len(text) // 2)
    server.script(script)
    chat = Chat.show(notebook)
    chat.ask("?")
    expect(chat.answers).to_contain_text(expected[len(expected) // 2 - 24])
    first = chat.answers.locator("p").first
    expect(first).not_to_be_in_viewport()
    jump = chat.root.get_by_role("button", name="Jump to latest")
    expect(jump).to_be_hidden()
    chat.log.hover()
    notebook.page.mouse.wheel(0, -5000)
    expect(jump).to_be_visible()
    expect(first).to_be_in_viewport()
    first.evaluate("node => { window.marked = node; getSelection().selectAllChildren(node); }")
    top = first.evaluate("node => node.getBoundingClientRect().top")
    script.go_on.set()
    chat.has_ended()
    assert words_in(chat.answers.inner_text()) == expected
    assert first.evaluate("node => node.getBoundingClientRect().top") == pytest.approx(top, abs=1)
    assert first.evaluate("node => node === window.marked")
    jump.click()
    expect(chat.answers.locator("p").last).to_be_in_viewport()
    expect(jump).to_be_hidden()


def test_code_and_answers_are_copied(notebook: Notebook, server: ScriptedServer) -> None:
    source = "Some **code**:\n\n```python\nx = 1\nprint(x)\n```\n"
    server.script(lambda exchange: answer(exchange, source))
    notebook.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    chat = Chat.show(notebook)
    chat.ask("?")
    chat.has_ended()
    chat.answers.locator(".copilot-code").hover()
    chat.press("Copy code")
    expect(chat.log).to_contain_text("Copied: paste it into a cell")
    assert notebook.page.evaluate("navigator.clipboard.readText()") == "x = 1\nprint(x)\n"
    notebook.page.evaluate("navigator.clipboard.writeText('')")
    chat.press("Put into next cell")
    expect(chat.log).to_contain_text("A click cannot add a cell here. Copied")
    assert notebook.page.evaluate("navigator.clipboard.readText()") == "x = 1\nprint(x)\n"
    chat.press("Copy")
    expect(chat.log).to_contain_text("Copied")
    assert notebook.page.evaluate("navigator.clipboard.readText()") == source


def test_variables_are_described_and_secrets_masked_as_in_a_cell(
    notebook: Notebook, server: ScriptedServer
) -> None:
    notebook.run("items = [1, 2, 3]; api_key = 'Kx82-zz91-Pq77'")
    chat = Chat.show(notebook)
    chat.ask("Sum {{items}} with Kx82-zz91-Pq77")
    chat.has_ended()
    sent = server.posts[-1]["messages"][-1]["content"]
    assert sent.startswith("Sum `items` with [masked: api_key]\n")
    assert "[1, 2, 3]" in sent
    expect(chat.said.last).to_have_text("Sum {{items}} with [masked: api_key]")
    expect(chat.log).to_contain_text("masked: api_key")
    chat.ask("And {{items[9]}}?")
    expect(chat.root.get_by_role("alert")).to_contain_text("{{items[9]}}: IndexError")
    expect(chat.root.get_by_role("alert")).not_to_contain_text("%copilot fix")


def test_reasoning_is_folded(notebook: Notebook, server: ScriptedServer) -> None:
    go_on = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.event({"choices": [{"delta": {"reasoning": "Let me *think*."}}]})
        exchange.wait(go_on)
        exchange.delta("It is so.")
        exchange.finish()
        exchange.done()

    server.script(script)
    chat = Chat.show(notebook)
    chat.ask("?")
    expect(chat.log.locator("summary")).to_have_text("Reasoning")
    expect(chat.log.locator("em")).to_be_hidden()
    go_on.set()
    expect(chat.answers).to_have_text("It is so.")
    chat.log.locator("summary").click()
    expect(chat.log.locator("em")).to_have_text("think")


def test_the_wait_for_the_first_word_is_counted(notebook: Notebook, server: ScriptedServer) -> None:
    go_on = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.wait(go_on)
        answer(exchange, "At last.")

    server.script(script)
    chat = Chat.show(notebook)
    chat.ask("?")
    expect(chat.log).to_contain_text(re.compile(r"Waiting for .+ · [12] s"))
    go_on.set()
    expect(chat.answers).to_have_text("At last.")
    expect(chat.log).not_to_contain_text("Waiting for")


def test_formulas_are_set_when_they_are_settled(notebook: Notebook, server: ScriptedServer) -> None:
    server.script(Paced("It is $\\frac{a}{b}$ for $5 and $6.\n\n$$\\sum_i x_i$$\n\nThe end.", 5))
    chat = Chat.show(notebook)
    chat.ask("?")
    expect(chat.answers.locator("mjx-container")).to_have_count(2)
    expect(chat.answers).to_contain_text("for $5 and $6.")


def test_a_reload_brings_everything_back(notebook: Notebook, server: ScriptedServer) -> None:
    script = Paced("Some words.\n\nMore of them. And the end.", 16, stop_at=16)
    chat = Chat.show(notebook)
    chat.ask("first")
    expect(chat.answers).to_have_text("You said: first")
    server.script(script)
    chat.has_ended()
    chat.ask("second")
    expect(chat.answers.last).to_contain_text("Some words.")
    notebook.save()
    notebook.open()
    expect(chat.said).to_have_text(["first", "second"], timeout=30_000)
    expect(chat.answers.last).to_contain_text("Some words.")
    expect(chat.stop).to_be_visible()
    script.go_on.set()
    expect(chat.answers.last).to_contain_text("And the end.")
    chat.has_ended()
    expect(chat.answers.last.locator("p")).to_have_count(2)
    chat.ask("third")
    expect(chat.said).to_have_text(["first", "second", "third"])


def test_taking_the_output_away_ends_the_panels_work(
    notebook: Notebook, server: ScriptedServer
) -> None:
    gone = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("Half")
        if exchange.client_gone(20):
            gone.set()

    server.script(script)
    chat = Chat.show(notebook)
    chat.ask("?")
    expect(chat.answers).to_contain_text("Half")
    notebook.page.evaluate(
        "() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')"
    )
    assert gone.wait(20)
    # Also those of the tests before, some seconds later.
    index = notebook.run(
        "import threading, time\n"
        "names = lambda: [t.name for t in threading.enumerate() if 'panel' in t.name]\n"
        "end = time.monotonic() + 15\n"
        "while names() and time.monotonic() < end:\n"
        "    await __import__('asyncio').sleep(0.1)\n"
        "print(names())"
    )
    expect(notebook.output(index)).to_have_text("[]")


def test_two_hundred_turns_are_shown_in_their_order(
    notebook: Notebook, server: ScriptedServer
) -> None:
    notebook.run(
        "from copilot_magic.chat.turn import Turn\n"
        "session = get_ipython().magics_manager.registry['CopilotMagics'].notebook.session\n"
        "session.library.current.turns += [\n"
        "    Turn(f'question {n}', answer=f'answer **{n}**\\n\\n' + 'word ' * 200,"
        " status='complete')\n"
        "    for n in range(200)]"
    )
    chat = Chat.show(notebook)
    expect(chat.said.last).to_have_text("question 199")
    expect(chat.answers.last).to_be_in_viewport()
    expect(chat.said).to_have_count(200, timeout=20_000)
    assert chat.said.all_text_contents() == [f"question {n}" for n in range(200)]
    chat.ask("one more")
    expect(chat.said).to_have_count(201)
    expect(chat.answers.last).to_have_text("You said: one more")
    expect(chat.answers.last).to_be_in_viewport()


def test_a_restarted_kernel_leaves_the_panel_saying_so(
    jupyter: Jupyter, server: ScriptedServer, front_end: str
) -> None:
    with jupyter.notebook(front_end) as notebook:
        notebook.use(server)
        script = Paced("Half an answer", 5, stop_at=5)
        server.script(script)
        chat = Chat.show(notebook)
        chat.ask("?")
        expect(chat.answers).to_contain_text("Half")
        chat.box.fill("a draft")
        notebook.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel?.()"
            " ?? window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
        )
        expect(chat.root.get_by_role("alert")).to_contain_text("restarted", timeout=30_000)
        script.go_on.set()
        chat.box.press("Enter")
        expect(chat.box).to_have_value("a draft")
        expect(chat.log).to_have_attribute("aria-busy", "false")
        expect(chat.answers).to_contain_text("Half")
        notebook.use(server)
        again = Chat.show(notebook)
        server.script(lambda exchange: answer(exchange, "Fine."))
        again.ask("?")
        expect(again.answers.last).to_have_text("Fine.")


def test_a_saved_notebook_shows_the_conversation_without_a_kernel(
    jupyter: Jupyter, server: ScriptedServer, front_end: str
) -> None:
    with jupyter.notebook(front_end) as notebook:
        notebook.use(server)
        server.script(lambda exchange: answer(exchange, "An **answer**."))
        chat = Chat.show(notebook)
        chat.ask("<b>A question</b>")
        expect(chat.answers).to_have_text("An answer.")
        chat.has_ended()
        notebook.page.wait_for_timeout(1500)
        shown = notebook.page.get_by_text("An answer.").filter(visible=True)
        expect(shown).to_have_count(1)  # the saved one is hidden
        content = notebook.save()
    outputs = [o for cell in content["cells"] for o in cell["outputs"]]
    html = "".join("".join(o.get("data", {}).get("text/html", "")) for o in outputs)
    assert "An <strong>answer</strong>." in html and "&lt;b&gt;A question" in html
    with jupyter.notebook(front_end, content=content) as notebook:
        page = notebook.page
        expect(page.get_by_text("An answer.").filter(visible=True)).to_have_count(1)
        expect(page.get_by_text("<b>A question</b>").filter(visible=True)).to_have_count(1)
        page.wait_for_timeout(1000)
        assert not page.get_by_text("Error displaying widget").filter(visible=True).count()


def test_a_conversation_that_is_there_is_seen_once_when_the_panel_is_shown(
    notebook: Notebook, server: ScriptedServer
) -> None:
    server.script(lambda exchange: answer(exchange, "An **answer**."))
    notebook.run("from copilot_magic import ask, ChatPanel\nask('?');")
    index = notebook.run("%copilot panel")
    output = notebook.output(index)
    expect(output.locator(".copilot-saved")).to_have_count(1)
    expect(Chat(notebook, index).answers).to_have_text("An answer.")
    expect(output.get_by_text("An answer.").filter(visible=True)).to_have_count(1)


EVERYTHING = (
    "# Title\n\nSome **bold** words, `code` and a [link](https://example.org/).\n\n"
    "```python\nimport math\n\n"
    "def f(x: int) -> str:  # a comment\n    return 'text' + str(x)\n```\n\n"
    "| a | b |\n| - | - |\n| 1 | 2 |\n\n> quoted\n\n- [x] done\n- [ ] to do\n\n$$\\sum_i x_i$$\n"
)


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    return fetch_axe(tmp_path_factory.mktemp("axe"))


def test_the_panel_follows_the_theme(notebook: Notebook) -> None:
    chat = Chat.show(notebook)
    chat.ask("a")
    expect(chat.answers).to_have_text("You said: a")
    chat.box.fill("a draft")
    looks = "node => [getComputedStyle(node).color, getComputedStyle(node).backgroundColor]"
    light = chat.root.evaluate(looks)
    try:
        notebook.theme("Dark")
        dark = chat.root.evaluate(looks)
    finally:
        notebook.theme("Light")
    assert not set(light) & set(dark)
    assert chat.root.evaluate(looks) == light
    expect(chat.box).to_have_value("a draft")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_an_accessibility_checker_finds_nothing_serious(
    notebook: Notebook, server: ScriptedServer, axe: str, theme: str
) -> None:
    """In an empty panel, in one with an answer, an error, a list, and in a cell's answer."""
    try:
        notebook.theme(theme)
        chat = Chat.show(notebook)
        notebook.page.wait_for_timeout(300)
        assert violations(notebook.page, axe, ".copilot-panel") == []
        server.script(lambda exchange: answer(exchange, EVERYTHING))
        chat.ask("Everything, please")
        chat.has_ended()
        server.script(lambda exchange: exchange.reply(401, {"error": {"message": "no key"}}))
        chat.ask("And more")
        expect(chat.log.get_by_role("alert")).to_be_visible()
        chat.has_ended()
        chat.conversation.click()
        expect(chat.root.get_by_role("option").first).to_be_visible()
        chat.conversation.press("ArrowDown")
        notebook.page.wait_for_timeout(300)
        assert violations(notebook.page, axe, ".copilot-panel") == []
        chat.conversation.press("Escape")
        server.script(lambda exchange: answer(exchange, EVERYTHING))
        index = notebook.ask("Everything, in a cell")
        expect(notebook.output(index)).to_contain_text("to do")
        notebook.cell(index).scroll_into_view_if_needed()
        notebook.page.wait_for_timeout(300)
        assert violations(notebook.page, axe, ".copilot-part") == []
    finally:
        notebook.theme("Light")
