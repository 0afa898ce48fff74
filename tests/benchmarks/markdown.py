"""Measure what it costs to render an answer while it is being written.

Each text is fed in tokens of four characters. The tail is read after every eighth token, like a
view that paints 20 times a second while 160 tokens arrive.
"""

from __future__ import annotations

import statistics
import time

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
        begin = time.perf_counter()
        stream.feed(token)
        fed = time.perf_counter()
        feeding += fed - begin
        if number % 8 == 0:
            longest = max(longest, len(stream.tail))
            tails.append(time.perf_counter() - fed)
    stream.finish()
    begin = time.perf_counter()
    html = render(text)
    whole = time.perf_counter() - begin
    print(
        f"{name:22}{len(text):9,}{1e6 * feeding / len(tokens):9.1f}"
        f"{1e3 * statistics.mean(tails):9.2f}{1e3 * max(tails):9.1f}{longest:9,}"
        f"{1e3 * whole:9.0f}{len(html) / len(text):9.1f}"
    )


def main() -> None:
    """Print the table."""
    render("```python\nx\n```")  # loads the parser and the lexer
    print(
        f"{'text':22}{'chars':>9}{'us/token':>9}{'tail ms':>9}{'worst':>9}{'tail len':>9}"
        f"{'whole ms':>9}{'html/text':>9}"
    )
    for name in TEXTS:
        for length in (20_000, 100_000):
            measure(name, length)


if __name__ == "__main__":
    main()
