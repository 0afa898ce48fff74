"""What tests of Markdown share: streaming a text, and looking at the HTML."""

from __future__ import annotations

import random
import re
from html.parser import HTMLParser

from copilot_magic.markdown.effects import CodeEffects
from copilot_magic.markdown.parser import markdown_parser
from copilot_magic.markdown.render import render
from copilot_magic.markdown.stream import Stream
from copilot_magic.markdown.work import Work
from copilot_magic.text import without_controls

__all__ = [
    "as_written",
    "at_once",
    "check",
    "effects_of",
    "pieces",
    "shown_code",
    "streamed",
    "text_of",
]

BLOCKS = "p h1 h2 h3 h4 h5 h6 ul ol li blockquote th td"
DIRECTED = {"dir": "ltr|rtl", "style": "text-align:(start|left|right|center)"}
LINK = {
    "href": r"(https?://[^/?#@\\\s]+([/?#].*)?|mailto:.*)",
    "target": "_blank",
    "rel": "noopener noreferrer",
}
IMAGE = {
    "src": r"(https?://[^/?#@\\\s]+([/?#].*)?|data:image/(png|jpeg|gif|webp);base64,[\w+/=]+)",
    "alt": ".*",
    "referrerpolicy": "no-referrer",
    "loading": "lazy",
}
# Each tag with its allowed attributes and the pattern their values must match.
ALLOWED: dict[str, dict[str, str]] = {
    **{
        tag: {**DIRECTED, "class": "copilot-(cont|more)( copilot-(cont|more))?"}
        for tag in BLOCKS.split()
    },
    "a": LINK,
    "div": {
        "class": "copilot-(table|language|effects)|highlight copilot-code( copilot-(cont|more))*",
        "dir": "ltr",
        "style": "margin-bottom:1em",
    },
    "span": {"class": r"\w{1,3}|copilot-math mathjax_process tex2jax_process"},
    "table": {"class": "copilot-(cont|more)( copilot-(cont|more))?"},
    **{tag: {} for tag in ["strong", "em", "s", "code", "pre", "thead", "tbody", "tr", "hr", "br"]},
    **{tag: {} for tag in ["sub", "sup", "kbd", "b", "i", "u", "mark", "small"]},
    **{tag: {} for tag in ["details", "summary"]},
}
ALLOWED["ol"]["start"] = r"\d{1,10}"
VOID = {"br", "hr", "img"}


class Checker(HTMLParser):
    """A parser that asserts that HTML is balanced and holds only what `ALLOWED` lists."""

    def __init__(self, images: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.allowed = {**ALLOWED, "img": IMAGE} if images else ALLOWED
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.allowed, f"<{tag}>"
        for name, value in attrs:
            assert name in self.allowed[tag], f"<{tag} {name}>"
            assert re.fullmatch(self.allowed[tag][name], value or "", re.DOTALL), (
                f"{name}={value!r}"
            )
        assert len({name for name, _ in attrs}) == len(attrs)
        if tag == "a":
            assert dict(attrs).keys() == LINK.keys()
            assert "a" not in self.open
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}>"

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"<!--{data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"<!{decl}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"<?{data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"<![{data}")


def check(html: str, images: bool = False) -> None:
    """Assert that HTML is balanced and harmless; `images` allows `<img>`."""
    checker = Checker(images)
    checker.feed(html)
    checker.close()
    assert checker.open == []
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html
    )
    for formula in re.findall(r'tex2jax_process">(.*?)</span>', html, re.DOTALL):
        assert not re.search(
            r"\\(def|let|gdef|(re)?newcommand|require|href|url|class|style|cssId|html|data|bbox|csname"
            r"|Declare|mmlToken|unicode)",
            formula,
        )


def text_of(html: str) -> str:
    """Return the text that a reader sees."""
    seen: list[str] = []
    parser = HTMLParser(convert_charrefs=True)
    parser.handle_data = seen.append  # type: ignore[method-assign]
    parser.feed(html)
    parser.close()
    return "".join(seen)


def shown_code(html: str) -> str:
    """Return the text of all code blocks."""
    return "".join(map(text_of, re.findall("<pre>(.*?)</pre>", html, re.DOTALL)))


def pieces(text: str, seed: int, longest: int) -> list[str]:
    """Return the text cut at random places."""
    chance = random.Random(seed)
    cut: list[str] = []
    while text:
        size = chance.randint(1, longest)
        cut.append(text[:size])
        text = text[size:]
    return cut


def streamed(parts: list[str], look: bool = False) -> list[str]:
    """Return what is settled, in order, if the parts are fed one by one.

    With `look`, check the tail after each part.
    """
    stream = Stream()
    settled: list[str] = []
    for part in parts:
        settled += stream.feed(part)
        if look:
            check(stream.tail)
    settled += stream.finish()
    assert stream.tail == ""
    return settled


def as_written(text: str) -> str:
    """Return what is settled of a text in one piece.

    `render` returns the same, but that it knows every link definition from the start.
    """
    stream = Stream()
    html = "".join(stream.feed(text) + stream.finish())
    if stream.defines_late:
        stream = Stream(definitions=stream.definitions)
        assert render(text) == "".join(stream.feed(text) + stream.finish())
    else:
        assert render(text) == html
    return html


def at_once(text: str) -> str:
    """Return what the parser makes of the whole text, without streaming."""
    return without_controls(markdown_parser(False).render(text))


def effects_of(code: str, language: str) -> list[str]:
    """Return what running the code would do, told from all of it at once."""
    return CodeEffects(language, Work()).feed(code)
