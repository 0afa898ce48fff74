"""A prompt from the cell to the answer, in a real kernel, over real HTTP."""

from __future__ import annotations

import re
import threading
import uuid
from typing import Any

import pytest
from copilot_server import PROVIDERS
from live_kernel import LiveKernel
from scripted_server import Exchange, ScriptedServer, answer

NOTEBOOK = "get_ipython().magics_manager.registry['CopilotMagics'].notebook"


def test_the_first_prompt_posts_exactly_what_the_reference_client_posts(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    run = kernel.copilot("Hello, i am Heiner. How are you?")
    assert run.reply["status"] == "ok", run.error
    (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    body = request.json
    assert uuid.UUID(body.pop("conversation_id")).version == 4
    assert body == {
        "model": "",
        "provider": "Copilot",
        "stream": True,
        "messages": [{"role": "user", "content": "Hello, i am Heiner. How are you?"}],
    }
    assert "You said: Hello, i am Heiner" in run.html
    assert not run.contents("execute_result")


def test_the_second_cell_continues_the_conversation(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    kernel.copilot("Hello, i am Heiner.")
    kernel.copilot("Tell me something about my name")
    first, second = server.posts
    assert second["conversation_id"] == first["conversation_id"]
    assert second["messages"] == [
        {"role": "user", "content": "Hello, i am Heiner."},
        {"role": "assistant", "content": "You said: Hello, i am Heiner."},
        {"role": "user", "content": "Tell me something about my name"},
    ]


def test_deltas_are_shown_before_the_server_has_sent_the_last_one(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    """The server waits with its second delta until the front end has seen the first."""
    seen = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("first words, ")
        assert exchange.wait(seen)
        exchange.delta("last words")
        exchange.finish()
        exchange.done()

    def on_message(message: dict[str, Any]) -> None:
        if "first words" in str(message["content"].get("data", "")):
            seen.set()

    server.script(script)
    run = kernel.copilot("go", on_message=on_message)
    assert run.reply["status"] == "ok", run.error
    assert "first words, last words" in run.html


def test_options_are_sent_for_this_prompt_only(kernel: LiveKernel, server: ScriptedServer) -> None:
    server.get["/v1/providers"] = PROVIDERS
    kernel.copilot("a", "-m some-model -p Other -t 0.5 --max-tokens 7")
    kernel.copilot("b")
    first, second = server.posts
    chosen = ("model", "provider", "temperature", "max_tokens")
    assert [first.get(name) for name in chosen] == ["some-model", "Other", 0.5, 7]
    assert [second.get(name) for name in chosen] == ["", "Copilot", None, None]


def test_a_system_message_stays_with_the_conversation(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    kernel.copilot("a", '-p Other -s "Be brief"')
    kernel.copilot("b", "-p Other")
    for body in server.posts:
        assert body["messages"][0] == {"role": "system", "content": "Be brief"}


def test_out_and_the_last_answer_are_answers(kernel: LiveKernel) -> None:
    kernel.copilot("hi there", "-o said")
    assert kernel.value("str(said)") == "'You said: hi there'"
    assert kernel.value("said == _copilot, type(said).__name__") == "(True, 'Answer')"
    assert kernel.value("said.model, said.finish_reason") == "('scripted-model', 'stop')"


def test_new_starts_another_conversation_and_stays_in_it(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    kernel.copilot("a")
    kernel.copilot("b", "--new")
    kernel.copilot("c")
    kernel.run("%copilot new")
    kernel.copilot("d")
    ids = [body["conversation_id"] for body in server.posts]
    assert ids[1] == ids[2]
    assert len(set(ids)) == 3
    assert [len(body["messages"]) for body in server.posts] == [1, 1, 3, 1]


def test_a_named_conversation_is_for_this_prompt_only(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    kernel.copilot("a")
    kernel.copilot("b", "-c other")
    kernel.copilot("c")
    kernel.copilot("d", "-c other")
    ids = [body["conversation_id"] for body in server.posts]
    assert ids[0] == ids[2] != ids[1] == ids[3]


def test_status_tells_server_provider_model_conversation_and_turns(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    kernel.copilot("a")
    text = kernel.run("%copilot").text
    assert text == kernel.run("%copilot status").text
    for part in (server.base_url, "Copilot", server.posts[0]["conversation_id"], "turns         1"):
        assert part in text


def test_raw_is_plain_text(kernel: LiveKernel, server: ScriptedServer) -> None:
    server.script(lambda exchange: answer(exchange, "**bold** <b>x</b>"))
    run = kernel.copilot("a", "--raw")
    assert "**bold** <b>x</b>" in run.text
    assert "<strong>" not in run.html


def test_a_dry_run_shows_the_request_and_sends_nothing(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    kernel.copilot("a")
    run = kernel.copilot("what next?", '--dry-run -s "Be brief" -t 0.5')
    assert len(server.posts) == 1
    for part in ("/chat/completions", "[system]", "Be brief", "what next?", "0.5", "characters"):
        assert part in run.text
    kernel.copilot("b", "-p Other")
    assert server.posts[1]["messages"][0] == {"role": "user", "content": "a"}


def assert_lines_of_an_error(error: str) -> None:
    """Assert that it is one line, or a line for each way out, and no traceback of our code."""
    first, *others = error.split("\n")
    assert re.match(r"\w+Error: ", first)
    assert all(len(line) <= 79 for line in (first, *others))
    assert not re.search(r"Traceback|File |copilot_magic[/\\]|\x1b", error)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%%copilot --nonsense\nhi", "--nonsense"),
        ("%%copilot -t warm\nhi", "warm"),
        ("%%copilot -o 1x\nhi", "1x"),
        ("%%copilot -o class\nhi", "class"),
        ("%%copilot --max-tokens 0\nhi", "0"),
        ("%%copilot hello\nhi", "hello"),
        ('%%copilot -s "open\nhi', "quotation mark"),
        ("%%copilot\n\n   \n", "empty"),
        ("%%copilot --replay --fresh\nhi", "--fresh"),
        ("%copilot nonsense", "nonsense"),
        ("%copilot statsu", "%copilot status"),
        ("%copilot use nobody", "nobody"),
        ("%copilot use", "NAME"),
        ("%copilot continue", "no answer"),
        ("%copilot retry", "Nothing"),
        ("%copilot stop", "serve"),
        ("%copilot export answer.docx", ".ipynb"),
    ],
)
def test_bad_input_is_a_readable_error_and_fails_the_cell(
    kernel: LiveKernel, server: ScriptedServer, cell: str, said: str
) -> None:
    run = kernel.run(cell)
    assert run.reply["status"] == "error"
    assert said in run.error
    assert_lines_of_an_error(run.error)
    assert not server.posts


def test_a_refused_connection_says_the_ways_out(kernel: LiveKernel, server: ScriptedServer) -> None:
    kernel.run("%config CopilotMagics.base_url = 'http://127.0.0.1:9/v1'")
    run = kernel.copilot("hi")
    assert run.reply["status"] == "error"
    assert_lines_of_an_error(run.error)
    assert "127.0.0.1:9" in run.error
    for way in ("%copilot serve", "%config CopilotMagics.base_url = '"):
        assert f"\n    {way}" in run.error
    assert "\n" not in run.reply["evalue"]
    kernel.run(f"%config CopilotMagics.base_url = '{server.base_url}'")
    assert kernel.copilot("hi").reply["status"] == "ok"


def test_an_interrupt_keeps_the_partial_answer_and_ends_the_request(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    gone = threading.Event()
    interrupted: list[bool] = []

    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("half an answer")
        if exchange.client_gone():
            gone.set()

    def on_message(message: dict[str, Any]) -> None:
        if "half an answer" in str(message["content"].get("data", "")) and not interrupted:
            interrupted.append(True)
            kernel.interrupt()

    server.script(script)
    run = kernel.copilot("go", on_message=on_message)
    assert gone.wait(10)
    assert run.contents("error")[0]["ename"] == "KeyboardInterrupt"
    assert "\n" not in run.error
    assert "half an answer" in run.html
    assert "interrupted" in run.html
    assert kernel.value("_copilot.status, str(_copilot)") == "('interrupted', 'half an answer')"
    server.script(lambda exchange: answer(exchange, "and the rest"))
    kernel.run("%copilot continue")
    continued = server.posts[1]["messages"]
    assert "half an answer" in continued[-1]["content"]
    assert kernel.value("str(_copilot)") == "'half an answerand the rest'"
    assert "turns         1" in kernel.run("%copilot status").text


@pytest.mark.parametrize("phase", ["waiting", "backing off"])
def test_an_interrupt_works_before_the_first_token(
    kernel: LiveKernel, server: ScriptedServer, phase: str
) -> None:
    gone = threading.Event()
    interrupted: list[bool] = []

    def script(exchange: Exchange) -> None:
        if phase == "backing off":
            gone.set()
            busy = {"error": {"message": "too many requests"}}
            exchange.reply(429, busy, {"Retry-After": "50"})
        elif exchange.client_gone():
            gone.set()

    def on_message(message: dict[str, Any]) -> None:
        sign = "Waiting for" if phase == "waiting" else "Too Many Requests"
        if sign in str(message["content"].get("data", "")) and not interrupted:
            interrupted.append(True)
            kernel.interrupt()

    server.script(script)
    run = kernel.copilot("go", on_message=on_message)
    assert interrupted
    assert gone.wait(10)
    assert run.contents("error")[0]["ename"] == "KeyboardInterrupt"
    assert "\n" not in run.error
    server.script(lambda exchange: answer(exchange, "fine"))
    assert kernel.copilot("next").reply["status"] == "ok"
    assert [m["content"] for m in server.posts[-1]["messages"]] == ["next"]


def test_retry_replaces_the_turn(kernel: LiveKernel, server: ScriptedServer) -> None:
    kernel.copilot("a", "-p Other")
    kernel.run("%copilot retry")
    first, second = server.posts
    assert first == second
    kernel.copilot("b", "-p Other")
    assert len(server.posts[2]["messages"]) == 3


def test_ask_is_the_cell_magic_as_a_function(kernel: LiveKernel, server: ScriptedServer) -> None:
    run = kernel.run("from copilot_magic import ask\nask('one', temperature=0.5)")
    assert run.reply["status"] == "ok", run.error
    assert not run.contents("execute_result")
    assert run.html.count("You said: one") == 1
    assert server.posts[0]["temperature"] == 0.5
    kernel.run("x = ask('two')")
    assert "You said: two" in kernel.run("x").html
    assert "no option 'nonsense'" in kernel.run("ask('x', nonsense=1)").error


def test_unload_leaves_nothing_behind(server: ScriptedServer) -> None:
    look = (
        "(sorted(get_ipython().magics_manager.magics['cell']),"
        " sorted(get_ipython().magics_manager.magics['line']),"
        " sorted(get_ipython().magics_manager.registry),"
        " [type(c).__name__ for c in get_ipython().configurables],"
        " [(k, v) for k, v in get_ipython().strdispatchers['complete_command'].strs.items()"
        " if 'copilot' in k], sorted(k for k in get_ipython().user_ns if 'copilot' in k),"
        " __import__('threading').active_count())"
    )
    kernel = LiveKernel(COPILOT_BASE_URL=server.base_url)
    try:
        kernel.run("%load_ext autoreload")  # the first %load_ext registers magics of IPython's own
        before = kernel.value(look)
        kernel.run("%load_ext copilot_magic")
        kernel.copilot("a")
        kernel.run("%unload_ext copilot_magic")
        assert kernel.value(look) == before
    finally:
        kernel.close()


def test_reload_keeps_the_conversation(kernel: LiveKernel, server: ScriptedServer) -> None:
    kernel.copilot("a")
    run = kernel.run("%reload_ext copilot_magic")
    assert run.reply["status"] == "ok", run.error
    kernel.copilot("b")
    assert len(server.posts[1]["messages"]) == 3
    assert server.posts[0]["conversation_id"] == server.posts[1]["conversation_id"]


def test_tab_completes_commands_options_and_names(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    kernel.run("%copilot new alpha")

    def complete(code: str) -> list[str]:
        reply = kernel.client.complete(code, reply=True, timeout=30)
        return list(reply["content"]["matches"])

    assert "serve" in complete("%copilot se")
    assert "alpha" in complete("%copilot use al")
    assert "--temperature" in complete("%%copilot --te")
    assert "alpha" in complete("%%copilot -c al")
    assert "scripted-model" in complete("%%copilot -m scr")


def test_tab_completes_the_users_names_in_a_prompt(kernel: LiveKernel) -> None:
    kernel.run("orders = {'price': 1, 'unit price': 2}; orbit = 7")

    def complete(code: str) -> tuple[list[str], str]:
        content = kernel.client.complete(code, reply=True, timeout=30)["content"]
        return content["matches"], code[content["cursor_start"] : content["cursor_end"]]

    assert complete("%%copilot\nWhat about {{orb") == (["orbit"], "orb")
    assert complete("%%copilot\nWhat about {{\n  orb")[0] == ["orbit"]
    matches, replaced = complete("%%copilot\nWhat about {{orders['unit pr")
    assert [match.removeprefix("unit ") for match in matches] == ["price"]
    assert replaced in ("unit pr", "pr")  # IPython 7 knows the last word alone
    assert "list[str]" in complete("%%copilot --as li")[0]
    assert "orbit" in complete("%%copilot -o orb")[0]
    assert "bit_length" in str(complete("%%copilot\n{{orbit.bit_l"))
    assert "orbit" not in complete("%%copilot\nWhat about {orders} xorb")[0]


def test_the_magics_explain_themselves(kernel: LiveKernel) -> None:
    for name, parts in {
        "%%copilot": ("--temperature", "_copilot", "--dry-run"),
        "%copilot": ("serve", "doctor", "COPILOT_API_KEY"),
    }.items():
        reply = kernel.run(f"{name}?").reply
        (page,) = reply["payload"]
        for part in parts:
            assert part in page["data"]["text/plain"]


def test_settings_are_shown_without_the_key(server: ScriptedServer) -> None:
    kernel = LiveKernel(COPILOT_BASE_URL=server.base_url, COPILOT_API_KEY="top-secret-key")
    try:
        kernel.run("%load_ext copilot_magic")
        kernel.copilot("a")
        assert server.requests[0].headers["Authorization"] == "Bearer top-secret-key"
        shown = [
            kernel.run("%config CopilotMagics").text,
            kernel.run("%copilot status").text,
            kernel.run(f"{NOTEBOOK}.session.settings").text,
            kernel.run(f"{NOTEBOOK}.session.client").text,
            kernel.copilot("b", "--dry-run").text,
        ]
        assert "base_url" in shown[0]
        assert "top-secret-key" not in "".join(shown)
    finally:
        kernel.close()
