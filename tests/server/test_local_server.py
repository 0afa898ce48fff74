"""The local server as a real process with the real model: who can use it, and when it ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from copilot_magic.errors import AlreadyServingError, LauncherError, PortInUseError
from copilot_magic.local import launcher
from copilot_magic.local.launcher import AlreadyRunning
from copilot_magic.local.ports import Occupant, free_port, probe
from copilot_magic.local.process import LocalServer, launch
from copilot_magic.local.weights import SMALL_MODEL_DEFAULTS, WEIGHTS

pytestmark = pytest.mark.model

Start = Callable[..., LocalServer | AlreadyRunning]


@pytest.fixture(autouse=True)
def cache(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return our directory in the test's own cache, with the weights in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    cache = tmp_path / "cache" / "copilot_magic"
    cache.mkdir(parents=True)
    (cache / WEIGHTS).symlink_to(weights)
    return cache


@pytest.fixture
def default_port() -> int:
    """Return a free port to use as the default one, since 1337 may be in use here."""
    return free_port()


@pytest.fixture
def start(default_port: int) -> Iterator[Start]:
    """Yield `launcher.start` with that default port; stop what it started."""
    yield partial(launcher.start, default_port=default_port)
    launcher.stop()


@pytest.fixture
def server(start: Start) -> LocalServer:
    """Return the running local server."""
    server = start()
    assert isinstance(server, LocalServer)
    return server


def ask(server: LocalServer, prompt: str, **options: Any) -> tuple[int, Any]:
    """Post a prompt and return the status and the decoded response."""
    body = {"messages": [{"role": "user", "content": prompt}], **options}
    connection = HTTPConnection("127.0.0.1", server.port, timeout=120)
    headers = {"Authorization": f"Bearer {server.api_key}", "Content-Type": "application/json"}
    with contextlib.closing(connection):
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def owner(port: int, then: str = "time.sleep(600)") -> tuple[subprocess.Popen[str], str]:
    """Start a process that starts the local server and then runs `then`; return it and the URL."""
    code = """
        import os, sys, time
        from copilot_magic.local import launcher
        server = launcher.start(default_port=int(sys.argv[1]))
        print(server.base_url, flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(code) + textwrap.dedent(then), str(port)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # as a kernel has one
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def close(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def ended(base_url: str) -> bool:
    """Wait up to 20 seconds until nothing listens at `base_url`; say whether that happened."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if probe(base_url) is Occupant.NOTHING:
            return True
        time.sleep(0.1)
    return False


def test_it_answers_on_a_free_port_and_only_with_its_key(
    server: LocalServer, default_port: int
) -> None:
    assert server.port not in (default_port, launcher.DEFAULT_PORT)
    status, answer = ask(server, "Hello, i am Heiner. How are you?", max_tokens=20)
    assert status == 200
    assert answer["choices"][0]["message"]["content"].strip()
    assert probe(f"http://localhost:{server.port}/v1") is Occupant.LOCAL


def test_its_key_is_not_in_a_command_line_environment_log_or_repr(server: LocalServer) -> None:
    ask(server, "Hello", max_tokens=5)
    process = Path(f"/proc/{server.pid}")
    for name in ("cmdline", "environ"):
        assert server.api_key.encode() not in (process / name).read_bytes()
    assert server.api_key not in repr(server)
    server.stop()
    assert server.api_key not in server.log_path.read_text()


def test_prompts_are_not_in_its_log(server: LocalServer) -> None:
    ask(server, "zebra", max_tokens=5)
    ask(server, "zebra " * 10_000)
    server.stop()
    assert "zebra" not in server.log_path.read_text()


def test_the_path_of_the_model_is_not_in_its_answers(server: LocalServer, cache: Path) -> None:
    assert server.model == "SmolLM2-135M-Instruct.Q4_1"
    _, answer = ask(server, "Hello", max_tokens=5)
    assert answer["model"] == server.model
    assert str(cache) not in json.dumps(answer)


def test_it_does_not_hold_its_owners_output_open(server: LocalServer) -> None:
    held = Path(f"/proc/{server.pid}/fd")
    assert {held.joinpath(number).resolve() for number in ("1", "2")} == {server.log_path}
    ours = {(os.fstat(number).st_dev, os.fstat(number).st_ino) for number in (1, 2)}
    for descriptor in held.iterdir():
        assert (descriptor.stat().st_dev, descriptor.stat().st_ino) not in ours


def test_it_takes_a_requested_port(start: Start, default_port: int) -> None:
    server = start(port=default_port)
    assert isinstance(server, LocalServer)
    assert server.base_url == f"http://127.0.0.1:{default_port}/v1"


def test_a_web_page_of_another_origin_gets_no_access(server: LocalServer) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", "/health", headers={"Origin": "https://evil.example"})
        allowed = connection.getresponse().headers["Access-Control-Allow-Origin"]
    assert "*" not in allowed
    assert "://" not in allowed, "it might be the origin of a page"


def test_two_prompts_at_once_are_answered(server: LocalServer) -> None:
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda text: ask(server, text, max_tokens=20), ["Hello", "Goodbye"])
        assert [status for status, _ in answers] == [200, 200]


def test_a_prompt_longer_than_the_context_is_refused_and_the_next_one_is_answered(
    server: LocalServer,
) -> None:
    status, answer = ask(server, "word " * 10_000)
    assert status == 400
    assert answer["error"]["type"] == "exceed_context_size_error"
    assert ask(server, "Hello", max_tokens=5)[0] == 200


def test_an_answer_can_be_made_to_follow_a_json_schema(server: LocalServer) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    _, answer = ask(
        server,
        "Make up a person.",
        max_tokens=100,
        response_format={"type": "json_schema", "json_schema": {"name": "p", "schema": schema}},
    )
    person = json.loads(answer["choices"][0]["message"]["content"])
    assert isinstance(person["age"], int)


def test_starting_twice_finds_the_running_server(server: LocalServer, start: Start) -> None:
    assert start() == AlreadyRunning(server.base_url, server)
    assert start(server.path, server.port) == AlreadyRunning(server.base_url, server)
    assert launcher.running() is server


def test_another_model_or_port_is_refused_until_the_first_server_is_stopped(
    server: LocalServer, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "other.gguf").write_bytes(b"GGUF")
    with pytest.raises(AlreadyServingError, match="Stop it first"):
        start(tmp_path / "other.gguf")
    with pytest.raises(AlreadyServingError, match="Stop it first"):
        start(port=server.port - 1)
    assert server.alive


def test_stop_ends_it_and_can_be_called_twice(server: LocalServer) -> None:
    assert launcher.stop() is server
    assert not server.alive
    assert probe(server.base_url) is Occupant.NOTHING
    assert launcher.stop() is None
    server.stop()


def test_it_can_be_started_again_at_once(server: LocalServer, start: Start) -> None:
    ask(server, "Hello", max_tokens=5)
    launcher.stop()
    again = start()
    assert isinstance(again, LocalServer)
    assert again.alive
    assert again.api_key != server.api_key


def test_a_server_that_died_is_started_again(server: LocalServer, start: Start) -> None:
    os.kill(server.pid, signal.SIGKILL)
    assert ended(server.base_url)
    again = start()
    assert isinstance(again, LocalServer)
    assert again.pid != server.pid


def test_a_model_given_by_path_is_served_next_to_a_chat_server_on_the_default_port(
    server: LocalServer, weights: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.gguf"
    mine.symlink_to(weights)
    code = f"""
        from copilot_magic.local import launcher
        with launcher.start({str(mine)!r}, default_port={server.port}) as server:
            print(server.port, server.model)
    """
    other = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    port, model = other.stdout.split()
    assert int(port) != server.port
    assert model == "mine"


def test_a_second_kernel_gets_its_own_server(default_port: int) -> None:
    first, first_url = owner(default_port)
    second, second_url = owner(default_port)
    try:
        assert first_url != second_url
        assert probe(first_url) is probe(second_url) is Occupant.LOCAL
    finally:
        close(first)
        assert ended(first_url)
        assert probe(second_url) is Occupant.LOCAL, "it ended with another server's owner"
        close(second)
        assert ended(second_url)


@pytest.fixture
def lost_port(default_port: int) -> Iterator[int]:
    """Yield a port that is bound by a socket: it looks free until a server tries to listen."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", default_port))
        yield default_port


def test_a_requested_port_that_is_lost_meanwhile_is_an_error(lost_port: int, start: Start) -> None:
    with pytest.raises(PortInUseError, match=f"Port {lost_port} is in use by another process"):
        start(port=lost_port)


def test_two_kernels_that_start_at_the_same_moment_get_a_server_each(default_port: int) -> None:
    with ThreadPoolExecutor(2) as pool:
        (first, first_url), (second, second_url) = pool.map(owner, [default_port] * 2)
    try:
        assert first_url != second_url
        assert probe(first_url) is probe(second_url) is Occupant.LOCAL
    finally:
        close(first)
        close(second)


@pytest.mark.parametrize(
    "then",
    [
        "os.kill(os.getpid(), 9)",
        "os._exit(0)",
        "sys.exit(1)",
        """
        if os.fork():
            os.kill(os.getpid(), 9)
        sys.stdin.read()  # the child lives on, and it holds the pipe to the server, too
        """,
    ],
    ids=["killed", "left at once", "ended", "killed while a fork lives on"],
)
def test_it_ends_with_its_owner(default_port: int, then: str) -> None:
    process, url = owner(default_port, then)
    try:
        process.wait(30)
        assert ended(url)
    finally:
        close(process)


def test_a_fork_of_its_owner_can_use_it_and_does_not_end_it(default_port: int) -> None:
    process, url = owner(
        default_port,
        """
        if not os.fork():
            assert server.alive
            launcher.stop()
            sys.exit()  # runs the exit handlers
        print(os.waitstatus_to_exitcode(os.wait()[1]), server.alive, flush=True)
        time.sleep(600)
        """,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "0 True\n"
        assert probe(url) is Occupant.LOCAL
    finally:
        close(process)


def test_interrupting_a_cell_does_not_reach_it(default_port: int) -> None:
    process, url = owner(
        default_port,
        """
        import signal
        signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))
        print("ready", flush=True)
        time.sleep(600)
        """,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        assert probe(url) is Occupant.LOCAL
    finally:
        close(process)


def test_a_model_that_was_cut_off_is_reported_as_incomplete(
    weights: Path, start: Start, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.gguf"
    with weights.open("rb") as whole:
        cut.write_bytes(whole.read(50_000_000))
    with pytest.raises(LauncherError) as caught:
        start(cut)
    assert caught.value.message.startswith("cut.gguf could not be loaded: tensor '")
    assert "corrupted or incomplete" in caught.value.message
    assert "corrupted or incomplete" in Path(caught.value.hint[len("See its log: ") :]).read_text()
    assert launcher.running() is None


def test_a_damaged_model_is_reported_as_such(weights: Path, start: Start, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    with weights.open("rb") as whole:
        damaged.write_bytes(whole.read(1000) + b"\xe0\xe1\xe2\xe3" * 100_000)
    with pytest.raises(LauncherError, match=r"^damaged\.gguf could not be loaded: \w+") as caught:
        start(damaged)
    assert "init server" not in caught.value.message


def test_the_defaults_hold_only_for_what_a_request_leaves_open(weights: Path) -> None:
    with launch(weights, 0, {"max_tokens": 5}) as server:
        choice = ask(server, "Write a long story about a dog.")[1]["choices"][0]
        assert choice["finish_reason"] == "length"
        answer = ask(server, "Write a long story about a dog.", max_tokens=9)[1]
        assert answer["usage"]["completion_tokens"] == 9


def test_the_small_model_gets_its_defaults_and_a_users_own_model_none(
    server: LocalServer, weights: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.gguf"
    mine.symlink_to(weights)
    with launch(mine, 0) as other:
        params, template = props(server)
        others_params, others_template = props(other)
    names = ("temperature", "top_p", "repeat_penalty", "dry_multiplier", "dry_allowed_length")
    for name in names:
        assert params[name] == pytest.approx(SMALL_MODEL_DEFAULTS[name])
    assert (others_params["temperature"], others_params["dry_multiplier"]) == (
        pytest.approx(0.8),
        0.0,
    )
    assert "Keep your answers short" in template
    assert "Keep your answers short" not in others_template


FIRST_PROMPTS = ("Hello, i am Heiner. How are you?", "Tell me something about my name")


def test_the_small_models_first_answers_are_short_and_do_not_loop(server: LocalServer) -> None:
    messages: list[dict[str, str]] = []
    for prompt in (*FIRST_PROMPTS, "What is pandas?", "Thank you", "Thank you"):
        messages.append({"role": "user", "content": prompt})
        choice = ask(server, "", messages=messages)[1]["choices"][0]
        text = choice["message"]["content"]
        messages.append({"role": "assistant", "content": text})
        words = text.split()
        phrases = [" ".join(words[i : i + 6]) for i in range(len(words) - 5)]
        assert max(map(phrases.count, phrases), default=1) <= 2, f"it loops: {text}"
        if prompt in FIRST_PROMPTS:
            assert choice["finish_reason"] == "stop"
            assert 3 < len(words) < 100, text


def test_a_system_message_of_the_user_replaces_the_default_one(server: LocalServer) -> None:
    def tokens(*messages: dict[str, str]) -> int:
        usage = ask(server, "", messages=messages, max_tokens=1)[1]["usage"]
        return int(usage["prompt_tokens"])

    user = {"role": "user", "content": "Hi"}
    assert tokens(user) > tokens({"role": "system", "content": "Be kind."}, user)


def props(server: LocalServer) -> tuple[dict[str, Any], str]:
    """Return the sampling parameters of a server, and its chat template."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=120)
    with contextlib.closing(connection):
        headers = {"Authorization": f"Bearer {server.api_key}"}
        connection.request("GET", "/props", headers=headers)
        props = json.loads(connection.getresponse().read())
    return props["default_generation_settings"]["params"], props["chat_template"]
