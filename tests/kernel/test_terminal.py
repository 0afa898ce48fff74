"""A prompt in terminal IPython and in plain Python: real processes, with and without a terminal."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from scripted_server import Exchange, ScriptedServer, answer

if sys.platform == "win32":
    pytest.skip("there are no pseudo-terminals", allow_module_level=True)

import pty

ASK = """
shell = get_ipython()
shell.run_line_magic("load_ext", "copilot_magic")
shell.run_cell("%%copilot\\nhello").raise_error()
"""


ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|\][^\x07]*\x07|[=>])")


class Terminal:
    """The screen of a terminal in which a program runs."""

    def __init__(self, controller: int, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._controller = controller
        self.text = ""

    @property
    def seen(self) -> str:
        """Return the text without colours and movements."""
        return ESCAPES.sub("", self.text)

    def type(self, keys: str) -> None:
        """Type `keys`."""
        os.write(self._controller, keys.encode())

    def read_until(self, words: str, seconds: float = 60.0, *, after: str = "") -> str:
        """Read what the program writes until `words` are there, or it has ended.

        Args:
            words: What to wait for, in whatever colours.
            seconds: How long to wait at most.
            after: Text after whose first occurrence the words are looked for.
        """
        deadline = time.monotonic() + seconds
        while words not in self.seen.partition(after or "\0")[2 if after else 0]:
            assert time.monotonic() < deadline, f"{words!r} is not in {self.seen!r}"
            readable, _, _ = select.select([self._controller], [], [], 0.1)
            if not readable:
                continue
            try:
                self.text += os.read(self._controller, 65536).decode()
            except OSError:  # the program has ended
                break
        return self.text


@contextmanager
def ipython(
    code: str, server: ScriptedServer, *, interactive: bool = False, **env: str
) -> Iterator[Terminal]:
    """Run `code` in an IPython that has a terminal, or one that waits for input."""
    controller, terminal = pty.openpty()
    # Colours would split the prompts that tests wait for.
    how = ["--colors=NoColor"] if interactive else ["-c", code]
    environ = {**os.environ, "TERM": "xterm", "COPILOT_BASE_URL": server.base_url, **env}
    process = subprocess.Popen(
        [sys.executable, "-m", "IPython", "--no-banner", *how],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environ,
        start_new_session=True,
    )
    os.close(terminal)
    try:
        yield Terminal(controller, process)
        process.wait(60)
    finally:
        process.kill()
        process.wait()
        os.close(controller)


def test_a_terminal_shows_words_before_the_last_one_is_sent(server: ScriptedServer) -> None:
    seen = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("first words\n")
        assert exchange.wait(seen)
        exchange.delta("last words")
        exchange.finish()
        exchange.done()

    server.script(script)
    with ipython(ASK, server) as terminal:
        terminal.read_until("first words")
        seen.set()
        assert "last words" in terminal.read_until("last words")


def test_a_terminal_gets_no_escape_sequences_of_the_servers(server: ScriptedServer) -> None:
    server.script(lambda exchange: answer(exchange, "be \x1b]0;title\x07 ware\x1b[2J \x9b2J end."))
    with ipython(ASK, server, NO_COLOR="1") as terminal:
        text = terminal.read_until("end.")
    assert "end." in text
    for sequence in ("\x1b]0;title", "\x07 ware", "\x1b[2J", "\x9b"):
        assert sequence not in text


def test_control_c_keeps_what_arrived(server: ScriptedServer) -> None:
    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("half an answer\n")
        exchange.client_gone()

    server.script(script)
    code = (
        "shell = get_ipython()\n"
        "shell.run_line_magic('load_ext', 'copilot_magic')\n"
        "shell.run_cell('%%copilot\\nhello')\n"
        "print('kept:', _copilot.status, str(_copilot))\n"
    )
    with ipython(code, server) as terminal:
        terminal.read_until("half an answer")
        terminal.process.send_signal(signal.SIGINT)
        text = terminal.read_until("kept: interrupted half an answer")
    assert "kept: interrupted half an answer" in text
    assert "Traceback" not in text


def test_a_pipe_gets_the_answer_and_nothing_else(server: ScriptedServer) -> None:
    server.script(lambda exchange: answer(exchange, "# Hello\n\n**bold**"))
    code = "from copilot_magic import ask; ask('hi')"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "COPILOT_BASE_URL": server.base_url},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "# Hello\n\n**bold**\n"
    assert run.stderr == ""


def test_a_failed_prompt_is_one_line_and_no_traceback(server: ScriptedServer) -> None:
    server.script(lambda exchange: exchange.reply(401, {"error": {"message": "no key"}}))
    with ipython(ASK.replace(".raise_error()", ""), server) as terminal:
        text = terminal.read_until("COPILOT_API_KEY")
    assert "AuthenticationError: " in text
    assert "Traceback" not in text


def test_code_is_in_the_next_prompt_and_runs_only_at_enter(server: ScriptedServer) -> None:
    """A real interactive IPython, typed into as a user types."""
    code = "'ran ' + 'now'"
    server.script(lambda exchange: answer(exchange, f"Sure:\n\n```python\n{code}\n```"))
    with ipython("", server, interactive=True) as terminal:
        terminal.read_until("In [1]:")
        terminal.type("%load_ext copilot_magic\r")
        terminal.read_until("In [2]:")
        terminal.type("get_ipython().run_cell('%%copilot --code\\nJoin two words')\r")
        terminal.read_until("In [3]:")
        terminal.read_until(code, after="In [3]:")
        assert code in terminal.seen.partition("In [3]:")[2]
        assert "ran now" not in terminal.text
        terminal.type("\r")
        assert "ran now" in terminal.read_until("ran now")
        terminal.type("exit\r")


def test_tab_completes_a_field_in_a_terminal(server: ScriptedServer) -> None:
    with ipython("", server, interactive=True) as terminal:
        terminal.read_until("]:")
        terminal.type("%load_ext copilot_magic\r")
        terminal.read_until("]:", after="copilot_magic")
        terminal.type("quixotic = 7; print('bound', quixotic)\r")
        terminal.read_until("]:", after="bound 7")
        terminal.type("\x1b[200~%%copilot\nIt's {{quix\x1b[201~")  # pasted, so that it is not run
        terminal.read_until("{{quix")
        terminal.type("\t")
        assert "otic" in terminal.read_until("otic", after="{{quix").rpartition("{{quix")[2]
        terminal.process.kill()


def test_an_answer_in_the_background_appears_above_what_is_being_typed(
    server: ScriptedServer,
) -> None:
    """What is half typed stays, and runs as it was meant."""
    go = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.start()
        exchange.delta("half of it,")
        if not exchange.wait(go):
            return  # the last one is left behind
        exchange.delta(" and the rest")
        exchange.finish()
        exchange.done()

    server.script(script)
    asks = "get_ipython().run_cell_magic('copilot', '-b', 'why?')\r"
    with ipython("", server, interactive=True, NO_COLOR="1") as terminal:
        terminal.read_until("In [1]:")
        terminal.type("%load_ext copilot_magic\r")
        terminal.read_until("In [2]:")
        terminal.type(asks)
        terminal.read_until("In [3]:")
        terminal.type("print('one' + 'two")
        terminal.read_until("'two", after="In [3]:")
        assert "half of it" not in terminal.text
        go.set()
        terminal.read_until("half of it, and the rest")
        terminal.type("')\r")
        assert "onetwo" in terminal.read_until("onetwo")
        # While a cell runs, the answer waits for its end.
        go.clear()
        terminal.read_until("In [4]:")
        terminal.type(asks)
        terminal.read_until("In [5]:")
        terminal.type("import time; time.sleep(1); print('the cell', 'ends')\r")
        time.sleep(0.3)
        go.set()
        last = terminal.read_until("and the rest", after="In [5]:")
        last = last[last.index("In [5]:") :]
        assert last.index("the cell ends") < last.index("“why?”") < last.index("half of it")
        go.clear()
        terminal.read_until("In [6]:")
        terminal.type(asks)
        terminal.read_until("In [7]:")
        terminal.type("exit\r")
        terminal.read_until("never", 5.0)
    assert terminal.process.returncode == 0
    assert "Traceback" not in terminal.text and "Error" not in terminal.text
