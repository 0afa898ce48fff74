"""Texts that are slow for many renderers, made to be or innocent."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["SLOW", "slow_text"]

# Each is repeated, or written for the numbers from 0 on.
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
    parts: list[str] = []
    size = 0
    while size < length:
        parts.append(part(len(parts)))
        size += len(parts[-1])
    return "".join(parts)[:length]
