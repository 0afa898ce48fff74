"""Errors of copilot_magic: typed, one readable line each, ending in what to do next.

    CopilotError
    ├── UsageError                  a magic, an option or a setting cannot be used as given
    ├── LauncherError               the small local server could not be started
    ├── StoreError                  the conversation file cannot be used
    └── PromptError                 a prompt got no answer, or not all of it
        ├── ConnectError            nothing was sent: the server was not reached
        │   ├── RefusedError            nobody listens there
        │   ├── NameResolutionError     the host's name is unknown
        │   ├── TLSError                the encrypted connection failed
        │   ├── ProxyError              the proxy in between failed
        │   └── ConnectTimeoutError     no connection within ``connect_timeout``
        ├── FirstTokenTimeoutError  no answer began within ``first_token_timeout``
        ├── IdleTimeoutError        an answer began and fell silent for ``idle_timeout``
        ├── StatusError             an HTTP status that is not a success
        │   ├── AuthenticationError     401, 403
        │   ├── NotFoundError           404, 405: the path, the provider or the model
        │   ├── BadRequestError         400, 422 and what else is the request's fault
        │   ├── ContextLengthError      413, or a message that says the prompt is too long
        │   ├── RateLimitError          429
        │   └── ServerError             408, 5xx
        └── AnswerError             a success that brought no whole answer
            ├── ErrorEventError         the server reported a failure inside the stream
            ├── CutError                the stream broke off
            ├── EmptyAnswerError        the stream ended without a word
            └── MalformedAnswerError    not a chat completion: HTML, other JSON, an endless line

A `KeyboardInterrupt` is none of them: it stays what it is, and the turn is ``interrupted``.
"""

from __future__ import annotations

__all__ = [
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
    "FirstTokenTimeoutError",
    "IdleTimeoutError",
    "LauncherError",
    "MalformedAnswerError",
    "NameResolutionError",
    "NotFoundError",
    "PromptError",
    "ProxyError",
    "RateLimitError",
    "RefusedError",
    "ServerError",
    "StatusError",
    "StoreError",
    "TLSError",
    "UsageError",
    "one_line",
]


def one_line(text: str, limit: int = 300) -> str:
    """Return `text` as one printable line of at most `limit` characters.

    Control characters (terminal escape sequences among them) and bidirectional overrides become
    spaces, since part of the text may have been sent by a server.
    """
    printable = "".join(c if c.isprintable() else " " for c in text[: 4 * limit])
    line = " ".join(printable.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


class CopilotError(Exception):
    """Say in one line what went wrong, and in `hint` what to do next.

    Args:
        message: What happened, without a full stop at the end.
        hint: The next step, as a sentence or a command.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = one_line(message)
        self.hint = one_line(hint, 500)
        super().__init__(f"{self.message}. {self.hint}" if self.hint else self.message)

    def _render_traceback_(self) -> list[str]:
        """Give IPython the one line to show instead of a traceback of our insides."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(CopilotError):
    """A magic, an option or a setting cannot be used as given."""


class LauncherError(CopilotError):
    """The small local server could not be started."""


class StoreError(CopilotError):
    """The conversation file cannot be used."""


class PromptError(CopilotError):
    """A prompt got no answer, or not all of it."""


class ConnectError(PromptError):
    """The server was not reached; nothing was sent."""


class RefusedError(ConnectError):
    """Nobody listens at the address."""


class NameResolutionError(ConnectError):
    """The host's name is unknown."""


class TLSError(ConnectError):
    """The encrypted connection could not be made."""


class ProxyError(ConnectError):
    """The proxy between here and the server failed."""


class ConnectTimeoutError(ConnectError):
    """No connection came about within ``connect_timeout``."""


class FirstTokenTimeoutError(PromptError):
    """No answer began within ``first_token_timeout``."""


class IdleTimeoutError(PromptError):
    """An answer began and then fell silent for ``idle_timeout``."""


class StatusError(PromptError):
    """The server answered with an HTTP status that is not a success.

    Attributes:
        status: The HTTP status code.
        retry_after: Seconds the server asked to wait, or None where it named none.
    """

    def __init__(
        self, message: str, hint: str = "", *, status: int = 0, retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        self.retry_after = retry_after


class AuthenticationError(StatusError):
    """The server wants an API key or a login, or refused the one it got (401, 403)."""


class NotFoundError(StatusError):
    """The path, the provider or the model does not exist there (404, 405)."""


class BadRequestError(StatusError):
    """The server did not accept the request (400, 422, and other 4xx)."""


class ContextLengthError(StatusError):
    """The conversation is too long for the model (413, or a message that says so)."""


class RateLimitError(StatusError):
    """Too many requests (429)."""


class ServerError(StatusError):
    """The server failed (408, 5xx)."""


class AnswerError(PromptError):
    """The server reported success, yet sent no whole answer."""


class ErrorEventError(AnswerError):
    """The server reported a failure inside the stream."""


class CutError(AnswerError):
    """The stream broke off before its end."""


class EmptyAnswerError(AnswerError):
    """The stream ended without a word of an answer."""


class MalformedAnswerError(AnswerError):
    """What came is not a chat completion: HTML, other JSON, a line without end."""
