"""Formulas and links of an answer in a real browser: nothing crashes it or holds it up."""

from __future__ import annotations

import pytest
from browser.notebooks import Jupyter, Notebook
from hostile import PAYLOADS
from playwright.sync_api import expect

# Formulas as large as MathJax gets them.
LARGE = {
    "fractions": r"\frac{1}{1+" * 25 + "x" + "}" * 25,
    "matrices": r"\begin{matrix}" * 50 + "x" + r"\end{matrix}" * 50,
    "sizes": r"\Huge " * 50 + "x",
    "stacks": r"\substack{" * 25 + "x" + "}" * 25,
    "copies": r"\pmb{" * 5 + "x" + "}" * 5,
    "cells": r"\begin{matrix}" + "&" * 49 + r"\\" * 49 + r"x\end{matrix}",
}
HEAVY = [name for name in PAYLOADS if name.startswith(("math deep", "math many"))]
# Measures the longest time for which the page could do nothing else.
MEASURE = """
() => {
    let last = performance.now();
    window.longest = 0;
    setInterval(() => {
        const now = performance.now();
        window.longest = Math.max(window.longest, now - last);
        last = now;
    }, 5);
}
"""


def show(notebook: Notebook, text: str) -> int:
    """Show the text as an answer is shown; return the index of the cell."""
    return notebook.run(
        f"from copilot_magic.markdown.render import bundle\ndisplay(bundle({text!r}), raw=True)"
    )


@pytest.mark.parametrize("name", LARGE)
def test_a_formula_just_below_the_limits_is_typeset_at_once(opened: Notebook, name: str) -> None:
    first = opened.output(show(opened, "$y$"))  # loads MathJax
    expect(first.locator("mjx-container")).to_have_count(1)
    opened.page.evaluate(MEASURE)
    output = opened.output(show(opened, f"${LARGE[name]}$"))
    expect(output.locator("mjx-container")).to_have_count(1)
    assert opened.page.evaluate("() => window.longest") < 2_000
    assert output.locator("mjx-merror").count() == 0


def test_heavy_formulas_are_code_and_the_notebook_can_be_reopened(
    jupyter: Jupyter, front_end: str
) -> None:
    with jupyter.notebook(front_end) as notebook:
        notebook.page.evaluate(MEASURE)
        cells = []
        for name in HEAVY:
            cells.append(show(notebook, f"{PAYLOADS[name]}\n\nThe end, $y$."))
            output = notebook.output(cells[-1])
            expect(output.locator("mjx-container")).to_have_count(1)
            expect(output.locator("code")).to_have_count(1)
        assert notebook.page.evaluate("() => window.longest") < 2_000
        notebook.save()
        notebook.open()
        for cell in cells:
            assert "The end" in notebook.seen(cell)


def test_no_link_leads_to_the_jupyter_server(opened: Notebook, jupyter: Jupyter) -> None:
    """JupyterLab rewrites an address that the browser cannot parse to one on its server."""
    probe = opened.run(
        "from IPython.display import HTML\n"
        """HTML('<p>probe</p><a href="http://%3C/../logout">x</a>')"""
    )
    expect(opened.output(probe)).to_contain_text("probe")
    opened.page.wait_for_timeout(500)
    assert any(address.startswith(jupyter.url) for address in addresses(opened, probe))
    names = [name for name in PAYLOADS if name.startswith("link")]
    index = show(opened, "\n\n".join([*(PAYLOADS[name] for name in names), "[y](https://y)"]))
    expect(opened.output(index).locator("a").last).to_have_text("y")
    opened.page.wait_for_timeout(500)
    found = addresses(opened, index)
    assert found[-1] == "https://y/"
    assert [address for address in found if address.startswith(jupyter.url)] == []
    for address in found:
        assert address.startswith(("http://", "https://", "mailto:")), address


def addresses(notebook: Notebook, index: int) -> list[str]:
    """Return where the links of a cell's output lead, as the browser understands them."""
    return list(notebook.output(index).locator("a").evaluate_all("all => all.map(a => a.href)"))
