"""The progress bar of a batch: what it says, how often, where, and what it leaves alone."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest

from copilot_magic.batch.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def steady(text: str) -> str:
    """Return what was shown, without times and speeds, which differ from run to run."""
    return re.sub(r"\[[\d:]+(?:<[\d:?]+)?, [\d.?]+ prompts/s(?:, )?", "[", text)


def paints(file: io.StringIO) -> list[str]:
    """Return the lines that were painted one over the other, or one below the other."""
    lines = re.split(r"[\r\n]+", file.getvalue())
    return [steady(line).strip() for line in lines if line.strip()]


def run(code: str, warnings: str = "error") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", warnings, "-c", code], capture_output=True, text=True, timeout=120
    )


def test_it_says_how_far_it_is_what_failed_what_was_known_and_what_it_took() -> None:
    file = Terminal()
    progress = Progress(10, shown=True, file=file, interval=0)
    progress.advance(4, known=True)
    progress.advance(tokens=950)
    progress.advance(2, failed=True, tokens=47_000)
    progress.close()
    shown = [re.sub(r"\|.*\|", "|", line) for line in paints(file)]
    assert shown == [
        "0%| 0/10 []",
        "40%| 4/10 [4 known]",
        "50%| 5/10 [4 known, 950 tokens]",
        "70%| 7/10 [4 known, 2 failed, 48k tokens]",
        "70%| 7/10 [4 known, 2 failed, 48k tokens]",
    ]
    assert file.getvalue().endswith("\n")


def test_what_was_known_counts_for_no_speed() -> None:
    file = io.StringIO()
    progress = Progress(10, shown=True, file=file, interval=0)
    progress.advance(4, known=True)
    assert "?<" not in file.getvalue()
    assert file.getvalue().count("? prompts/s") == 2
    progress.advance()
    assert file.getvalue().count("? prompts/s") == 2
    progress.close()


def test_without_a_total_it_counts() -> None:
    file = Terminal()
    progress = Progress(None, shown=True, file=file, interval=0)
    progress.advance(3, tokens=1200)
    progress.close()
    assert paints(file)[-1] == "3 prompts [1.2k tokens]"


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (1, "1 tokens"),
        (999, "999 tokens"),
        (1000, "1.0k tokens"),
        (9949, "9.9k tokens"),
        (9960, "10k tokens"),
        (999_400, "999k tokens"),
        (999_600, "1.0M tokens"),
        (3_140_000_000_000, "3140G tokens"),
    ],
)
def test_tokens_are_said_in_a_few_characters(tokens: int, said: str) -> None:
    file = io.StringIO()
    progress = Progress(None, shown=True, file=file, interval=0)
    progress.advance(tokens=tokens)
    progress.close()
    assert f"[{said}]" in paints(file)[-1]


def test_while_nothing_moves_it_says_why_and_for_how_long() -> None:
    file = Terminal()
    progress = Progress(None, shown=True, file=file, interval=0)
    progress.waiting(11.2, "429")
    progress.waiting(300, "the server\x1b[2J is\nunreachable")
    progress.advance()
    progress.waiting(1, "429")
    progress.close()
    assert paints(file)[1:] == [
        "0 prompts [429, waiting 12 s]",
        "0 prompts [the server [2J is unreachable, waiting 5 min]",
        "1 prompts []",
        "1 prompts [429, waiting 1 s]",
        "1 prompts []",
    ]


def test_a_log_gets_few_lines_each_a_line_of_its_own() -> None:
    file, clock = io.StringIO(), Clock()
    progress = Progress(1000, shown=True, file=file, clock=clock)
    for _ in range(500):
        progress.advance()
        clock.now += 0.05  # 25 seconds together
    for seconds in range(9, 0, -1):
        progress.waiting(seconds, "429")
        clock.now += 0.5
    progress.close()
    assert "\r" not in file.getvalue()
    lines = file.getvalue().splitlines()
    counts = [re.search(r"(\d+)/1000", line) for line in lines]
    assert [found and int(found[1]) for found in counts] == [0, 201, 401, 500, 500]
    assert "429, waiting 9 s" in lines[3]
    assert {len(line) for line in lines} <= set(range(101))


def test_a_terminal_is_repainted_at_most_a_few_times_a_second() -> None:
    file, clock = Terminal(), Clock()
    progress = Progress(1000, shown=True, file=file, clock=clock)
    for _ in range(1000):
        progress.advance()
        clock.now += 0.001
    progress.close()
    assert 4 <= len(paints(file)) <= 7
    assert "1000/1000" in paints(file)[-1]


def test_closed_half_way_it_stays_as_it_was() -> None:
    file = Terminal()
    progress = Progress(10, shown=True, file=file)
    progress.advance(3, failed=True)
    progress.close()
    assert "3/10 [3 failed]" in paints(file)[-1]
    shown = file.getvalue()
    use: list[Callable[[], Any]] = [
        progress.close,
        progress.advance,
        lambda: progress.waiting(1, "429"),
    ]
    for call in use:
        call()
    assert file.getvalue() == shown


def test_if_it_is_not_shown_nothing_is_loaded_and_nothing_printed() -> None:
    code = """
import sys
from copilot_magic.batch.progress import Progress

progress = Progress(10, shown=False)
progress.advance(failed=True, tokens=5)
progress.waiting(5, "429")
progress.close()
assert "tqdm" not in sys.modules
"""
    result = run(code)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_outside_of_a_kernel_no_widgets_are_loaded_and_no_thread_is_started() -> None:
    code = """
import sys, threading
from copilot_magic.batch.progress import Progress

progress = Progress(2, shown=True)
progress.advance(2)
progress.close()
assert not {"ipywidgets", "IPython", "multiprocessing.synchronize"} & set(sys.modules)
assert threading.active_count() == 1
"""
    result = run(code)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    assert "2/2" in result.stderr.splitlines()[-1]


# What tells any version of `tqdm` that this is a kernel.
IN_KERNEL = """
import sys, types, warnings
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import IPython, ipykernel.zmqshell
IPython.get_ipython = lambda: types.SimpleNamespace(config={"IPKernelApp": {}})
from copilot_magic.batch.progress import Progress
published = []
publish = lambda bundle, **how: published.append((bundle, how))
"""


def test_in_a_kernel_it_is_a_widget_and_nobody_is_warned() -> None:
    code = """
progress = Progress(10, shown=True, publish=publish, interval=0)
((bundle, how),) = published
container = progress._bar.container
view = {"version_major": 2, "version_minor": 0, "model_id": container.model_id}
assert bundle["application/vnd.jupyter.widget-view+json"] == view
progress.advance(3, failed=True, tokens=48_000)
progress.waiting(12, "<b>429</b>")
text, bar, rest = container.children
assert (bar.value, bar.max, bar.bar_style) == (3, 10, "")
assert container.layout.width == "100%"
shown = rest.value.replace("\\u2007", " ")
assert "&lt;b&gt;429&lt;/b&gt;, waiting 12 s" in shown, shown
assert len(published) == 1
progress.close()
assert (bar.value, bar.bar_style) == (3, "danger")
"""
    result = run(IN_KERNEL + code)
    assert (result.returncode, result.stderr) == (0, "")


def test_in_a_kernel_a_bar_that_is_done_becomes_text_that_is_saved_with_the_notebook() -> None:
    code = """
progress = Progress(10, shown=True, publish=publish)
widgets = [progress._bar.container, *progress._bar.container.children]
progress.advance(3, failed=True, tokens=48_000)
progress.close()
progress.close()
(_, first), (bundle, last) = published
assert "update" not in first and last == {**first, "update": True}
assert first["transient"]["display_id"]
assert set(bundle) == {"text/plain", "text/html"}
print(bundle["text/plain"])
print(bundle["text/html"])
assert not any(widget.comm for widget in widgets)
"""
    result = run(IN_KERNEL + code)
    assert (result.returncode, result.stderr) == (0, "")
    text, html = steady(unescape(result.stdout)).splitlines()
    assert text == "30% 3/10 [3 failed, 48k tokens]"
    assert html.startswith("<div") and html.endswith(
        '<span>30%</span> <progress style="flex: auto" value="3" max="10"></progress> '
        "<span>3/10 [3 failed, 48k tokens]</span></div>"
    )


def test_in_a_kernel_without_a_total_the_text_that_stays_is_a_count() -> None:
    code = """
progress = Progress(None, shown=True, publish=publish)
progress.advance(3)
progress.close()
print(published[-1][0]["text/plain"])
assert "<progress" not in published[-1][0]["text/html"]
"""
    result = run(IN_KERNEL + code)
    assert (result.returncode, result.stderr) == (0, "")
    assert steady(result.stdout) == "3 prompts []\n"


def test_in_a_kernel_without_widgets_it_is_text_and_nobody_is_warned() -> None:
    code = """
sys.modules["ipywidgets"] = None
progress = Progress(10, shown=True, publish=publish)
progress.advance(10)
progress.close()
assert not published
"""
    # As an error, the warning would be caught by `tqdm` itself.
    result = run(IN_KERNEL + code, warnings="default")
    assert result.returncode == 0, result.stderr
    assert len(result.stderr.splitlines()) == 2
    assert "10/10" in result.stderr
