"""A diff reads well everywhere, and a hostile one is harmless."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from difflib import SequenceMatcher
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from copilot_magic.views import diff
from copilot_magic.views.diff import show_diff

BEFORE = "import a\nx = a.pirce + 1\nprint(x)"
AFTER = "import a\nx = a.price + 1\nprint(x)\nx"
PLAIN = "  import a\n- x = a.pirce + 1\n+ x = a.price + 1\n  print(x)\n+ x"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def kernel_shell() -> Iterator[Any]:
    """Yield a shell that passes for a kernel's."""
    shell: Any = InteractiveShell.instance()
    shell.kernel = object()
    yield shell
    del shell.kernel


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


def written(stream: io.StringIO, *arguments: Any) -> str:
    with redirect_stdout(stream):
        show_diff(None, *arguments)
    return stream.getvalue()


def plain_diff(before: str, after: str) -> str:
    return written(io.StringIO(), before, after).removesuffix("\n")


def bundle(shell: Any, *arguments: Any) -> dict[str, str]:
    with capture_output() as captured:
        show_diff(shell, *arguments)
    (output,) = captured.outputs
    data: dict[str, str] = output.data
    return data


def test_without_colours_it_is_text_with_the_notes_below(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_diff(None, BEFORE, AFTER, ["overwrites `x`", "a\nb"])
    assert capsys.readouterr().out == f"{PLAIN}\noverwrites `x`\na b\n"


@pytest.mark.usefixtures("colours")
def test_a_terminal_shows_colours_and_the_words_that_changed() -> None:
    assert written(Terminal(), BEFORE, AFTER, ["overwrites `x`"]).split("\n") == [
        "  import a",
        "\x1b[31m- x = a.\x1b[1mpirce\x1b[0m\x1b[31m + 1\x1b[0m",
        "\x1b[32m+ x = a.\x1b[1mprice\x1b[0m\x1b[32m + 1\x1b[0m",
        "  print(x)",
        "\x1b[32m+ x\x1b[0m",
        "\x1b[2moverwrites `x`\x1b[0m",
        "",
    ]


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
@pytest.mark.usefixtures("colours")
def test_a_terminal_without_colours_gets_none(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert written(Terminal(), BEFORE, AFTER) == f"{PLAIN}\n"


def test_a_notebook_shows_the_classes_that_themes_style(kernel_shell: Any) -> None:
    data = bundle(kernel_shell, BEFORE, AFTER, ["overwrites `x`"])
    shown = data["text/html"]
    assert '<span class="gd">- x = a.<b><u>pirce</u></b> + 1</span>' in shown
    assert '<span class="gi">+ x = a.<b><u>price</u></b> + 1</span>' in shown
    assert '<small class="copilot-mark">overwrites `x`</small>' in shown
    assert data["text/plain"] == f"{PLAIN}\noverwrites `x`"


@pytest.mark.parametrize("after", [BEFORE, f"{BEFORE}\n\n", "import a  \n" + BEFORE[9:]])
def test_equal_cells_are_no_change(after: str) -> None:
    assert plain_diff(BEFORE, after) == "no change"


def test_lines_with_little_in_common_are_marked_by_their_colour_alone(kernel_shell: Any) -> None:
    shown = bundle(kernel_shell, "x = 1", "for line in file: print(line)")["text/html"]
    assert "<u>" not in shown


def test_a_long_cell_is_shown_around_its_changes() -> None:
    before = [f"line{n}" for n in range(100)]
    after = [*before[:50], "new", *before[51:]]
    assert plain_diff("\n".join(before), "\n".join(after)).split("\n") == [
        "… 47 lines",
        *(f"  line{n}" for n in (47, 48, 49)),
        "- line50",
        "+ new",
        *(f"  line{n}" for n in (51, 52, 53)),
        "… 46 lines",
    ]


def test_a_short_cell_is_shown_as_a_whole() -> None:
    before = [f"line{n}" for n in range(60)]
    shown = plain_diff("\n".join(before), "\n".join(["new", *before[1:]]))
    assert len(shown.split("\n")) == 61


def test_endless_cells_are_cut() -> None:
    shown = plain_diff("a\n" * 5_000, "b\n" * 5_000 + "c" * 1_000_000)
    assert len(shown) < 10_000
    assert shown.endswith("… 9,601 more lines")
    assert len(plain_diff("x", "c" * 1_000_000)) < 3_000


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a\nb\n" * 20_000, "b\nb\na\n" * 20_000),
        ("a b " * 50_000, "b a " * 50_000),
        ("\n".join(["a b " * 40] * 5_000), "\n".join(["b a " * 40] * 5_000)),
    ],
)
def test_what_is_compared_is_bounded(
    before: str, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = [0]

    class Counting(SequenceMatcher[str]):
        def __init__(self, junk: Any, old: Any, new: Any, autojunk: bool) -> None:
            compared[0] += len(old) * len(new)
            super().__init__(junk, old, new, autojunk)

    monkeypatch.setattr(diff, "SequenceMatcher", Counting)
    plain_diff(before, after)
    assert compared[0] <= 3_000_000


HOSTILE = (
    "</code></pre><script>x</script><img src=x onerror=x>\x1b[2J\x9b31m\u202e```\n$x$ &amp;\r\x07"
)


def test_hostile_text_is_harmless_in_a_notebook(kernel_shell: Any) -> None:
    data = bundle(kernel_shell, "x = '<b>'", HOSTILE, [HOSTILE])
    tags = set(re.findall(r"<(\w[^ >]*)", data["text/html"]))
    assert tags <= {"div", "style", "pre", "code", "span", "b", "u", "small"}
    assert not set("".join(data.values())) & set("\x1b\x9b\u202e\r\x07")


@pytest.mark.usefixtures("colours")
def test_hostile_text_is_harmless_in_a_terminal() -> None:
    shown = written(Terminal(), HOSTILE, "x", [HOSTILE])
    ours = re.sub(r"\x1b\[(?:0|1|2|31|32)m", "", shown)
    assert not set(ours) & set("\x1b\x9b\u202e\r\x07")


LINES = st.lists(st.sampled_from(["a", "b", "a b", "a <b> c", "", "  d"]), max_size=12)


@given(LINES, LINES)
def test_both_versions_can_be_read_from_it(before: list[str], after: list[str]) -> None:
    old, new = "\n".join(before).rstrip(), "\n".join(after).rstrip()
    shown = plain_diff(old, new).split("\n")
    if old == new:
        assert shown == ["no change"]
        return
    assert "\n".join(line[2:] for line in shown if line[:1] != "+") == old
    assert "\n".join(line[2:] for line in shown if line[:1] != "-") == new


@given(LINES, LINES)
def test_marks_change_no_text(before: list[str], after: list[str]) -> None:
    lines = diff._diff(before or [""], after or [""])
    for line in lines:
        assert html.unescape(re.sub(r"<[^>]+>", "", diff._html(line))).rstrip() == line.plain
