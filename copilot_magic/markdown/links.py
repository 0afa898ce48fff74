"""Links and images: only those that are safe in the page, the others as text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .addresses import is_mail, is_on_web

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

__all__ = ["bare_address", "safe_links"]

_PIXEL_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+$")
_ADDRESS = re.compile(r"[^\s<>\"'`*|\\，。、；：！？）】」》]+")
_SCHEME = re.compile(r"(?<![A-Za-z0-9])https?$", re.IGNORECASE)
_PAIRS = (("(", ")"), ("[", "]"))
_TRAILING = frozenset(".,;:!?_~$")


def safe_links(children: list[Token], remote_images: bool) -> list[Token]:
    """Return inline tokens with safe links and images only.

    An unsafe link becomes its label, followed by its address in parentheses.
    """
    from markdown_it.token import Token

    safe: list[Token] = []
    opened: list[tuple[str, bool, int]] = []  # address, whether it is safe, where its label begins
    for child in children:
        in_link = any(is_safe for _, is_safe, _ in opened)
        if child.type == "link_open":
            address = str(child.attrs["href"])
            is_safe = is_on_web(address) or is_mail(address)
            opened.append((address, is_safe, len(safe)))
            if is_safe and not in_link:
                safe.append(_link_open(address))
        elif child.type == "link_close":
            address, is_safe, begin = opened.pop()
            if any(is_safe for _, is_safe, _ in opened):
                continue  # The label of a link: an address in angle brackets can be in it.
            label = "".join(part.content for part in safe[begin:])
            if is_safe:
                safe.append(child)
            elif address and address != label:
                safe.append(Token("text", "", 0, content=f" ({address})"))
        elif child.type == "image":
            safe.extend(_safe_image(child, remote_images, in_link))
        else:
            safe.append(child)
    return safe


def _link_open(address: str) -> Token:
    from markdown_it.token import Token

    attrs: dict[str, str | int | float] = {
        "href": address,
        "target": "_blank",
        "rel": "noopener noreferrer",
    }
    return Token("link_open", "a", 1, attrs=attrs)


def _safe_image(image: Token, remote_images: bool, in_link: bool) -> list[Token]:
    """Return an image, a link to it, or its alternative text with the address."""
    from markdown_it.token import Token

    address = str(image.attrs["src"])
    alt = _text_of(image.children or [])
    if _PIXEL_IMAGE.match(address) or (remote_images and is_on_web(address)):
        attrs: dict[str, str | int | float] = {
            "src": address,
            "alt": alt,
            "referrerpolicy": "no-referrer",
            "loading": "lazy",
        }
        return [Token("picture", "img", 0, attrs=attrs)]
    text = Token("text", "", 0, content=f"🖼 {alt}".rstrip())
    if in_link or address.startswith("data:") or not address:
        return [text]
    if is_on_web(address):
        return [_link_open(address), text, Token("link_close", "a", -1)]
    text.content += f" ({address})"
    return [text]


def _text_of(tokens: Sequence[Token]) -> str:
    return "".join(
        _text_of(token.children or []) if token.type == "image" else token.content or " "
        for token in tokens
        if token.nesting == 0
    )


def bare_address(state: StateInline, silent: bool) -> bool:
    """Read ``https://…`` in running text as a link (a rule of markdown-it).

    The parser stops at ``:`` but not at letters, so the scheme has been read as text by then.
    """
    begin = state.pos
    if state.linkLevel or not state.src.startswith("://", begin):
        return False
    found = _SCHEME.search(state.src[max(0, begin - 6) : begin])
    rest = _ADDRESS.match(state.src, begin + 3)
    if not found or not rest:
        return False
    scheme = found.group()
    address = _without_trailing(rest.group())
    if not address or (not silent and not state.pending.endswith(scheme)):
        return False
    if not silent:
        url = f"{scheme}://{address}"
        state.pending = state.pending[: -len(scheme)]
        state.push("link_open", "a", 1).attrs = {"href": state.md.normalizeLink(url)}
        state.push("text", "", 0).content = url
        state.push("link_close", "a", -1)
    state.pos = begin + 3 + len(address)
    return True


def _without_trailing(address: str) -> str:
    """Return an address without what belongs to the sentence: punctuation, unpaired brackets."""
    extra = {closer: address.count(closer) - address.count(opener) for opener, closer in _PAIRS}
    end = len(address)
    while end:
        last = address[end - 1]
        if last in extra and max(extra.values()) > 0:
            extra[last] -= 1
        elif last not in _TRAILING:
            break
        end -= 1
    return address[:end]
