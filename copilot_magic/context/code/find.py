"""The code of an answer, as it goes into the next cell."""

from __future__ import annotations

import ast
import heapq
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...markdown.render import CodeBlock, code_blocks
from ...text import count_of, well_formed
from .python import Parsed, parse_cell, try_to_parse

__all__ = ["FoundCode", "find_code"]

# The names on fences, in lower case.
_PYTHON = frozenset(
    ["python", "py", "python3", "py3", "ipython", "ipython3", "jupyter", "pycon", "python-repl"]
)
# Those of notebooks in MyST Markdown, and of Gemini.
_PYTHON |= {"code-cell", "tool_code"}
_UNNAMED = frozenset(["", "none", "text", "txt", "plaintext", "plain", "code", "output"])
_SESSION = frozenset(["console", "shell-session", "shellsession", "sh-session", "terminal"])
# The cell magics that run another language.
_MAGICS = {
    **dict.fromkeys(["bash", "sh", "zsh", "shell", "shellscript", *_SESSION], "bash"),
    **dict.fromkeys(["html", "htm", "html5"], "html"),
    **dict.fromkeys(["javascript", "js"], "javascript"),
    **dict.fromkeys(["latex", "tex"], "latex"),
    **dict.fromkeys(["markdown", "md"], "markdown"),
    **dict.fromkeys(["perl", "pl"], "perl"),
    **dict.fromkeys(["ruby", "rb"], "ruby"),
    "svg": "svg",
}
_SHOWN = {
    **{"c++": "C++", "cpp": "C++", "c": "C", "c#": "C#", "cs": "C#", "csharp": "C#", "r": "R"},
    **{"css": "CSS", "html": "HTML", "json": "JSON", "php": "PHP", "sql": "SQL", "svg": "SVG"},
    **{"toml": "TOML", "xml": "XML", "yaml": "YAML", "yml": "YAML", "javascript": "JavaScript"},
    **{"ts": "TypeScript", "typescript": "TypeScript", "powershell": "PowerShell"},
    **{"bash": "bash", "latex": "LaTeX", "rs": "Rust"},
}

_FENCE = re.compile(r"^[ \t>*+\-\d.)]*(?:```|~~~)", re.MULTILINE)
# Three backticks on one line are no fence in Markdown, but meant as one.
_ON_ONE_LINE = re.compile(r"^```([^`\n]+)```[ \t]*$", re.MULTILINE)
_CELL_MAGIC = re.compile(r"\s*%%\w")
_PROMPT = re.compile(r"\s*(?:>>>|In \[\d*\]:)(?: |$)")
_CONTINUED = re.compile(r"\s*(?:\.\.\.|\.\.\.:)(?: |$)")
_IPYTHON = re.compile(r"!|%{1,2}\w")
# Python's own, and that of our prompts; models repeat it in a block that they call Python.
_TRACEBACK = re.compile(r"\s*Traceback(?: \(|, the )most recent call last\)?:")
_SHELL_PROMPT = re.compile(r"\s*\$ ")
# Two words side by side are no Python, unless one of them is a keyword; here, the second one.
_WORDS = re.compile(
    r"\s*(?!(?:and|as|assert|async|await|case|class|def|del|elif|except|for|from|global|if|import|"
    r"in|is|lambda|match|nonlocal|not|or|raise|return|type|while|with|yield)\b)"
    r"[^\W\d]\w*,? (?!(?:and|as|for|if|import|in|is|not|or|else)\b)[^\W\d_]+"
)
# How deep an answer may be that is itself in a fence, and that fence in another one.
_DEPTH = 3
# Characters that are parsed at most in the search for code among prose.
_PARSED = 2_000_000


@dataclass(frozen=True)
class FoundCode:
    """The code of an answer.

    Attributes:
        text: What goes into the next cell, without blank lines around it.
        language: ``python``, the language of the cell's magic, or the name on the fence.
        notes: What is to be said about it below the answer.
    """

    text: str
    language: str
    notes: tuple[str, ...] = ()


def find_code(answer: str) -> FoundCode | None:
    """Return the code of an answer, None if there is none.

    All Python blocks are joined, and blocks of other languages count only if there is no Python.
    An answer without a fence may be code as a whole, or hold some lines of it.
    """
    return _find(answer, _DEPTH)


def _find(answer: str, depth: int) -> FoundCode | None:
    blocks = code_blocks(answer) if _FENCE.search(answer) else []
    if not blocks:
        text = well_formed(answer).replace("\r\n", "\n").replace("\r", "\n")
        return _without_fence(_ON_ONE_LINE.sub(r"\1", text))
    blocks = [block for block in blocks if block.strip() and not _TRACEBACK.match(block)]
    unnamed = [block for block in blocks if _name(block) in _UNNAMED]
    named = [block for block in blocks if _name(block) not in _UNNAMED]
    python = [block for block in named if _is_python(block)]
    if python:
        others = [block for block in named if not _is_python(block)]
        # What has no name is the output, most often.
        others += [block for block in unnamed if _is_code(block)]
        return _joined([_without_prompts(block) for block in python], others)
    nested = next((block for block in named if _name(block) in ("markdown", "md")), None)
    if nested is not None and depth and (found := _find(nested.code, depth - 1)):
        return found
    code = [text for text in map(_without_prompts, unnamed) if _is_code(text)]
    if code:
        return _joined(code, named)
    return _other_language(named) if named else None


def _name(block: CodeBlock) -> str:
    return block.language.lower()


def _is_python(block: CodeBlock) -> bool:
    if _name(block) in _PYTHON:
        return True
    # Models also write `!pip install` into blocks for the shell.
    lines = [line for line in block.splitlines() if line.strip()]
    return _MAGICS.get(_name(block)) == "bash" and all(map(_IPYTHON.match, lines))


def _joined(python: Sequence[str], others: Sequence[CodeBlock]) -> FoundCode:
    cells = [_trimmed(text) for text in python]
    # The magic of a cell has to be its first line.
    plain = [text for text in cells if not _CELL_MAGIC.match(text)] or cells[:1]
    notes = []
    if len(plain) > 1:
        notes.append(f"{len(plain)} Python blocks joined")
    left = [_shown(block) for block in others]
    left += ["%%" + text.lstrip("% ").split()[0] for text in cells if text not in plain]
    return FoundCode("\n\n".join(plain), "python", (*notes, *_left_out(left)))


def _other_language(blocks: Sequence[CodeBlock]) -> FoundCode:
    names = [_MAGICS.get(_name(block), _name(block)) for block in blocks]
    # A command that installs something comes before the code itself.
    language = next((name for name in names if name != "bash"), "bash")
    taken = [block for block, name in zip(blocks, names, strict=True) if name == language]
    texts = [_trimmed(_without_shell_prompts(b) if language == "bash" else b) for b in taken]
    text = "\n\n".join(texts)
    left = [_shown(b) for b, name in zip(blocks, names, strict=True) if name != language]
    notes = [f"{len(taken)} {_shown(taken[0])} blocks joined"] if len(taken) > 1 else []
    if language not in _MAGICS:
        notes.append(f"the code is {_shown(taken[0])}")
    elif not text.lstrip().startswith("%%"):
        text = f"%%{language}\n{text}"
    return FoundCode(text, language, (*notes, *_left_out(left)))


def _left_out(languages: Sequence[str]) -> list[str]:
    """Return the note that names blocks which are not taken."""
    if not languages:
        return []
    parts = [count_of(count, f"{name} block") for name, count in Counter(languages).items()]
    return [f"left out: {', '.join(parts)}"]


def _shown(block: CodeBlock) -> str:
    name = _name(block)
    if name in _UNNAMED:
        return "unnamed"
    name = _MAGICS.get(name, name)
    return _SHOWN.get(name, name.capitalize())


def _trimmed(text: str) -> str:
    """Return `text` without blank lines around it."""
    return re.sub(r"\A(?:[ \t]*\n)+", "", text.rstrip())


def _without_prompts(block: str) -> str:
    """Return what was typed at Python's or IPython's prompts; text without prompts as it is."""
    text = str.__str__(block)
    lines = text.split("\n")
    first = next((line for line in lines if line.strip()), "")
    prompts = any(map(_PROMPT.match, lines))
    if not prompts or (not _PROMPT.match(first) and parse_cell(text) is not None):
        return text
    typed = []
    is_typed = False
    for line in lines:
        match = _PROMPT.match(line) or (_CONTINUED.match(line) if is_typed else None)
        is_typed = match is not None
        if match:
            typed.append(line[match.end() :])
    return "\n".join(typed)


def _without_shell_prompts(text: str) -> str:
    lines = text.split("\n")
    typed = []
    for number, line in enumerate(lines):
        match = _SHELL_PROMPT.match(line)
        if match:
            typed.append(line[match.end() :])
        elif number and typed and typed[-1].endswith("\\"):
            typed.append(line)
    return "\n".join(typed) if typed else str.__str__(text)


def _is_code(text: str) -> bool:
    """Say whether `text` is Python, and not prose that happens to parse."""
    parsed = parse_cell(text)
    return parsed is not None and _does_something(parsed)


def _does_something(parsed: Parsed) -> bool:
    """Say whether code does anything: "No, thanks" and "Answer: 42" are valid Python, too."""
    return bool(parsed.magics) or any(map(_is_evidence, parsed.tree.body))


def _is_evidence(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        parts = (ast.Call, ast.Subscript, ast.Attribute, ast.comprehension)
        return any(isinstance(node, parts) for node in ast.walk(statement))
    if isinstance(statement, ast.AnnAssign):
        return statement.value is not None
    words = (ast.Global, ast.Nonlocal, ast.Pass, ast.Break, ast.Continue, ast.Return, ast.Raise)
    return not isinstance(statement, (*words, ast.Assert, ast.Delete))


def _without_fence(text: str) -> FoundCode | None:
    whole = _trimmed(_without_prompts(text))
    if _is_code(whole):
        return FoundCode(whole, "python")
    found = max(_runs(text.split("\n")), key=_weight, default=None)
    return FoundCode(textwrap.dedent(found), "python") if found else None


def _weight(text: str) -> int:
    return sum(bool(line.strip()) for line in text.split("\n"))


def _runs(lines: list[str]) -> Iterator[str]:
    """Find runs of whole lines that are Python, the largest stretches first.

    A stretch that does not parse is split at the line with the error, up to a limit.
    """
    left = _PARSED
    stretches = [(-len(lines), 0, len(lines))]

    def add(start: int, end: int) -> None:
        if start < end:
            heapq.heappush(stretches, (start - end, start, end))

    while stretches and left > 0:
        _, start, end = heapq.heappop(stretches)
        while start < end and (not lines[start].strip() or _WORDS.match(lines[start])):
            start += 1
        while start < end and not lines[end - 1].strip():
            end -= 1
        text = "\n".join(lines[start:end])
        left -= len(text) + 100
        parsed = try_to_parse(text)
        if isinstance(parsed, Parsed):
            if parsed.tree.body and _does_something(parsed):
                yield text
        elif parsed:
            error = min(start + parsed, end)
            add(start, error - 1)
            add(error, end)
        elif end - start > 1:
            middle = (start + end) // 2
            add(start, middle)
            add(middle, end)
