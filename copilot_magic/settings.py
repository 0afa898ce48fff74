"""Settings: their names, defaults and the environment variables that change them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

__all__ = ["LOCAL_KEY", "LOCAL_URL", "Settings", "is_loopback"]

DEFAULT_BASE_URL = "http://localhost:1337/v1"
# Set by `%copilot serve`, so that the kernel's children know the server too; IPython's %env hides
# the values of names with KEY in them.
LOCAL_URL = "COPILOT_LOCAL_URL"
LOCAL_KEY = "COPILOT_LOCAL_KEY"


def is_loopback(url: str) -> bool:
    """Say whether `url` names this machine: ``localhost``, ``*.localhost``, 127.0.0.0/8 or ::1.

    So do 0.0.0.0 and ::, to which gpt4free binds, and which lead here when they are connected to.
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


def _key_from_environment() -> str | None:
    return os.environ.get("COPILOT_API_KEY") or None


@dataclass(frozen=True)
class Settings:
    """Hold what a prompt needs to know beside its text; times are in seconds.

    Attributes:
        base_url: The server, up to and including ``/v1``.
        provider: Who answers behind a gpt4free server; an empty string is the server's default.
        providers: Providers to try in this order, each where the one before failed before its
            first token; empty means `provider` alone.
        model: The model; an empty string is the server's default.
        system: System message of new conversations.
        connect_timeout: Longest wait for a connection.
        first_token_timeout: Longest wait for the answer to begin (a browser may have to log in).
        idle_timeout: Longest silence within an answer.
        retries: How often to try again where nothing was received and the server says try later.
        allow_plain_http: Send the API key unencrypted to a host that is not this machine.
        remote_images: Load pictures that an answer links to, instead of showing the links.
        replay: Show the stored answer to exactly the same request: True, or a file's path.
        store: The conversation file; an empty string is the default place, None keeps nothing.
        get_api_key: Returns the API key; not a string, since settings are printed.
    """

    base_url: str = DEFAULT_BASE_URL
    provider: str = "Copilot"
    providers: tuple[str, ...] = ()
    model: str = ""
    system: str = ""
    connect_timeout: float = 5.0
    first_token_timeout: float = 300.0
    idle_timeout: float = 120.0
    retries: int = 2
    allow_plain_http: bool = False
    remote_images: bool = False
    replay: bool | str = False
    store: str | None = ""
    get_api_key: Callable[[], str | None] = field(default=_key_from_environment, repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Return the defaults as changed by ``COPILOT_BASE_URL``, ``_PROVIDER`` and ``_MODEL``.

        A variable that is set but empty counts for provider and model ("the server's default")
        and is ignored for the URL. A kernel's children find its small local model without any.
        """
        environ = os.environ if environ is None else environ
        settings = cls()
        if environ.get(LOCAL_URL):
            settings = replace(settings, base_url=environ[LOCAL_URL])
        if environ.get("COPILOT_BASE_URL"):
            settings = replace(settings, base_url=environ["COPILOT_BASE_URL"])
        if "COPILOT_PROVIDER" in environ:
            settings = replace(settings, provider=environ["COPILOT_PROVIDER"])
        if "COPILOT_MODEL" in environ:
            settings = replace(settings, model=environ["COPILOT_MODEL"])
        return settings

    @property
    def is_local_model(self) -> bool:
        """Say whether `base_url` is the small local model that this process or its parent runs."""
        return self.base_url.rstrip("/") == os.environ.get(LOCAL_URL)

    def for_local_model(self) -> Settings:
        """Return the settings with the local model's own key and no provider, where it is asked.

        It is not Copilot and must not be taken for it; nor is it sent the user's own API key.
        """
        if not self.is_local_model:
            return self
        key = os.environ.get(LOCAL_KEY)
        return replace(self, provider="", providers=(), get_api_key=lambda: key)
