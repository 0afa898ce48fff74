"""What to do about an error, in a notebook: the one place that knows which magic fixes what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import (
    AlreadyServingError,
    AuthenticationError,
    BadRequestError,
    ConnectError,
    ConnectTimeoutError,
    ContextLengthError,
    CopilotError,
    EmptyAnswerError,
    ErrorEventError,
    FirstTokenTimeoutError,
    LauncherError,
    MalformedAnswerError,
    NameResolutionError,
    NameTakenError,
    NotFoundError,
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
    UnknownConversationError,
)
from ..settings import is_loopback

__all__ = ["CONTINUE", "next_step", "with_hints"]

CONTINUE = "%copilot continue"
_DOCTOR = "Check the address step by step: `%copilot doctor`"
_ADDRESS = '`%config CopilotMagics.base_url = "http://…/v1"`'


@contextmanager
def with_hints() -> Iterator[None]:
    """Let the errors of a magic say which magic comes next."""
    try:
        yield
    except CopilotError as error:
        error.hint = next_step(error)
        raise


def next_step(error: CopilotError) -> str:
    """Return what to do about `error` in a notebook; without a magic for it, its own hint."""
    if isinstance(error, PromptError):
        return _after_prompt(error)
    match error:
        case SettingError(setting="allow_plain_http"):
            return f"Use https:// in base_url, or {_config('allow_plain_http', True)}"
        case SettingError(suggestion=value) if value is not None:
            return f"{_config(error.setting, value)}, for example"
        case NameTakenError(name=name):
            return f"%copilot use {_quoted(name)}"
        case UnknownConversationError():
            return "%copilot list shows them"
        case PortInUseError(free_port=port):
            return f"Leave --port out to get a free one, or take `%copilot serve --port {port}`"
        case AlreadyServingError():
            return "Stop it first: `%copilot stop`"
        case LauncherError(package=package) if package:
            return f'Install it: `%pip install "{package}"`, then run this cell again'
        case LauncherError(path=path) if path:
            return "Name a GGUF file, `%copilot serve PATH.gguf`, or none for the small model"
        case LauncherError(passing=True):
            return "Try again: `%copilot serve`"
        case StoreError(setting="replay"):
            return f"{error.hint}: `%config CopilotMagics.replay`"
        case StoreError():
            return f"{error.hint}: `%config CopilotMagics.store`"
    return error.hint


def _after_prompt(error: PromptError) -> str:
    match error:
        case RefusedError(base_url=url) if is_loopback(url):
            return (
                "Start a server: `%copilot serve`, a small model on this machine; or gpt4free, "
                '`pip install "g4f[api]"` and `g4f api --no-gui --port 1337`; '
                f"or name yours: {_ADDRESS}"
            )
        case RefusedError():
            return f"Start that server, or name yours: {_ADDRESS}"
        case ConnectTimeoutError():
            return "Check the address, the network and the firewall: `%copilot doctor`"
        case NameResolutionError() | TLSError() | ProxyError():
            return error.hint
        case ConnectError() | MalformedAnswerError():
            return _DOCTOR
        case FirstTokenTimeoutError(seconds=seconds):
            return (
                "Does the server wait for a login in its browser? To wait longer: "
                f"{_config('first_token_timeout', 2 * seconds)}"
            )
        case StatusError():
            return _after_status(error)
        case ErrorEventError(login=login, logged=logged) if login or logged:
            return f"{error.hint}: `%copilot providers`"
        case EmptyAnswerError():
            return "Ask again, `%copilot retry`, or another model or provider"
    if error.begun:
        return f"What arrived is kept; `{CONTINUE}` asks for the rest"
    return "Ask again: `%copilot retry`"


def _after_status(error: StatusError) -> str:
    match error:
        case ContextLengthError():
            return "Ask in a new conversation, `%%copilot --new`, or ask less at once"
        case AuthenticationError(login=True) | ServerError(login=True) | ServerError(logged=True):
            return f"{error.hint}: `%copilot providers`"
        case AuthenticationError(local_model=True):
            return "`%copilot serve` starts one here"
        case AuthenticationError():
            return error.hint
        case NotFoundError(missing="path", suggestion=url) if url:
            return f"The address lacks the usual /v1: {_config('base_url', url)}"
        case NotFoundError(missing=missing) if missing in ("provider", "model"):
            if error.suggestion:
                setting = _config(missing, error.suggestion)
                return f"{setting}, or another of `%copilot {missing}s`"
            return f"See which there are: `%copilot {missing}s`"
        case RateLimitError(quota_exhausted=False):
            return f"{error.hint}: `%copilot retry`"
        case RateLimitError():
            return error.hint
        case ServerError():
            return "Look into the server's log, or ask again: `%copilot retry`"
        case BadRequestError(models=models) if models:
            return _config("model", models[0])
        case BadRequestError():
            return "Check the model and the options: `%copilot status`"
    return _DOCTOR if isinstance(error, NotFoundError) else error.hint or _DOCTOR


def _config(setting: str, value: object) -> str:
    shown = f"{value:g}" if isinstance(value, float) else repr(value)
    return f"`%config CopilotMagics.{setting} = {shown}`"


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name
