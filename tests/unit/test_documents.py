"""Nothing in the README and the notebooks is stale: links, commands, options, settings, names."""

from __future__ import annotations

import ast
import re
import shlex
from dataclasses import asdict
from importlib.metadata import metadata
from importlib.util import find_spec

import pytest
from documents_read import DOCUMENTS, ROOT, Document

import copilot_magic
from copilot_magic.notebook.arguments import PromptLine, option_names
from copilot_magic.notebook.commands import COMMANDS
from copilot_magic.notebook.magics import CopilotMagics
from copilot_magic.settings import LOCAL_KEY, LOCAL_URL, Settings

EXTRAS = set(metadata("copilot-magic").get_all("Provides-Extra", []))
OPTIONS = {*option_names(), *re.findall(r"--\w+", " ".join(c.arguments for c in COMMANDS.values()))}
ENVIRONMENT = {
    *("COPILOT_BASE_URL", "COPILOT_PROVIDER", "COPILOT_MODEL", "COPILOT_API_KEY"),
    *(LOCAL_URL, LOCAL_KEY),
}
# In a word in capitals, or with an ellipsis, the reader puts something else.
PLACEHOLDER = re.compile(r"…|\b[A-Z]{3,}\b")

documents = pytest.mark.parametrize(
    "document", [Document.read(path) for path in DOCUMENTS], ids=[path.name for path in DOCUMENTS]
)


@documents
def test_a_link_leads_to_something(document: Document) -> None:
    for link in document.links:
        if re.match(r"https://[\w.-]+\.[a-z]+(/|$)", link):
            continue
        target, _, anchor = link.partition("#")
        file = document.path.parent / target if target else document.path
        assert file.exists(), link
        if anchor:
            assert anchor in Document.read(file).anchors, link


@documents
def test_a_command_exists_and_takes_what_it_is_given(document: Document) -> None:
    for magic, line in document.magics():
        if magic == "%%copilot" or not line:
            continue
        name, *words = shlex.split(line, comments=True)
        if PLACEHOLDER.search(name):
            continue
        command = COMMANDS[name]
        for word in words:
            if word.startswith("--"):
                assert word in command.arguments, line
        # Text may name a command without its arguments.
        if words and "--" not in command.arguments:
            command.expect_arguments(words)


@documents
def test_the_line_of_a_prompt_can_be_parsed(document: Document) -> None:
    for magic, line in document.magics():
        if magic == "%%copilot" and not PLACEHOLDER.search(line):
            PromptLine.parse_cell(line, "Why?" if not line or line.startswith("-") else "")


@documents
def test_an_option_exists(document: Document) -> None:
    for span in document.spans:
        if span.startswith("-"):
            assert span.split()[0] in OPTIONS, span


@documents
def test_a_setting_exists(document: Document) -> None:
    for text in (*document.spans, *(content for _, content in document.blocks)):
        for name in re.findall(r"CopilotMagics\.(\w+)", text):
            assert name in CopilotMagics.class_trait_names(config=True), name
        for name in re.findall(r"\bCOPILOT_\w+", text):
            assert name in ENVIRONMENT, name


@documents
def test_what_is_imported_of_ours_exists(document: Document) -> None:
    for _, content in document.blocks:
        for names in re.findall(r"from copilot_magic import ([\w, ]+)", content):
            assert set(names.replace(" ", "").split(",")) <= set(copilot_magic.__all__), names


@documents
def test_an_extra_exists(document: Document) -> None:
    for text in (*document.spans, *(content for _, content in document.blocks)):
        for extras in re.findall(r"(?:copilot-magic|\.)\[([\w,]+)\]", text):
            assert set(extras.split(",")) <= EXTRAS, extras


@documents
def test_a_file_or_module_of_ours_exists(document: Document) -> None:
    package = ROOT / "copilot_magic"
    for span in document.spans:
        if re.fullmatch(r"(tests|notebooks|\.ci|[a-z]+)(/[\w.]+)+/?", span):
            assert any((base / span).exists() for base in (ROOT, package)), span
        found = re.fullmatch(r"(\w+)((?:\.[a-z_]+)+)\.([A-Z]\w+)", span)
        if found and (package / found[1]).exists():
            module = f"copilot_magic.{found[1]}{found[2]}"
            assert find_spec(module), span
            assert hasattr(__import__(module, fromlist=[""]), found[3]), span


def test_the_readme_leads_to_every_notebook() -> None:
    readme = Document.read(ROOT / "README.md")
    for path in DOCUMENTS:
        if path.suffix == ".ipynb":
            assert f"notebooks/{path.name}" in readme.links


def test_the_readme_lists_every_setting_with_its_default() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    listed = dict(re.findall(r"^\| `(\w+)` \| `([^`]*)` \|", readme, re.MULTILINE))
    assert {name: repr(value) for name, value in asdict(Settings()).items()} == {
        name: repr(ast.literal_eval(default)) for name, default in listed.items()
    }
