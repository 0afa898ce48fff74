"""Answers in the background of a real front end: in their own cells, and saved there."""

from __future__ import annotations

import threading

from browser.notebooks import Notebook
from playwright.sync_api import expect
from scripted_server import Exchange, ScriptedServer

PARAGRAPHS = [f"Paragraph {number} has some words." for number in range(60)]


def test_the_right_cell_grows_while_another_runs_and_is_saved_with_all_of_it(
    notebook: Notebook, server: ScriptedServer
) -> None:
    go_on = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.start()
        for number, paragraph in enumerate(PARAGRAPHS):
            if number == 30:
                assert exchange.wait(go_on)
            exchange.delta(f"{paragraph}\n\n")
        exchange.finish()
        exchange.done()

    server.script(script)
    asked = notebook.ask("?", "-b -o x")
    expect(notebook.output(asked)).to_contain_text(PARAGRAPHS[29])
    other = notebook.run("import time\nprint('begins')\ntime.sleep(4)\nprint('ends')", wait=False)
    expect(notebook.output(other)).to_contain_text("begins")
    go_on.set()
    expect(notebook.output(asked)).to_contain_text(PARAGRAPHS[-1], timeout=3_500)
    expect(notebook.output(other)).not_to_contain_text("ends", timeout=1)
    notebook.wait()
    shows = notebook.run("print(type(x).__name__, len(x))")
    length = sum(len(paragraph) + 2 for paragraph in PARAGRAPHS)
    assert notebook.seen(shows) == f"Answer {length}"
    seen = notebook.seen(asked)
    assert [seen.count(paragraph) for paragraph in PARAGRAPHS] == [1] * len(PARAGRAPHS)
    assert notebook.seen(other).split() == ["begins", "ends"]
    saved = notebook.save()["cells"]
    sources = ["".join(output["data"]["text/plain"]) for output in saved[asked]["outputs"]]
    assert "".join(sources) == "".join(f"{paragraph}\n\n" for paragraph in PARAGRAPHS)
    assert "Paragraph" not in str(saved[other]["outputs"])
    notebook.open()
    seen = notebook.seen(asked)
    assert [seen.count(paragraph) for paragraph in PARAGRAPHS] == [1] * len(PARAGRAPHS)


def test_a_failure_is_shown_where_it_was_asked_and_a_short_answer_takes_no_more_room(
    notebook: Notebook, server: ScriptedServer
) -> None:
    go_on = threading.Event()

    def script(exchange: Exchange) -> None:
        if exchange.request.json["messages"][-1]["content"] == "fail":
            assert exchange.wait(go_on)
            exchange.reply(401, {"error": {"message": "<b id=bad>no</b> key"}})
        else:
            exchange.start()
            exchange.delta("Short.")
            exchange.finish()
            exchange.done()

    server.script(script)
    failed = notebook.ask("fail", "-b")
    short = notebook.ask("short", "-b -c aside")
    plain = notebook.ask("short", "-c aside")
    other = notebook.run("print('the other cell')")
    go_on.set()
    alert = notebook.output(failed).get_by_role("alert")
    expect(alert).to_contain_text("AuthenticationError")
    expect(alert).to_contain_text("<b id=bad>no</b> key")
    assert notebook.page.locator("#bad").count() == 0
    assert notebook.seen(other) == "the other cell"
    heights = [notebook.output(index).bounding_box() for index in (short, plain)]
    assert heights[0] is not None and heights[1] is not None
    # The outputs that were opened for a longer answer are empty and take up no room.
    assert abs(heights[0]["height"] - heights[1]["height"]) <= 2
