"""The settings: values that compare equal, pickle, and print no secret."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from .errors import SettingError
from .text import without_credentials

__all__ = ["DEFAULT_BASE_URL", "LOCAL_KEY", "LOCAL_MARK", "LOCAL_URL", "Settings", "is_loopback"]

DEFAULT_BASE_URL = "http://localhost:1337/v1"
# Set while this kernel serves its local model, so that the kernel's children can ask it too.
# IPython's %env hides the values of names with KEY in them.
LOCAL_URL = "COPILOT_LOCAL_URL"
LOCAL_KEY = "COPILOT_LOCAL_KEY"
# A header of every response of a local model, also of a refusal, by which other kernels recognise
# it. As an origin it matches no web page: those have a scheme in it.
LOCAL_MARK = ("Access-Control-Allow-Origin", "copilot-magic-local-model")


@lru_cache(maxsize=64)
def is_loopback(url: str) -> bool:
    """Say whether `url` names this machine: ``localhost``, ``*.localhost``, 127.0.0.0/8 or ::1.

    0.0.0.0 and :: count too: gpt4free listens there, and connecting to them leads here.
    """
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        import ipaddress

        address = ipaddress.ip_address(host)
        return address.is_loopback or address.is_unspecified
    except ValueError:
        return False


def _local_address(url: str) -> tuple[int | None, str] | None:
    """Return the port and path of a local model's URL, or None if it cannot be one's.

    A local model listens on 127.0.0.1 alone, so its key must not go to ::1. It answers with and
    without ``/v1``.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return None
    if parts.scheme != "http" or host not in ("localhost", "127.0.0.1", "0.0.0.0"):
        return None
    return port, parts.path.rstrip("/").removesuffix("/chat/completions").removesuffix("/v1")


def _setting(default: Any, help: str, **limits: Any) -> Any:
    """Declare a setting, with the explanation that the traits and the help show."""
    return field(default=default, metadata={"help": help, **limits})


@dataclass(frozen=True)
class Settings:
    """Everything a prompt needs to know besides its text; ``metadata["help"]`` explains each.

    Times are in seconds. Equal settings compare equal, whichever way they were made.
    """

    base_url: str = _setting(DEFAULT_BASE_URL, "The server's address, up to and including /v1.")
    provider: str = _setting(
        "Copilot", "Who answers behind a gpt4free server; '' is the server's default."
    )
    providers: tuple[str, ...] = _setting(
        (),
        "Providers to try in this order: each is asked if the one before failed before its first "
        "token. Empty means `provider` alone.",
    )
    model: str = _setting("", "The model; '' is the server's default.")
    temperature: float | None = _setting(
        None, "The sampling temperature; None is the server's default."
    )
    max_tokens: int | None = _setting(
        None, "Most tokens of an answer; None is the server's default.", min=1
    )
    system: str = _setting("", "The system message of new conversations.")
    connect_timeout: float = _setting(5.0, "Longest wait for a connection, in seconds.", min=0.001)
    first_token_timeout: float = _setting(
        300.0,
        "Longest wait for an answer to begin, in seconds; a provider may need a login first.",
        min=0.001,
    )
    idle_timeout: float = _setting(
        120.0, "Longest silence within an answer, in seconds.", min=0.001
    )
    retries: int = _setting(
        2, "How often to try again if nothing arrived and the server says to try later.", min=0
    )
    allow_plain_http: bool = _setting(
        False, "Send the API key unencrypted to a host that is not this machine."
    )
    remote_images: bool = _setting(
        False, "Load the pictures that an answer links to, instead of showing the links."
    )
    mask_secrets: bool = _setting(
        True, "Replace keys, tokens and passwords in what is sent; the footer names them."
    )
    replay: bool | str = _setting(
        False, "Show the stored answer to exactly the same request: True, or a file's path."
    )
    store: str | None = _setting(
        "", "The conversation file; '' is the default place, None keeps nothing."
    )
    get_api_key: Callable[[], str | None] | None = _setting(
        None, "A function that returns the API key; None reads COPILOT_API_KEY."
    )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Return the defaults as changed by ``COPILOT_BASE_URL``, ``_PROVIDER`` and ``_MODEL``.

        For provider and model a variable that is set but empty counts: it means "the server's
        default". A process that a kernel started finds the kernel's local model by itself.
        """
        environ = os.environ if environ is None else environ
        settings = cls()
        if url := environ.get("COPILOT_BASE_URL") or environ.get(LOCAL_URL):
            settings = replace(settings, base_url=url)
        if "COPILOT_PROVIDER" in environ:
            settings = replace(settings, provider=environ["COPILOT_PROVIDER"])
        if "COPILOT_MODEL" in environ:
            settings = replace(settings, model=environ["COPILOT_MODEL"])
        return settings

    @property
    def is_local_model(self) -> bool:
        """Say whether `base_url` is the local model that this process or its parent serves.

        Any spelling of its address counts.
        """
        local = _local_address(os.environ.get(LOCAL_URL, ""))
        return local is not None and local == _local_address(self.base_url)

    @property
    def asked_providers(self) -> tuple[str, ...]:
        """Return the providers to ask, in their order; the local model has none."""
        if self.is_local_model:
            return ("",)
        return self.providers or (self.provider,)

    def api_key(self) -> str | None:
        """Return the key for the server, or None; read anew at each call, and kept nowhere.

        The local model gets its own key, and never the user's.

        Raises:
            SettingError: `get_api_key` failed, or returned something else.
        """
        if self.is_local_model:
            return os.environ.get(LOCAL_KEY)
        if self.get_api_key is not None:
            return self._fetched_key(self.get_api_key)
        return os.environ.get("COPILOT_API_KEY") or None

    def _fetched_key(self, get_api_key: Callable[[], str | None]) -> str | None:
        try:
            key = get_api_key()
        except Exception as error:
            raise SettingError(
                f"get_api_key failed: {type(error).__name__}: {error}".removesuffix(": "),
                "Set it to a function that returns the key, or to None for COPILOT_API_KEY",
                setting="get_api_key",
            ) from error
        if key is not None and not isinstance(key, str):
            raise SettingError(
                f"get_api_key returned an object of type {type(key).__name__}",
                "It must return the key as text, or None",
                setting="get_api_key",
            )
        return key or None

    def __repr__(self) -> str:
        changed = {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if getattr(self, f.name) != f.default and f.name != "get_api_key"
        }
        if "base_url" in changed:
            changed["base_url"] = without_credentials(self.base_url)
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in changed.items())})"

    def __getstate__(self) -> dict[str, Any]:
        """Leave `get_api_key` behind: another process takes the key from its own environment."""
        return {name: value for name, value in vars(self).items() if name != "get_api_key"}
