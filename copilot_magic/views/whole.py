"""The HTML of a whole answer, fitted to the outputs that show its parts."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence

from ..markdown.effects import EFFECTS_LINE, effects_html

__all__ = ["fit", "joined", "top_level"]

_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)[^>]*>")
_VOID = {"br", "hr", "img", "input"}

# What opens a block that continues the one before, and how that one ends. A table that continues
# repeats its header.
_SEAMS = (
    (
        re.compile(
            r'<div class="copilot-table"><table class="[^"]*copilot-cont[^>]*>\s*'
            r"<thead>.*?</thead>\s*(?:<tbody>\n)?",
            re.DOTALL,
        ),
        "</tbody>\n</table></div>\n",
    ),
    (
        re.compile(
            r'<div class="[^"]*copilot-code[^"]*copilot-cont[^>]*>'
            rf"(?P<effects>{EFFECTS_LINE.pattern})?<pre><code>"
        ),
        "</code></pre></div>\n",
    ),
    *(
        (re.compile(rf'<{name}\b[^>]* class="[^"]*copilot-cont[^>]*>\n?'), f"</{name}>\n")
        for name in ("ul", "ol", "li", "blockquote", "p")
    ),
)
_CODE = "<pre><code>"
_EFFECTS = '<div class="copilot-effects">'
_LATE_EFFECTS = re.compile(rf"{EFFECTS_LINE.pattern}(?!{_CODE})")
# In text, a quotation mark is escaped.
_CLASS = re.compile(' class="([^"]*)"')


def fit(parts: Sequence[str], whole: str) -> list[str]:
    """Return `whole` cut into as many pieces as there are parts, most of them equal to theirs.

    Where they differ, one piece takes the place of all parts that the difference touches, and the
    pieces of the others are empty. So each change can be shown in one step.

    Args:
        parts: The HTML of the parts, each of them balanced.
        whole: The HTML to show, which has most of their blocks.
    """
    blocks = top_level(whole)
    ours = [top_level(part) for part in parts]
    found = _find([block for part in ours for block in part], blocks)
    pieces = [""] * len(parts)
    first = start = number = 0
    for index, part in enumerate(ours):
        number += len(part)
        end = len(blocks)
        if index < len(parts) - 1:
            before, after = found[number], found[number + 1]
            if before is not None:
                end = before + 1
            elif after is not None:
                end = after
            else:
                continue  # What has changed goes on in the next part.
        pieces[first] = "".join(blocks[start:end])
        first, start = index + 1, end
    return pieces


def _find(ours: Sequence[str], blocks: Sequence[str]) -> list[int | None]:
    """Return where each of our blocks is among `blocks`, None if it is not.

    Before the first is the start (-1), after the last the end.
    """
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, block in enumerate(blocks):
        places[block].append(place)
    found: list[int | None] = [-1]
    gap = 0  # how many of ours before this one were not found
    last = -1
    for number in range(len(ours) + 1):
        candidates = places.get(ours[number], []) if number < len(ours) else [len(blocks)]
        at = bisect_right(candidates, last)
        if at == len(candidates):
            found.append(None)
            gap += 1
            continue
        place = candidates[at]
        if place - last - 1 == gap:
            # As many others are in their place: each took the place of one.
            found[len(found) - gap :] = range(last + 1, place)
        found.append(place)
        last, gap = place, 0
    return found


def joined(html: str) -> str:
    """Return HTML in which the parts of each block that was settled in parts are one block."""
    if "copilot-cont" not in html:
        return html
    blocks: list[list[str]] = []
    for block in top_level(html):
        if blocks and (pieces := _join(blocks[-1][-1], block)):
            blocks[-1][-1:] = pieces
        else:
            blocks.append([block])
    return "".join(_one_block(pieces) if len(pieces) > 1 else pieces[0] for pieces in blocks)


def _one_block(pieces: Sequence[str]) -> str:
    html = _CLASS.sub(_without_marks, "".join(pieces))
    # Code has its margin with it, but for code that is continued.
    code = '<div class="highlight copilot-code" dir="ltr"'
    html = html.replace(f"{code}>", f'{code} style="margin-bottom:1em">')
    while late := _LATE_EFFECTS.search(html):
        html = html[: late.start()] + html[late.end() :]
        above = html.rindex(_CODE, 0, late.start())
        line = html.find(_EFFECTS, max(above - 200, 0), above)
        begun = EFFECTS_LINE.fullmatch(html, line, above) if line >= 0 else None
        told = {*late[1].split(" · "), *(begun[1].split(" · ") if begun else [])}
        html = html[: begun.start() if begun else above] + effects_html(told) + html[above:]
    return html


def _join(before: str, block: str) -> list[str]:
    """Return the pieces of one block, nothing if `block` does not continue the one before.

    The effects that only the code in `block` has are then told in the middle of the code.
    """
    ends = [(0, "", "")]  # where the seam may end, what `before` ends with then, and the effects
    while match := next((m for m in (s.match(block, ends[-1][0]) for s, _ in _SEAMS) if m), None):
        closing = next(closing for seam, closing in _SEAMS if seam is match.re)
        ends.append((match.end(), closing + ends[-1][1], match.groupdict().get("effects") or ""))
    for end, closing, effects in reversed(ends[1:]):
        if before.endswith(closing):
            space = "\n" if closing.startswith("</p>") else ""
            return [before[: -len(closing)] + space, effects + block[end:]]
    return []


def _without_marks(match: re.Match[str]) -> str:
    names = [n for n in match[1].split(" ") if n not in ("copilot-more", "copilot-cont")]
    return f' class="{" ".join(names)}"' if names else ""


def top_level(html: str) -> list[str]:
    """Return the elements of balanced HTML that are in no other, with what stands after each."""
    blocks: list[str] = []
    depth = start = 0
    for tag in _TAG.finditer(html):
        if depth == 0 and not tag[1] and html[start : tag.start()].strip():
            blocks.append(html[start : tag.start()])
            start = tag.start()
        if tag[2] not in _VOID:
            depth += -1 if tag[1] else 1
    return [*blocks, html[start:]] if html[start:] else blocks
