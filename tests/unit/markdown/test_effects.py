"""What code in an answer would do, in Python and in IPython's syntax, whole or in pieces."""

from __future__ import annotations

import threading
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rendering import effects_of

from copilot_magic.markdown.effects import (
    EFFECTS_LINE,
    MOST_CODE,
    CodeEffects,
    effects_html,
    is_python,
)
from copilot_magic.markdown.work import Work

D, W, P, N, C = (
    *("deletes files", "writes files", "starts processes", "uses the network"),
    "runs text as code",
)

IPYTHON = {
    "!ls": [P],
    "import os\n!ls {x}": [P],
    "x = !ls": [P],
    "if a:\n    !rm x": [D, P],
    "!pip install a \\\n  b": [P, N],
    "%pip install x\nimport x": [P, N],
    "pip install x\nimport x": [P, N],
    "%sx ls": [P],
    "%run a.py": [C],
    "%timeit -n 10 os.remove(x)": [D],
    "%%time\nos.remove(x)": [D],
    "%%timeit -r 3 x = 1\nos.remove(x)": [D],
    "%%capture out\nopen(x, 'w')": [W],
    "%%scalene --cpu-only\nos.remove(x)": [D],
    "%%bash\ncurl a > b": [W, P, N],
    "%%writefile a.py\nimport os": [W],
    "%%html\n<script>os.remove(x)</script>": [],
    "%matplotlib inline\n%load_ext autoreload\nimport a": [],
    "df.head?\nos.remove(x)": [D],
    "?df\nos.remove(x)": [D],
}


@pytest.mark.parametrize("code", IPYTHON)
def test_the_syntax_of_ipython_counts(code: str) -> None:
    assert effects_of(code, "ipython") == IPYTHON[code]


def test_only_python_is_looked_at() -> None:
    code = "import os\nos.remove('x')"
    for language in ("python", "py", "Python", "python3", "ipython", ""):
        assert is_python(language) and effects_of(code, language) == [D]
    for language in ("js", "bash", "text", "pytb"):
        assert not is_python(language) and effects_of(code, language) == []


def test_code_without_a_language_counts_if_all_of_it_is_python() -> None:
    assert effects_of("Run this:\nos.remove(x)", "") == []
    assert effects_of("pip install x\nrm -rf y", "") == []
    assert effects_of("!rm x", "") == [D, P]


def test_prompts_and_output_are_left_out() -> None:
    code = ">>> for x in y:\n...     os.remove(x)\n...\nopen('x', 'w')\n>>> x\n"
    for language in ("pycon", "python", ""):
        assert effects_of(code, language) == [D]


@pytest.mark.parametrize(
    "code",
    [
        "print 'Python 2'\nos.remove(x)",
        "def f(:\n    os.remove(x)",
        "os.remove(x)\nfor",
        "with open(x) as f:\n    os.remove(x)\n    '''unclosed",
        "        a = 1\n    else:\n        os.remove(x)\nb = 2",
        "    def method(self):\n        os.remove(x)\n\nclass B: ...",
        "x = ...  # and so on\n    os.remove(x)\n",
    ],
)
def test_code_with_faults_counts_as_far_as_it_can_be_read(code: str) -> None:
    assert effects_of(code, "python") == [D]


def test_all_effects_are_in_a_fixed_order() -> None:
    code = "eval(x); requests.get(x); os.system(x); open(x, 'w'); os.remove(x)"
    assert effects_of(code, "python") == [D, W, P, N, C]


def test_what_pieces_of_code_do_is_told_once_and_needs_what_was_before() -> None:
    effects = CodeEffects("python", Work())
    assert effects.feed("import os as o\n") == []
    assert effects.feed("def f(x):\n    o.remove(x)\n") == [D]
    assert effects.feed("    o.remove(x)\n    y.unlink()\n") == []
    assert effects.feed("    o.system(x)\n    o.remove(x)\n") == [P]


def test_a_cell_magic_holds_for_all_pieces() -> None:
    effects = CodeEffects("python", Work())
    assert effects.feed("%%bash\nls\n") == [P]
    assert effects.feed("rm x\n") == [D]
    effects = CodeEffects("python", Work())
    assert effects.feed("%%html\n<p>\n") == []
    assert effects.feed("os.remove(x)\n") == []


def test_harmless_code_is_not_parsed() -> None:
    work = Work()
    assert CodeEffects("python", work).feed("x = df.groupby('a').sum() % 7\n" * 100) == []
    assert work.spent == 0


def test_code_takes_work_in_proportion() -> None:
    code = "total = frame.groupby('a')['b'].mean().reset_index()  # a line of code\n"
    for count in (10, 100, 1_000):
        work = Work()
        CodeEffects("python", work).feed(f"open(x)\n{code * count}")
        assert work.spent < 2 * count * len(code) + 100


def test_code_that_takes_too_much_work_has_no_effects() -> None:
    assert CodeEffects("python", Work(100)).feed("x = 1\n" * 1_000 + "os.remove(x)\n") == []


HOSTILE = [
    *("(", "open(", "[open,", "-", "not ", "lambda:", "await ", "f'{", "\\", "open\0", "x = "),
    *("open;", "open+", "a.", "%a\n", "%pip ", "!", "> ", "'''open", "open\n%x\\\n", "\topen\n"),
    *("if open:\n ", "open:\n", "   open\n", "é\u202e", "\ud800", "os.system(", "{**", "@open\n"),
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_code_neither_raises_nor_warns_nor_takes_long(piece: str) -> None:
    """It is looked at in a thread, whose stack may be small."""
    spent: list[float] = []

    def look() -> None:
        for tail in ("", "open", "\nos.remove(x)"):
            for language in ("python", "", "pycon"):
                work = Work()
                CodeEffects(language, work).feed(piece * (20_000 // len(piece)) + tail)
                spent.append(work.spent)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert len(spent) == 9  # An exception would have ended the thread.
    assert max(spent) < 5 * 20_000


@given(st.text(alphabet="ab \n\t()[]{}'\"\\%!=.:;,#>?0open", max_size=80))
def test_any_text_has_effects_or_none(code: str) -> None:
    for language in ("python", "", "pycon"):
        assert set(effects_of(code, language)) <= {D, W, P, N, C}


def test_no_escape_sequence_makes_the_parser_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        code = r"""a = '\d \N{EM DASH} \400 \' \\'; b = r'\d'; c = f'{a}\d'; os.remove(x)"""
        assert effects_of(code, "python") == [D]


def test_only_the_beginning_of_endless_code_is_looked_at() -> None:
    assert effects_of("x = open\n" * (MOST_CODE // 9 + 1) + "os.remove(x)", "python") == []


def test_the_line_tells_the_effects() -> None:
    line = effects_html([W, D])
    assert line == '<div class="copilot-effects">⚠ deletes files · writes files</div>'
    found = EFFECTS_LINE.fullmatch(line)
    assert found and found[1] == "deletes files · writes files"
    assert effects_html([]) == ""
