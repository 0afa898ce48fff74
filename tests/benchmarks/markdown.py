"""Measure what it costs to render an answer while it is being written.

Times are those of the processor, so other work on the machine does not count. First, each text is
fed in tokens of four characters. The tail is read after every eighth token, like a
view that paints 20 times a second while 160 tokens arrive.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from copilot_magic.markdown.render import render
from copilot_magic.markdown.stream import Stream

PROSE = """\
## A heading of section {n}

Some **words** about `pandas.DataFrame` and how a column is *selected*; more of them follow here,
because a paragraph of an answer is some three lines long, with [a link](https://example.org/{n}).

1. First, load the data with `pd.read_csv("file.csv")` and look at its first rows.
2. Then group it, as in $\\bar{{x}} = \\frac{{1}}{{n}} \\sum_i x_i$, and plot the means.

| name | value |
|------|------:|
| a    | {n}   |
| b    | 2     |

"""
CODE = """\
```python
import pandas as pd

def load(path: str, n: int = {n}) -> pd.DataFrame:
    \"\"\"Read the file and clean it.\"\"\"
    frame = pd.read_csv(path, sep=";")  # as exported
    return frame.dropna().assign(total=lambda f: f["a"] + f["b"] * n)
```

"""
FUNCTION = CODE.partition("\n")[2].partition("```")[0]

TEXTS = {
    "prose and short code": lambda n: PROSE.format(n=n) + CODE.format(n=n),
    "prose": lambda n: PROSE.format(n=n),
    "one long code block": lambda n: ("" if n else "```python\n") + FUNCTION.format(n=n),
    "one long list": lambda n: (
        f"- item {n} with *some* text and `code` in it\n  - nested item {n}\n"
    ),
    "one long table": lambda n: f"| {n} | *some* text |\n" if n else "| a | b |\n|---|---|\n",
    "one long line": lambda n: f"Sentence {n} has **some** words and `code` and goes on. ",
}


# Texts that are slow for many renderers, made to be or innocent; each is repeated, or written for
# the numbers from 0 on.
SLOW: dict[str, str | Callable[[int], str]] = {
    "numbers, one a line": lambda n: f"{n % 1000 + 1}\n",
    "one digit a line": "7\n",
    "log lines": lambda n: f"2026-01-02 10:{n % 60:02}:00,123 INFO a.b: step {n} took 0.{n} s\n",
    "table without words": lambda n: "|a|b|c|\n" if n != 1 else "|-|-|-|\n",
    "table of numbers": lambda n: f"| {n} | {n % 7} |\n" if n != 1 else "|---|---|\n",
    "wide table, empty rows": lambda n: (
        ("|a" * 180 + "|\n" + "|-" * 180 + "|\n") if n == 0 else "|\n"
    ),
    "wide tables": "|a" * 180 + "|\n" + "|-" * 180 + "|\n" + "|\n" * 1000 + "\n",
    "long bar line and bars": lambda n: "|" * 5000 + "\n" if n == 0 else "|\n",
    "nested quotations": ">" * 50 + " a\n",
    "nested quotation, lazy lines": lambda n: ">" * 25 + " a\n" if n == 0 else "a\n",
    "quotations of growing depth": lambda n: ">" * (n % 60) + "a\n",
    "nested lists": lambda n: "  " * (n % 30) + "- a\n",
    "list marks": "- " * 30 + "\n",
    "headings": "#\n",
    "rules": "***\n",
    "one-letter paragraphs": "a\n\n",
    "blank lines": "\n",
    "fences": "```\n```\n",
    "brackets in lines": "[a]\n",
    "definitions": lambda n: f"[{n}]: b\n",
    "unclosed definitions": "[a]: b\n'c\n\n",
    "formula lines": "\\[\n a\n",
    "environments": "\\begin{align}\n",
    "dollar lines": "$$\na\n",
    "formulas": "$x$ ",
    "formulas in a table": lambda n: "|$x$|$y$|\n" if n != 1 else "|-|-|\n",
    "links to nothing": "[a][",
    "brackets": "[",
    "brackets, closed": lambda n: "[" if n % 4000 < 2000 else "]",
    "images": "![a](",
    "images in images": lambda n: "![" if n % 200 < 100 else "](a)",
    "links": "[a](b)",
    "destinations": "[a](x(x" + "y" * 250,
    "titles": "[a](b 'c",
    "entities": "&#x",
    "good entities": "&lt;",
    "autolinks": "<a:",
    "addresses": "https://a.b) ",
    "address with brackets": lambda n: "https://a.b/" if n % 9000 == 0 else ")",
    "emphasis": "*a*",
    "open emphasis": "*a _b ",
    "closed emphasis": "a* b_ ",
    "emphasis marks": "*_",
    "back quotes": lambda n: "`" * (n % 100) + " ",
    "code spans": "`a`",
    "exclamation marks": "!",
    "backslashes": "\\",
    "right to left": "-\n",
    "Hebrew table": lambda n: "|א|ב|\n" if n != 1 else "|-|-|\n",
    "HTML": "<b>",
    "nested HTML": lambda n: "<b>" if n % 400 < 200 else "</b>",
    "HTML, unclosed": "<details>\n\n",
    "footnotes": "[^a]",
    "unclosed formula marks": "$a\\$",
    **{f"lines that begin with {mark}": f"{mark} a\n" for mark in "-#|:_~=+*.)"},
    **{f"lines that begin with {mark}5": f"{mark}5\n" for mark in "-$#|:_~=+*"},
}
STATEMENTS = {
    "Java": (
        "java",
        "    public static Map<String, Integer> f{n}(int a) {{ return g(a, {n}); }}\n",
    ),
    "C++": ("cpp", "  std::vector<int> f{n}(const T& a) {{ return g<T>(a, {n}); }}\n"),
    "reStructuredText": ("rst", ".. note:: *text* {n}\n\n   ``code`` and `a link`_\n\n"),
    "Python": ("python", "    x{n} = f(a, 'b', {n})  # c\n"),
    "JavaScript": ("js", "  const a{n} = await f(`b ${{c}}`, {n});\n"),
}
for language, (name, line) in STATEMENTS.items():
    SLOW[f"fenced {language}"] = lambda n, name=name, line=line: (
        f"```{name}\n" if n == 0 else line.format(n=n)
    )
for name, line in {
    "python": " \n",
    "c": "\n",
    "java": "a_\n",
    "java ": "a_ ",
    "ts": "a.b",
    "yaml": "*",
    "rust": "a ",
    "perl": "a<\n",
    "console": "a::",
    "ini": "=",
    "kotlin": "a(",
}.items():
    SLOW[f"fenced {name}, {line!r}"] = lambda n, name=name, line=line: (
        f"```{name}\n" if n == 0 else line
    )


def slow_text(name: str, length: int) -> str:
    """Return one of the slow texts."""
    part = SLOW[name]
    if isinstance(part, str):
        return (part * (length // len(part) + 1))[:length]
    parts, size = [], 0
    while size < length:
        parts.append(part(len(parts)))
        size += len(parts[-1])
    return "".join(parts)[:length]


def measure_slow(name: str, length: int = 200_000, size: int = 400) -> None:
    """Print what a slow text costs, whole and in pieces with a look at the tail after each."""
    text = slow_text(name, length)
    begin = time.process_time()
    html = render(text)
    whole = time.process_time() - begin
    stream, paints = Stream(), []
    for at in range(0, len(text), size):
        painted = time.process_time()
        stream.feed(text[at : at + size])
        stream.tail  # noqa: B018
        paints.append(time.process_time() - painted)
    print(
        f"{name:34}{whole:8.2f}{sum(paints):9.2f}{1e3 * max(paints):9.1f}"
        f"{len(html) / len(text):9.1f}",
        flush=True,
    )


def measure(name: str, length: int) -> None:
    """Print the figures for one kind of text, streamed until it has `length` characters."""
    text, n = "", 0
    while len(text) < length:
        text += TEXTS[name](n)
        n += 1
    tokens = [text[at : at + 4] for at in range(0, len(text), 4)]
    stream, feeding, tails = Stream(), 0.0, []
    longest = 0
    for number, token in enumerate(tokens):
        begin = time.process_time()
        stream.feed(token)
        fed = time.process_time()
        feeding += fed - begin
        if number % 8 == 0:
            longest = max(longest, len(stream.tail))
            tails.append(time.process_time() - fed)
    stream.finish()
    begin = time.process_time()
    html = render(text)
    whole = time.process_time() - begin
    print(
        f"{name:22}{len(text):9,}{1e6 * feeding / len(tokens):9.1f}"
        f"{1e3 * statistics.mean(tails):9.2f}{1e3 * max(tails):9.1f}{longest:9,}"
        f"{1e3 * whole:9.0f}{len(html) / len(text):9.1f}"
    )


def main() -> None:
    """Print the tables."""
    render("```python\nx\n```")  # loads the parser and the lexer
    print(
        f"{'text':22}{'chars':>9}{'us/token':>9}{'tail ms':>9}{'worst':>9}{'tail len':>9}"
        f"{'whole ms':>9}{'html/text':>9}"
    )
    for name in TEXTS:
        for length in (20_000, 100_000):
            measure(name, length)
    print(
        f"\n{'200,000 characters':34}{'whole s':>8}{'stream s':>9}{'worst ms':>9}{'html/text':>9}"
    )
    for name in SLOW:
        measure_slow(name)


if __name__ == "__main__":
    main()
