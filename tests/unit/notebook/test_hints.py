"""What to do about an error: a magic in a notebook, and none outside."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
from pathlib import Path

import pytest

import copilot_magic
from copilot_magic import errors
from copilot_magic.errors import (
    AlreadyServingError,
    AuthenticationError,
    BadRequestError,
    ContextLengthError,
    CopilotError,
    CutError,
    EmptyAnswerError,
    ErrorEventError,
    FirstTokenTimeoutError,
    IdleTimeoutError,
    LauncherError,
    MalformedAnswerError,
    NameTakenError,
    NotFoundError,
    PictureError,
    PortInUseError,
    RateLimitError,
    RefusedError,
    ServerError,
    SettingError,
    StoreError,
    TypedAnswerError,
    UnknownConversationError,
)
from copilot_magic.notebook.commands import COMMANDS
from copilot_magic.notebook.hints import next_step, with_hints

PACKAGE = Path(copilot_magic.__file__).parent
EXAMPLES = [
    (
        SettingError("x", "Use another", setting="idle_timeout", suggestion=60.0),
        "idle_timeout = 60",
    ),
    (NameTakenError("x", name="my talk"), '%copilot use "my talk"'),
    (UnknownConversationError("x"), "%copilot list"),
    (PortInUseError("x", free_port=4711), "%copilot serve --port 4711"),
    (AlreadyServingError("x"), "%copilot stop"),
    (LauncherError("x", package="copilot-magic[local]"), '%pip install "copilot-magic[local]"'),
    (PictureError("x", package="kaleido"), '%pip install "kaleido"'),
    (LauncherError("x", path="a.txt"), "%copilot serve PATH.gguf"),
    (LauncherError("x", passing=True), "%copilot serve"),
    (StoreError("x", "Set store to another file"), "%config CopilotMagics.store = "),
    (StoreError("x", "It is left as it is", damaged=True), "%copilot restore"),
    (
        StoreError("x", "Set replay to another file", setting="replay"),
        "%config CopilotMagics.replay = ",
    ),
    (RefusedError("x", base_url="http://localhost:1337/v1"), "%copilot serve"),
    (RefusedError("x", base_url="http://10.0.0.1/v1"), "%config CopilotMagics.base_url"),
    (FirstTokenTimeoutError("x", seconds=300.0), "first_token_timeout = 600"),
    (IdleTimeoutError("x"), "%copilot continue"),
    (CutError("x", begun=True), "%copilot continue"),
    (CutError("x"), "%copilot retry"),
    (ErrorEventError("x", "Try another provider", logged=True), "%copilot providers"),
    (ErrorEventError("x", begun=True), "%copilot continue"),
    (EmptyAnswerError("x"), "%copilot retry"),
    (MalformedAnswerError("x"), "%copilot doctor"),
    (ContextLengthError("x"), "%%copilot --new"),
    (AuthenticationError("x", "Log in", login=True), "%copilot providers"),
    (AuthenticationError("x", "Check the API key"), "getpass.getpass()"),
    (AuthenticationError("x", "Start one", local_model=True), "%copilot serve"),
    (NotFoundError("x", missing="model"), "%copilot models"),
    (NotFoundError("x", missing="provider", suggestion="A"), "provider = 'A'"),
    (NotFoundError("x", suggestion="http://h/v1"), "base_url = 'http://h/v1'"),
    (NotFoundError("x"), "%copilot doctor"),
    (BadRequestError("x", models=("a", "b")), "model = 'a'"),
    (BadRequestError("x"), "%copilot status"),
    (BadRequestError("x", "Ask another", pictures=True), "%copilot models"),
    (ServerError("x", "Ask another", pictures=True), "%copilot models"),
    (TypedAnswerError("x", wanted="int", problem="y"), "%copilot retry"),
    (TypedAnswerError("x", wanted="int", problem="y"), "%copilot models"),
    (RateLimitError("x", "Wait 1 hour"), "%copilot retry"),
    (ServerError("x"), "%copilot retry"),
]


@pytest.mark.parametrize(("error", "words"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_a_notebook_is_told_the_magic(error: CopilotError, words: str) -> None:
    assert words in next_step(error)


@pytest.mark.parametrize("error", [error for error, _ in EXAMPLES], ids=lambda e: type(e).__name__)
def test_the_commands_that_a_hint_names_exist(error: CopilotError) -> None:
    for name in re.findall(r"(?<!%)%copilot (\w+)", next_step(error)):
        assert name in COMMANDS


@pytest.mark.parametrize(
    "error",
    [
        RateLimitError("x", "Nothing is left to spend", quota_exhausted=True),
        LauncherError("x", "Its log: y"),
        PictureError("x", "Save it again as PNG or JPEG"),
    ],
)
def test_an_error_that_no_magic_fixes_keeps_its_own_hint(error: CopilotError) -> None:
    assert next_step(error) == error.hint


@pytest.mark.parametrize("error", [error for error, _ in EXAMPLES], ids=lambda e: type(e).__name__)
def test_a_command_stands_alone_on_its_line(error: CopilotError) -> None:
    lines = next_step(error).split("\n")
    for before, line in itertools.pairwise(["", *lines]):
        assert "`" not in line
        if re.search(r"%copilot|%config|pip install|g4f api|getpass", line):
            assert line.startswith("    ") and before.endswith((":", '"g4f[api]"', "models"))
        else:
            assert not line.startswith(" ")


@pytest.mark.parametrize("error", [error for error, _ in EXAMPLES], ids=lambda e: type(e).__name__)
def test_several_ways_out_read_well_in_one_line(error: CopilotError) -> None:
    """As the log of an unattended run shows them."""
    again = type(error)(error.message, next_step(error))
    assert "or or" not in str(again)


def test_a_refused_connection_has_three_ways_out() -> None:
    error = RefusedError("No server is listening at http://localhost:1337/v1")
    error.base_url = "http://localhost:1337/v1"
    error.hint = next_step(error)
    assert error._render_traceback_() == [
        "RefusedError: No server is listening at http://localhost:1337/v1",
        "Start a small model on this machine:",
        "    %copilot serve",
        "Start gpt4free, in a terminal:",
        '    pip install "g4f[api]"',
        "    g4f api --no-gui --port 1337",
        "Ask another server, such as Ollama:",
        "    %config CopilotMagics.base_url = 'http://localhost:11434/v1'",
    ]
    assert str(error) == (
        "No server is listening at http://localhost:1337/v1. "
        "Start a small model on this machine: %copilot serve; or "
        'start gpt4free, in a terminal: pip install "g4f[api]", then g4f api --no-gui --port 1337; '
        "or ask another server, such as Ollama: "
        "%config CopilotMagics.base_url = 'http://localhost:11434/v1'"
    )


@pytest.mark.parametrize(
    ("port", "ways"),
    [
        (
            11434,
            "Start Ollama, in a terminal:\n    ollama serve\n"
            "Start a small model on this machine:\n    %copilot serve",
        ),
        (
            8000,
            "Start that server\nStart a small model on this machine:\n    %copilot serve\n"
            "Ask another server, such as Ollama:\n"
            "    %config CopilotMagics.base_url = 'http://localhost:11434/v1'",
        ),
    ],
)
def test_the_ways_out_of_a_refused_connection_fit_the_address(port: int, ways: str) -> None:
    assert next_step(RefusedError("x", base_url=f"http://localhost:{port}/v1")) == ways


def test_a_key_is_asked_for_so_that_nothing_shows_it() -> None:
    """A key in a cell is saved with the notebook."""
    lines = next_step(AuthenticationError("x", "Put the key into COPILOT_API_KEY")).split("\n")
    (command,) = [line.strip() for line in lines if line.startswith("    ")]
    assert lines[-1].startswith("For good, set COPILOT_API_KEY")  # not a second step
    assert ast.unparse(ast.parse(command)).splitlines() == [
        "import os, getpass",
        "os.environ['COPILOT_API_KEY'] = getpass.getpass()",
    ]


def test_every_kind_of_error_of_a_prompt_has_a_next_step() -> None:
    for kind in vars(errors).values():
        if inspect.isclass(kind) and issubclass(kind, errors.PromptError):
            assert next_step(kind("x", "Do something"))


def test_the_errors_of_a_magic_say_the_magic() -> None:
    with pytest.raises(CutError, match="%copilot retry"), with_hints():
        raise CutError("The stream broke off", "Ask again")
    assert "%" not in str(CutError("The stream broke off", "Ask again"))


def test_nothing_below_the_notebook_names_a_magic() -> None:
    """In plain Python there is none. Docstrings may name them, and so may exported notebooks."""
    for path in PACKAGE.rglob("*.py"):
        wing = path.relative_to(PACKAGE).parts[0]
        if wing in ("notebook", "transcript.py") or path.name == "__init__.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                docstring = "``" in node.value or ("`%copilot" in node.value and "\n" in node.value)
                assert docstring or not re.search(r"%copilot \w|%config", node.value), path.name
