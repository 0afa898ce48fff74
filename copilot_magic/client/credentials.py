"""The key for a server: which one is sent, and where it must not appear."""

from __future__ import annotations

import base64
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from ..errors import SettingError, UsageError
from ..settings import Settings, is_loopback

__all__ = ["Credentials", "credentials_for"]


class Credentials(NamedTuple):
    """What a request authenticates itself with.

    Attributes:
        header: The value of ``Authorization``; empty if nothing is sent.
        secrets: What must not appear in any message.
    """

    header: str = ""
    secrets: tuple[str, ...] = ()

    def redact(self, text: str) -> str:
        """Return `text` without the secrets; a server may repeat the key that it refuses."""
        for secret in self.secrets:
            # Shorter ones are not secret: people type "x" if any key will do.
            if len(secret) > 3:
                text = text.replace(secret, "[key]")
        return text


def credentials_for(url: str, settings: Settings) -> Credentials:
    """Return the credentials to send to `url`: the API key, or user and password of `base_url`.

    Raises:
        UsageError: The key cannot be sent.
        SettingError: It must not be sent unencrypted.
    """
    key = settings.api_key()
    parts = urlsplit(settings.base_url.strip())
    if key:
        if not key.isascii() or not key.isprintable() or key != key.strip():
            raise UsageError(
                "The API key has characters that no key has, such as a space or a line end",
                "Set COPILOT_API_KEY to the key alone",
            )
        credentials = Credentials(f"Bearer {key}", (key,))
    elif parts.username or parts.password:
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        credentials = Credentials(f"Basic {token}", (token, password, parts.password or ""))
    else:
        return Credentials()
    encrypted = url.startswith("https:")
    if not encrypted and not is_loopback(url) and not settings.allow_plain_http:
        raise SettingError(
            f"The API key would go to {parts.hostname} unencrypted, so nothing was sent",
            "Use https:// in base_url, or set allow_plain_http to True",
            setting="allow_plain_http",
            suggestion=True,
        )
    return credentials
