"""Which addresses a link may lead to: the web and mail, by the rules of the URL standard.

A browser takes an address that it cannot parse for a path on its own server, which here is the
Jupyter server. So an address must be valid for the browser, not only look like one.
https://url.spec.whatwg.org/#host-parsing
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import unquote_to_bytes

__all__ = ["is_mail", "is_on_web"]

# No control characters and spaces, some of which a browser removes, and no backslashes, which it
# takes for slashes. No user name either: it can look like a host.
_WEB = re.compile(
    r"https?://([^\x00-\x20\x7f\\/?#@]+)((?:[/?#][^\x00-\x20\x7f\\]*)?)", re.IGNORECASE
)
_PORT = re.compile(r":(\d{0,5})\Z")
_MAIL = re.compile(r"mailto:[^/\s]", re.IGNORECASE)
# The standard's forbidden domain code points.
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f#%/:<>?@\[\\\]^|]")
_NUMBER = re.compile(r"(?:\d+|0[xX][0-9A-Fa-f]*)")
_UP = re.compile(r"(?:^|/)(?:\.|%2e){2}(?:[/?#]|$)", re.IGNORECASE)


def is_mail(address: str) -> bool:
    """Say whether a browser opens a mail program for the address."""
    return bool(_MAIL.match(address))


def is_on_web(address: str) -> bool:
    """Say whether every browser reads the address as HTTP or HTTPS with a host."""
    found = _WEB.fullmatch(address)
    if not found:
        return False
    host, rest = found.groups()
    if port := _PORT.search(host):
        if port.group(1) and int(port.group(1)) > 65_535:
            return False
        host = host[: port.start()]
    if host.startswith("["):
        return _is_ipv6(host)
    try:
        domain = unquote_to_bytes(host).decode()
    except UnicodeDecodeError:
        return False
    if not domain.strip(".") or _FORBIDDEN.search(domain):
        return False
    if not domain.isascii() or "xn--" in domain.lower():
        # Whether it is valid depends on the browser's version of Unicode. If it is not, the
        # address must not lead up from where the page is.
        return not _UP.search(rest)
    labels = domain.removesuffix(".").split(".")
    return not _NUMBER.fullmatch(labels[-1]) or _is_ipv4(labels)


def _is_ipv6(host: str) -> bool:
    try:
        IPv6Address(host[1:-1])
    except AddressValueError:
        return False
    return host.endswith("]") and "%" not in host


def _is_ipv4(parts: list[str]) -> bool:
    """Say whether the parts are numbers that make an address: decimal, octal or hexadecimal."""
    try:
        numbers = [_number(part) for part in parts]
    except ValueError:
        return False
    *first, last = numbers
    return len(numbers) <= 4 and max(first, default=0) < 256 and last < 256 ** (5 - len(numbers))


def _number(part: str) -> int:
    if not _NUMBER.fullmatch(part):
        raise ValueError(part)
    if part[:2].lower() == "0x":
        return int(part[2:] or "0", 16)
    return int(part, 8 if part[0] == "0" else 10)
