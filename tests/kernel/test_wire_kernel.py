"""What a kernel shows of odd servers, of interrupts in a row, and of secrets: never a traceback."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from copilot_server import PROVIDERS, CopilotScript
from live_kernel import LiveKernel, Run
from scripted_server import Exchange, ScriptedServer, answer

OURS = ("copilot_magic/", "Traceback", "show_exchange")


def stream(*events: Any) -> Callable[[Exchange], None]:
    return lambda exchange: (exchange.start(), *map(exchange.event, events))[0]


def word(text: str) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": text}}]}


def ok(run: Run) -> Run:
    assert run.reply["status"] == "ok", run.error
    return run


def test_unreadable_lines_are_named_in_the_footer(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    server.script(stream(word("half, "), "{not json", '{"a": %s}' % ("9" * 6000), word("whole")))
    html = ok(kernel.copilot("go")).html
    assert "half, whole" in html
    assert "2 unreadable lines skipped" in html
    assert "the server did not say that this is all of the answer" in html


def test_an_answer_of_reasoning_alone_is_shown_and_kept(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    thought = {"choices": [{"delta": {"reasoning": "let me see"}, "finish_reason": "stop"}]}
    server.script(stream(thought, "[DONE]"))
    html = ok(kernel.copilot("go")).html
    assert '<details class="copilot-reasoning" open>' in html
    assert "let me see" in html
    assert "the model only thought aloud" in html
    assert kernel.value("_copilot.reasoning, _copilot.status") == "('let me see', 'complete')"
    assert "let me see" in ok(kernel.copilot("go", "--raw")).text


def test_a_tool_call_and_an_empty_body_have_a_line_of_their_own(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    calls = {"choices": [{"delta": {"tool_calls": [{}]}, "finish_reason": "tool_calls"}]}
    for script, said in (
        (stream(calls, "[DONE]"), "asked for a tool"),
        (lambda exchange: exchange.reply(204, ""), "204 and an empty body"),
        (
            lambda exchange: (exchange.start(), exchange.send(b"event: error\ndata: {}\n\n")),
            "no reason",
        ),
    ):
        server.script(script)  # type: ignore[arg-type]
        run = kernel.copilot("go")
        assert run.reply["status"] == "error"
        assert said in " ".join(run.error.split())
        assert not any(word in run.error for word in OURS)


def test_only_a_server_that_names_a_provider_is_said_to_have_one(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    seen: list[str] = []

    def slow(script: Callable[[Exchange], None]) -> Callable[[Exchange], None]:
        return lambda exchange: (time.sleep(0.8), script(exchange))[0]

    def look(message: dict[str, Any]) -> None:
        seen.append(str(message["content"].get("data", "")))

    server.script(slow(lambda exchange: answer(exchange, "fine")))
    html = ok(kernel.copilot("one", on_message=look)).html
    assert "Waiting for the server" in "".join(seen)
    assert "Copilot" not in html.replace("copilot", "")
    assert "if this is a gpt4free server" in kernel.run("%copilot status").text
    assert "lists no providers" in kernel.run("%copilot providers").text
    status = kernel.run("%copilot status").text
    assert "none: this is not a gpt4free server" in status
    assert "Copilot" not in status
    with ScriptedServer() as gpt4free:
        gpt4free.get["/v1/providers"] = PROVIDERS
        gpt4free.script(slow(CopilotScript("gpt4free 8")))
        kernel.run(f"%config CopilotMagics.base_url = {gpt4free.base_url!r}")
        ok(kernel.copilot("three"))
        seen.clear()
        assert "Copilot" in ok(kernel.copilot("four", on_message=look)).html
        assert "Waiting for Copilot" in "".join(seen)


def test_a_failing_function_for_the_key_is_one_line(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    kernel.run("def get_key():\n    raise PermissionError('the key ring is locked')")
    kernel.run("%config CopilotMagics.get_api_key = get_key")
    run = kernel.copilot("go")
    assert run.contents("error")[0]["ename"] == "SettingError"
    assert "get_api_key failed: PermissionError: the key ring is locked" in run.error
    assert not any(word in run.error for word in OURS)
    assert "interrupted" not in run.html
    assert not server.requests
    assert "get_api_key failed" in kernel.run("%copilot doctor").text


def test_a_password_in_the_address_is_sent_and_shown_nowhere(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    url = server.base_url.replace("//", "//me:top-secret@")
    runs = [kernel.run(f"%config CopilotMagics.base_url = {url!r}"), kernel.copilot("one")]
    assert server.requests[-1].headers["Authorization"].startswith("Basic ")
    runs += [kernel.run("%config CopilotMagics"), kernel.run("%config CopilotMagics.base_url")]
    runs += [kernel.run("%copilot status"), kernel.run("%copilot doctor")]
    runs += [kernel.copilot("two", "--dry-run"), kernel.run("%copilot nonsense")]
    server.script(lambda exchange: exchange.reply(401, {"error": "wrong: top-secret"}))
    runs.append(kernel.copilot("three"))
    session = "get_ipython().magics_manager.registry['CopilotMagics'].notebook.session"
    runs += [kernel.run(f"{session}.{name}") for name in ("settings", "client", "library.current")]
    assert server.base_url in runs[3].text
    assert "top-secret" not in "".join(run.text + run.html + run.error for run in runs)


# Interrupts the kernel once more, at the nth call of ours after an interrupt.
AGAIN = """
import os, signal, sys
_copilot, sent, calls = None, [], []
def again(frame, event, argument):
    if event == "call" and "copilot_magic" in frame.f_code.co_filename:
        if calls or frame.f_code.co_name == "interrupted":
            calls.append(frame.f_code.co_name)
        if len(calls) == {count} and not sent:
            sent.append(frame.f_code.co_name)
            os.kill(os.getpid(), signal.SIGINT)
sys.setprofile(again)
"""


def test_two_interrupts_in_a_row_leave_no_traceback_and_the_answer(
    kernel: LiveKernel, server: ScriptedServer
) -> None:
    """The second one comes at one after the other of our calls while the first is handled."""

    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("word0 and more")
        exchange.client_gone()

    def stop(message: dict[str, Any]) -> None:
        if "word0" in str(message["content"].get("data", "")) and not stopped:
            stopped.append(True)
            kernel.interrupt()

    server.script(script)
    for count in range(1, 200):
        stopped: list[bool] = []
        kernel.run(AGAIN.replace("{count}", str(count)))
        run = kernel.copilot("go", on_message=stop)
        if kernel.value("sent") == "['render_traceback']":
            break  # by then IPython shows the error, and interrupts are its own
        assert run.reply["status"] == "error"
        errors = run.contents("error")
        assert [error["ename"] for error in errors] == ["KeyboardInterrupt"], kernel.value("sent")
        assert "\n" not in run.error, run.error
        assert not [part for part in OURS if part in run.error + run.text], run.text
        assert "interrupted" in run.html
        assert kernel.value("_copilot.status, _copilot[:5]") == "('interrupted', 'word0')"
    assert 40 < count < 190
