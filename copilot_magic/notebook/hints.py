"""What to do about an error, in a notebook: the one place that knows which magic fixes what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from ..errors import (
    COMMAND,
    AlreadyServingError,
    AuthenticationError,
    BadRequestError,
    ConnectError,
    ConnectTimeoutError,
    ContextLengthError,
    CopilotError,
    EmptyAnswerError,
    ErrorEventError,
    ExpressionError,
    FirstTokenTimeoutError,
    LauncherError,
    MalformedAnswerError,
    NameResolutionError,
    NameTakenError,
    NotFoundError,
    PictureError,
    PortInUseError,
    PromptError,
    ProxyError,
    RateLimitError,
    RefusedError,
    ServerError,
    SettingError,
    StatusError,
    StoreError,
    TLSError,
    TypedAnswerError,
    UnknownConversationError,
)
from ..settings import is_loopback
from .interrupts import one_interrupt, without_traceback

__all__ = ["CONTINUE", "after_check", "next_step", "with_hints"]

CONTINUE = "%copilot continue"
# A key that is typed into a cell is saved with the notebook.
_KEY = 'import os, getpass; os.environ["COPILOT_API_KEY"] = getpass.getpass()'
_OLLAMA = "http://localhost:11434/v1"


def _way(what: str, *commands: str) -> str:
    """Return a way out: what it does, and below it the commands, ready to be copied."""
    return "\n".join([f"{what}:", *(f"{COMMAND}{command}" for command in commands)])


def _config(setting: str, value: object) -> str:
    shown = f"{value:g}" if isinstance(value, float) else repr(value)
    return f"%config CopilotMagics.{setting} = {shown}"


_DOCTOR = _way("Check the address step by step", "%copilot doctor")
_RETRY = _way("Ask again", "%copilot retry")
_NOT_AFTER_CHECK = ("%copilot doctor", "%copilot retry", CONTINUE)
_PROVIDERS = _way("See which providers there are", "%copilot providers")


@contextmanager
def with_hints() -> Iterator[None]:
    """Make the errors of a magic name the magic to use next, and show an interrupt in one line."""
    with one_interrupt():
        try:
            yield
        except CopilotError as error:
            error.hint = next_step(error)
            raise
        except KeyboardInterrupt as interrupt:
            if not hasattr(interrupt, "_render_traceback_"):
                without_traceback(interrupt)
            raise


def next_step(error: CopilotError) -> str:
    """Return what to do about `error` in a notebook; without a magic for it, its own hint."""
    if isinstance(error, PromptError):
        return _after_prompt(error)
    match error:
        case SettingError(setting="allow_plain_http"):
            allow = _way("Send the key all the same", _config("allow_plain_http", True))
            return f"Use https:// in base_url\n{allow}"
        case SettingError(suggestion=value) if value is not None:
            return _way("For example", _config(error.setting, value))
        case ExpressionError():
            return f"{error.hint}\n{_way('Have it corrected', '%copilot fix')}"
        case NameTakenError(name=name):
            return _way("Continue that one", f"%copilot use {_quoted(name)}")
        case UnknownConversationError():
            return _way("See which there are", "%copilot list")
        case PortInUseError(free_port=port):
            other = _way("Use this one", f"%copilot serve --port {port}")
            return f"Leave --port out to get a free one\n{other}"
        case AlreadyServingError():
            return _way("Stop it first", "%copilot stop")
        case LauncherError(package=package) | PictureError(package=package) if package:
            return _way("Install it, then run this cell again", f'%pip install "{package}"')
        case LauncherError(path=path) if path:
            return _way("Name a GGUF file, or none for the small model", "%copilot serve PATH.gguf")
        case LauncherError(passing=True):
            return _way("Try again", "%copilot serve")
        case StoreError(setting="replay"):
            return _way(error.hint, '%config CopilotMagics.replay = "answers.json"')
        case StoreError(damaged=True):
            restore = _way(
                "Bring back the last good copy, and what can be read", "%copilot restore"
            )
            other = _way("Use another file", '%config CopilotMagics.store = "conversations.db"')
            return f"{restore}\n{other}"
        case StoreError():
            return _way(error.hint, '%config CopilotMagics.store = "conversations.db"')
    return error.hint


def after_check(error: CopilotError) -> str:
    """Return what to do about a problem that ``%copilot doctor`` found.

    It does not lead to itself, and its question is no turn that could be continued or repeated.
    """
    if isinstance(error, ContextLengthError):
        return error.hint
    ways = re.split(rf"\n(?!{COMMAND})", next_step(error))
    useful = [way for way in ways if not any(command in way for command in _NOT_AFTER_CHECK)]
    return "\n".join(useful) or error.hint


def _after_prompt(error: PromptError) -> str:
    match error:
        case RefusedError(base_url=url) if is_loopback(url):
            return _nothing_listens(url)
        case RefusedError():
            other = _way("Ask another one, such as Ollama here", _config("base_url", _OLLAMA))
            return f"Start that server\n{other}"
        case ConnectTimeoutError():
            return _way("Check the address, the network and the firewall", "%copilot doctor")
        case NameResolutionError() | TLSError() | ProxyError():
            return error.hint
        case ConnectError() | MalformedAnswerError():
            return _DOCTOR
        case FirstTokenTimeoutError(seconds=seconds):
            longer = _way("Wait longer", _config("first_token_timeout", 2 * seconds))
            return f"Log in, if the server waits for that in its browser\n{longer}"
        case StatusError():
            return _after_status(error)
        case ErrorEventError(login=login, logged=logged) if login or logged:
            return f"{error.hint}\n{_PROVIDERS}"
        case TypedAnswerError():
            larger = _way("Ask a larger model", "%copilot models")
            return f"{_RETRY}\n{larger}"
        case EmptyAnswerError():
            others = _way("Ask another model or provider", "%copilot models", "%copilot providers")
            return f"{_RETRY}\n{others}"
    if error.begun:
        return _way("What arrived is kept; ask for the rest", CONTINUE)
    return _RETRY


def _nothing_listens(url: str) -> str:
    """Return what to do if nothing listens at an address on this machine."""
    local = _way("Start a small model on this machine", "%copilot serve")
    ollama = _way("Ask another server, such as Ollama", _config("base_url", _OLLAMA))
    match urlsplit(url).port:
        case 1337:
            commands = 'pip install "g4f[api]"', "g4f api --no-gui --port 1337"
            ways = [local, _way("Start gpt4free, in a terminal", *commands), ollama]
        case 11434:
            ways = [_way("Start Ollama, in a terminal", "ollama serve"), local]
        case _:
            ways = ["Start that server", local, ollama]
    return "\n".join(ways)


def _after_status(error: StatusError) -> str:
    match error:
        case ContextLengthError():
            new = _way("Ask in a new conversation, in a cell that begins with", "%%copilot --new")
            return f"{new}\nAsk less at once"
        case AuthenticationError(login=True) | ServerError(login=True) | ServerError(logged=True):
            return f"{error.hint}\n{_PROVIDERS}"
        case BadRequestError(pictures=True) | ServerError(pictures=True):
            return _way("Ask a model that takes pictures", "%copilot models")
        case AuthenticationError(local_model=True):
            return _way("Start one here", "%copilot serve")
        case AuthenticationError(with_key=with_key):
            what = "Check the API key, or give another" if with_key else "Give the server's API key"
            return "\n".join(
                [
                    _way(f"{what} (what you type is neither shown nor saved)", _KEY),
                    "For good, set COPILOT_API_KEY in the environment before Jupyter starts",
                ]
            )
        case NotFoundError(missing="path", suggestion=url) if url:
            return _way("The address lacks the usual /v1", _config("base_url", url))
        case NotFoundError(missing=missing) if missing in ("provider", "model"):
            others = _way("See which there are", f"%copilot {missing}s")
            if error.suggestion:
                return f"{_way('Use', _config(missing, error.suggestion))}\n{others}"
            return others
        case RateLimitError(quota_exhausted=False):
            return _way(error.hint, "%copilot retry")
        case RateLimitError():
            return error.hint
        case ServerError():
            return f"{_RETRY}\nLook into the server's log"
        case BadRequestError(models=models) if models:
            return _way("Name a model", _config("model", models[0]))
        case BadRequestError():
            return _way("Check the model and the options", "%copilot status")
    return _DOCTOR if isinstance(error, NotFoundError) else error.hint or _DOCTOR


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name
