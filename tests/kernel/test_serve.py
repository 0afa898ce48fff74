"""The small local model, started from a real kernel."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_kernel import LiveKernel

pytestmark = pytest.mark.model


def gone(pid: int, seconds: float = 20.0) -> bool:
    """Wait until the process has ended, as a zombie or altogether."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
        except FileNotFoundError:
            return True
        if stat.rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def serving() -> Iterator[LiveKernel]:
    """Yield a kernel that has started the model."""
    kernel = LiveKernel()
    try:
        kernel.run("%load_ext copilot_magic")
        run = kernel.run("%copilot serve")
        assert run.reply["status"] == "ok", run.error
        shown = [
            c["data"]["text/plain"] for c in run.contents("display_data", "update_display_data")
        ]
        assert shown[-2] == "Starting…"
        assert "not Copilot" in shown[-1]
        yield kernel
    finally:
        kernel.close()


def server_pid(kernel: LiveKernel) -> int:
    return int(
        kernel.value("__import__('copilot_magic.local.launcher').local.launcher.running().pid")
    )


def server_port(kernel: LiveKernel) -> int:
    return int(
        kernel.value("__import__('copilot_magic.local.launcher').local.launcher.running().port")
    )


def test_a_real_model_answers_and_is_never_passed_off_as_copilot(serving: LiveKernel) -> None:
    run = serving.copilot("Hello, i am Heiner. How are you?", "--max-tokens 30")
    assert run.reply["status"] == "ok", run.error
    assert len(serving.value("str(_copilot)")) > 5
    assert "SmolLM2" in run.html
    status = serving.run("%copilot status").text
    assert "SmolLM2" in status
    assert "Copilot" not in status


def test_the_model_is_told_the_conversation(serving: LiveKernel) -> None:
    serving.copilot("My name is Heiner.", "-t 0 --max-tokens 20")
    serving.copilot("What is my name?", "-t 0 --max-tokens 20")
    assert "Heiner" in serving.value("str(_copilot)")


@pytest.mark.parametrize(
    "spelling",
    [
        "http://localhost:{}/v1",
        "http://127.0.0.1:{}/v1/",
        "http://0.0.0.0:{}",
        " http://LOCALHOST:{} ",
    ],
)
def test_its_address_may_be_spelt_in_any_way(serving: LiveKernel, spelling: str) -> None:
    url = spelling.format(server_port(serving))
    serving.run("%config CopilotMagics.base_url = 'http://localhost:9/v1'")
    serving.run(f"%config CopilotMagics.base_url = {url!r}")
    assert "(the local model)" in serving.run("%copilot status").text
    run = serving.copilot("Hi", "--max-tokens 5")
    assert run.reply["status"] == "ok", run.error
    serving.run("%copilot stop")
    assert "localhost:1337" in serving.run("%copilot status").text


def test_it_leaves_the_default_port_to_gpt4free(serving: LiveKernel) -> None:
    assert server_port(serving) != 1337


def test_another_notebook_is_told_whose_model_it_is_and_starts_its_own(
    serving: LiveKernel,
) -> None:
    other = LiveKernel(COPILOT_BASE_URL=f"http://localhost:{server_port(serving)}/v1")
    try:
        other.run("%load_ext copilot_magic")
        error = other.copilot("Hi", "--max-tokens 5").error
        assert "is another notebook's local model" in " ".join(error.split())
        assert "Start one here:\n    %copilot serve" in error
        assert "COPILOT_API_KEY" not in error
        doctor = other.run("%copilot doctor").text
        assert "another notebook's local model" in doctor
        assert "%copilot serve" in doctor
        assert other.run("%copilot serve").reply["status"] == "ok"
        assert other.copilot("Hi", "--max-tokens 5").reply["status"] == "ok"
        assert server_port(other) != server_port(serving)
    finally:
        other.close()


def test_a_chat_server_on_the_default_port_is_said_and_used(kernel: LiveKernel) -> None:
    """The design wants gpt4free to be used if it runs; port 1337 may be in use here, though."""
    kernel.run("import copilot_magic.local.launcher as launcher, functools, os")
    kernel.run("port = int(os.environ['COPILOT_BASE_URL'].split(':')[2].split('/')[0])")
    kernel.run("launcher.start = functools.partial(launcher.start, default_port=port)")
    run = kernel.run("%copilot serve")
    assert "A server is already running at" in run.text
    assert "You said: Hi" in kernel.copilot("Hi").html


def test_serving_twice_is_fine(serving: LiveKernel) -> None:
    pid = server_pid(serving)
    run = serving.run("%copilot serve")
    assert run.reply["status"] == "ok", run.error
    assert "already" in run.text
    assert server_pid(serving) == pid
    assert serving.copilot("Hi", "--max-tokens 5").reply["status"] == "ok"


def test_stop_stops_it_and_leaves_the_settings_as_they_were(serving: LiveKernel) -> None:
    pid = server_pid(serving)
    assert serving.run("%copilot stop").reply["status"] == "ok"
    assert gone(pid)
    assert "localhost:1337" in serving.run("%copilot status").text
    assert serving.value("[n for n in __import__('os').environ if 'COPILOT_LOCAL' in n]") == "[]"


def test_it_survives_an_interrupted_cell(serving: LiveKernel) -> None:
    interrupted: list[bool] = []

    def on_message(message: dict[str, object]) -> None:
        if message["msg_type"] == "update_display_data" and not interrupted:
            interrupted.append(True)
            serving.interrupt()

    run = serving.copilot("Tell me a story", on_message=on_message)
    assert run.contents("error")[0]["ename"] == "KeyboardInterrupt"
    assert serving.copilot("Hi", "--max-tokens 5").reply["status"] == "ok"


def test_it_ends_with_a_restarted_kernel(serving: LiveKernel) -> None:
    pid = server_pid(serving)
    serving.manager.restart_kernel(now=False)
    serving.client.wait_for_ready(timeout=60)
    assert gone(pid)


def test_it_ends_with_a_killed_kernel(serving: LiveKernel) -> None:
    pid = server_pid(serving)
    os.kill(serving.pid, 9)
    assert gone(pid)


def test_it_ends_with_the_extension_and_comes_back_with_it(serving: LiveKernel) -> None:
    pid = server_pid(serving)
    serving.run("%unload_ext copilot_magic")
    assert gone(pid)
    serving.run("%load_ext copilot_magic")
    assert server_pid(serving) != pid
    assert serving.copilot("Hi", "--max-tokens 5").reply["status"] == "ok"


def test_its_key_is_in_no_output(serving: LiveKernel) -> None:
    key = serving.value("__import__('os').environ['COPILOT_LOCAL_KEY']").strip("'")
    serving.copilot("Hi", "--max-tokens 5")
    shown = [
        serving.run(line).text
        for line in ("%copilot status", "%config CopilotMagics", "%env", "%copilot doctor")
    ]
    assert len(key) > 20
    assert key not in "".join(shown)


def test_the_kernels_children_may_ask_it(serving: LiveKernel) -> None:
    serving.run(
        "import subprocess, sys\n"
        "said = subprocess.run([sys.executable, '-c', 'from copilot_magic import ask;"
        ' print(len(ask("Hi", max_tokens=5)))\'], capture_output=True, text=True)'
    )
    assert serving.value("said.returncode, said.stderr") == "(0, '')"
