"""What it costs to render texts that are slow for many renderers, whole and while they arrive.

Our times are those of the processor, so other work on the machine does not count.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from benchmarks.claims import Bench, Claim, Measurement
from benchmarks.hostile_texts import SLOW, slow_text

from copilot_magic.markdown.render import render
from copilot_magic.markdown.stream import Stream

LENGTH = 200_000
PIECE = 400  # characters between two paints: 100 tokens
STOPPERS = ("wide tables", "environments", "nested quotation, lazy lines", "fenced ini, '='")
"""Texts that stop other renderers."""

WORST = (
    *STOPPERS,
    *("formula lines", "nested quotations", "brackets in lines", "entities"),
    *("headings", "unclosed definitions", "dollar lines", "one-letter paragraphs"),
    *(f"lines that begin with {mark}" for mark in ("_5", "*5", "$5")),
    *("emphasis marks", "emphasis", "definitions", "brackets", "links to nothing"),
    *("fences", "unclosed formula marks", "fenced JavaScript"),
)
"""Texts that stop others, and those that cost us most: whole, in a paint, or in HTML."""


def measure_slow(name: str) -> tuple[float, float, float]:
    """Return what one of the slow texts costs.

    Returns:
        Seconds to render the whole, seconds of the longest paint while it arrives, and how many
        times as long as the text the HTML is.
    """
    text = slow_text(name, LENGTH)
    begin = time.process_time()
    html = render(text)
    whole = time.process_time() - begin
    stream, longest = Stream(), 0.0
    for at in range(0, LENGTH, PIECE):
        begin = time.process_time()
        stream.feed(text[at : at + PIECE])
        stream.tail  # noqa: B018  (it is rendered when it is looked at)
        longest = max(longest, time.process_time() - begin)
    return whole, longest, len(html) / len(text)


# Renderers of others, as a terminal, a notebook or a page made of one uses them


def markdown_it(text: str) -> str:
    from markdown_it import MarkdownIt

    return str(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text))


def nbconvert(text: str) -> str:
    from nbconvert.filters.markdown_mistune import markdown2html_mistune

    return str(markdown2html_mistune(text))


RENDERERS: dict[str, Callable[[str], str]] = {"markdown-it-py": markdown_it, "nbconvert": nbconvert}


def render_with(renderer: str, name: str) -> None:
    """Render a slow text."""
    RENDERERS[renderer](slow_text(name, LENGTH))


def unfinished(renderer: str, limit: float, say: Callable[[str], None]) -> list[str]:
    """Return the texts that a renderer is not done with in that many seconds."""
    late = []
    for name in STOPPERS:
        say(f"slow texts, {renderer}: {name}")
        # A regular expression cannot be interrupted, but a process can.
        process = multiprocessing.get_context("spawn").Process(
            target=render_with, args=(renderer, name), daemon=True
        )
        process.start()
        process.join(limit)
        if process.exitcode is None:
            late.append(name)
        process.kill()
        process.join()
    return late


def slow(bench: Bench) -> list[Claim]:
    """Measure rendering texts that are slow for many renderers, or made to be slow for ours."""
    bench.uses("copilot-magic", "markdown-it-py", "nbconvert", "mistune", "pygments")
    render("```python\nx\n```")  # loads the parser and the lexer
    names = WORST[::4] if bench.quick else WORST
    found: dict[str, tuple[float, float, float]] = {}
    for number, name in enumerate(names):
        bench.say(f"slow texts, {number + 1} of {len(names)}: {name}")
        found[name] = measure_slow(name)
    limit = bench.choose(10, 3)
    with ThreadPoolExecutor() as pool:  # of processes, which wait for nothing
        late = list(pool.map(lambda renderer: unfinished(renderer, limit, bench.say), RENDERERS))
    others = [
        f"{renderer} over {limit} s for {len(texts)} of {len(STOPPERS)}"
        for renderer, texts in zip(RENDERERS, late, strict=True)
    ]
    wholes, paints, sizes = zip(*found.values(), strict=True)
    whole, paint, size = max(wholes), max(paints), max(sizes)
    slowest, jerkiest, longest = (
        names[column.index(max(column))] for column in (wholes, paints, sizes)
    )
    bench.note(
        f"Of {len(SLOW)} hostile texts, {len(names)} of those that cost most were measured. The "
        f"slowest was {slowest!r}; the longest paint was in {jerkiest!r}, the longest HTML in "
        f"{longest!r}."
    )
    bench.note(f"The others got these: {', '.join(map(repr, STOPPERS))}.")
    return [
        Claim(
            f"rendering hostile texts of {LENGTH:,} characters: the whole; a paint; HTML over text",
            "; ".join(others),
            f"{whole:.1f} s; {1000 * paint:.0f} ms; {size:.0f}",
            "≤ 2 s; ≤ 100 ms; ≤ 20",
            whole <= 2 and paint <= 0.1 and size <= 20,
        )
    ]


MEASUREMENTS = (Measurement(slow, ("rendering hostile texts of 200,000 characters",)),)
