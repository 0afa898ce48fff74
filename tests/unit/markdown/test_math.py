"""Formulas reach MathJax if they are harmless; prices and code do not."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hostile import PAYLOADS
from rendering import text_of

from copilot_magic.markdown.render import render


def formulas(text: str) -> list[str]:
    """Return the formulas that MathJax finds in the rendered text."""
    return [
        text_of(found)
        for found in re.findall(
            r'<span class="copilot-math[^>]*>(.*?)</span>', render(text), re.DOTALL
        )
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$a_1 * b_1 * c < d$", [r"\(a_1 * b_1 * c < d\)"]),
        (r"$2x$ and \(y\)", [r"\(2x\)", r"\(y\)"]),
        (r"**a $x*y$ b**", [r"\(x*y\)"]),
        (r"so $$x$$ and \[y\]", [r"\[x\]", r"\[y\]"]),
        ("$$\na\n- b\n= c\n$$", ["\\[\na\n- b\n= c\n\\]"]),
        ("- a\n\n  \\[\n  x\n  \\]", ["\\[\nx\n\\]"]),
        ("> $$\n> x\n> $$", ["\\[\nx\n\\]"]),
        (
            "\\begin{align}\nx &= 1 \\\\\ny\n\\end{align}",
            ["\\begin{align}\nx &= 1 \\\\\ny\n\\end{align}"],
        ),
        (
            "\\begin{equation}\\label{a}\nx\n\\end{equation}",
            ["\\begin{equation}\nx\n\\end{equation}"],
        ),
        ("| $x_1$ |\n|---|\n| $y_1$ |", [r"\(x_1\)", r"\(y_1\)"]),
        (
            r"$\longrightarrow \left( \newline a \\class$",
            [r"\(\longrightarrow \left( \newline a \\class\)"],
        ),
        ("It costs $5 and $6.", []),
        ("from $5-$10, or US$ 3 $", []),
        (r"\$x\$ and `$x$`", []),
        ("$ x $", []),
        ("$$\nx\n\ny", []),
        ("```\n$x$\n```", []),
        ("$", []),
        ("$$", []),
        ("$$$$", []),
    ],
)
def test_formulas_are_found_and_prices_are_not(text: str, found: list[str]) -> None:
    assert formulas(text) == found


@pytest.mark.parametrize("name", [name for name in PAYLOADS if name.startswith("math ")])
def test_a_formula_that_affects_the_page_is_shown_as_code(name: str) -> None:
    for formula in formulas(PAYLOADS[name]):
        assert not re.search(r"\\(?!text|\)|\(|\[|\])", formula), formula


@pytest.mark.parametrize(
    ("tex", "limit"),
    [
        (lambda n: r"\frac{1}{1+" * n + "x" + "}" * n, 25),
        (lambda n: r"\substack{" * n + "x" + "}" * n, 25),
        (lambda n: r"\begin{matrix}" * n + "x" + r"\end{matrix}" * n, 50),
        (lambda n: r"\Huge " * n + "x", 50),
        (lambda n: r"{\textstyle x}" * n, 50),
        (lambda n: r"\pmb{x}" * n, 5),
        (lambda n: r"\begin{matrix}" + "&" * 49 + r"\\" * (n - 1) + r"\end{matrix}", 50),
        (lambda n: "x" * n, 4_000),
    ],
)
def test_a_formula_that_would_hold_up_the_browser_is_shown_as_code(
    tex: Callable[[int], str], limit: int
) -> None:
    assert formulas(f"${tex(limit)}$") == [rf"\({tex(limit)}\)"]
    shown = render(f"${tex(limit + 1)}$")
    assert formulas(f"${tex(limit + 1)}$") == []
    assert text_of(shown).strip() == rf"\({tex(limit + 1)}\)"


def test_what_only_looks_like_depth_is_no_obstacle() -> None:
    for tex in (r"\{" * 40 + r"\}" * 40, "x^{2}" * 100, r"\left( x \right)" * 100):
        assert len(formulas(f"${tex}$")) == 1


def test_the_depth_of_a_formula_cannot_be_hidden() -> None:
    r"""MathJax skips comments, and braces in `\verb` close nothing."""
    for hidden in ("%}\n", r"\verb|}|"):
        assert formulas("$" + (r"\frac{1}{1+" + hidden) * 30 + "x" + "}" * 30 + "$") == []
