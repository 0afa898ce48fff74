"""The tree of exceptions: each says in one line what happened, and carries the facts as data.

    CopilotError
    ├── UsageError                  a magic, an option or an argument cannot be used as given
    │   ├── SettingError                a setting cannot be used as it is
    │   ├── ExpressionError             a ``{{expression}}`` of a prompt could not be evaluated
    │   ├── PictureError                a picture cannot be sent
    │   ├── NameTakenError              another conversation has that name
    │   └── UnknownConversationError    there is no conversation of that name
    ├── LauncherError               the local model could not be started
    │   ├── PortInUseError              something else listens on its port
    │   └── AlreadyServingError         this process already serves another model
    ├── RehearsalError              code cannot be tried in a copy of this process
    ├── StoreError                  the conversation file, or the replay file, cannot be used
    └── PromptError                 a prompt got no answer, or not all of it
        ├── ConnectError            the server was not reached; nothing was sent
        │   ├── RefusedError            nothing listens at the address
        │   ├── NameResolutionError     the host name is unknown
        │   ├── TLSError                the encrypted connection failed
        │   ├── ProxyError              the proxy in between failed
        │   └── ConnectTimeoutError     no connection within ``connect_timeout``
        ├── FirstTokenTimeoutError  no answer began within ``first_token_timeout``
        ├── IdleTimeoutError        the answer stopped for longer than ``idle_timeout``
        ├── StatusError             an HTTP status that is not a success
        │   ├── AuthenticationError     401, 403
        │   ├── NotFoundError           404, 405: the path, the provider or the model
        │   ├── BadRequestError         400, 422 and every other fault of the request
        │   ├── ContextLengthError      413, or a message that says the prompt is too long
        │   ├── RateLimitError          429
        │   └── ServerError             408, 5xx
        ├── WorkerError             the worker of a batch ended before it answered
        ├── TokenLimitError         a batch has used as many tokens as it may
        └── AnswerError             a success without a complete answer
            ├── ErrorEventError         the server reported a failure inside the stream
            ├── CutError                the stream broke off
            ├── EmptyAnswerError        the stream ended without a word
            ├── MalformedAnswerError    not a chat completion: HTML, other JSON, an endless line
            └── TypedAnswerError        whole, but not of the type that was asked for

The hint of an error says what to do next in words that need no notebook; the notebook layer knows
the magic or the setting that does it. A `KeyboardInterrupt` is none of these: it stays what it is.
"""

from __future__ import annotations

import re
import textwrap
from typing import Any

from .text import one_line

__all__ = [
    "COMMAND",
    "AlreadyServingError",
    "AnswerError",
    "AuthenticationError",
    "BadRequestError",
    "ConnectError",
    "ConnectTimeoutError",
    "ContextLengthError",
    "CopilotError",
    "CutError",
    "EmptyAnswerError",
    "ErrorEventError",
    "ExpressionError",
    "FirstTokenTimeoutError",
    "IdleTimeoutError",
    "LauncherError",
    "MalformedAnswerError",
    "NameResolutionError",
    "NameTakenError",
    "NotFoundError",
    "PictureError",
    "PortInUseError",
    "PromptError",
    "ProxyError",
    "RateLimitError",
    "RefusedError",
    "RehearsalError",
    "ServerError",
    "SettingError",
    "StatusError",
    "StoreError",
    "TLSError",
    "TokenLimitError",
    "TypedAnswerError",
    "UnknownConversationError",
    "UsageError",
    "WorkerError",
]


COMMAND = "    "
"""What a line of a hint begins with that is to be copied as it stands."""

# JupyterLab breaks longer lines of an error in the middle of a word.
_WIDTH = 79


class CopilotError(Exception):
    """The base of all errors of this package: one line, and what to do next.

    Args:
        message: What happened, without a full stop at the end.
        hint: The next step, as a sentence that is true without a notebook, too; or several ways
            out, one a line. A command is a line of its own that begins with `COMMAND`, and the line
            before it ends in a colon.
        **facts: Values for the attributes that the error's class declares.

    Attributes:
        message: What happened.
        hint: The next step, or a line for each; the notebook replaces it by one that names a magic.
    """

    def __init__(self, message: str, hint: str = "", **facts: Any) -> None:
        # The arguments as given are what a pickled error is made from again.
        super().__init__(message, hint)
        self.message = one_line(message)
        self.hint = "\n".join(
            (COMMAND if line.startswith(COMMAND) else "") + one_line(line, 500)
            for line in hint.split("\n")
        )
        for name, value in facts.items():
            if not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__} has no attribute {name!r}")
            setattr(self, name, value)

    def __str__(self) -> str:
        hint = re.sub(rf":\n{COMMAND}", ": ", self.hint)
        hint = re.sub(rf"\n{COMMAND}", ", then ", hint)
        hint = re.sub(r"\n([A-Z](?=[a-z]))?", lambda m: f"; or {(m[1] or '').lower()}", hint)
        return f"{self.message}. {hint}" if hint else self.message

    def _render_traceback_(self) -> list[str]:
        """Give IPython the lines to show, each command on its own, and no traceback of our code."""
        name = type(self).__name__
        whole = f"{name}: {self}"
        if len(whole) <= _WIDTH and "\n" not in self.hint:
            return [whole]
        shown: list[str] = []
        for line in [f"{name}: {self.message}", *self.hint.split("\n")]:
            is_command = line.startswith(COMMAND)
            shown += [line] if is_command else _wrapped(line)
        return shown


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, _WIDTH, break_long_words=False, break_on_hyphens=False)


class UsageError(CopilotError):
    """A magic, an option or an argument cannot be used as given."""


class SettingError(UsageError):
    """A setting cannot be used as it is.

    Attributes:
        setting: Its name.
        suggestion: A value that would do, or None.
    """

    setting: str = ""
    suggestion: Any = None


class ExpressionError(UsageError):
    """A ``{{expression}}`` of a prompt could not be evaluated; its ``__cause__`` says why.

    Attributes:
        expression: The expression.
        of_user: The failure is one of the user's own code, which can be explained and fixed.
    """

    expression: str = ""
    of_user = True


class PictureError(UsageError):
    """A picture cannot be sent: it cannot be rendered or read, or it is too large.

    Attributes:
        package: What pip has to install first, or an empty string.
    """

    package: str = ""


class NameTakenError(UsageError):
    """Another conversation has that name.

    Attributes:
        name: The name, or the id.
    """

    name: str = ""


class UnknownConversationError(UsageError):
    """There is no conversation of that name."""


class LauncherError(CopilotError):
    """The local model could not be started.

    Attributes:
        package: What pip has to install first, or an empty string.
        path: The file that is no model, or an empty string.
        passing: Another try may succeed.
    """

    package: str = ""
    path: str = ""
    passing: bool = False


class PortInUseError(LauncherError):
    """Something else listens on the port.

    Attributes:
        free_port: A port that was free a moment ago.
    """

    free_port: int = 0


class AlreadyServingError(LauncherError):
    """This process already serves another model, or on another port."""


class RehearsalError(CopilotError):
    """Code cannot be tried in a copy of this process; nothing has run."""


class StoreError(CopilotError):
    """The conversation file, or the replay file, cannot be used.

    Attributes:
        setting: The setting that names the file: ``store`` or ``replay``.
        damaged: The file's contents are broken; a copy of its last good state may be beside it.
    """

    setting: str = "store"
    damaged: bool = False


class PromptError(CopilotError):
    """A prompt got no answer, or not all of it.

    Attributes:
        begun: Part of the answer arrived; it is kept.
    """

    begun: bool = False


class ConnectError(PromptError):
    """The server was not reached; nothing was sent.

    Attributes:
        base_url: The configured address, without credentials.
    """

    base_url: str = ""


class RefusedError(ConnectError):
    """Nothing listens at the address."""


class NameResolutionError(ConnectError):
    """The host name is unknown."""


class TLSError(ConnectError):
    """The encrypted connection failed."""


class ProxyError(ConnectError):
    """The proxy between here and the server failed."""


class ConnectTimeoutError(ConnectError):
    """There was no connection within ``connect_timeout``."""


class FirstTokenTimeoutError(PromptError):
    """No answer began within ``first_token_timeout``.

    Attributes:
        seconds: How long the wait was.
    """

    seconds: float = 0.0


class IdleTimeoutError(PromptError):
    """The answer stopped for longer than ``idle_timeout``.

    Attributes:
        seconds: How long the wait was.
    """

    begun = True
    seconds: float = 0.0


class StatusError(PromptError):
    """The server answered with an HTTP status that is not a success.

    Attributes:
        status: The HTTP status code.
        retry_after: Seconds the server asked to wait, or None if it named none.
    """

    status: int = 0
    retry_after: float | None = None


class AuthenticationError(StatusError):
    """The server wants an API key or a login, or refused the one it got (401, 403).

    Attributes:
        with_key: An API key was sent.
        login: The provider wants a login in the server's browser, not a key.
        provider: The provider that was asked for, or an empty string.
        local_model: The server is a local model that another process started.
    """

    with_key: bool = False
    local_model: bool = False
    login: bool = False
    provider: str = ""


class NotFoundError(StatusError):
    """The path, the provider or the model does not exist there (404, 405).

    Attributes:
        missing: ``path``, ``provider`` or ``model``.
        suggestion: A value of the setting that names it (``base_url``, ``provider``, ``model``)
            which is likely to work, or None.
    """

    missing: str = "path"
    suggestion: str | None = None


class BadRequestError(StatusError):
    """The server did not accept the request (400, 422, and other 4xx).

    Attributes:
        models: The models to choose from, if the server wants one named.
        pictures: Pictures went with the prompt, and the model takes none.
    """

    models: tuple[str, ...] = ()
    pictures: bool = False


class ContextLengthError(StatusError):
    """The conversation is too long for the model (413, or a message that says so)."""


class RateLimitError(StatusError):
    """Too many requests (429).

    Attributes:
        quota_exhausted: Nothing is left to spend, so waiting does not help.
    """

    quota_exhausted: bool = False


class ServerError(StatusError):
    """The server failed (408, 5xx).

    Attributes:
        login: The provider wants a login in the server's browser.
        provider: The provider that was asked for, or an empty string.
        logged: gpt4free tells the reason only in its own log.
        pictures: Pictures went with the prompt, and the model takes none.
    """

    login: bool = False
    provider: str = ""
    logged: bool = False
    pictures: bool = False


class WorkerError(PromptError):
    """The worker of a batch ended before it answered."""


class TokenLimitError(PromptError):
    """A batch has used as many tokens as it may; what is left was not asked."""


class AnswerError(PromptError):
    """The server reported success, but sent no complete answer."""


class ErrorEventError(AnswerError):
    """The server reported a failure inside the stream.

    Attributes:
        login: The provider wants a login in the server's browser.
        provider: The provider that was asked for, or an empty string.
        logged: gpt4free tells the reason only in its own log.
    """

    login: bool = False
    provider: str = ""
    logged: bool = False


class CutError(AnswerError):
    """The stream broke off before its end."""


class EmptyAnswerError(AnswerError):
    """The stream ended without a word of an answer."""


class MalformedAnswerError(AnswerError):
    """What came is not a chat completion: HTML, other JSON, a line without end."""


class TypedAnswerError(AnswerError):
    """The answer is whole, but not of the type that was asked for.

    Attributes:
        wanted: The type, as a reader writes it.
        problem: What does not fit, in one line.
    """

    begun = True
    wanted: str = ""
    problem: str = ""
